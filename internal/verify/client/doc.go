// Package client asks what guests ask of a network: for an address by DHCPv4 and
// DHCPv6, for the router, and for names.
//
// What enters: a namespace and an interface of it. What leaves: the answers, with
// what is wrong with them. It never takes what it is offered: a DISCOVER and a
// SOLICIT are held for a short time and forgotten.
//
// Messages are made and read by hand, with only as much of each protocol as that
// needs: servers and this package must not share a mistake. Frames are looked at
// as they come off the wire, so that a checksum that was left for a card to fill
// in is seen: clients on packet sockets drop such answers.
//
// client serves verify and the demo. Of kvmnet it imports netns, spec (for MAC)
// and testhost only.
package client
