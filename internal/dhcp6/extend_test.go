package dhcp6

import (
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
)

// extendKinds are the two messages that prolong leases, with what they must carry.
var extendKinds = map[dhcpv6.MessageType][]dhcpv6.Option{doRenew: {toServer}, doRebind: nil}

func TestLeaseIsNotEndedFromAnotherPort(t *testing.T) {
	t.Parallel()
	for _, kind := range []dhcpv6.MessageType{doRelease, doDecline} {
		r := newRig(t, sample())
		a := r.bind(guestA, 1)
		r.mu.Lock()
		r.ports[macA] = "b" // where the bridge learnt it from the forged frame
		r.mu.Unlock()
		m := r.answer(guestA, kind, toServer, iaNA(1, a))
		if l, _ := r.table.At(a); l.State != lease.Bound || iaStatus(t, m, 1) != iana.StatusNoBinding {
			t.Errorf("%s: the lease is %s, the answer %s", kind, l.State, m.Summary())
		}
	}
}

func TestLeaseIsProlonged(t *testing.T) {
	t.Parallel()
	for kind, with := range extendKinds {
		r := newRig(t, sample())
		a := r.bind(guestA, 1)
		before, _ := r.table.At(a)
		m := r.answer(guestA, kind, append(with, iaNA(1, a, addr("fd00:1::77")))...)
		if given(t, m, 1) != a || !slices.Equal(withdrawn(t, m, 1), []netip.Addr{addr("fd00:1::77")}) {
			t.Errorf("%s answered %s", kind, m.Summary())
		}
		if after, _ := r.table.At(a); !after.Begun.Equal(before.Begun) || after.Expires.Before(before.Expires) {
			t.Errorf("the lease was %+v and is %+v", before, after)
		}
	}
}

func TestForgottenLeaseIsRestored(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Reservations = []plan.Reservation{{Name: "vm2", MAC: macB, Addr: addr("fd00:1::5")}}
	for kind, with := range extendKinds {
		r := newRig(t, d)
		if m := r.answer(guestA, kind, append(with, iaNA(1, addr("fd00:1::1007")))...); given(t, m, 1) != addr("fd00:1::1007") {
			t.Errorf("%s answered %s", kind, m.Summary())
		}
		if m := r.answer(guestB, kind, append(with, iaNA(1, addr("fd00:1::5")))...); given(t, m, 1) != addr("fd00:1::5") {
			t.Errorf("%s for a reserved address answered %s", kind, m.Summary())
		}
	}
}

func TestForgottenGuestGetsWhatIsReservedForIt(t *testing.T) {
	t.Parallel()
	d := sample()
	reserveA(&d.Scopes[0])
	for kind, with := range extendKinds {
		m := newRig(t, d).answer(guestA, kind, append(with, iaNA(1, addr("fd00:1::1007")))...)
		if given(t, m, 1) != addr("fd00:1::5") || !slices.Equal(withdrawn(t, m, 1), []netip.Addr{addr("fd00:1::1007")}) {
			t.Errorf("%s answered %s", kind, m.Summary())
		}
	}
}

func TestSecondAssociationDoesNotTakeTheReservedAddress(t *testing.T) {
	t.Parallel()
	d := sample()
	reserveA(&d.Scopes[0])
	r := newRig(t, d)
	m := r.answer(guestA, doSolicit, rapidCommit, iaNA(1), iaNA(2))
	if given(t, m, 1) != addr("fd00:1::5") {
		t.Fatalf("answered %s", m.Summary())
	}
	second := given(t, m, 2)
	if m := r.answer(guestA, doRenew, toServer, iaNA(2, second)); given(t, m, 2) != second {
		t.Errorf("answered %s", m.Summary())
	}
	if l, _ := r.table.At(addr("fd00:1::5")); l.IAID != 1 || l.State != lease.Bound || len(r.warnings()) > 0 {
		t.Errorf("the reserved address is %+v, warned of %q", l, r.warnings())
	}
}

