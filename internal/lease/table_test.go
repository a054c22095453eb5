package lease

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"kvmnet/internal/spec"
)

func TestNewcomersGetTheLowestNeverUsedThenTheLongestEnded(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		three := want("10.0.0.10", "10.0.0.12")
		for n, addr := range []string{"10.0.0.10", "10.0.0.11", "10.0.0.12"} {
			d.proposes(vm(n), three, addr)
			d.bind(vm(n), addr, 3600)
			if n < 2 {
				d.Release(vm(n), ip(addr), nil)
			}
		}
		d.proposes(vm(0), three, "10.0.0.10") // its own
		if got := d.Next(three, 9); !slices.Equal(got, []netip.Addr{ip("10.0.0.11")}) {
			t.Errorf("next are %v", got)
		}
		d.proposes(vm(8), three, "10.0.0.11")
		d.refuses(vm(9), three, ErrExhausted)
		time.Sleep(time.Minute) // the offers end
		d.proposes(vm(9), three, "10.0.0.10")
		d.proposes(vm(0), three, "10.0.0.11")
	})
}

func TestAnOfferIsRepeatedAndThenForgotten(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.proposes(vm(1), ten, "10.0.0.10")
		d.proposes(vm(2), ten, "10.0.0.11")
		d.proposes(vm(1), ten, "10.0.0.10")
		if _, err := d.Bind(vm(2), ip("10.0.0.10"), 60, nil); !errors.Is(err, ErrTaken) {
			t.Errorf("bound what is offered to another: %v", err)
		}
		time.Sleep(time.Minute)
		d.proposes(vm(3), ten, "10.0.0.10")
	})
}

func TestTheHintIsHonouredWhenFreeAndAllowed(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		w := ten
		w.Usable = func(a netip.Addr) bool { return a != ip("10.0.0.17") }
		d.bind(vm(1), "10.0.0.15", 3600)
		for n, c := range []struct{ hint, want string }{
			{"10.0.0.16", "10.0.0.16"},
			{"10.0.0.15", "10.0.0.10"}, // leased
			{"10.0.0.16", "10.0.0.11"}, // offered
			{"10.0.0.17", "10.0.0.12"}, // not usable
			{"10.0.0.20", "10.0.0.13"}, // out of range
			{"::ffff:10.0.0.18", "10.0.0.14"},
		} {
			w.Hint = ip(c.hint)
			d.proposes(vm(10+n), w, c.want)
		}
	})
}

func TestUnusableAddressesAreNotProposed(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		w := ten
		w.Usable = func(a netip.Addr) bool { return a.As4()[3]%2 == 1 }
		d.bind(vm(1), "10.0.0.12", 3600) // a reservation, say
		d.proposes(vm(1), w, "10.0.0.11")
		d.proposes(vm(2), w, "10.0.0.13")
		w.Usable = func(netip.Addr) bool { return false }
		d.refuses(vm(3), w, ErrExhausted)
		wide := want("fd00::", "fd00::ffff:ffff:ffff:ffff")
		wide.Usable = w.Usable
		d.refuses(v6(vm(3), 1), wide, ErrExhausted)
	})
}

func TestAWideRangeIsNotEnumerated(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		wide := want("fd00::1000", "fd00::ffff:ffff:ffff:ffff")
		d.proposes(v6(vm(1), 1), wide, "fd00::1000")
		d.proposes(v6(vm(1), 2), wide, "fd00::1001") // another association of the same guest
		wide.Hint = ip("fd00::ffff:ffff:ffff:ffff")
		d.proposes(v6(vm(2), 1), wide, "fd00::ffff:ffff:ffff:ffff")
	})
}

func TestAPortHasItsLimit(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		w := ten
		w.PerPort = 2
		for _, port := range []string{"", "vm1"} {
			n := 100 * len(port)
			a, b, c := behind(vm(n+1), port), behind(vm(n+2), port), behind(vm(n+3), port)
			first, err := d.Propose(a, w)
			if err != nil {
				t.Fatal(err)
			}
			d.bind(a, first.String(), 3600)
			second, err := d.Propose(b, w)
			if err != nil {
				t.Fatal(err)
			}
			d.refuses(c, w, ErrLimit)
			d.proposes(a, w, first.String()) // who has one may ask again
			d.proposes(b, w, second.String())
			d.Decline(b, second, time.Hour, nil)
			d.refuses(c, w, ErrLimit) // or it would decline them all
			d.Release(a, first, nil)
			time.Sleep(time.Minute)
			if _, err := d.Propose(c, w); err != nil {
				t.Errorf("port %q, after a release: %v", port, err)
			}
		}
	})
}

