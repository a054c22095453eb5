// Package socket is how the services hear and answer guests: a packet socket a
// bridge for DHCP, router solicitations and ARP, and UDP and TCP sockets for DNS.
// On the uplinks of routers it is the other way round: a Client hears the DHCP
// servers there, and an Outlet tells neighbours where an address is.
//
// What enters: a namespace opened by netns, the name of a bridge or an address,
// and handlers. What leaves: Packets and Datagrams whose lengths and checksums
// are right, whom they came from, and frames on the wire. Nothing of the
// protocols inside is known here.
//
// DHCP goes through packet sockets because the answer needs the guest's Ethernet
// address, must reach a guest that has no IP address yet, must leave with
// complete checksums, and must not depend on the host's firewall, which a packet
// socket is in front of. What the kernel checks of a datagram for an ordinary
// socket is checked here instead. A Hold beside it keeps the port, so that the
// kernel refuses nobody and a second DHCP server is noticed.
//
// A socket that waits holds no buffer: buffers are taken when there is something
// to read, and a batch of messages is read and answered with one system call
// each.
//
// socket imports netns and spec, and nothing else of kvmnet.
package socket
