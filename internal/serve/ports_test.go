package serve

import (
	"context"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/kernel"
	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// host is a kernel with some interfaces.
type host struct {
	links   map[string]int
	entries []kernel.FDBEntry
}

func (h host) Index(link string) (int, error) {
	if i := h.links[link]; i != 0 {
		return i, nil
	}
	return 0, unix.ENODEV
}

func (h host) LinkLocal(string) (netip.Addr, error)                   { return netip.Addr{}, unix.EADDRNOTAVAIL }
func (h host) PortOf(int, spec.MAC) (string, error)                   { return "", nil }
func (h host) Neighbours(context.Context) ([]kernel.Neighbour, error) { return nil, nil }
func (h host) FDB(context.Context) ([]kernel.FDBEntry, error)         { return h.entries, nil }

// serving are servers on that host, whose book is empty.
func serving(t *testing.T, h Kernel) *Servers {
	t.Helper()
	book, err := lease.Open(t.TempDir(), lease.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{Kernel: h, Book: book, Warn: func(string, string) {}})
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := book.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

var guestMAC = spec.MAC{0x52, 0x54, 0, 0, 0, 1}

// TestGuestsAreSeenBeforeTheNetworkIsServed: its bridge came up since the last pass.
func TestGuestsAreSeenBeforeTheNetworkIsServed(t *testing.T) {
	t.Parallel()
	s := serving(t, host{entries: []kernel.FDBEntry{{Bridge: "br0", Port: "tap0", MAC: guestMAC}}})
	problems := s.Set([]plan.Service{{Network: "lan", Bridge: "br0", Watch: true}}, plan.State{})
	if len(problems["network/lan"]) != 1 {
		t.Errorf("problems: %v", problems)
	}
	if _, err := s.Seen(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestLeasesEndWithTheirPort: also when it was deleted while no daemon ran.
func TestLeasesEndWithTheirPort(t *testing.T) {
	t.Parallel()
	ports := func(names ...string) map[string]string {
		m := map[string]string{}
		for _, n := range names {
			m["tap-"+n] = n
		}
		return m
	}
	for name, c := range map[string]struct {
		had, has map[string]string // had nil: the daemon starts
		keeps    bool
		stay     []string
	}{
		"one is deleted":               {had: ports("vm1", "vm2"), has: ports("vm1"), stay: []string{"relay 10.0.0.7", "tap9", "tap10", "vm1"}},
		"was deleted before the start": {has: ports("vm1"), stay: []string{"relay 10.0.0.7", "tap9", "vm1"}},
		"all are there":                {has: ports("vm1", "vm2"), stay: []string{"relay 10.0.0.7", "tap9", "vm1", "vm2"}},
		"not asked for":                {had: ports("vm1", "vm2"), keeps: true, stay: []string{"relay 10.0.0.7", "tap10", "tap9", "vm1", "vm2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serving(t, host{links: map[string]int{"tap9": 9}})
			n := newNetwork(s, plan.Service{Network: "lab", Bridge: "lab0"})
			if c.had != nil {
				n.have = plan.Service{Network: "lab", Ports: c.had}
			}
			a := netip.MustParseAddr("10.0.0.10")
			for i, port := range []string{"vm1", "vm2", "tap9", "tap10", "relay 10.0.0.7"} {
				guest := lease.Client{MAC: spec.MAC{2, 0, 0, 0, 0, byte(i)}, Port: port}
				if _, err := n.table.Bind(guest, a, spec.Infinite, nil); err != nil {
					t.Fatal(err)
				}
				a = a.Next()
			}
			n.dropPorts(plan.Service{Network: "lab", Ports: c.has, DHCP4: &plan.DHCP{DropWithPort: !c.keeps}})
			var stay []string
			for port := range portsOf(n.table.Leases()) {
				stay = append(stay, port)
			}
			slices.Sort(stay)
			slices.Sort(c.stay)
			if !slices.Equal(stay, c.stay) {
				t.Errorf("leases stay behind %q, want %q", stay, c.stay)
			}
		})
	}
}

// TestIdleNetworkCostsLittle: without a guest, a bridge has no carrier and no
// link-local address for days, and each pass asks for no more than that. To tell
// the protocols anew would open sockets, which fails without a namespace.
func TestIdleNetworkCostsLittle(t *testing.T) {
	t.Parallel()
	w := plan.Service{Network: "lab", Bridge: "lab0", DHCP4: &plan.DHCP{}, RA: &plan.RA{}}
	s := serving(t, host{links: map[string]int{"lab0": 7}})
	n := newNetwork(s, w)
	n.place, _ = s.placeOf("")
	n.index, n.have, n.pending = 7, w, true
	for range 2 {
		if problems := n.set(w); len(problems) != 0 || !n.pending {
			t.Errorf("problems %v, pending %v", problems, n.pending)
		}
	}
}
