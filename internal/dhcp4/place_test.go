package dhcp4

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// TestOnlyTheGuestItselfEndsItsLease: guest 1 has .10; whoever says so from another
// port is not heard.
func TestOnlyTheGuestItselfEndsItsLease(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind  kind
		frame byte // the guest that sends
		learn byte // the port that guest 1's Ethernet address was learnt behind; 0 = behind none, it is unplugged
		ends  bool
	}{
		"release":                       {release, 1, 1, true},
		"decline":                       {decline, 1, 1, true},
		"release in its name":           {release, 2, 1, false},
		"decline in its name":           {decline, 2, 1, false},
		"release with its address, too": {release, 1, 2, false},
		"decline with its address, too": {decline, 1, 2, false},
		"release, then unplugged":       {release, 1, 0, true},
		"unplugged, release by another": {release, 2, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world(t, lab(), func(r *rig) {
				r.want("guest 1", r.lease4(guest(1)), "ack 192.168.100.10")
				switch c.learn {
				case 0:
					r.server.o.PortOf = func(spec.MAC) string { return "" }
				default:
					r.moves(1, c.learn)
				}
				m := msg(c.kind, guest(1), ciaddr("192.168.100.10"))
				if c.kind == decline {
					m = msg(c.kind, guest(1), asked("192.168.100.10"))
				}
				r.from(guest(c.frame), m)
				if l, _ := r.table.At(addr("192.168.100.10")); (l.State.String() != "bound") != c.ends {
					t.Errorf("the lease is %s", l.State)
				}
			})
		})
	}
}

// moves lets the bridge learn the Ethernet address of a guest behind another port.
func (r *rig) moves(n, port byte) {
	r.server.o.PortOf = func(m spec.MAC) string {
		if m == guest(n) {
			m = guest(port)
		}
		return portOf(m)
	}
}

func TestNobodySpeaksForAGuestBehindAnotherPort(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.lease4(guest(1), text(optHostname, "db"))
		for _, m := range []*dhcpv4.DHCPv4{
			msg(discover, guest(1)),
			msg(request, guest(1), ciaddr("192.168.100.10"), text(optHostname, "other")),
			msg(request, guest(1), asked("192.168.100.10"), text(optHostname, "other")),
			msg(request, guest(1), giaddr("192.168.100.2"), asked("192.168.100.10"), text(optHostname, "other")),
			msg(inform, guest(1), ciaddr("192.168.100.10")),
		} {
			r.want(m.Summary(), r.from(guest(2), m), "silence")
		}
		if l, _ := r.table.At(addr("192.168.100.10")); l.Hostname != "db" || l.Port != "port1" {
			t.Errorf("it became %q behind %s", l.Hostname, l.Port)
		}
		if n := r.server.Counters().Forged; n != 5 {
			t.Errorf("%d were counted", n)
		}
	})
}

// TestMachineThatMovesTakesItsLeaseAlong: taps of other managers have another name
// each time the machine starts.
func TestMachineThatMovesTakesItsLeaseAlong(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(r *rig) reply{
		"boots":       func(r *rig) reply { return r.lease4(guest(1)) },
		"init-reboot": func(r *rig) reply { return r.exchange(msg(request, guest(1), asked("192.168.100.10"))) },
		"renews":      func(r *rig) reply { return r.exchange(msg(request, guest(1), ciaddr("192.168.100.10"))) },
	} {
		world(t, lab(), func(r *rig) {
			r.lease4(guest(1))
			r.moves(1, 7)
			r.want(name, again(r), "ack 192.168.100.10")
			if l, _ := r.table.At(addr("192.168.100.10")); l.Port != "port7" {
				t.Errorf("%s: its lease is behind %s", name, l.Port)
			}
		})
	}
}

