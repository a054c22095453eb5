package dhcpclient

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/spec"
)

// Numbers of messages before something else is tried.
const (
	mostRequests = 4 // for an offer
	mostReboots  = 3 // whether a lease still holds
	mostProbes   = 3 // whether somebody has an address
)

const (
	probePause   = 200 * time.Millisecond // between probes; RFC 5227 has 1 s, for which a router would be off the net
	declinePause = 10 * time.Second       // before it begins anew (RFC 2131 section 3.1)
	leastRenewal = time.Minute            // between two requests for more time (section 4.4.5)
)

// request asks a server for what it offered.
func (m *machine) request(now time.Time) {
	if m.tries == mostRequests {
		m.fail(now, fmt.Sprintf("the DHCP server %s offers an address and does not give it", m.offer.server))
		return
	}
	m.ask(now, request{kind: dhcpv4.MessageTypeRequest, wish: m.offer.lease.Address.Addr(), server: m.offer.server})
}

// probe looks whether somebody has the address; when nobody says so it is ours.
func (m *machine) probe(now time.Time) {
	if m.tries == mostProbes {
		m.adopt(m.offer)
		return
	}
	m.tries++
	m.out.probe = m.offer.lease.Address.Addr()
	m.wait(now, probePause)
}

// reboot asks whether a lease from before holds. When nobody answers it does, as
// long as it was given for (section 3.2).
func (m *machine) reboot(now time.Time) {
	if m.tries == mostReboots {
		m.enter(bound, now)
		m.next = m.lease.Renew
		return
	}
	m.ask(now, request{kind: dhcpv4.MessageTypeRequest, wish: m.lease.Address.Addr()})
}

// renew asks the server that gave the lease.
func (m *machine) renew(now time.Time) {
	l := m.lease
	if !now.Before(l.Rebind) {
		m.enter(rebinding, now)
		return
	}
	if m.tries > 0 {
		m.why = fmt.Sprintf("the DHCP server %s does not answer", l.Server)
	}
	m.send(now, request{kind: dhcpv4.MessageTypeRequest, own: l.Address.Addr(), to: l.Server, toMAC: l.ServerMAC})
	m.wait(now, min(max(l.Rebind.Sub(now)/2, leastRenewal), l.Rebind.Sub(now)))
}

// rebind asks all servers, until the lease ends.
func (m *machine) rebind(now time.Time) {
	l := m.lease
	m.why = "no DHCP server answers"
	m.send(now, request{kind: dhcpv4.MessageTypeRequest, own: l.Address.Addr()})
	m.wait(now, max(l.Ends.Sub(now)/2, leastRenewal))
}

// heard takes the answer of a server.
func (m *machine) heard(now time.Time, a answer) {
	if a.xid != m.xid {
		return
	}
	switch m.state {
	case selecting:
		if a.kind == offer {
			m.offer = a
			m.enter(requesting, now)
			m.tick(now)
		}
	case requesting:
		m.granted(now, a)
	case rebooting, renewing, rebinding:
		m.confirmed(now, a)
	}
}

// granted takes what the chosen server says about its offer.
func (m *machine) granted(now time.Time, a answer) {
	switch {
	case a.server != m.offer.server:
	case a.kind == nak:
		m.wish = netip.Addr{}
		m.fail(now, refusal(a))
	case a.kind == ack:
		m.offer = a
		m.enter(probing, now)
		m.tick(now)
	}
}

// confirmed takes what a server says about a lease that is in force.
func (m *machine) confirmed(now time.Time, a answer) {
	switch {
	case a.kind == nak:
		m.why = refusal(a)
		m.drop(now)
	case a.kind == ack && a.lease.Address.Addr() == m.lease.Address.Addr():
		m.adopt(a)
	}
}

func refusal(a answer) string {
	why := fmt.Sprintf("the DHCP server %s refuses it", a.server)
	if a.message != "" {
		why += ": " + a.message
	}
	return why
}

// adopt puts a lease in force. Its time counts from when it was asked for.
func (m *machine) adopt(a answer) {
	l := a.lease
	m.state, m.tries, m.fails, m.why, m.next, m.wish = bound, 0, 0, "", time.Time{}, netip.Addr{}
	if a.life > 0 {
		l.Renew, l.Rebind, l.Ends = m.sent.Add(a.renew), m.sent.Add(a.rebind), m.sent.Add(a.life)
		m.next = l.Renew
	}
	m.lease, m.out.save = &l, true
}

// claimed takes that somebody says to have an address. While it is looked for, the
// server has to know; a lease in force is defended by the kernel.
func (m *machine) claimed(now time.Time, mac spec.MAC, a netip.Addr) {
	if m.state != probing || mac == m.mac || a != m.offer.lease.Address.Addr() {
		return
	}
	m.wish = netip.Addr{}
	m.send(now, request{kind: dhcpv4.MessageTypeDecline, wish: a, server: m.offer.server})
	m.fail(now, fmt.Sprintf("%s, which the DHCP server %s gives, is in use by %s", a, m.offer.server, mac))
	m.wait(now, max(declinePause, m.next.Sub(now)))
}
