package dhcp6

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func TestSolicitIsOfferedAnAddressThatRequestGets(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	m := r.answer(guestA, doSolicit, iaNA(7))
	if m.MessageType != dhcpv6.MessageTypeAdvertise || m.Options.Preference() != 255 {
		t.Errorf("answered %s", m.Summary())
	}
	if a := given(t, m, 7); a != addr("fd00:1::1000") {
		t.Errorf("offered %s", a)
	}
	if _, bound := r.table.At(given(t, m, 7)); bound {
		t.Error("an offer is a lease already")
	}
	m = r.answer(guestA, doRequest, toServer, iaNA(7, given(t, m, 7)))
	if m.MessageType != dhcpv6.MessageTypeReply || m.Options.Preference() != 0 {
		t.Errorf("answered %s", m.Summary())
	}
	l, ok := r.table.At(addr("fd00:1::1000"))
	if !ok || l.MAC != macA || l.IAID != 7 || l.ClientID != guestA.duid || l.Port != "a" || !l.V6 {
		t.Errorf("the lease is %+v", l)
	}
}

func TestLifetimes(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name          string
		change        func(*plan.Scope)
		valid, t1, t2 time.Duration
	}{
		{"of the scope", func(*plan.Scope) {}, time.Hour, 30 * time.Minute, 48 * time.Minute},
		{"of the range", func(s *plan.Scope) { s.Ranges[0].Lease = 600 }, 10 * time.Minute, 5 * time.Minute, 8 * time.Minute},
		{"of the reservation", func(s *plan.Scope) {
			s.Reservations = []plan.Reservation{{Name: "vm1", MAC: macA, Addr: addr("fd00:1::5"), Lease: 100}}
		}, 100 * time.Second, 50 * time.Second, 80 * time.Second},
		{"infinite", func(s *plan.Scope) { s.Lease = spec.Infinite }, forever, forever, forever},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := sample()
			c.change(&d.Scopes[0])
			o := association(t, newRig(t, d).answer(guestA, doSolicit, rapidCommit, iaNA(1)), 1)
			a := o.Options.OneAddress()
			if a.ValidLifetime != c.valid || a.PreferredLifetime != c.valid || o.T1 != c.t1 || o.T2 != c.t2 {
				t.Errorf("valid %s, preferred %s, T1 %s, T2 %s", a.ValidLifetime, a.PreferredLifetime, o.T1, o.T2)
			}
		})
	}
}

func TestRapidCommitGivesTheLeaseAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	m := r.answer(guestA, doSolicit, rapidCommit, iaNA(1))
	if m.MessageType != dhcpv6.MessageTypeReply || m.GetOneOption(dhcpv6.OptionRapidCommit) == nil {
		t.Fatalf("answered %s", m.Summary())
	}
	if _, bound := r.table.At(given(t, m, 1)); !bound {
		t.Error("there is no lease")
	}
}

func TestRapidCommitWithoutAnAddressIsAnOrdinaryAdvertise(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Ranges = nil
	m := newRig(t, d).answer(guestA, doSolicit, rapidCommit, iaNA(1))
	if m.MessageType != dhcpv6.MessageTypeAdvertise || iaStatus(t, m, 1) != iana.StatusNoAddrsAvail {
		t.Errorf("answered %s", m.Summary())
	}
}

func TestEveryAssociationOfAMessageGetsAnAddress(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Reservations = []plan.Reservation{{Name: "vm1", MAC: macA, Addr: addr("fd00:1::5"), Lease: 600}}
	m := newRig(t, d).answer(guestA, doSolicit, rapidCommit, iaNA(1), iaNA(2), iaNA(2))
	if given(t, m, 1) != addr("fd00:1::5") || given(t, m, 2) != addr("fd00:1::1000") || len(m.Options.IANA()) != 2 {
		t.Errorf("answered %s", m.Summary())
	}
	for _, o := range m.Options.IANA() {
		if o.T1 != 300*time.Second || o.T2 != 480*time.Second {
			t.Errorf("T1 %s, T2 %s, want those of the shortest lease", o.T1, o.T2)
		}
	}
}

func TestTemporaryAddressesAndPrefixesAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	for _, kind := range []dhcpv6.MessageType{doSolicit, doRequest, doRenew, doRebind} {
		options := []dhcpv6.Option{&dhcpv6.OptIATA{IaId: [4]byte{1}}, &dhcpv6.OptIAPD{IaId: [4]byte{2}}}
		if rules[kind].server {
			options = append(options, toServer)
		}
		m := r.answer(guestA, kind, options...)
		ta, pd := m.Options.OneIATA(), m.Options.OneIAPD()
		if ta == nil || ta.IaId != [4]byte{1} || ta.Options.Status().StatusCode != iana.StatusNoAddrsAvail {
			t.Errorf("%s: IA_TA answered %v", kind, ta)
		}
		if pd == nil || pd.IaId != [4]byte{2} || pd.Options.Status().StatusCode != iana.StatusNoPrefixAvail {
			t.Errorf("%s: IA_PD answered %v", kind, pd)
		}
	}
}

func TestClonesWithOneDUIDDoNotShareAnAddress(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Reservations = []plan.Reservation{{Name: "vm1", ClientID: duid("image"), Addr: addr("fd00:1::5")}}
	r := newRig(t, d)
	a := r.bind(guest{macA, duid("image")}, 1, fqdnOption(1, "vm1"))
	b := r.bind(guest{macB, duid("image")}, 1, fqdnOption(1, "vm1"))
	if a != addr("fd00:1::5") || b != addr("fd00:1::1000") {
		t.Errorf("the clones have %s and %s", a, b)
	}
	if w := r.warnings(); len(w) != 1 || !strings.Contains(w[0], "fd00:1::5") {
		t.Errorf("warned of %q", w)
	}
	if l, _ := r.table.At(b); l.Hostname != "" {
		t.Errorf("the second clone is called %q, which is reserved for the first", l.Hostname)
	}
}

func TestReservations(t *testing.T) {
	t.Parallel()
	kept := addr("fd00:1::5")
	cases := []struct {
		name        string
		reservation plan.Reservation
		guest       guest
		options     []dhcpv6.Option
		want        netip.Addr
	}{
		{"by MAC", plan.Reservation{Name: "vm1", MAC: macA, Addr: kept}, guestA, nil, kept},
		{"by MAC, another guest", plan.Reservation{Name: "vm1", MAC: macA, Addr: kept}, guestB, nil, addr("fd00:1::1000")},
		{"by DUID", plan.Reservation{Name: "vm1", ClientID: guestA.duid, Addr: kept}, guestA, nil, kept},
		{"by name", plan.Reservation{Name: "vm1", ByName: true, Addr: kept}, guestA, []dhcpv6.Option{fqdnOption(0, "VM1")}, kept},
		{"by name, without one", plan.Reservation{Name: "vm1", ByName: true, Addr: kept}, guestA, nil, addr("fd00:1::1000")},
		{"not by name, when it has a MAC", plan.Reservation{Name: "vm1", MAC: macB, Addr: kept}, guestA, []dhcpv6.Option{fqdnOption(0, "vm1")}, addr("fd00:1::1000")},
		{"inside the range, for another", plan.Reservation{Name: "vm1", MAC: macB, Addr: addr("fd00:1::1000")}, guestA, nil, addr("fd00:1::1001")},
		{"for nobody yet, inside the range", plan.Reservation{Name: "vm1", Addr: addr("fd00:1::1000")}, guestA, nil, addr("fd00:1::1001")},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := sample()
			d.Scopes[0].Reservations = []plan.Reservation{c.reservation}
			r := newRig(t, d)
			got := r.bind(c.guest, 1, c.options...)
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
			if l, _ := r.table.At(got); got == kept && l.Hostname != "vm1" {
				t.Errorf("the guest is called %q", l.Hostname)
			}
		})
	}
}