// TestRelayAgentIsTrustedByItsOwnAddress: any guest can write a trusted agent's
// address into a message.
func TestRelayAgentIsTrustedByItsOwnAddress(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Relays = []netip.Addr{addr("192.168.100.7"), addr("192.168.100.8")} })
	d.PerPort = 1
	world(t, d, func(r *rig) {
		for _, c := range []struct {
			from string
			n    byte
			want string
		}{
			{"192.168.100.2", 1, "offer 192.168.100.10"},
			{"192.168.100.2", 2, "silence"}, // over the limit of the guest's port
			{"192.168.100.7", 3, "offer 192.168.100.11"},
			{"192.168.100.8", 4, "offer 192.168.100.12"}, // its address towards us
		} {
			r.deliver(guest(9), addr(c.from), addr(gateway), msg(discover, unseen(c.n), giaddr("192.168.100.7")))
			time.Sleep(patience + time.Millisecond)
			synctest.Wait()
			got := reply{}
			if list := r.take(); len(list) > 0 {
				got = list[0]
			}
			r.want(c.from, got, c.want)
		}
	})
}

func TestLeaseBehindARelayAgentIsItsHolders(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Relays = []netip.Addr{addr("192.168.100.7")} })
	world(t, d, func(r *rig) {
		relay := giaddr("192.168.100.7")
		o := r.from(guest(7), msg(discover, unseen(1), relay))
		r.from(guest(7), msg(request, unseen(1), relay, serverID(gateway), asked(o.addr().String())))
		state := func() string { l, _ := r.table.At(o.addr()); return l.State.String() }
		renew := msg(request, unseen(1), ciaddr(o.addr().String()))
		r.deliver(guest(2), addr("192.168.100.2"), addr(gateway), renew)
		r.deliver(guest(7), o.addr(), addr(gateway), renew) // past the agent, through a router
		synctest.Wait()
		if got := r.take(); len(got) != 1 || got[0].String() != "ack "+o.addr().String() {
			t.Errorf("of the renewals, its own alone is answered: %v", got)
		}
		if l, _ := r.table.At(o.addr()); l.Port != "relay 192.168.100.7" {
			t.Errorf("renewed, it is behind %q", l.Port)
		}
		release := msg(release, unseen(1), ciaddr(o.addr().String()))
		r.deliver(guest(2), addr("192.168.100.2"), addr(gateway), release)
		if state() != "bound" {
			t.Fatalf("a stranger's message makes it %s", state())
		}
		r.deliver(guest(7), o.addr(), addr(gateway), release)
		if state() != "released" {
			t.Errorf("it is %s", state())
		}
	})
}

// TestMessagesForOtherServersPassBy: guests send them through the host.
func TestMessagesForOtherServersPassBy(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.server.o.Own = func(a netip.Addr) bool { return a == addr("192.168.200.1") }
		renew := msg(request, guest(1), ciaddr("10.0.0.5"))
		for to, want := range map[string]string{
			"10.0.0.1": "", "192.168.100.1": "nak", "192.168.100.255": "nak", "192.168.200.1": "nak", "255.255.255.255": "nak",
		} {
			r.deliver(guest(1), addr("10.0.0.5"), addr(to), renew)
			synctest.Wait()
			got := ""
			for _, a := range r.take() {
				got += strings.ToLower(a.MessageType().String())
			}
			if got != want {
				t.Errorf("to %s: want %q, got %q", to, want, got)
			}
		}
	})
}

func TestReservedNameIsItsGuests(t *testing.T) {
	t.Parallel()
	d := lab(reserve(plan.Reservation{Name: "db", MAC: guest(5), Addr: addr("192.168.100.50")}))
	world(t, d, func(r *rig) {
		r.lease4(guest(5), text(optHostname, "anything"))
		got := r.lease4(guest(1), text(optFQDN, "\x01\x00\x00DB"))
		if b := got.opt(optFQDN); b != nil {
			t.Errorf("it is told that it is called %q", b)
		}
		for a, want := range map[netip.Addr]string{addr("192.168.100.50"): "db", got.addr(): ""} {
			if l, _ := r.table.At(a); l.Hostname != want {
				t.Errorf("%s is %q, want %q", a, l.Hostname, want)
			}
		}
	})
}

func TestLongClientIDIsNotRemembered(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		long := strings.Repeat("x", longestID+1)
		got := r.lease4(guest(1), text(optClientID, long))
		if string(got.opt(optClientID)) != long {
			t.Error("it is not echoed (RFC 6842)")
		}
		if l, _ := r.table.At(got.addr()); l.ClientID != "" {
			t.Errorf("%d bytes are remembered", len(l.ClientID))
		}
	})
}
