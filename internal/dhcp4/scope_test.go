package dhcp4

import (
	"net/netip"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func ranges(list ...string) (r []plan.Range) {
	for i := 0; i < len(list); i += 2 {
		r = append(r, plan.Range{From: addr(list[i]), To: addr(list[i+1])})
	}
	return r
}

// second adds a scope of 192.168.200.0/24 with one address.
func second(d *plan.DHCP) *plan.DHCP {
	d.Scopes = append(d.Scopes, plan.Scope{
		Prefix: netip.MustParsePrefix("192.168.200.0/24"), Server: addr("192.168.200.1"), Lease: 600,
		Ranges: ranges("192.168.200.10", "192.168.200.10"),
	})
	return d
}

func TestReservations(t *testing.T) {
	t.Parallel()
	d := lab(reserve(
		plan.Reservation{Name: "one", MAC: guest(1), Addr: addr("192.168.100.50")},
		plan.Reservation{Name: "two", ClientID: "\x00two", Addr: addr("192.168.100.10")},
		plan.Reservation{Name: "Three.lab.internal", ByName: true, Addr: addr("192.168.100.51")},
		plan.Reservation{Name: "four", Addr: addr("192.168.100.11")},
	))
	world(t, d, func(r *rig) {
		r.want("by MAC, outside of the ranges", r.lease4(guest(1)), "ack 192.168.100.50")
		r.want("by client id, inside of one", r.lease4(guest(2), text(optClientID, "\x00two")), "ack 192.168.100.10")
		r.want("by name", r.lease4(guest(3), text(optHostname, "three")), "ack 192.168.100.51")
		r.want("nobody gets what is reserved", r.lease4(guest(4), text(optHostname, "four")), "ack 192.168.100.12")
		if l, _ := r.table.At(addr("192.168.100.51")); l.Hostname != "three" {
			t.Errorf("the guest is called %q", l.Hostname)
		}
		r.want("rapidly", r.exchange(msg(discover, guest(1), opt(optRapidCommit))), "ack 192.168.100.50")
	})
}

func TestGuestOfAReservationWithoutNameKeepsItsOwn(t *testing.T) {
	t.Parallel()
	d := lab(reserve(plan.Reservation{MAC: guest(1), Addr: addr("192.168.100.50")}))
	world(t, d, func(r *rig) {
		r.want("by MAC", r.lease4(guest(1), text(optHostname, "web"), params(12)), "ack 192.168.100.50")
		if l, _ := r.table.At(addr("192.168.100.50")); l.Hostname != "web" {
			t.Errorf("the guest is called %q", l.Hostname)
		}
		r.want("another says nothing", r.lease4(guest(2)), "ack 192.168.100.10")
	})
}

func TestReservedAddressInUseGivesAnotherAndWarns(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.lease4(guest(1))
		d := lab(reserve(plan.Reservation{Name: "two", MAC: guest(2), Addr: addr("192.168.100.10")}))
		r.server.Set(d)
		time.Sleep(patience + time.Millisecond)
		r.want("the reservation's guest", r.lease4(guest(2)), "ack 192.168.100.11")
		r.want("renews", r.exchange(msg(request, guest(2), ciaddr("192.168.100.11"))), "ack 192.168.100.11")
		if w := r.warnings("192.168.100.10 is reserved for two, which gets another address: it is leased to " + guest(1).String()); len(w) != 1 {
			t.Errorf("warnings %q", r.warnings(""))
		}
		r.want("the other one renews", r.exchange(msg(request, guest(1), ciaddr("192.168.100.10"))), "nak 0.0.0.0")
		r.exchange(msg(release, guest(1), ciaddr("192.168.100.10")))
		r.want("moves", r.exchange(msg(request, guest(2), ciaddr("192.168.100.11"))), "nak 0.0.0.0")
		r.want("home", r.lease4(guest(2)), "ack 192.168.100.10")
	})
}

