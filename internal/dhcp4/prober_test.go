package dhcp4

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

var stranger = spec.MAC{2, 0, 0, 0, 9, 9}

// at once sends a message and returns the answer without letting time pass.
func (r *rig) atOnce(mods ...mod) reply {
	r.Helper()
	start := time.Now()
	r.handle(guest(1), msg(discover, guest(1), mods...))
	synctest.Wait()
	if !time.Now().Equal(start) {
		r.Fatal("time passed")
	}
	if list := r.take(); len(list) == 1 {
		return list[0]
	}
	return reply{}
}

func TestStockIsProbedAheadSoThatOffersLeaveAtOnce(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		if len(r.probes()) != 10 {
			t.Errorf("probed %v", r.probes())
		}
		r.want("offer", r.atOnce(), "offer 192.168.100.10")
	})
}

func TestStockIsKeptUp(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.209") })
	world(t, d, func(r *rig) {
		for n := range byte(60) {
			r.handle(guest(n), msg(discover, guest(n)))
			synctest.Wait()
			if got := len(r.take()); got != 1 {
				t.Fatalf("newcomer %d waits", n)
			}
			time.Sleep(patience)
		}
	})
}

func TestOfferWaitsForAProbeWhereNoneWasMade(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.99") })
	world(t, d, func(r *rig) {
		r.want("beyond the stock", r.atOnce(asked("192.168.100.80")), "silence")
		time.Sleep(patience / 2)
		r.want("asks again", r.atOnce(asked("192.168.100.80")), "silence")
		time.Sleep(patience/2 + time.Millisecond)
		synctest.Wait()
		list := r.take()
		if len(list) != 1 || list[0].String() != "offer 192.168.100.80" {
			t.Fatalf("got %v", list)
		}
		if n := count(r.probes(), "192.168.100.80"); n != 1 {
			t.Errorf("probed %d times", n)
		}
	})
}

func count(list []netip.Addr, a string) (n int) {
	for _, p := range list {
		if p == addr(a) {
			n++
		}
	}
	return n
}

func TestWaitingOfferDelaysNobodyElse(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.99") })
	world(t, d, func(r *rig) {
		r.handle(guest(2), msg(discover, guest(2), asked("192.168.100.80")))
		r.want("another guest", r.atOnce(), "offer 192.168.100.10")
	})
}

func TestStormIsAnsweredWithinPatience(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.209") })
	world(t, d, func(r *rig) {
		for n := range byte(200) {
			r.handle(guest(n), msg(discover, guest(n)))
		}
		time.Sleep(patience + time.Millisecond)
		synctest.Wait()
		seen := map[string]bool{}
		for _, p := range r.take() {
			seen[p.String()] = true
		}
		if len(seen) != 200 {
			t.Errorf("%d addresses for 200 guests", len(seen))
		}
	})
}

func TestAddressInUseIsNotOffered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.squat("192.168.100.10", stranger)
		r.squat("192.168.100.15", stranger)
		r.server.Set(lab(func(s *plan.Scope) {
			s.Ranges = ranges("192.168.100.10", "192.168.100.11", "192.168.100.15", "192.168.100.99")
		}))
		time.Sleep(patience + time.Millisecond)
		r.want("the stock", r.exchange(msg(discover, guest(1))), "offer 192.168.100.11")
		r.squat("192.168.100.80", stranger)
		r.want("asked for", r.exchange(msg(discover, guest(2), asked("192.168.100.80"))), "offer 192.168.100.16")
		for range 3 {
			r.server.ARP(stranger, addr("192.168.100.80"))
		}
		if w := r.warnings("without a lease"); len(w) != 3 {
			t.Errorf("warnings %q", w)
		}
		if l, _ := r.table.At(addr("192.168.100.80")); l.State.String() != "declined" || !r.happened("declined 192.168.100.80") {
			t.Errorf("it is %v", l.State)
		}
		if n := r.server.Counters().Conflicts; n != 3 {
			t.Errorf("%d conflicts", n)
		}
		r.squat("192.168.100.10", spec.MAC{})
		time.Sleep(lease.Quarantine + restock)
		r.want("after the quarantine", r.lease4(guest(3), asked("192.168.100.10")), "ack 192.168.100.10")
	})
}