func TestAddressOfAnotherIsNotProlonged(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Reservations = []plan.Reservation{{Name: "vm9", MAC: macB, Addr: addr("fd00:1::1009")}}
	for kind, with := range extendKinds {
		r := newRig(t, d)
		taken := r.bind(guest{macB, duid("b")}, 9)
		for _, a := range []netip.Addr{taken, addr("fd00:1::1009"), addr("fd00:1::f"), addr("fd00:99::1")} {
			m := r.answer(guestA, kind, append(with, iaNA(1, a))...)
			if given(t, m, 1).IsValid() {
				t.Errorf("%s of %s answered %s", kind, a, m.Summary())
			}
			if kind == doRenew && iaStatus(t, m, 1) != iana.StatusNoBinding {
				t.Errorf("RENEW of %s answered %s, want NoBinding", a, m.Summary())
			}
			if kind == doRebind && !slices.Equal(withdrawn(t, m, 1), []netip.Addr{a}) {
				t.Errorf("REBIND of %s answered %s, want lifetimes 0", a, m.Summary())
			}
		}
		if w := r.warnings(); len(w) > 0 {
			t.Errorf("warned of %q", w)
		}
	}
}

func TestAssociationWithoutAddressGetsOneWhenRenewing(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	a := r.bind(guestA, 1)
	m := r.answer(guestA, doRenew, toServer, iaNA(1, a), iaNA(2))
	if given(t, m, 1) != a || given(t, m, 2) != addr("fd00:1::1001") {
		t.Errorf("answered %s", m.Summary())
	}
}

func TestRenewFollowsTheConfig(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		change func(*plan.Scope)
		want   netip.Addr
	}{
		{"new reservation for the guest", func(s *plan.Scope) {
			s.Reservations = []plan.Reservation{{Name: "vm1", MAC: macA, Addr: addr("fd00:1::5")}}
		}, addr("fd00:1::5")},
		{"reserved for another now", func(s *plan.Scope) {
			s.Reservations = []plan.Reservation{{Name: "vm2", MAC: macB, Addr: addr("fd00:1::1000")}}
		}, addr("fd00:1::1001")},
		{"excluded now", func(s *plan.Scope) { s.Excluded = []netip.Addr{addr("fd00:1::1000")} }, addr("fd00:1::1001")},
		{"out of range now", func(s *plan.Scope) {
			s.Ranges = []plan.Range{{From: addr("fd00:1::2000"), To: addr("fd00:1::2009")}}
		}, addr("fd00:1::2000")},
		{"no ranges any more", func(s *plan.Scope) { s.Ranges = nil }, netip.Addr{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, sample())
			old := r.bind(guestA, 1)
			d := sample()
			c.change(&d.Scopes[0])
			r.Set(d)
			m := r.answer(guestA, doRenew, toServer, iaNA(1, old))
			if given(t, m, 1) != c.want || !slices.Equal(withdrawn(t, m, 1), []netip.Addr{old}) {
				t.Errorf("answered %s", m.Summary())
			}
			if l, ok := r.table.At(old); ok && l.State == lease.Bound {
				t.Errorf("the old lease is still there: %+v", l)
			}
		})
	}
}

// The answer that moves a guest may be lost: until it had time to ask again, it may
// still use the address that it left in the book.
func TestAddressThatAGuestIsToLeaveIsNotGivenAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := sample()
		d.Scopes[0].Ranges[0].To = addr("fd00:1::1000")
		r := newRig(t, d)
		old := r.bind(guestA, 1)
		d = sample()
		d.Scopes[0].Ranges[0].To = addr("fd00:1::1000")
		reserveA(&d.Scopes[0])
		r.Set(d)
		for range 2 { // the answer is lost, and the message sent again
			if m := r.answer(guestA, doRenew, toServer, iaNA(1, old)); given(t, m, 1) != addr("fd00:1::5") {
				t.Fatalf("answered %s", m.Summary())
			}
			if m := r.answer(guestB, doSolicit, iaNA(1)); given(t, m, 1).IsValid() {
				t.Fatalf("%s is offered to another guest", given(t, m, 1))
			}
			time.Sleep(lingerTime - time.Second)
		}
		time.Sleep(time.Second)
		if got := r.bind(guestB, 1); got != old {
			t.Errorf("got %s, want %s", got, old)
		}
	})
}