func TestChangeWhileAnExchangeIsUnderWay(t *testing.T) {
	t.Parallel()
	at := func(a string) *plan.DHCP {
		return lab(reserve(plan.Reservation{Name: "one", MAC: guest(1), Addr: addr(a)}))
	}
	world(t, at("192.168.100.50"), func(r *rig) {
		r.want("discover", r.exchange(msg(discover, guest(1))), "offer 192.168.100.50")
		r.server.Set(at("192.168.100.60"))
		r.want("request", r.exchange(msg(request, guest(1), serverID(gateway), asked("192.168.100.50"))), "nak 0.0.0.0")
		r.want("anew", r.lease4(guest(1)), "ack 192.168.100.60")

		r.want("another", r.exchange(msg(discover, guest(2))), "offer 192.168.100.10")
		r.server.Set(lab(func(s *plan.Scope) { s.Lease = 60 }))
		got := r.exchange(msg(request, guest(2), serverID(gateway), asked("192.168.100.10")))
		r.want("goes on", got, "ack 192.168.100.10")
		if string(got.opt(optLeaseTime)) != wireSeconds(60) {
			t.Errorf("with the new lease time: got %x", got.opt(optLeaseTime))
		}
		r.server.Set(nil)
		r.want("not served", r.exchange(msg(request, guest(2), ciaddr("192.168.100.10"))), "silence")
		r.server.Set(lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.20", "192.168.100.29") }))
		r.want("out of range", r.exchange(msg(request, guest(2), ciaddr("192.168.100.10"))), "nak 0.0.0.0")
		time.Sleep(patience + time.Millisecond)
		r.want("moves", r.lease4(guest(2)), "ack 192.168.100.20")
	})
}

func TestScopesAreUsedInOrder(t *testing.T) {
	t.Parallel()
	d := second(lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.10") }))
	world(t, d, func(r *rig) {
		r.want("first", r.lease4(guest(1)), "ack 192.168.100.10")
		got := r.exchange(msg(discover, guest(2)))
		r.want("second", got, "offer 192.168.200.10")
		if id := address(got.opt(optServerID)); id != addr("192.168.200.1") || got.packet.From.Addr() != id {
			t.Errorf("from %s, %s", id, got.packet.From)
		}
		if w := r.warnings(""); len(w) != 0 {
			t.Errorf("warnings although there is another scope: %q", w)
		}
		r.exchange(msg(request, guest(2), serverID("192.168.200.1"), asked("192.168.200.10")))
		r.exchange(msg(release, guest(1), ciaddr("192.168.100.10")))
		r.want("stays in its scope", r.exchange(msg(discover, guest(2))), "offer 192.168.200.10")
		r.exchange(msg(discover, guest(1)))
		r.want("none is left", r.exchange(msg(discover, guest(3))), "silence")
	})
}

func TestRelays(t *testing.T) {
	t.Parallel()
	d := second(lab(func(s *plan.Scope) { s.Relays = []netip.Addr{addr("192.168.100.7")} }))
	d.Scopes[1].Relays = d.Scopes[0].Relays
	world(t, d, func(r *rig) {
		relay := guest(7)
		link := opt(optRelayInfo, append([]byte{1, 2, 'e', '0', 5, 4}, ip4("192.168.200.0")...)...)
		got := r.from(relay, msg(discover, guest(1), giaddr("192.168.100.7")))
		r.want("the scope of the relay", got, "offer 192.168.100.10")
		if got.packet.To != netip.MustParseAddrPort("192.168.100.7:67") || got.packet.MAC != relay {
			t.Errorf("sent to %s at %s", got.packet.To, got.packet.MAC)
		}
		got = r.from(relay, msg(discover, guest(2), giaddr("192.168.100.7"), link))
		r.want("the scope that the relay selects", got, "offer 192.168.200.10")
		if last := got.packet.Payload; string(got.opt(optRelayInfo)) != "\x01\x02e0\x05\x04\xc0\xa8\xc8\x00" || !endsWith(last, optRelayInfo) {
			t.Errorf("its information comes back as %x", got.opt(optRelayInfo))
		}
		r.want("not for others", r.exchange(msg(discover, guest(3), giaddr("192.168.100.8"), link)), "offer 192.168.100.11")
		got = r.from(relay, msg(discover, guest(2), giaddr("192.168.100.7"), opt(optSubnetSelect, ip4("192.168.200.0")...)))
		r.want("RFC 3011", got, "offer 192.168.200.10")
		if len(got.opt(optSubnetSelect)) != 4 {
			t.Error("the subnet selection is not echoed")
		}
		got = r.from(relay, msg(request, guest(4), giaddr("192.168.100.7"), asked("10.0.0.1")))
		r.want("NAK", got, "nak 0.0.0.0")
		if got.Flags&flagBroadcast == 0 || got.packet.To.Port() != 67 {
			t.Errorf("flags %x to %s", got.Flags, got.packet.To)
		}
	})
}

// far adds a prefix behind a router, which is a relay agent at 192.168.100.7 and
// 10.20.0.1.
func far(d *plan.DHCP) *plan.DHCP {
	d.Scopes = append([]plan.Scope{{Prefix: netip.MustParsePrefix("10.20.0.0/24"), Server: addr("192.168.100.1"), Far: true,
		Ranges: []plan.Range{{From: addr("10.20.0.1"), To: addr("10.20.0.9"), Lease: 600}}, Lease: 600, Relays: []netip.Addr{addr("192.168.100.7")},
		Reservations: []plan.Reservation{{Name: "far5", MAC: guest(5), Addr: addr("10.20.0.5"), Lease: 600}}}}, d.Scopes...)
	return d
}

func TestPrefixBehindARouterIsForItsRelayAgentOnly(t *testing.T) {
	t.Parallel()
	d := far(lab())
	d.PerPort = 1
	world(t, d, func(r *rig) {
		agent, there := guest(7), giaddr("10.20.0.1")
		from := func(m *dhcpv4.DHCPv4) reply { return r.through(agent, "192.168.100.7", m) }
		got := from(msg(discover, guest(1), there, params(1, 3)))
		r.want("not the address of the agent", got, "offer 10.20.0.2")
		if string(got.opt(optRouter)) != "\x0a\x14\x00\x01" || string(got.opt(optMask)) != "\xff\xff\xff\x00" {
			t.Errorf("router %x, mask %x", got.opt(optRouter), got.opt(optMask))
		}
		r.want("acknowledged", from(msg(request, guest(1), there, asked("10.20.0.2"), serverID(gateway))), "ack 10.20.0.2")
		r.want("more than one behind it", from(msg(discover, guest(2), there)), "offer 10.20.0.3")
		r.want("reserved there", from(msg(discover, guest(5), there)), "offer 10.20.0.5")
		r.want("renewed past the agent", r.through(agent, "10.20.0.2", msg(request, guest(1), ciaddr("10.20.0.2"))), "ack 10.20.0.2")
		r.want("a guest here", r.exchange(msg(discover, guest(3))), "offer 192.168.100.10")
		r.want("the one with a reservation there, here", r.exchange(msg(discover, guest(5))), "offer 192.168.100.11")
		r.want("a guest here that asks for one there", r.exchange(msg(request, guest(4), asked("10.20.0.8"))), "nak 0.0.0.0")
		r.want("a guest here that says to have one there", r.exchange(msg(request, guest(4), ciaddr("10.20.0.8"))), "nak 0.0.0.0")
	})
}

// endsWith reports whether the last option before the end mark has the code.
func endsWith(b []byte, code byte) bool {
	last := byte(0)
	for i := headerSize; i < len(b) && b[i] != 255; i += 2 + int(b[i+1]) {
		last = b[i]
	}
	return last == code
}

func TestPortLimit(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Relays = []netip.Addr{addr("192.168.100.7")} })
	d.PerPort = 2
	behind := func(n byte) spec.MAC { m := guest(1); m[5] = n; return m }
	world(t, d, func(r *rig) {
		r.lease4(behind(1))
		r.lease4(behind(2))
		r.want("discover", r.exchange(msg(discover, behind(3))), "silence")
		r.want("request", r.exchange(msg(request, behind(3), asked("192.168.100.15"))), "nak 0.0.0.0")
		r.want("in nobody's name", r.from(behind(1), msg(discover, unseen(9))), "silence")
		r.want("by a relay of its own", r.from(behind(1), msg(discover, unseen(9), giaddr("192.168.100.9"))), "silence")
		r.want("who has one", r.exchange(msg(discover, behind(1))), "offer 192.168.100.10")
		r.want("another port", r.exchange(msg(discover, guest(2))), "offer 192.168.100.12")
		r.want("a trusted relay", r.from(behind(1), msg(discover, guest(9), giaddr("192.168.100.7"))), "offer 192.168.100.13")
		if len(r.warnings("port1 have 2 addresses")) != 1 || r.server.Counters().PortLimited != 3 {
			t.Errorf("warnings %q, counters %+v", r.warnings(""), r.server.Counters())
		}
	})
}

