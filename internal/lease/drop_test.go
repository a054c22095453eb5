package lease

import (
	"strings"
	"testing"
	"time"
)

func TestPortsAndNetworksAreDropped(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(behind(vm(1), "p"), "10.0.0.10", 3600)
		d.bind(behind(vm(2), "p"), "10.0.0.11", 3600)
		d.bind(vm(3), "10.0.0.12", 3600)
		d.told()
		done := make(chan error, 2)
		if n := d.DropPort("p", func(err error) { done <- err }); n != 2 {
			t.Errorf("%d leases dropped", n)
		}
		if got := d.told(); len(got) != 2 || !strings.HasPrefix(got[0], "dropped") {
			t.Errorf("told: %v", got)
		}
		d.proposes(behind(vm(2), "p"), ten, "10.0.0.11") // it comes back
		generation := d.Generation()
		d.book.Drop("lab", func(err error) { done <- err })
		d.tells("dropped 10.0.0.12 the network is deleted")
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if len(d.book.Networks()) != 0 || d.Generation() == generation || d.book.Table("lab") != d.Table {
			t.Errorf("networks %v", d.book.Networks())
		}
		d.bind(vm(4), "10.0.0.12", 3600)
		again := d.reopen()
		if got := again.Leases(); len(got) != 1 || got[0].MAC != vm(4).MAC {
			t.Errorf("on disk: %v", got)
		}
	})
}

func TestEndByHand(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 3600)
		d.Decline(Client{}, ip("10.0.0.11"), time.Hour, nil)
		for addr, want := range map[string]bool{"10.0.0.10": true, "10.0.0.11": true, "10.0.0.12": false} {
			if got := d.End(ip(addr), nil); got != want {
				t.Errorf("end %s: %v", addr, got)
			}
			if d.End(ip(addr), nil) {
				t.Errorf("%s ended twice", addr)
			}
		}
		if got := d.Leases(); len(got) != 0 {
			t.Errorf("left: %v", got)
		}
	})
}

func TestOnlyItsOwnerReleasesALease(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 3600)
		if d.Release(vm(2), ip("10.0.0.10"), nil) || d.Release(vm(1), ip("10.0.0.11"), nil) {
			t.Error("released what it has not")
		}
		if !d.Release(vm(1), ip("10.0.0.10"), nil) || d.Release(vm(1), ip("10.0.0.10"), nil) {
			t.Error("released not at all, or twice")
		}
	})
}
