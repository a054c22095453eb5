package dhcp6

import (
	"sync/atomic"

	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/socket"
)

// Counters say what a Server did since New.
type Counters struct {
	Solicit, Request, Confirm, Renew, Rebind, Release, Decline, Information uint64 // received

	Advertised, Replied uint64 // sent

	Malformed uint64 // not a DHCPv6 message
	Invalid   uint64 // to be discarded by RFC 8415 section 16
	Foreign   uint64 // for another server
	Silent    uint64 // sound, but there was nothing to say
	Limited   uint64 // over the rate of one Ethernet address
	Forged    uint64 // relayed by a guest for a client behind another port
	Unsaved   uint64 // answers withheld because the lease could not be written
	Failed    uint64 // answers that could not be sent
}

// counters are Counters that many goroutines count.
type counters struct {
	kinds                                                                                      [12]atomic.Uint64 // received, by message type
	advertised, replied, malformed, invalid, foreign, silent, limited, forged, unsaved, failed atomic.Uint64
}

func (c *counters) received(kind dhcpv6.MessageType) {
	if int(kind) < len(c.kinds) {
		c.kinds[kind].Add(1)
	}
}

func (c *counters) unanswered(v verdict) {
	switch v {
	case invalid:
		c.invalid.Add(1)
	case foreign:
		c.foreign.Add(1)
	case silent:
		c.silent.Add(1)
	case unsaved:
		c.unsaved.Add(1)
	}
}

// Counters returns what was done so far.
func (s *Server) Counters() Counters {
	c := &s.count
	kind := func(t dhcpv6.MessageType) uint64 { return c.kinds[t].Load() }
	return Counters{
		Solicit: kind(dhcpv6.MessageTypeSolicit), Request: kind(dhcpv6.MessageTypeRequest),
		Confirm: kind(dhcpv6.MessageTypeConfirm), Renew: kind(dhcpv6.MessageTypeRenew),
		Rebind: kind(dhcpv6.MessageTypeRebind), Release: kind(dhcpv6.MessageTypeRelease),
		Decline: kind(dhcpv6.MessageTypeDecline), Information: kind(dhcpv6.MessageTypeInformationRequest),
		Advertised: c.advertised.Load(), Replied: c.replied.Load(),
		Malformed: c.malformed.Load(), Invalid: c.invalid.Load(), Foreign: c.foreign.Load(), Silent: c.silent.Load(),
		Limited: c.limited.Load(), Forged: c.forged.Load(), Unsaved: c.unsaved.Load(), Failed: c.failed.Load(),
	}
}

// send lets an answer out, unless the server was closed meanwhile.
func (s *Server) send(p socket.Packet, kind dhcpv6.MessageType) {
	if s.closed.Load() {
		return
	}
	if err := s.o.Link.Send(p); err != nil {
		s.count.failed.Add(1)
		s.log.Debug("DHCPv6 answer not sent", "to", p.To, "error", err)
		return
	}
	if kind == dhcpv6.MessageTypeAdvertise {
		s.count.advertised.Add(1)
	} else {
		s.count.replied.Add(1)
	}
}
