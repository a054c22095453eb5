package manage

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/lease"
	"kvmnet/internal/spec"
)

// guests are Guests that only remember.
type guests struct {
	mu     sync.Mutex
	leases []lease.Lease
	seen   []api.Address
	looks  int                  // how often was asked who is seen
	err    error                // why leases cannot be written
	forgot func(network string) // told before leases are forgotten; nil = nobody
}

func (g *guests) Networks() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var names []string
	for _, l := range g.leases {
		names = append(names, l.Network)
	}
	return names
}

func (g *guests) Leases(network string) []lease.Lease {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(g.leases), func(l lease.Lease) bool { return l.Network != network })
}

func (g *guests) Err() error { return g.err }

func (g *guests) Counters(network string) map[string]uint64 {
	return map[string]uint64{"dhcp4 offers": uint64(len(g.Leases(network)))}
}

func (g *guests) End(network string, a netip.Addr) error {
	g.drop(func(l lease.Lease) bool { return l.Network == network && l.Addr == a })
	return nil
}

func (g *guests) Import(network string, leases []lease.Lease) (taken []lease.Lease, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range leases {
		if !slices.ContainsFunc(g.leases, func(o lease.Lease) bool { return o.Network == network && o.Addr == l.Addr }) {
			l.Network = network
			taken = append(taken, l)
		}
	}
	g.leases = append(g.leases, taken...)
	return taken, g.err
}

func (g *guests) Forget(network string) {
	if g.forgot != nil {
		g.forgot(network)
	}
	g.drop(func(l lease.Lease) bool { return l.Network == network })
}

func (g *guests) drop(which func(lease.Lease) bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leases = slices.DeleteFunc(g.leases, which)
}

func (g *guests) Seen(context.Context) ([]api.Address, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.looks++
	return slices.Clone(g.seen), nil
}

func (g *guests) lease(network, address, mac, hostname, port string) lease.Lease {
	m, _ := spec.ParseMAC(mac)
	l := lease.Lease{Network: network, Addr: netip.MustParseAddr(address),
		Client: lease.Client{MAC: m, Hostname: hostname, Port: port, ClientID: "\x01\x52"}, Begun: time.Unix(1000, 0), Expires: time.Unix(2000, 0)}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.leases = append(g.leases, l)
	return l
}

const leased = `
networks:
  red: {mode: isolated, subnets: [{address: 10.1.0.1/24}]}
  lab: {mode: nat, subnets: [{address: 10.2.0.1/16, dhcp: {hosts: {db: {mac: "52:54:00:00:00:0d", ip: 10.2.0.9}}}}]}
ports:
  vm1: {network: lab, mac: "52:54:00:00:00:01"}
`

// leasedRig has two networks with leases of three guests.
func leasedRig(t *testing.T) *rig {
	r := newRig(t)
	_, err := r.try(false, leased)
	r.ok(err)
	r.guests.lease("red", "10.1.0.7", "52:54:00:00:00:03", "web", "")
	r.guests.lease("lab", "10.2.0.20", "52:54:00:00:00:01", "web", "vm1")
	r.guests.lease("lab", "10.2.0.3", "52:54:00:00:00:02", "", "tap7")
	return r
}

func addresses(list []api.Lease) string {
	var words []string
	for _, l := range list {
		words = append(words, l.Network+" "+l.Address.String())
	}
	return strings.Join(words, ", ")
}

func TestLeasesAreSortedAndHaveThePrefixLengthOfTheirSubnet(t *testing.T) {
	r := leasedRig(t)
	list, err := r.Leases(t.Context(), "")
	r.ok(err)
	if got, want := addresses(list), "lab 10.2.0.3/16, lab 10.2.0.20/16, red 10.1.0.7/24"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if l := list[0]; l.Protocol != "ipv4" || l.ClientID != "01:52" || l.State != "bound" || l.Expires == nil || l.Port != "tap7" {
		t.Errorf("got %+v", l)
	}
	list, err = r.Leases(t.Context(), "red")
	r.ok(err)
	if got := addresses(list); got != "red 10.1.0.7/24" {
		t.Errorf("of red: %s", got)
	}
	_, err = r.Leases(t.Context(), "nix")
	r.refused(err, api.CodeNotFound, "no network named nix")
}

