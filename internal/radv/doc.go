// Package radv sends router advertisements on one network (RFC 4861, RFC 4191,
// RFC 8106) and answers solicitations.
//
// What enters: a plan.RA with the MAC and link-local address of the bridge, and
// solicitations as socket.Packets, whose hop limit and checksum were checked where
// they were read. What leaves: advertisements as socket.Packets without a
// checksum, by way of a Link.
//
// radv opens no socket and starts no goroutine: between two advertisements a
// network costs one timer. It imports spec, plan, the types of socket, and
// mdlayher/ndp for the message format only.
package radv
