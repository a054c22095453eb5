// Package dhcp4 answers DHCPv4 (RFC 2131) on one network.
//
// What enters: the plan's DHCP, datagrams as a socket received them, answers to
// ARP probes, and the lease table of the network. What leaves: datagrams and
// probes to a Link, bindings in the table, warnings, counters.
//
// The middle is pure: decide says what a request gets, from the request, the
// configuration and a view of the table, and encode writes it down. Round it,
// Server keeps what has to do with time: rates, addresses probed ahead, offers
// that wait for a probe, acknowledgements that wait for the disk.
//
// dhcp4 opens no socket, reads no file and touches no kernel object. Of kvmnet
// it imports spec, plan, lease, hostname, pace and the packet of socket; of other
// modules the parser of github.com/insomniacslk/dhcp/dhcpv4 only.
package dhcp4