func TestNetworkTellsWhatWasAskedWhileItRuns(t *testing.T) {
	r := leasedRig(t)
	if n, err := r.Network(t.Context(), "lab"); err != nil || n.Status.Counters["dhcp4 offers"] != 2 {
		t.Errorf("counters %v, %v", n.Status.Counters, err)
	}
	r.ok(r.Stop(t.Context(), "lab"))
	if n, err := r.Network(t.Context(), "lab"); err != nil || n.Status.Counters != nil {
		t.Errorf("stopped: counters %v, %v", n.Status.Counters, err)
	}
}

func TestLeaseIsReleasedByAddressMACPortOrHostName(t *testing.T) {
	for _, c := range []struct{ network, guest, ended string }{
		{"", "10.2.0.20", "lab 10.2.0.20/16"},
		{"", "52:54:00:00:00:03", "red 10.1.0.7/24"},
		{"", "vm1", "lab 10.2.0.20/16"},
		{"", "WEB", "lab 10.2.0.20/16, red 10.1.0.7/24"},
		{"red", "web", "red 10.1.0.7/24"},
	} {
		r := leasedRig(t)
		ended, err := r.ReleaseLease(t.Context(), api.LeaseRelease{Network: c.network, Guest: c.guest})
		r.ok(err)
		if got := addresses(ended); got != c.ended {
			t.Errorf("%s %s: ended %s, want %s", c.network, c.guest, got, c.ended)
		}
		left, err := r.Leases(t.Context(), "")
		r.ok(err)
		if len(left)+len(ended) != 3 {
			t.Errorf("%s: left %s", c.guest, addresses(left))
		}
	}
	r := leasedRig(t)
	_, err := r.ReleaseLease(t.Context(), api.LeaseRelease{Guest: "vm9"})
	r.refused(err, api.CodeNotFound, "no lease of vm9", "kvmnet leases")
	_, err = r.ReleaseLease(t.Context(), api.LeaseRelease{Network: "nix", Guest: "vm1"})
	r.refused(err, api.CodeNotFound, "no network named nix")
}

func TestLeasesEndWithTheirNetworkNotWithItsStop(t *testing.T) {
	r := leasedRig(t)
	r.ok(r.Stop(t.Context(), "lab"))
	r.ok(r.Undefine(t.Context(), "red")) // it runs on, without a definition
	list, err := r.Leases(t.Context(), "")
	r.ok(err)
	if len(list) != 3 {
		t.Fatalf("left %s", addresses(list))
	}
	r.ok(r.Stop(t.Context(), "red"))
	r.ok(r.Delete(t.Context(), "port", "vm1"))
	r.ok(r.Undefine(t.Context(), "lab"))
	if len(r.guests.leases) != 0 {
		t.Errorf("left %v", r.guests.leases)
	}
}

// A guest may ask until its network is gone, and what it gets then would stay in
// the book.
func TestLeasesEndWhenTheirNetworkIsServedNoMore(t *testing.T) {
	r := leasedRig(t)
	told := 0
	r.guests.forgot = func(network string) {
		told++
		if _, there := r.host.link(network); there {
			t.Errorf("the leases of %s end while it is there", network)
		}
	}
	r.ok(r.Undefine(t.Context(), "red"))
	r.ok(r.Stop(t.Context(), "red"))
	r.ok(r.Delete(t.Context(), "port", "vm1"))
	r.ok(r.Stop(t.Context(), "lab"))
	r.ok(r.Undefine(t.Context(), "lab"))
	if told != 2 || len(r.guests.leases) != 0 {
		t.Errorf("told %d, left %v", told, r.guests.leases)
	}
}