func TestAnOfferCountsWhereTheGuestIs(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		w := ten
		w.PerPort = 1
		d.proposes(behind(vm(1), "a"), w, "10.0.0.10")
		d.proposes(behind(vm(1), "b"), w, "10.0.0.10")
		d.refuses(behind(vm(2), "b"), w, ErrLimit)
		d.proposes(behind(vm(2), "a"), w, "10.0.0.11")
	})
}

func TestALeaseFollowsItsGuestToAnotherPort(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		w := ten
		w.PerPort = 1
		d.bind(vm(1), "10.0.0.10", 3600)
		moved := behind(vm(1), "other")
		d.proposes(moved, w, "10.0.0.10")
		if l := d.bind(moved, "10.0.0.10", 3600); l.Port != "other" {
			t.Errorf("the lease is at port %q", l.Port)
		}
		d.refuses(behind(vm(2), "other"), w, ErrLimit)
		d.proposes(behind(vm(2), "vm1"), w, "10.0.0.11")
	})
}

func TestClonedMachineIDsGetAnAddressEachAndOneWarning(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		one, two := identified(vm(1), "same"), identified(vm(2), "same")
		d.bind(one, "10.0.0.10", 3600)
		d.proposes(two, ten, "10.0.0.11")
		d.bind(two, "10.0.0.11", 3600)
		d.bind(one, "10.0.0.10", 3600)
		d.bind(two, "10.0.0.11", 3600)
		d.tells("bound 10.0.0.10", "bound 10.0.0.11",
			"warning 10.0.0.11 vm2 (52:54:00:00:00:02) sends the client id of vm1 (52:54:00:00:00:01): cloned machine id?",
			"renewed 10.0.0.10", "renewed 10.0.0.11")
		if l, found := d.sameID(two); !found || l.MAC != one.MAC || l.State != Bound {
			t.Errorf("by id: %+v, %v", l, found)
		}
	})
}

func TestANewMACWithTheClientIDOfAnEndedLeaseGetsItsAddress(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(identified(vm(1), "id"), "10.0.0.14", 3600)
		d.Release(vm(1), ip("10.0.0.14"), nil)
		if l, found := d.sameID(identified(vm(2), "id")); !found || l.State != Released {
			t.Errorf("by id: %+v, %v", l, found)
		}
		d.proposes(identified(vm(2), "id"), ten, "10.0.0.14")
		d.bind(identified(vm(2), "id"), "10.0.0.14", 3600)
		if l, found := d.Find(vm(1)); found {
			t.Errorf("the address has two owners: %+v", l)
		}
		if l, found := d.sameID(v6(identified(vm(3), "id"), 0)); found {
			t.Errorf("a DUID is no client id: %+v", l)
		}
	})
}

func TestAClientHasOneLease(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 3600)
		d.bind(vm(1), "10.0.0.11", 3600)
		d.tells("bound 10.0.0.10", "released 10.0.0.10 the guest has another address now", "bound 10.0.0.11")
		if l, _ := d.At(ip("10.0.0.10")); l.State != Released || !l.MAC.IsZero() {
			t.Errorf("the address left is %+v", l)
		}
		if got := d.Leases(); len(got) != 1 || got[0].Addr != ip("10.0.0.11") {
			t.Errorf("leases: %v", got)
		}
	})
}

func TestDeclinedAddressIsNotGivenAgain(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		one := want("10.0.0.10", "10.0.0.10")
		d.bind(vm(1), "10.0.0.10", 3600)
		d.Decline(vm(1), ip("10.0.0.10"), time.Hour, nil)
		d.refuses(vm(1), one, ErrExhausted)
		if err := d.Hold(vm(2), ip("10.0.0.10"), time.Minute); !errors.Is(err, ErrTaken) {
			t.Errorf("held: %v", err)
		}
		if l, found := d.Find(vm(1)); found {
			t.Errorf("it still has %+v", l)
		}
		if got := d.Leases(); len(got) != 1 || got[0].State != Declined {
			t.Errorf("leases: %v", got)
		}
		d.tells("bound 10.0.0.10", "declined 10.0.0.10")
		time.Sleep(time.Hour + time.Second)
		d.tells("expired 10.0.0.10 the quarantine of the declined address is over")
		d.proposes(vm(2), one, "10.0.0.10")
	})
}

func TestNobodyDeclinesWhatIsAnothers(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 3600)
		done := make(chan error, 1)
		d.Decline(vm(2), ip("10.0.0.10"), time.Hour, func(err error) { done <- err })
		if err := <-done; !errors.Is(err, ErrTaken) {
			t.Errorf("declined: %v", err)
		}
		d.Decline(Client{}, ip("10.0.0.11"), time.Hour, nil) // a conflict that the server found
		if l, _ := d.At(ip("10.0.0.11")); l.State != Declined {
			t.Errorf("the conflict is %v", l.State)
		}
		d.Decline(Client{}, ip("10.0.0.10"), time.Hour, func(err error) { done <- err })
		if err := <-done; !errors.Is(err, ErrTaken) {
			t.Errorf("the server took a lease away: %v", err)
		}
	})
}

