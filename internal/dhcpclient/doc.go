// Package dhcpclient gets the addresses of routers' uplinks, and of the host's own
// interfaces, by DHCPv4 (RFC 2131).
//
// What enters: the plan.Acquires of the routers that run, or the interfaces of the host
// that want an address, and what servers answer. What leaves: requests, and for each
// what it got, for uplinks as plan takes it from the facts; the kernel's addresses and
// routes are others' to set.
//
// The middle is pure: machine decides by the time and the messages it is told what
// is sent and which lease is in force. Round it, a client for each link has a
// socket and a timer, and Clients keeps them as they are wanted.
//
// A lease is in a file of its own and in force from the first moment of the next
// daemon, which asks the server whether that still holds: meanwhile no packet is
// lost. It ends when it runs out, when the server denies it, or when it is
// not wanted any more; then it is given back. That the daemon ends is no reason to, nor
// that its client is wanted on another link: it goes on there.
//
// dhcpclient imports spec, plan, socket and netns, and of other modules the codec of
// github.com/insomniacslk/dhcp/dhcpv4 only.
package dhcpclient