// As from a script whose variable is not set.
func TestGuestWithoutANameIsNoGuest(t *testing.T) {
	r := leasedRig(t)
	_, err := r.ReleaseLease(t.Context(), api.LeaseRelease{})
	r.refused(err, api.CodeInvalid, "the guest is missing")
	_, err = r.Addresses(t.Context(), api.AddressRequest{Wait: time.Minute})
	r.refused(err, api.CodeInvalid, "the guest is missing")
	if len(r.guests.leases) != 3 {
		t.Errorf("left %v", r.guests.leases)
	}
}

// The disk may be full long before the next pass finds out.
func TestStatusTellsAtOnceThatLeasesCannotBeWritten(t *testing.T) {
	r := newRig(t)
	for _, err := range []error{errors.New("no space left on device"), nil} {
		r.guests.err = err
		st, failed := r.Status(t.Context())
		r.ok(failed)
		if told := strings.Join(st.Problems, "\n"); strings.Contains(told, "host: leases cannot be written, so none are given: no space left on device") != (err != nil) {
			t.Errorf("%v: problems are %q", err, told)
		}
	}
}

func TestLeasesOfANetworkThatWentUnseenEndAtTheNextStart(t *testing.T) {
	r := leasedRig(t)
	r.guests.lease("gone", "10.7.0.7", "52:54:00:00:00:09", "old", "")
	r.boot()
	r.ok(r.Boot())
	list, err := r.Leases(t.Context(), "")
	r.ok(err)
	if len(list) != 3 || len(r.guests.leases) != 3 {
		t.Errorf("left %v", r.guests.leases)
	}
}

func TestAddressesOfAGuestAreItsLeasesAndWhatIsSeenOfIt(t *testing.T) {
	r := leasedRig(t)
	mac := func(s string) spec.MAC { m, _ := spec.ParseMAC(s); return m }
	r.guests.seen = []api.Address{
		{Address: netip.MustParseAddr("fe80::1"), Network: "lab", MAC: mac("52:54:00:00:00:01"), Source: "neighbour"},
		{Address: netip.MustParseAddr("10.2.0.20"), Network: "lab", MAC: mac("52:54:00:00:00:01"), Source: "neighbour"},
		{Address: netip.MustParseAddr("10.2.0.5"), Network: "lab", MAC: mac("52:54:00:00:00:01"), Source: "neighbour"},
		{Address: netip.MustParseAddr("10.2.0.9"), Network: "lab", MAC: mac("52:54:00:00:00:0d"), Source: "neighbour"},
		{Address: netip.MustParseAddr("192.0.2.77"), Network: "lan", MAC: mac("52:54:00:00:00:0f"), Port: "tap9", Source: "wire"},
	}
	for _, c := range []struct{ guest, want string }{
		{"vm1", "lease 10.2.0.20, neighbour 10.2.0.5, neighbour fe80::1"},
		{"52:54:00:00:00:01", "lease 10.2.0.20, neighbour 10.2.0.5, neighbour fe80::1"},
		{"db", "neighbour 10.2.0.9"}, // a reservation's name, with a fixed address
		{"tap9", "wire 192.0.2.77"},
		{"52:54:00:00:00:0f", "wire 192.0.2.77"},
		{"52:54:00:00:00:77", ""},
	} {
		list, err := r.Addresses(t.Context(), api.AddressRequest{Guest: c.guest})
		r.ok(err)
		var words []string
		for _, a := range list {
			words = append(words, fmt.Sprint(a.Source, " ", a.Address))
		}
		if got := strings.Join(words, ", "); got != c.want {
			t.Errorf("%s: got %s, want %s", c.guest, got, c.want)
		}
	}
	_, err := r.Addresses(t.Context(), api.AddressRequest{Guest: "nobody"})
	r.refused(err, api.CodeNotFound, "no guest nobody is known")
}

func TestWaitingForAnAddressEndsWithItsLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{})
		m.store = nothing{}
		g := &guests{}
		m.Attach(nil, g)
		go func() {
			time.Sleep(30 * time.Second)
			m.LeaseChanged(lease.Event{Kind: "bound", Lease: g.lease("lab", "10.2.0.30", "52:54:00:00:00:05", "vm5", "")})
		}()
		begin := time.Now()
		list, err := m.Addresses(t.Context(), api.AddressRequest{Guest: "52:54:00:00:00:05", Wait: time.Minute})
		if took := time.Since(begin); err != nil || len(list) != 1 || took != 30*time.Second {
			t.Errorf("got %v, %v after %s", list, err, took)
		}
		list, err = m.Addresses(t.Context(), api.AddressRequest{Guest: "52:54:00:00:00:06", Wait: time.Minute})
		if took := time.Since(begin); err != nil || len(list) != 0 || took.Round(time.Second) != 90*time.Second {
			t.Errorf("got %v, %v after %s", list, err, took)
		}
	})
}

// Many wait at once when a lab starts, and each lease is news for one of them only.
func TestWhoWaitsLooksTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{})
		m.store = nothing{}
		g := &guests{}
		m.Attach(nil, g)
		var got atomic.Int64
		var all sync.WaitGroup
		for n := range 100 {
			all.Go(func() {
				mac := fmt.Sprintf("52:54:00:00:01:%02x", n)
				list, err := m.Addresses(t.Context(), api.AddressRequest{Guest: mac, Wait: 10 * time.Second})
				if err != nil || len(list) != n%2 {
					t.Errorf("guest %d: %v, %v", n, list, err)
				}
				got.Add(int64(len(list)))
			})
		}
		time.Sleep(5 * time.Second)
		for n := 1; n < 100; n += 2 {
			m.LeaseChanged(lease.Event{Kind: "bound", Lease: g.lease("lab", fmt.Sprint("10.2.1.", n), fmt.Sprintf("52:54:00:00:01:%02x", n), "", "")})
		}
		synctest.Wait()
		if n := got.Load(); n != 50 {
			t.Errorf("%d guests were found at once, want 50", n)
		}
		all.Wait()
		if most := 100 + 50 + 2*10*int(time.Second/glance); g.looks > most { // at first, for news, in between
			t.Errorf("%d looks, want at most %d", g.looks, most)
		}
		if m.sights.last != nil {
			t.Error("what was seen is kept though nobody waits")
		}
	})
}

func TestWaitThatIsBrokenOffSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(Options{})
		m.store = nothing{}
		m.Attach(nil, &guests{})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := m.Addresses(ctx, api.AddressRequest{Guest: "vm1", Wait: time.Minute}); err == nil || strings.Contains(err.Error(), "no guest") {
			t.Errorf("got %v", err)
		}
	})
}

// nothing is a store with one running network.
type nothing struct{ keeper }

func (nothing) Running() (*spec.Spec, error) {
	return &spec.Spec{Networks: map[string]*spec.Network{"lab": {Mode: spec.NAT}}}, nil
}

func (nothing) HostID() (string, error)      { return "h", nil }
func (nothing) Defined() (*spec.Spec, error) { return &spec.Spec{}, nil }

func TestLeaseEventsTellWhoGotWhat(t *testing.T) {
	m := New(Options{})
	c := m.events.listen()
	g := &guests{}
	l := g.lease("lab", "10.2.0.30", "52:54:00:00:00:05", "vm5", "tap1")
	m.LeaseChanged(lease.Event{Kind: "bound", Lease: l})
	m.LeaseChanged(lease.Event{Kind: "warning", Lease: l, Message: "vm5 sends the client id of vm1"})
	if e := <-c; e.Type != "lease" || e.Object != "network/lab" || e.Message != "10.2.0.30 bound by vm5 52:54:00:00:00:05" || e.Lease == nil || e.Lease.Port != "tap1" {
		t.Errorf("got %+v", e)
	}
	if e := <-c; e.Type != "warning" || e.Message != "vm5 sends the client id of vm1" {
		t.Errorf("got %+v", e)
	}
}