func TestConfirm(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	cases := []struct {
		name    string
		options []dhcpv6.Option
		want    iana.StatusCode
	}{
		{"on this link", []dhcpv6.Option{iaNA(1, addr("fd00:1::1000"))}, iana.StatusSuccess},
		{"on this link, not dynamic", []dhcpv6.Option{iaNA(1, addr("fd00:1::f"))}, iana.StatusSuccess},
		{"on another link", []dhcpv6.Option{iaNA(1, addr("fd00:99::1"))}, iana.StatusNotOnLink},
		{"one of two on another link", []dhcpv6.Option{iaNA(1, addr("fd00:1::1000")), iaNA(2, addr("fd00:99::1"))}, iana.StatusNotOnLink},
	}
	for _, c := range cases {
		m := r.answer(guestA, doConfirm, c.options...)
		if s := m.Options.Status(); s == nil || s.StatusCode != c.want || len(m.Options.IANA()) > 0 {
			t.Errorf("%s: answered %s", c.name, m.Summary())
		}
	}
	r.ignored(guestA.packet(doConfirm, iaNA(1)))
	r.Set(&plan.DHCP{})
	r.ignored(guestA.packet(doConfirm, iaNA(1, addr("fd00:1::1000"))))
	if n := r.Counters(); n.Silent != 2 || n.Confirm != 6 {
		t.Errorf("counted %+v", n)
	}
}

func TestReleasedAddressGoesToTheSameGuestAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	a := r.bind(guestA, 1)
	m := r.answer(guestA, doRelease, toServer, iaNA(1, a), iaNA(2, addr("fd00:1::1004")))
	if m.Options.Status().StatusCode != iana.StatusSuccess || len(m.Options.IANA()) != 1 || iaStatus(t, m, 2) != iana.StatusNoBinding {
		t.Errorf("answered %s", m.Summary())
	}
	if l, _ := r.table.At(a); l.State != lease.Released {
		t.Errorf("the lease is %+v", l)
	}
	if b := r.bind(guestB, 1); b == a {
		t.Errorf("%s went to a newcomer although others are free", a)
	}
	if again := r.bind(guestA, 1); again != a {
		t.Errorf("had %s, got %s", a, again)
	}
}

func TestOnlyItsOwnLeaseCanBeReleasedOrDeclined(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	a := r.bind(guestA, 1)
	for _, kind := range []dhcpv6.MessageType{doRelease, doDecline} {
		m := r.answer(guest{macB, guestA.duid}, kind, toServer, iaNA(1, a))
		if iaStatus(t, m, 1) != iana.StatusNoBinding {
			t.Errorf("%s answered %s", kind, m.Summary())
		}
		r.answer(guestA, kind, toServer, iaNA(1, addr("fd00:1::1005")))
		if l, _ := r.table.At(a); l.State != lease.Bound {
			t.Errorf("%s: the lease is %+v", kind, l)
		}
	}
}

func TestDeclinedAddressIsNotGivenAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	a := r.bind(guestA, 1)
	m := r.answer(guestA, doDecline, toServer, iaNA(1, a))
	if m.Options.Status().StatusCode != iana.StatusSuccess || len(m.Options.IANA()) != 0 {
		t.Errorf("answered %s", m.Summary())
	}
	for _, g := range []guest{guestA, guestB} {
		if again := r.bind(g, 1); again == a {
			t.Errorf("%s got the declined %s", g.mac, again)
		}
	}
	l, _ := r.table.At(a)
	if l.State != lease.Declined || l.Expires.Sub(l.Begun) != lease.Quarantine {
		t.Errorf("the lease is %+v", l)
	}
	if len(r.warnings()) != 1 {
		t.Errorf("warned of %q", r.warnings())
	}
}
