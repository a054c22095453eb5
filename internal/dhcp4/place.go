package dhcp4

import (
	"strings"

	"kvmnet/internal/lease"
)

// port tells where the message came from. The frame's source decides rather than
// the hardware address inside, which is only the client's word. The clients of a
// relay that is not trusted count as what they come through: a guest.
func (d *desk) port() string {
	switch {
	case d.trusted:
		return lease.RelayPort + d.q.giaddr.String()
	case d.passesAgent():
		return d.last.Port
	}
	port := d.v.Behind(d.q.frame)
	if port == "" && d.q.giaddr.IsValid() {
		port = lease.RelayPort + d.q.giaddr.String()
	}
	return port
}

// passesAgent reports whether a client behind a relay agent speaks to us without
// the agent, as it does to renew its lease or to end it (RFC 2131 sections 4.4.5
// and 4.4.6): the frame is a router's, and the client's own address is what tells.
func (d *desk) passesAgent() bool {
	return d.bound && strings.HasPrefix(d.last.Port, lease.RelayPort) && !d.q.giaddr.IsValid() && d.q.from == d.last.Addr
}

// forged reports whether somebody speaks for a client that has a lease behind
// another port, which only a trusted relay agent may do: a guest could rename its
// neighbour, or take over its lease.
func (d *desk) forged() bool {
	return d.q.frame != d.q.chaddr && !d.trusted && d.bound && d.last.Port != "" && d.port() != d.last.Port
}

// mayEnd reports whether the message comes from where the client of its lease is.
// The bridge has just learnt where the frame came from, so not even who borrows the
// client's Ethernet address can end the lease from another port. Of a port that was
// unplugged right behind the message the bridge knows nothing any more.
func (d *desk) mayEnd() bool {
	port := d.port()
	if d.last.Port == "" || port == "" {
		return d.q.frame == d.q.chaddr
	}
	return port == d.last.Port
}
