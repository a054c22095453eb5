package dhcp4

import "sync/atomic"

// reason is a thing that is counted besides messages.
type reason int

const (
	received    reason = iota
	malformed          // not a DHCP request, or one without what it must have
	bootp              // no message type
	hardware           // not an Ethernet client
	unexpected         // a message type that clients do not send
	notServed          // while Set(nil) holds
	rateLimited        // more than Rate a second from one sender
	otherServer        // for another DHCP server
	forged             // for a client that is behind another port
	noScope            // from a relay or address that is in none of the scopes
	notHeld            // DECLINE or RELEASE of somebody else's address
	exhausted          // no address free
	limited            // the port has as many as it may
	busy               // too many offers wait for a probe
	conflicts          // addresses in use without a lease
	notWritten         // leases that could not be written
	notSent            // answers the link did not take
	reasons
)

type counts struct {
	by   [reasons]atomic.Uint64
	seen [inform + 1]atomic.Uint64
	sent [inform + 1]atomic.Uint64
}

func (c *counts) add(r reason) { c.by[r].Add(1) }

func (c *counts) request(k kind) {
	if k <= inform {
		c.seen[k].Add(1)
	}
}

func (c *counts) answer(k kind) { c.sent[k].Add(1) }

// Counters tell how often something happened since New.
type Counters struct {
	Received                                             uint64 // datagrams
	Discovers, Requests, Declines, Releases, Informs     uint64 // requests by type
	Offers, Acks, Naks                                   uint64 // answers sent
	Malformed, BOOTP, NotEthernet, Unexpected, NotServed uint64 // dropped unread, or of no use
	RateLimited                                          uint64 // dropped: more than Rate a second from one sender
	OtherServer, NoScope, NotHeld                        uint64 // not for us; from an unknown relay; not the sender's address
	Forged                                               uint64 // for a client that is behind another port
	Exhausted, PortLimited, Busy                         uint64 // newcomers without an answer
	Conflicts                                            uint64 // addresses in use without a lease
	NotWritten, NotSent                                  uint64 // failures of the lease book and of the link
}

// Counters returns the counts so far.
func (s *Server) Counters() Counters {
	by := func(r reason) uint64 { return s.counts.by[r].Load() }
	seen := func(k kind) uint64 { return s.counts.seen[k].Load() }
	sent := func(k kind) uint64 { return s.counts.sent[k].Load() }
	return Counters{
		Received: by(received), Discovers: seen(discover), Requests: seen(request), Declines: seen(decline),
		Releases: seen(release), Informs: seen(inform), Offers: sent(offer), Acks: sent(ack), Naks: sent(nak),
		Malformed: by(malformed), BOOTP: by(bootp), NotEthernet: by(hardware), Unexpected: by(unexpected),
		NotServed: by(notServed), RateLimited: by(rateLimited), OtherServer: by(otherServer), NoScope: by(noScope),
		NotHeld: by(notHeld), Forged: by(forged), Exhausted: by(exhausted), PortLimited: by(limited), Busy: by(busy),
		Conflicts: by(conflicts), NotWritten: by(notWritten), NotSent: by(notSent),
	}
}