func TestGuestCannotDeclineThePoolAway(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		for range 10 {
			o := r.exchange(msg(discover, guest(1)))
			if o.DHCPv4 == nil {
				break
			}
			r.exchange(msg(request, guest(1), serverID(gateway), asked(o.addr().String())))
			r.exchange(msg(decline, guest(1), asked(o.addr().String())))
		}
		r.want("another guest", r.exchange(msg(discover, guest(2))), "offer 192.168.100.14")
	})
}

func TestExhaustionIsToldOnceAMinute(t *testing.T) {
	t.Parallel()
	d := lab()
	world(t, d, func(r *rig) {
		for n := range byte(10) {
			r.lease4(guest(n + 1))
		}
		for range 30 {
			r.want("late", r.exchange(msg(discover, guest(20))), "silence")
			time.Sleep(3 * time.Second)
		}
		if w := r.warnings("no free address in 192.168.100.0/24: all 10 are leased"); len(w) != 2 {
			t.Errorf("warnings %q", r.warnings(""))
		}
	})
}

func TestStaticScopeGivesReservedAddressesOnly(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges = nil }, reserve(plan.Reservation{Name: "one", MAC: guest(1), Addr: addr("192.168.100.50")}))
	world(t, d, func(r *rig) {
		r.want("reserved", r.lease4(guest(1)), "ack 192.168.100.50")
		r.want("stranger", r.exchange(msg(discover, guest(2))), "silence")
	})
}