func TestReservedAddressMovesFromFirmwareToSystem(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Reservations = []plan.Reservation{{Name: "vm1", MAC: macA, Addr: addr("fd00:1::5")}}
	r := newRig(t, d)
	if a := r.bind(guest{macA, duid("firmware")}, 1); a != addr("fd00:1::5") {
		t.Fatalf("the firmware has %s", a)
	}
	if a := r.bind(guest{macA, duid("system")}, 2); a != addr("fd00:1::5") {
		t.Errorf("the system has %s", a)
	}
	m := r.answer(guest{macA, duid("system")}, doSolicit, rapidCommit, iaNA(3), iaNA(2))
	if given(t, m, 2) != addr("fd00:1::5") || given(t, m, 3) != addr("fd00:1::1000") {
		t.Errorf("an address moved between two associations of one message: %s", m.Summary())
	}
	if w := r.warnings(); len(w) > 0 {
		t.Errorf("warned of %q", w)
	}
}

func TestGuestWithReservationsOnTwoSubnetsGetsBoth(t *testing.T) {
	t.Parallel()
	d := behind()
	d.Scopes[0].Reservations = []plan.Reservation{{Name: "vm1", MAC: macA, Addr: addr("fd00:1::5")}}
	d.Scopes[1].Reservations = []plan.Reservation{{Name: "vm1", MAC: macA, Addr: addr("fd00:2::5")}}
	m := newRig(t, d).answer(guestA, doSolicit, rapidCommit, iaNA(1), iaNA(2), iaNA(3))
	if given(t, m, 1) != addr("fd00:1::5") || given(t, m, 2) != addr("fd00:2::5") || given(t, m, 3) != addr("fd00:1::1000") {
		t.Errorf("answered %s", m.Summary())
	}
}

func TestExcludedAddressesAreNotGiven(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Excluded = []netip.Addr{addr("fd00:1::1000"), addr("fd00:1::1001")}
	if a := newRig(t, d).bind(guestA, 1); a != addr("fd00:1::1002") {
		t.Errorf("got %s", a)
	}
}

func TestRequestForAnotherLinkIsNotOnLink(t *testing.T) {
	t.Parallel()
	m := newRig(t, sample()).answer(guestA, doRequest, toServer, iaNA(1, addr("fd00:99::5")), iaNA(2, addr("fd00:1::1004")))
	if iaStatus(t, m, 1) != iana.StatusNotOnLink || given(t, m, 1).IsValid() || association(t, m, 1).T1 != 0 {
		t.Errorf("answered %s", m.Summary())
	}
	if given(t, m, 2) != addr("fd00:1::1004") {
		t.Errorf("the other association got %s", given(t, m, 2))
	}
}

func TestExhaustionIsToldOnce(t *testing.T) {
	t.Parallel()
	d := sample()
	d.Scopes[0].Ranges[0].To = d.Scopes[0].Ranges[0].From
	r := newRig(t, d)
	r.bind(guestA, 1)
	for range 5 {
		m := r.answer(guestB, doRequest, toServer, iaNA(1))
		if iaStatus(t, m, 1) != iana.StatusNoAddrsAvail {
			t.Fatalf("answered %s", m.Summary())
		}
	}
	if w := r.warnings(); len(w) != 1 || !strings.Contains(w[0], "no DHCPv6 address is free") {
		t.Errorf("warned of %q", w)
	}
}

func TestOnePortCannotTakeAllAddresses(t *testing.T) {
	t.Parallel()
	d := sample()
	d.PerPort = 2
	r := newRig(t, d)
	for i := range byte(5) {
		g := guest{spec.MAC{0x52, 0x54, 0, 1, 1, i}, duid(string('a' + rune(i)))}
		r.ports[g.mac] = "greedy"
		m := r.answer(g, doSolicit, rapidCommit, iaNA(1))
		if given(t, m, 1).IsValid() != (i < 2) {
			t.Errorf("guest %d: %s", i, m.Summary())
		}
		if m := r.answer(g, doRenew, toServer, iaNA(1, addr("fd00:1::1008"))); i >= 2 && given(t, m, 1).IsValid() {
			t.Errorf("guest %d got round the limit: %s", i, m.Summary())
		}
	}
	r.bind(guestB, 1)
	if w := r.warnings(); len(w) != 1 || !strings.Contains(w[0], "greedy") {
		t.Errorf("warned of %q", w)
	}
}
