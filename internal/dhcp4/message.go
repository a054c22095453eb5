package dhcp4

import (
	"net/netip"
	"slices"

	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// message is an answer before it is written down.
type message struct {
	q              *query
	kind           kind
	flags          uint16
	ciaddr, yiaddr netip.Addr
	siaddr         netip.Addr
	sname, file    string
	options        []option
	has            [4]uint64 // set of the codes in options
}

type option struct {
	code byte
	data string
}

// add appends an option unless it is there: the first one wins.
func (m *message) add(code byte, data string) {
	if bit := uint64(1) << (code % 64); m.has[code/64]&bit == 0 {
		m.has[code/64] |= bit
		m.options = append(m.options, option{code, data})
	}
}

// compose fills in an answer: what every client needs first, so that it is not
// what a small message lacks; the relay's information last (RFC 3046 section 2.1).
func compose(q *query, a answer) *message {
	m := &message{q: q, kind: a.kind, flags: q.flags, options: make([]option, 0, 24)}
	m.add(optMessageType, string([]byte{byte(a.kind)}))
	m.add(optServerID, a.scope.fixed.server)
	if q.clientID != "" {
		m.add(optClientID, q.clientID) // RFC 6842
	}
	if a.kind == nak {
		m.refusal(a)
	} else {
		m.configuration(a)
	}
	if len(q.relay) > 0 {
		m.add(optRelayInfo, string(q.relay))
	}
	return m
}

// refusal: the relay must broadcast it, because the client's address is wrong
// (RFC 2131 section 4.3.2).
func (m *message) refusal(a answer) {
	m.add(optMessage, a.message)
	if m.q.giaddr.IsValid() {
		m.flags |= flagBroadcast
	}
}

func (m *message) configuration(a answer) {
	options := a.scope.Options
	if a.res != nil {
		options = a.res.options
	}
	if a.scope.Far && m.q.giaddr.IsValid() && find(options, optRouter) == nil {
		options = append(slices.Clip(options), plan.Option{Code: optRouter, Data: string(m.q.giaddr.AsSlice())})
	}
	if m.kind == ack {
		m.ciaddr = m.q.ciaddr
	}
	if a.addr.IsValid() {
		m.yiaddr = a.addr
		m.times(a.life, options)
	}
	if a.rapid {
		m.add(optRapidCommit, "")
	}
	m.always(optMask, a.scope.fixed.mask, options)
	m.requested(options)
	m.names(a)
	m.boot(m.q, a.scope.Boot)
	if m.q.link.IsValid() && len(m.q.subnet) > 0 && a.scope.Prefix.Contains(m.q.link) {
		m.add(optSubnetSelect, string(m.q.subnet)) // RFC 3011: an echo says that it counted
	}
}

// times are the lease time, T1 and T2 (RFC 2131 section 4.4.5).
func (m *message) times(life spec.Seconds, options []plan.Option) {
	m.add(optLeaseTime, wireSeconds(life))
	m.always(optRenewal, wireSeconds(fraction(life, 1, 2)), options)
	m.always(optRebinding, wireSeconds(fraction(life, 7, 8)), options)
}

// always adds an option with the configured value, or else with this one.
func (m *message) always(code byte, data string, options []plan.Option) {
	if o := find(options, code); o != nil {
		data = o.Data
	}
	m.add(code, data)
}

// requested adds the configured options that the client asks for, in its order.
// Routes (121) and routers (3) go together: a client that knows the former
// ignores the latter by itself (RFC 3442).
func (m *message) requested(options []plan.Option) {
	if m.q.params == nil {
		for _, o := range options {
			if o.Code < 255 {
				m.add(byte(o.Code), o.Data)
			}
		}
		return
	}
	for _, code := range m.q.params {
		if o := find(options, code); o != nil && code != 255 {
			m.add(code, o.Data)
		}
	}
}

func find(options []plan.Option, code byte) *plan.Option {
	for i := range options {
		if options[i].Code == uint16(code) {
			return &options[i]
		}
	}
	return nil
}

// names tells a client the name that its reservation has, and answers option 81
// of one that sent it.
func (m *message) names(a answer) {
	label := a.client.Hostname
	if a.res != nil && a.res.label != "" && m.q.wants(optHostname) {
		m.add(optHostname, label)
	}
	if m.q.hasFQDN && label != "" {
		m.add(optFQDN, fqdnAnswer(m.q.fqdn, label, a.scope.Domain))
	}
}

const (
	serverPort = 67
	clientPort = 68
)

var (
	everybody    = netip.AddrFrom4([4]byte{255, 255, 255, 255})
	everybodyMAC = spec.MAC{255, 255, 255, 255, 255, 255}
)

// route says where an answer goes (RFC 2131 section 4.1).
func route(q *query, a answer) socket.Packet {
	to, mac := everybody, everybodyMAC
	switch {
	case q.giaddr.IsValid():
		return packet(a, q.frame, netip.AddrPortFrom(q.giaddr, serverPort))
	case a.kind == nak:
	case q.ciaddr.IsValid():
		to, mac = q.ciaddr, q.frame // the frame's source may be a router
	case q.flags&flagBroadcast == 0:
		to, mac = a.addr, q.chaddr
	}
	return packet(a, mac, netip.AddrPortFrom(to, clientPort))
}

func packet(a answer, mac spec.MAC, to netip.AddrPort) socket.Packet {
	return socket.Packet{MAC: mac, From: netip.AddrPortFrom(a.scope.Server, serverPort), To: to}
}
