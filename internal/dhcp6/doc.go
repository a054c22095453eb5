// Package dhcp6 serves DHCPv6 on one network (RFC 8415): addresses for IA_NA,
// stateless options, relay agents.
//
// What enters: a plan.DHCP, client and relay messages as socket.Packets, and the
// network's table of the lease book. What leaves: answers as socket.Packets by way
// of a Link; one that promises an address leaves once the lease is on disk.
//
// reply is the core: what a request is answered under a config, with a book of
// leases; it neither sends nor waits. Server is the thin rest: limits, counters,
// relays, and the wait for the disk. A client is known by its Ethernet address and
// IAID, so clones of one machine image, which share a DUID, do not share an
// address; see identity.go.
//
// dhcp6 opens no socket. It imports spec, plan, lease, hostname, pace, the types of
// socket, and insomniacslk/dhcp for the message format only.
package dhcp6
