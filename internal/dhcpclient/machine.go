package dhcpclient

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/spec"
)

// state is where a client is (RFC 2131 figure 5).
type state uint8

const (
	idle       state = iota // about to look for a server
	selecting               // asked who has an address
	requesting              // asked a server for the one it offered
	probing                 // got it, and looks whether somebody has it
	rebooting               // has one from before, and asks whether it still holds
	bound
	renewing  // asks the server for more time
	rebinding // asks anybody
)

// machine decides what a client does. It knows the time and the messages by what
// it is told; what it wants to be done it leaves in out.
type machine struct {
	mac    spec.MAC
	random func() uint64
	wish   netip.Addr // address to ask for before there was any lease; zero = any

	state state
	xid   uint32
	since time.Time // the exchange began
	sent  time.Time // the last message left
	tries int       // messages of this state
	fails int       // exchanges in a row that came to nothing
	next  time.Time // when something is to be done; zero = nothing is
	offer answer    // requesting, probing: what a server has for us
	lease *Lease    // in force; never changed, only replaced
	why   string    // what keeps us from a lease, "" = nothing known

	out outcome
}

// outcome is what is to be done.
type outcome struct {
	send  []request
	probe netip.Addr // ask by ARP who has it
	save  bool       // the lease is another one, or none
}

// take returns what is to be done, once.
func (m *machine) take() outcome {
	o := m.out
	m.out = outcome{}
	return o
}

// begin starts a client; a lease from before is in force at once. It is told again
// when the link came back, which may be plugged into another segment now.
func (m *machine) begin(now time.Time, lease *Lease) {
	if lease != nil && lease.over(now) {
		lease = nil
	}
	m.out.save = m.out.save || m.lease != lease
	m.lease, m.fails, m.why = lease, 0, ""
	m.enter(idle, now)
	if lease != nil {
		m.enter(rebooting, now)
	}
}

// enter begins a state, which does its first thing now.
func (m *machine) enter(s state, now time.Time) {
	m.state, m.tries, m.next = s, 0, now
	switch s {
	case selecting, rebooting, renewing, rebinding:
		m.xid, m.since = uint32(m.random()), now
	}
}

// tick does what is due.
func (m *machine) tick(now time.Time) {
	if m.lease != nil && m.lease.over(now) {
		m.why = "the lease ran out"
		m.drop(now)
	}
	for range 4 { // a state may be over at once
		if m.next.IsZero() || now.Before(m.next) {
			return
		}
		m.act(now)
	}
}

func (m *machine) act(now time.Time) {
	switch m.state {
	case idle:
		m.enter(selecting, now)
	case selecting:
		if m.tries > 0 {
			m.why = "no DHCP server answers"
		}
		m.ask(now, request{kind: dhcpv4.MessageTypeDiscover, wish: m.wish})
	case requesting:
		m.request(now)
	case probing:
		m.probe(now)
	case rebooting:
		m.reboot(now)
	case bound:
		m.enter(renewing, now)
	case renewing:
		m.renew(now)
	case rebinding:
		m.rebind(now)
	}
}

// ask sends a message and waits as long as section 4.1 says.
func (m *machine) ask(now time.Time, r request) {
	m.send(now, r)
	m.wait(now, m.backoff(m.tries))
}

func (m *machine) send(now time.Time, r request) {
	r.xid, r.secs = m.xid, now.Sub(m.since)
	m.out.send = append(m.out.send, r)
	m.tries++
	m.sent = now
}

// wait sets when to act next; a lease that ends before that is looked at then.
func (m *machine) wait(now time.Time, d time.Duration) {
	m.next = now.Add(d)
	if m.lease != nil && !m.lease.Ends.IsZero() && m.lease.Ends.Before(m.next) {
		m.next = m.lease.Ends
	}
}

// backoff is the pause after the n-th message, 4, 8, 16, 32 and then 64 seconds,
// give or take one.
func (m *machine) backoff(n int) time.Duration {
	return 2*time.Second<<min(max(n, 1), 5) + time.Duration(m.random()%2001)*time.Millisecond - time.Second
}

// fail gives an exchange up. The first new one begins at once, later ones wait.
func (m *machine) fail(now time.Time, why string) {
	m.why = why
	m.enter(idle, now)
	if m.fails > 0 {
		m.wait(now, m.backoff(m.fails))
	}
	m.fails++
}

// drop ends the lease and looks for another one.
func (m *machine) drop(now time.Time) {
	m.out.save = m.out.save || m.lease != nil
	m.lease = nil
	m.fail(now, m.why)
}

// release gives the lease back.
func (m *machine) release(now time.Time) {
	if l := m.lease; l != nil {
		m.enter(renewing, now) // another exchange
		m.send(now, request{kind: dhcpv4.MessageTypeRelease, own: l.Address.Addr(), server: l.Server, to: l.Server, toMAC: l.ServerMAC})
		m.lease, m.out.save = nil, true
	}
	m.enter(idle, now)
	m.next = time.Time{}
}

// trouble tells what keeps the link from a lease that holds, "" = nothing.
func (m *machine) trouble() string {
	switch {
	case m.why == "":
		return ""
	case m.lease == nil:
		return "it has no address: " + m.why
	}
	return fmt.Sprintf("its lease of %s is not renewed: %s", m.lease.Address.Addr(), m.why)
}
