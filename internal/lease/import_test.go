package lease

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// elsewhere is a lease of another server that lasts so long.
func elsewhere(c Client, addr string, life time.Duration) Lease {
	l := Lease{Addr: ip(addr), Client: c}
	if life != 0 {
		l.Expires = time.Now().Add(life)
	}
	return l
}

// imports takes leases over, waits until that is on disk, and wants these taken.
func (d *desk) imports(leases []Lease, want ...string) {
	d.t.Helper()
	done := make(chan error, 1)
	taken, err := d.Import(leases, func(err error) { done <- err })
	if err != nil {
		d.t.Fatal(err)
	}
	if err := <-done; err != nil {
		d.t.Fatal(err)
	}
	var got []string
	for _, l := range taken {
		got = append(got, l.Addr.String())
	}
	if !slices.Equal(got, want) {
		d.t.Errorf("taken over %v, want %v", got, want)
	}
}

func TestImportedLeasesAreKeptToTheirEnd(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.imports([]Lease{
			elsewhere(identified(named(vm(1), "one"), "\x01x"), "10.0.0.12", time.Hour),
			elsewhere(vm(2), "10.0.0.10", 0),
			elsewhere(v6(vm(1), 7), "fd00::10", time.Minute),
		}, "10.0.0.12", "10.0.0.10", "fd00::10")
		d.tells("bound 10.0.0.12 taken over", "bound 10.0.0.10 taken over", "bound fd00::10 taken over")
		d = d.reopen()
		d.proposes(vm(1), ten, "10.0.0.12")
		d.proposes(vm(2), ten, "10.0.0.10")
		d.proposes(vm(3), ten, "10.0.0.11")
		if got := d.Lookup("one"); !slices.Equal(got, []netip.Addr{ip("10.0.0.12")}) {
			t.Errorf("one is %v", got)
		}
		l, _ := d.At(ip("10.0.0.12"))
		if l.Network != "lab" || l.ClientID != "\x01x" || l.Begun.IsZero() || time.Until(l.Expires) > time.Hour {
			t.Errorf("the lease is %+v", l)
		}
		time.Sleep(time.Hour + time.Second)
		d.told()
		if got := fmt.Sprint(d.Leases()); len(d.Leases()) != 1 || d.Leases()[0].Addr != ip("10.0.0.10") {
			t.Errorf("after an hour there are %s", got)
		}
	})
}

func TestImportIsInNobodysWay(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 3600)
		d.bind(vm(2), "10.0.0.11", 3600)
		d.proposes(vm(3), ten, "10.0.0.12")
		d.Decline(vm(4), ip("10.0.0.13"), time.Hour, nil)
		d.told()
		d.imports([]Lease{
			elsewhere(vm(9), "10.0.0.10", time.Hour),        // leased to another
			elsewhere(vm(2), "10.0.0.15", time.Hour),        // its guest has an address here
			elsewhere(vm(9), "10.0.0.12", time.Hour),        // offered to another
			elsewhere(vm(9), "10.0.0.13", time.Hour),        // declined
			elsewhere(vm(9), "10.0.0.16", -time.Hour),       // over
			elsewhere(Client{}, "10.0.0.17", time.Hour),     // nobody's
			elsewhere(vm(9), "::ffff:10.0.0.18", time.Hour), // no address that is leased
			elsewhere(vm(3), "10.0.0.14", time.Hour),        // only offered something else
			elsewhere(vm(9), "10.0.0.14", time.Hour),        // twice
		}, "10.0.0.14")
		d.tells("bound 10.0.0.14 taken over")
		d.proposes(vm(3), ten, "10.0.0.14")
		d.proposes(vm(5), ten, "10.0.0.12") // which was offered before
	})
}

func TestImportAgainOnlyMakesLeasesLonger(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		first := elsewhere(named(vm(1), "one"), "10.0.0.10", time.Hour)
		d.imports([]Lease{first}, "10.0.0.10")
		begun, _ := d.At(first.Addr)
		time.Sleep(time.Minute)
		d.imports([]Lease{first})
		d.imports([]Lease{elsewhere(vm(1), "10.0.0.10", time.Minute)})
		d.imports([]Lease{elsewhere(vm(1), "10.0.0.10", 2*time.Hour)}, "10.0.0.10")
		l, _ := d.At(first.Addr)
		if !l.Begun.Equal(begun.Begun) || l.Hostname != "one" || time.Until(l.Expires) < 2*time.Hour-time.Second {
			t.Errorf("the lease is %+v", l)
		}
		d.imports([]Lease{elsewhere(vm(1), "10.0.0.10", 0)}, "10.0.0.10")
		d.imports([]Lease{elsewhere(vm(1), "10.0.0.10", 9*time.Hour)})
	})
}

func TestImportIntoAClosedBookTakesNothing(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.book.Close()
		taken, err := d.Import([]Lease{elsewhere(vm(1), "10.0.0.10", 0)}, func(error) { t.Error("answered") })
		if len(taken) > 0 || !errors.Is(err, ErrClosed) {
			t.Errorf("taken %v, %v", taken, err)
		}
	})
}
