package dhcp6

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"pgregory.net/rapid"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// model plays guests who follow RFC 8415, against one server with a slow disk, and
// remembers what they were promised.
type model struct {
	server  *Server
	disk    *slow
	clients []*modelClient
	writing bool // an answer that leaves now had its changes written
	last    int  // transaction
	t       *rapid.T
}

// modelClient is a guest with one association. xid is of its present exchange:
// answers to earlier ones are ignored.
type modelClient struct {
	guest
	id      uint32
	xid     dhcpv6.TransactionID
	asking  bool // a RENEW or REBIND is not answered yet
	offered netip.Addr
	has     netip.Addr // in use until the end of its lifetime
	until   time.Time
}

// modelPlan has few addresses, of which some are special, so that guests collide.
func modelPlan(t *rapid.T, clients []*modelClient) *plan.DHCP {
	d := sample()
	s := &d.Scopes[0]
	s.Lease = 120
	s.Ranges = []plan.Range{{From: addr("fd00:1::1000"), To: addr("fd00:1::1005")}}
	s.Excluded = []netip.Addr{addr("fd00:1::1002")}
	for i, c := range clients {
		if rapid.Bool().Draw(t, "reserved") {
			s.Reservations = append(s.Reservations, plan.Reservation{
				Name: fmt.Sprintf("vm%d", i), MAC: c.mac, Addr: rapid.SampledFrom(modelAddrs[i*2:i*2+2]).Draw(t, "for")})
		}
	}
	return d
}

var modelAddrs = []netip.Addr{addr("fd00:1::5"), addr("fd00:1::1000"), addr("fd00:1::6"), addr("fd00:1::1001"),
	addr("fd00:1::7"), addr("fd00:1::1003"), addr("fd00:1::8"), addr("fd00:1::1004"), addr("fd00:1::9"), addr("fd00:1::1005")}

// Send receives an answer for the guests.
func (m *model) Send(p socket.Packet) error {
	a, err := dhcpv6.MessageFromBytes(p.Payload)
	if err != nil {
		m.t.Fatal(err)
	}
	for _, c := range m.clients {
		if c.xid == a.TransactionID {
			m.receive(c, a)
		}
	}
	return nil
}

func (m *model) receive(c *modelClient, a *dhcpv6.Message) {
	if len(a.Options.IANA()) == 0 {
		return // of a RELEASE or DECLINE
	}
	c.asking = false
	if slices.Contains(withdrawn(m.t, a, c.id), c.has) {
		c.has = netip.Addr{}
	}
	got := given(m.t, a, c.id)
	if !got.IsValid() {
		return
	}
	if got == addr("fd00:1::1002") || !sample().Scopes[0].Prefix.Contains(got) {
		m.t.Fatalf("%s was given", got)
	}
	if a.MessageType == dhcpv6.MessageTypeAdvertise {
		c.offered = got
		return
	}
	if !m.writing {
		m.t.Fatalf("%s was promised to %s before it was written", got, c.mac)
	}
	for _, other := range m.clients {
		switch {
		case other == c || other.has != got || !time.Now().Before(other.until):
		case other.mac == c.mac:
			other.has = netip.Addr{} // it moved within the machine
		default:
			m.t.Fatalf("%s was given to %s (%d) and to %s (%d)", got, other.mac, other.id, c.mac, c.id)
		}
	}
	c.has, c.until = got, time.Now().Add(association(m.t, a, c.id).Options.OneAddress().ValidLifetime)
}

// say begins an exchange. The previous one is over for the guest.
func (m *model) say(t *rapid.T, c *modelClient, kind dhcpv6.MessageType, options ...dhcpv6.Option) {
	m.t = t
	if kind == doSolicit || kind == doRequest {
		c.has = netip.Addr{} // it starts anew
	}
	m.last++
	c.xid, c.asking = dhcpv6.TransactionID{byte(m.last >> 16), byte(m.last >> 8), byte(m.last)}, kind == doRenew || kind == doRebind
	msg := c.message(kind, options...)
	msg.TransactionID = c.xid
	m.server.Handle(socket.Packet{MAC: c.mac, From: netip.MustParseAddrPort("[fe80::99]:546"), To: allServers, Payload: msg.ToBytes()})
}

func (m *model) client(t *rapid.T) *modelClient { return rapid.SampledFrom(m.clients).Draw(t, "guest") }

