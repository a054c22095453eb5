package radv

import (
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mdlayher/ndp"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func TestSetAdvertisesAtOnceToAllNodes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Set(sample(), bridge, linkLocal)
		p := w.one(t)
		if p.To.Addr() != netip.MustParseAddr("ff02::1") || p.MAC != (spec.MAC{0x33, 0x33, 0, 0, 0, 1}) || p.From.Addr() != linkLocal {
			t.Errorf("sent to %s at %s from %s", p.To, p.MAC, p.From)
		}
	})
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name     string
		interval spec.Seconds
		random   float64
		want     []time.Duration // between one advertisement and the next
	}{
		{"shortest: a third", 600, 0, []time.Duration{16 * time.Second, 16 * time.Second, 200 * time.Second, 200 * time.Second}},
		{"in between", 600, 0.5, []time.Duration{16 * time.Second, 16 * time.Second, 400 * time.Second}},
		{"never under MIN_DELAY_BETWEEN_RAS", 4, 0, []time.Duration{3 * time.Second, 3 * time.Second, 3 * time.Second}},
		{"shorter than the initial interval", 12, 0.5, []time.Duration{8 * time.Second, 8 * time.Second, 8 * time.Second}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, w := newTest(t, c.random)
				ra := sample()
				ra.Interval = c.interval
				s.Set(ra, bridge, linkLocal)
				last := w.one(t).at
				for i, d := range c.want {
					time.Sleep(d - time.Nanosecond)
					synctest.Wait()
					if early := w.take(); len(early) > 0 {
						t.Fatalf("advertisement %d came after %s, want %s", i+2, early[0].at.Sub(last), d)
					}
					time.Sleep(time.Nanosecond)
					synctest.Wait()
					last = w.one(t).at
				}
			})
		})
	}
}

func TestSameContentIsNotAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Set(sample(), bridge, linkLocal)
		w.take()
		time.Sleep(5 * time.Second)
		s.Set(sample(), bridge, linkLocal)
		if n := len(w.take()); n != 0 {
			t.Errorf("%d advertisements for nothing", n)
		}
	})
}

func TestChangeGoesOutAtOnceButThreeSecondsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Set(sample(), bridge, linkLocal)
		first := w.one(t).at
		for mtu := 1300; mtu < 1310; mtu++ {
			ra := sample()
			ra.MTU = mtu
			s.Set(ra, bridge, linkLocal)
		}
		time.Sleep(minDelay)
		synctest.Wait()
		p := w.one(t)
		if d := p.at.Sub(first); d != minDelay {
			t.Errorf("the change went after %s, want %s", d, minDelay)
		}
		if m := find[*ndp.MTU](parse(t, p.Payload)); m[0].MTU != 1309 {
			t.Errorf("MTU %d was advertised, want the last one", m[0].MTU)
		}
		time.Sleep(10 * time.Second)
		ra := sample()
		ra.HopLimit = 12
		s.Set(ra, bridge, linkLocal)
		w.one(t) // at once
	})
}

func TestWhatWentIsWithdrawnThreeTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Set(sample(), bridge, linkLocal)
		time.Sleep(minDelay)
		w.take()
		ra := sample()
		ra.Prefixes, ra.Routes, ra.DNS, ra.Search = ra.Prefixes[:1], nil, nil, nil
		s.Set(ra, bridge, linkLocal)
		time.Sleep(time.Hour)
		synctest.Wait()
		for i, p := range w.take()[:5] {
			m := parse(t, p.Payload)
			wantPrefixes, wantOthers := 2, 1
			if i >= 3 {
				wantPrefixes, wantOthers = 1, 0
			}
			prefixes, routes := find[*ndp.PrefixInformation](m), find[*ndp.RouteInformation](m)
			servers, domains := find[*ndp.RecursiveDNSServer](m), find[*ndp.DNSSearchList](m)
			if len(prefixes) != wantPrefixes || len(routes) != wantOthers || len(servers) != wantOthers || len(domains) != wantOthers {
				t.Fatalf("advertisement %d carries %v", i, m.Options)
			}
			if i < 3 && (prefixes[1].ValidLifetime != 0 || prefixes[1].PreferredLifetime != 0 || routes[0].RouteLifetime != 0 ||
				servers[0].Lifetime != 0 || domains[0].Lifetime != 0) {
				t.Fatalf("advertisement %d does not withdraw: %v", i, m.Options)
			}
		}
	})
}