func TestClientThatHasTheAddressAlreadyGetsIt(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.99") })
	world(t, d, func(r *rig) {
		r.squat("192.168.100.80", guest(1))
		r.want("its own", r.exchange(msg(discover, guest(1), asked("192.168.100.80"))), "offer 192.168.100.80")
	})
}

func TestAddressesOnRecordAreNotProbed(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.99") })
	world(t, d, func(r *rig) {
		r.exchange(msg(request, guest(1), asked("192.168.100.80")))
		r.exchange(msg(release, guest(1), ciaddr("192.168.100.80")))
		r.want("its last", r.atOnce(), "offer 192.168.100.80")
		if n := count(r.probes(), "192.168.100.80"); n != 0 {
			t.Errorf("probed %d times", n)
		}
	})
}

// recycled is a pool of one address, whose lease guest 1 had and lost, and how that
// address is told of.
func recycled(t *testing.T, test func(r *rig)) {
	t.Helper()
	world(t, lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.11") }), func(r *rig) {
		r.lease4(guest(1))
		r.lease4(guest(2))
		r.table.End(addr("192.168.100.10"), nil) // by hand, which its guest does not hear
		test(r)
	})
}

func TestAddressOfAnEndedLeaseIsProbedBeforeAnotherGetsIt(t *testing.T) {
	t.Parallel()
	recycled(t, func(r *rig) {
		before := count(r.probes(), "192.168.100.10")
		time.Sleep(restock)
		r.want("nobody answers", r.exchange(msg(discover, guest(3))), "offer 192.168.100.10")
		if n := count(r.probes(), "192.168.100.10"); n == before {
			t.Error("it was not probed")
		}
	})
	recycled(t, func(r *rig) {
		r.squat("192.168.100.10", stranger)
		time.Sleep(restock + patience)
		r.want("a stranger answers", r.exchange(msg(discover, guest(3))), "silence")
		if l, _ := r.table.At(addr("192.168.100.10")); l.State != lease.Declined {
			t.Errorf("it is %s", l.State)
		}
	})
}

func TestGuestThatDidNotHearOfTheEndKeepsItsAddress(t *testing.T) {
	t.Parallel()
	recycled(t, func(r *rig) {
		r.squat("192.168.100.10", guest(1))
		time.Sleep(restock + patience)
		r.want("a newcomer", r.exchange(msg(discover, guest(3))), "silence")
		if w := r.warnings("without a lease"); len(w) != 0 {
			t.Errorf("warnings %q", w)
		}
		r.want("its guest renews", r.exchange(msg(request, guest(1), ciaddr("192.168.100.10"))), "ack 192.168.100.10")
	})
}

// TestNewcomerThatWaitsGetsAnother: the address that it asks for was never probed
// since its lease ended, and its former guest answers.
func TestNewcomerThatWaitsGetsAnother(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.99") })
	world(t, d, func(r *rig) {
		r.exchange(msg(request, guest(1), asked("192.168.100.80")))
		r.table.End(addr("192.168.100.80"), nil)
		r.squat("192.168.100.80", guest(1))
		r.want("a newcomer", r.exchange(msg(discover, guest(3), asked("192.168.100.80"))), "offer 192.168.100.10")
		r.want("its guest", r.exchange(msg(discover, guest(1))), "offer 192.168.100.80")
	})
}