// holder is a guest with an address in use.
func (m *model) holder(t *rapid.T) *modelClient {
	c := m.client(t)
	if !c.has.IsValid() || !time.Now().Before(c.until) {
		t.Skip("has no address")
	}
	return c
}

// write lets the disk write n changes, in their order.
func (m *model) write(t *rapid.T, n int) {
	m.t, m.writing = t, true
	for ; n > 0; n-- {
		done := m.disk.waiting[0]
		m.disk.waiting = m.disk.waiting[1:]
		done(nil)
	}
	m.writing = false
}

func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"solicit": func(t *rapid.T) { c := m.client(t); m.say(t, c, doSolicit, iaNA(c.id)) },
		"rapid":   func(t *rapid.T) { c := m.client(t); m.say(t, c, doSolicit, rapidCommit, iaNA(c.id)) },
		"request": func(t *rapid.T) { c := m.client(t); m.say(t, c, doRequest, toServer, iaNA(c.id, c.wish(t)...)) },
		"renew":   func(t *rapid.T) { c := m.holder(t); m.say(t, c, doRenew, toServer, iaNA(c.id, c.has)) },
		"rebind":  func(t *rapid.T) { c := m.holder(t); m.say(t, c, doRebind, iaNA(c.id, c.has)) },
		"claim": func(t *rapid.T) { // a guest that says to have what it never had, and so not what it has
			c := m.client(t)
			c.has = netip.Addr{}
			m.say(t, c, doRebind, iaNA(c.id, rapid.SampledFrom(modelAddrs).Draw(t, "claimed")))
		},
		"release": func(t *rapid.T) { m.leave(t, doRelease) },
		"decline": func(t *rapid.T) { m.leave(t, doDecline) },
		"write":   func(t *rapid.T) { m.write(t, rapid.IntRange(0, len(m.disk.waiting)).Draw(t, "changes")) },
		"wait": func(t *rapid.T) {
			m.write(t, len(m.disk.waiting))
			for _, c := range m.clients { // an answer that was lost is asked for again
				if c.asking && c.has.IsValid() {
					m.say(t, c, doRenew, toServer, iaNA(c.id, c.has))
					m.write(t, len(m.disk.waiting))
				}
			}
			time.Sleep(time.Duration(rapid.IntRange(1, 200).Draw(t, "seconds")) * time.Second)
			synctest.Wait()
		},
		"reconfigure": func(t *rapid.T) { m.server.Set(modelPlan(t, m.clients)) },
	}
}

// leave ends the use of an address; whatever is answered, the guest has left.
func (m *model) leave(t *rapid.T, kind dhcpv6.MessageType) {
	c := m.holder(t)
	a := c.has
	c.has = netip.Addr{}
	m.say(t, c, kind, toServer, iaNA(c.id, a))
}

func (c *modelClient) wish(t *rapid.T) []netip.Addr {
	if rapid.Bool().Draw(t, "offered") && c.offered.IsValid() {
		return []netip.Addr{c.offered}
	}
	return rapid.SliceOfN(rapid.SampledFrom(modelAddrs), 0, 2).Draw(t, "wished")
}

// timeless hides the test's deadline from rapid, which may not be asked for where
// time is not real.
type timeless struct{ *testing.T }

// TestNoAddressIsGivenTwice: whatever guests do and however late the disk is, an
// address that was promised is nobody else's until its time is over, and nothing is
// promised before it is written.
func TestNoAddressIsGivenTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, run := t.TempDir(), 0
		rapid.Check(timeless{t}, func(rt *rapid.T) {
			run++
			book, err := lease.Open(filepath.Join(dir, fmt.Sprint(run)), lease.Options{})
			if err != nil {
				rt.Fatal(err)
			}
			defer func() { _ = book.Close() }()
			m := &model{t: rt, disk: &slow{table: book.Table("lab")}}
			for i := range 5 { // the last two are one machine with two associations
				m.clients = append(m.clients, &modelClient{guest: guest{spec.MAC{2, 0, 0, 0, 0, byte(min(i, 3))}, duid("clone")}, id: uint32(i)})
			}
			m.server = newServer(Options{Link: m, DUID: serverDUID, Source: func() netip.Addr { return linkLocal }}, m.disk)
			m.server.Set(modelPlan(rt, m.clients))
			rt.Repeat(m.actions())
		})
	})
}