func TestWhatComesBackIsNotWithdrawn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		less := sample()
		less.Prefixes, less.Routes = nil, nil
		less.DNS = []netip.Addr{netip.MustParseAddr("fd00:1::2")}
		for _, ra := range []*plan.RA{sample(), less, sample()} {
			s.Set(ra, bridge, linkLocal)
			time.Sleep(minDelay)
			synctest.Wait()
		}
		all := w.take()
		m := parse(t, all[len(all)-1].Payload)
		servers := find[*ndp.RecursiveDNSServer](m)
		if len(find[*ndp.PrefixInformation](m)) != 2 || len(find[*ndp.RouteInformation](m)) != 1 || len(find[*ndp.DNSSearchList](m)) != 1 {
			t.Errorf("advertised %v", m.Options)
		}
		if len(servers) != 2 || servers[1].Lifetime != 0 || servers[1].Servers[0] != less.DNS[0] {
			t.Errorf("resolvers %v, want the one in between withdrawn", servers)
		}
	})
}

func TestFarewellIsSentBeforeItReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Set(sample(), bridge, linkLocal)
		w.take()
		s.Farewell()
		m := parse(t, w.one(t).Payload)
		if m.RouterLifetime != 0 || find[*ndp.RouteInformation](m)[0].RouteLifetime != 0 || find[*ndp.RecursiveDNSServer](m)[0].Lifetime != 0 {
			t.Errorf("the last advertisement is %+v", m)
		}
		if find[*ndp.PrefixInformation](m)[0].ValidLifetime == 0 {
			t.Error("the guests' addresses are withdrawn, but they still reach each other")
		}
		s.Farewell()
		time.Sleep(time.Hour)
		s.Solicit(solicitation(guest))
		if n := len(w.take()); n != 0 {
			t.Errorf("%d advertisements after the last", n)
		}
		s.Set(sample(), bridge, linkLocal)
		if m := parse(t, w.one(t).Payload); m.RouterLifetime == 0 {
			t.Error("the network that started again is no router")
		}
	})
}

func TestSetNilIsAFarewell(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Set(nil, bridge, linkLocal)
		s.Set(sample(), bridge, linkLocal)
		w.take()
		s.Set(nil, bridge, linkLocal)
		if m := parse(t, w.one(t).Payload); m.RouterLifetime != 0 {
			t.Errorf("the last advertisement is %+v", m)
		}
	})
}

func TestCloseIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		s.Set(sample(), bridge, linkLocal)
		w.take()
		s.Close()
		s.Farewell()
		s.Set(sample(), bridge, netip.MustParseAddr("fe80::2"))
		s.Solicit(solicitation(guest))
		time.Sleep(time.Hour)
		s.Close()
		if n := len(w.take()); n != 0 {
			t.Errorf("%d advertisements after the end", n)
		}
	})
}

func TestFailuresAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, w := newTest(t, 0)
		w.fail = errors.New("the link is down")
		s.Set(sample(), bridge, linkLocal)
		if c := s.Counters(); c.Failed != 1 || c.Multicast != 1 {
			t.Errorf("counted %+v", c)
		}
		time.Sleep(16 * time.Second)
		synctest.Wait()
		if n := len(w.take()); n != 2 {
			t.Errorf("%d advertisements tried, want it to go on", n)
		}
	})
}

func TestIdleNetworksNeedNoGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 1000 {
		s, _ := newTest(t, 0)
		s.Set(sample(), bridge, linkLocal)
	}
	if after := runtime.NumGoroutine(); after-before > 10 { // the runtime has some of its own
		t.Errorf("%d goroutines before, %d with 1,000 networks", before, after)
	}
}