func TestStrangerOnAReservedAddressIsNamed(t *testing.T) {
	t.Parallel()
	d := lab(reserve(plan.Reservation{Name: "one", MAC: guest(1), Addr: addr("192.168.100.50")}))
	world(t, d, func(r *rig) {
		r.squat("192.168.100.50", stranger)
		r.want("at once all the same", r.atOnce(), "offer 192.168.100.50")
		time.Sleep(patience + time.Millisecond)
		if len(r.warnings("192.168.100.50 is reserved for one, but "+stranger.String()+" uses it")) != 1 {
			t.Errorf("warnings %q", r.warnings(""))
		}
		r.want("and again", r.lease4(guest(1)), "ack 192.168.100.50")
	})
}

func TestWhoClaimsAllAddressesIsNotBelieved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		for n := range 100 {
			a := addr("192.168.100.10")
			for range n {
				a = a.Next()
			}
			r.squat(a.String(), stranger)
		}
		r.server.Set(lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.99") }))
		time.Sleep(patience + time.Millisecond)
		r.want("a guest", r.lease4(guest(1)), "ack 192.168.100.26")
		if len(r.warnings("its answers do not count")) != 1 {
			t.Errorf("warnings %q", r.warnings(""))
		}
	})
}

// TestMadeUpAddressesClaimNoMore: behind a port that does not learn, all claims are
// one claimant's.
func TestMadeUpAddressesClaimNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.server.o.PortOf = func(spec.MAC) string { return "" }
		a := addr("192.168.100.10")
		for n := range byte(90) {
			r.squat(a.String(), spec.MAC{2, 0, 0, 0, 9, n})
			a = a.Next()
		}
		r.server.Set(lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.99") }))
		time.Sleep(patience + time.Millisecond)
		r.want("a guest", r.exchange(msg(discover, guest(1))), "offer 192.168.100.26")
		if n := len(r.server.pool.claims); n != 1 {
			t.Errorf("%d claimants are remembered", n)
		}
	})
}

func TestAnswersNobodyAskedForDoNotCount(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.want("lease", r.lease4(guest(1)), "ack 192.168.100.10")
		r.server.ARP(stranger, addr("192.168.100.70")) // never probed
		r.server.ARP(stranger, addr("192.168.100.10")) // leased meanwhile
		r.server.ARP(stranger, addr("10.0.0.1"))       // not ours
		if len(r.warnings("")) != 0 {
			t.Errorf("warnings %q", r.warnings(""))
		}
		r.want("renews", r.exchange(msg(request, guest(1), ciaddr("192.168.100.10"))), "ack 192.168.100.10")
	})
}

func TestStockIsProbedAgain(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		before := len(r.probes())
		time.Sleep(restock)
		synctest.Wait()
		if len(r.probes()) != 2*before {
			t.Errorf("probed %d, then %d", before, len(r.probes()))
		}
		r.want("at once", r.atOnce(), "offer 192.168.100.10")
		r.server.Set(nil)
		time.Sleep(3 * restock)
		if len(r.probes()) != 2*before {
			t.Errorf("probed %d times while nothing is served", len(r.probes())-2*before)
		}
	})
}

func TestOfferLeavesWhereProbesCannot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.fail = errors.New("network is down")
		r.server.Set(lab())
		r.mu.Lock()
		r.fail = nil
		r.squats[addr("192.168.100.10")] = stranger
		r.mu.Unlock()
		r.want("asked anew", r.exchange(msg(discover, guest(1))), "offer 192.168.100.11")
	})
}

func TestProbesRememberedAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		a := addr("10.0.0.0")
		for range 2*mostProbes + 1 {
			r.server.pool.ask(a)
			a = a.Next()
		}
		if n := len(r.server.pool.probes); n > mostProbes {
			t.Errorf("%d remembered", n)
		}
	})
}

func TestCloseDropsWhatWaits(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) { s.Ranges = ranges("192.168.100.10", "192.168.100.99") })
	world(t, d, func(r *rig) {
		r.handle(guest(1), msg(discover, guest(1), asked("192.168.100.80")))
		r.server.Close()
		r.want("afterwards", r.exchange(msg(discover, guest(2))), "silence")
		r.server.Set(d)
	})
}