// Nobody is to blame for a conflict that the server found: not the guest that the
// address was held for, nor others of whom the port is not known either.
func TestConflictCountsAtNoPort(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		unknown := behind(vm(1), "")
		w := want("10.0.0.10", "10.0.0.19")
		w.PerPort = 1
		d.proposes(unknown, w, "10.0.0.10")
		d.Decline(Client{}, ip("10.0.0.10"), time.Hour, nil)
		if l, _ := d.At(ip("10.0.0.10")); l.State != Declined {
			t.Fatalf("the address held for a guest is %v", l.State)
		}
		d.proposes(unknown, w, "10.0.0.11")
	})
}

func TestEndedLeaseIsKeptForWhoStillUsesTheAddress(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		one := want("10.0.0.10", "10.0.0.10")
		d.bind(vm(1), "10.0.0.10", 3600)
		if d.Keep(ip("10.0.0.10"), time.Hour) || d.Keep(ip("10.0.0.11"), time.Hour) {
			t.Error("what is leased, or was never, is kept")
		}
		d.Release(vm(1), ip("10.0.0.10"), nil)
		d.proposes(vm(2), one, "10.0.0.10")
		if !d.Keep(ip("10.0.0.10"), time.Hour) {
			t.Fatal("it is not kept")
		}
		d.refuses(vm(2), one, ErrExhausted)
		d.proposes(vm(1), one, "10.0.0.10")
		time.Sleep(time.Hour + time.Second)
		d.proposes(vm(2), one, "10.0.0.10")
	})
}

func TestAReservedAddressIsHeldForOne(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		if err := d.Hold(vm(1), ip("10.0.0.99"), time.Minute); err != nil {
			t.Fatal(err)
		}
		if err := d.Hold(vm(2), ip("10.0.0.99"), time.Minute); !errors.Is(err, ErrTaken) {
			t.Errorf("held twice: %v", err)
		}
		d.bind(vm(1), "10.0.0.99", spec.Infinite)
		if l, _ := d.Find(vm(1)); !l.Expires.IsZero() {
			t.Errorf("an infinite lease ends at %v", l.Expires)
		}
		time.Sleep(24 * time.Hour)
		if l, _ := d.Find(vm(1)); l.State != Bound {
			t.Errorf("an infinite lease is %v", l.State)
		}
	})
}

func TestClientsWithoutIdentityGetNothing(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		if _, err := d.Propose(Client{}, ten); err == nil {
			t.Error("proposed")
		}
		for _, addr := range []string{"fd00::1", "::ffff:10.0.0.1", "fe80::1%eth0"} {
			if _, err := d.Bind(vm(1), ip(addr), 60, nil); err == nil {
				t.Errorf("bound %s to an IPv4 client", addr)
			}
		}
	})
}

// A guest that invents MACs fills neither the memory of offers nor that of ended
// leases.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	a, now := newAllocator("lab"), time.Unix(1e9, 0)
	wide := want("10.0.0.0", "10.255.255.255")
	for n := range maxHolds + 100 {
		if _, err := a.propose(vm(n), wide, now); err != nil {
			t.Fatal(err)
		}
	}
	if len(a.holds.at) != maxHolds || len(a.guests) != maxHolds {
		t.Errorf("%d offers, %d guests", len(a.holds.at), len(a.guests))
	}
	now = now.Add(time.Hour)
	for n := range maxEnded + 100 {
		addr, err := a.propose(vm(n), wide, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.bind(vm(n), addr, now, 60); err != nil {
			t.Fatal(err)
		}
		a.release(a.entries[addr], "released", "", now)
		a.events = nil
	}
	if len(a.entries) != maxEnded || len(a.guests) != maxEnded || len(a.ended[0].all.entries) != maxEnded {
		t.Errorf("%d entries, %d guests, %d ended", len(a.entries), len(a.guests), len(a.ended[0].all.entries))
	}
	// What ended first is forgotten and counts as never used: each of the last
	// hundred guests took what was forgotten just before.
	if addr, _ := a.propose(vm(1<<20), wide, now); addr != ip("10.0.0.99") {
		t.Errorf("the next is %v", addr)
	}
}

// sameID is a lease with the client id of c and another MAC: the newest one that
// ended, or else the newest bound one.
func (d *desk) sameID(c Client) (Lease, bool) {
	e := cmp.Or(d.alloc.ids.other(c, false), d.alloc.ids.other(c, true))
	if e == nil {
		return Lease{}, false
	}
	return e.Lease, true
}
