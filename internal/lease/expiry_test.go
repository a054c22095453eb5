package lease

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestALeaseExpiresUnlessRenewed(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		begun := d.bind(named(vm(1), "one"), "10.0.0.10", 60).Begun
		d.bind(vm(2), "10.0.0.11", 90)
		time.Sleep(50 * time.Second)
		if l := d.bind(vm(1), "10.0.0.10", 60); !l.Begun.Equal(begun) || l.Expires.Sub(begun) != 110*time.Second {
			t.Errorf("renewed: %+v", l)
		}
		d.told()
		time.Sleep(41 * time.Second)
		d.tells("expired 10.0.0.11")
		time.Sleep(20 * time.Second)
		d.tells("expired 10.0.0.10")
		if l, found := d.Find(vm(1)); !found || l.State != Expired || d.Hostname(l.Addr) != "" || d.Lookup("one") != nil {
			t.Errorf("after its time: %+v, %v", l, d.Lookup("one"))
		}
		d.proposes(vm(3), want("10.0.0.10", "10.0.0.11"), "10.0.0.11") // it ended first
	})
}

func TestAShorterRenewalExpiresEarlier(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 3600)
		d.bind(vm(1), "10.0.0.10", 60)
		d.told()
		time.Sleep(time.Minute)
		d.tells("expired 10.0.0.10")
		time.Sleep(time.Hour)
		d.tells()
	})
}

func TestTheWallClockMayJump(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var jump time.Duration
		var mu sync.Mutex
		b, err := open(newMemory(), Options{Now: func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return time.Now().Add(jump)
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		set := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); jump = d }
		tab, one := b.Table("lab"), want("10.0.0.10", "10.0.0.10")
		if _, err := tab.Bind(vm(1), ip("10.0.0.10"), 3600, nil); err != nil {
			t.Fatal(err)
		}
		set(-24 * time.Hour)
		time.Sleep(2 * time.Hour)
		if addr, err := tab.Propose(vm(2), one); !errors.Is(err, ErrExhausted) {
			t.Errorf("backwards: given twice: %v, %v", addr, err)
		}
		set(24 * time.Hour)
		time.Sleep(longestNap)
		synctest.Wait()
		if addr, err := tab.Propose(vm(2), one); err != nil {
			t.Errorf("forwards: not expired: %v, %v", addr, err)
		}
	})
}