func TestLeaseTimes(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) {
		s.Ranges = ranges("192.168.100.10", "192.168.100.10", "192.168.100.11", "192.168.100.11")
		s.Ranges[1].Lease = 600
	}, reserve(
		plan.Reservation{Name: "own", MAC: guest(3), Addr: addr("192.168.100.50"), Lease: spec.Infinite},
		plan.Reservation{Name: "scope", MAC: guest(4), Addr: addr("192.168.100.51")},
	))
	for name, c := range map[string]struct {
		mac   spec.MAC
		addr  string
		asked []byte
		want  [3]uint32
	}{
		"scope":                 {guest(1), "192.168.100.10", nil, [3]uint32{3600, 1800, 3150}},
		"range":                 {guest(1), "192.168.100.11", nil, [3]uint32{600, 300, 525}},
		"reservation":           {guest(3), "192.168.100.50", nil, [3]uint32{infinite, infinite, infinite}},
		"reservation, scope's":  {guest(4), "192.168.100.51", nil, [3]uint32{3600, 1800, 3150}},
		"less asked":            {guest(1), "192.168.100.10", seconds(120), [3]uint32{120, 60, 105}},
		"more asked":            {guest(1), "192.168.100.10", seconds(7200), [3]uint32{3600, 1800, 3150}},
		"infinite asked":        {guest(1), "192.168.100.10", seconds(infinite), [3]uint32{3600, 1800, 3150}},
		"zero asked":            {guest(1), "192.168.100.10", seconds(0), [3]uint32{3600, 1800, 3150}},
		"less than infinite":    {guest(3), "192.168.100.50", seconds(120), [3]uint32{120, 60, 105}},
		"three bytes of a time": {guest(1), "192.168.100.10", []byte{0, 0, 9}, [3]uint32{3600, 1800, 3150}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world(t, d, func(r *rig) {
				m := msg(request, c.mac, asked(c.addr))
				if c.asked != nil {
					opt(optLeaseTime, c.asked...)(m)
				}
				got := r.exchange(m)
				for i, code := range []byte{optLeaseTime, optRenewal, optRebinding} {
					if want := wireSeconds(spec.Seconds(c.want[i])); string(got.opt(code)) != want && c.want[i] != infinite {
						t.Errorf("option %d: want %x, got %x", code, want, got.opt(code))
					}
				}
				if c.want[0] == infinite && string(got.opt(optLeaseTime)) != "\xff\xff\xff\xff" {
					t.Errorf("got %x", got.opt(optLeaseTime))
				}
			})
		})
	}
}

func TestScopeSize(t *testing.T) {
	t.Parallel()
	s := compileScope(plan.Scope{
		Prefix: netip.MustParsePrefix("10.0.0.0/24"), Server: addr("10.0.0.1"), Ranges: ranges("10.0.0.1", "10.0.0.9", "10.0.0.250", "10.0.0.255"),
		Excluded: []netip.Addr{addr("10.0.0.2")}, Reservations: []plan.Reservation{{Addr: addr("10.0.0.3")}, {Addr: addr("10.0.0.100")}},
	})
	if got := s.size(); got != 11 { // without .1, .2, .3 and .255
		t.Errorf("size %d", got)
	}
	for a, want := range map[string]bool{"10.0.0.1": false, "10.0.0.4": true, "10.0.0.10": false, "10.0.0.251": true, "10.0.0.255": false, "10.0.0.3": false} {
		if s.dynamic(addr(a)) != want {
			t.Errorf("%s dynamic: want %v", a, want)
		}
	}
}
