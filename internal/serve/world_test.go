package serve

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/dns"
	"kvmnet/internal/kernel"
	"kvmnet/internal/lease"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/plan"
	"kvmnet/internal/testhost"
)

// patience is for machines that do many things at once.
const patience = 30 * time.Second

var (
	gateway4, gateway6 = netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("fd09::1")
	subnets            = []netip.Prefix{netip.PrefixFrom(gateway4, 24), netip.PrefixFrom(gateway6, 64)}
)

// world is a machine whose networks are those of routers: red0 of r1, blue0 of r2,
// both with the same subnets.
type world struct {
	*Servers
	t       *testing.T
	machine *testhost.Host
	routers sync.Map // *router by name; DNS asks from goroutines of its own
	want    []plan.Service
}

// router is a router's namespace.
type router struct {
	host   *testhost.Host
	kernel *kernel.Kernel
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newWorld serves nothing yet. The host has the resolvers of a resolv.conf.
func newWorld(t *testing.T, resolvers ...string) *world {
	t.Helper()
	w := &world{t: t, machine: nstest.Host(t, "machine")}
	book, err := lease.Open(t.TempDir(), lease.Options{})
	must(t, err)
	conf := t.TempDir() + "/resolv.conf"
	must(t, os.WriteFile(conf, []byte("nameserver "+strings.Join(resolvers, "\nnameserver ")+"\n"), 0o600))
	k := openKernel(t, w.machine, "")
	w.Servers = New(Options{NS: w.machine.NS(), Kernel: k, Namespace: w.namespace, Book: book, DUID: []byte{0, 4, 1},
		Upstream: dns.NewUpstreams(conf), Warn: func(owner, message string) { t.Log(owner, message) }})
	t.Cleanup(func() { must(t, errors.Join(w.Close(), book.Close())) })
	for network, name := range map[string]string{"red": "r1", "blue": "r2"} {
		must(t, w.machine.Bridge(network+"0"))
		w.route(name, network)
		w.want = append(w.want, service(network, name))
	}
	return w
}

func openKernel(t *testing.T, h *testhost.Host, name string) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Open(h.NS(), name)
	must(t, err)
	t.Cleanup(func() { k.Close() })
	return k
}

// router finds a router, nil when it is gone.
func (w *world) router(name string) *router {
	r, _ := w.routers.Load(name)
	found, _ := r.(*router)
	return found
}

// namespace implements Options.Namespace.
func (w *world) namespace(name string) (*netns.NS, Kernel, bool) {
	r := w.router(name)
	if r == nil {
		return nil, nil, false
	}
	return r.host.NS(), r.kernel, true
}

// route makes a router with a gateway on a network.
func (w *world) route(name, network string) {
	w.t.Helper()
	h := nstest.Host(w.t, name)
	nstest.Join(w.t, h, w.machine, network+"0", subnets...)
	w.routers.Store(name, &router{h, openKernel(w.t, h, name)})
	w.t.Cleanup(func() { // its service ends before the namespace is closed
		w.routers.Delete(name)
		w.Set(w.want, plan.State{})
	})
}

// service is all that is served on a network, by a router.
func service(network, router string) plan.Service {
	s := plan.Service{NS: router, Device: "eth0", Network: network, Bridge: network + "0", Subnets: subnets,
		Ports: map[string]string{nstest.PortName(network + "-vm"): "vm1"},
		DHCP4: &plan.DHCP{Scopes: []plan.Scope{{Prefix: subnets[0].Masked(), Server: gateway4, Lease: 3600, Domain: network + ".internal",
			Ranges: []plan.Range{{From: netip.MustParseAddr("10.9.0.10"), To: netip.MustParseAddr("10.9.0.99"), Lease: 3600}}}}},
		RA: &plan.RA{Interval: 600, Lifetime: 1800, Preference: "medium", HopLimit: 64,
			Prefixes: []plan.RAPrefix{{Prefix: subnets[1].Masked(), Autonomous: true, Valid: 3600, Preferred: 1800}}},
		DNS: &plan.DNS{Listen: []netip.Addr{gateway4, gateway6}, Allowed: []netip.Prefix{subnets[0].Masked(), subnets[1].Masked()},
			Domain: network + ".internal", LocalOnly: true, Reverse: []netip.Prefix{subnets[0].Masked()}, TTL: 60, Cache: 16,
			Names: map[string][]netip.Addr{"nas": {netip.MustParseAddr("10.9.0.200")}}},
	}
	return s
}

// pass serves what is wanted now, as the loop does after changes. It fails on
// problems.
func (w *world) pass() {
	w.t.Helper()
	if problems := w.Set(w.want, plan.State{}); len(problems) > 0 {
		w.t.Fatalf("problems: %v", problems)
	}
}

// settle passes until the gateways have their link-local addresses.
func (w *world) settle() {
	w.t.Helper()
	nstest.Eventually(w.t, patience, func() error {
		w.pass()
		for at, n := range w.networks {
			if n.pending {
				return fmt.Errorf("%v has no link-local address", at)
			}
		}
		return nil
	})
}

// guest plugs a guest into a network and has it take an address.
func (w *world) guest(network string) (*testhost.Host, peers.Lease) {
	w.t.Helper()
	h := nstest.Host(w.t, network+"-vm")
	nstest.Join(w.t, h, w.machine, network+"0")
	return h, w.lease(h)
}

func (w *world) lease(h *testhost.Host) peers.Lease {
	w.t.Helper()
	l, err := peers.Strict(w.t, h).Take(w.t.Context())
	must(w.t, err)
	return l
}

// ask returns the values of a name's records, or the status when there are none.
func (w *world) ask(h *testhost.Host, name, kind string, more ...string) string {
	w.t.Helper()
	a, err := peers.Dig(w.t.Context(), w.t, h, gateway4, append([]string{name, kind}, more...)...)
	must(w.t, err)
	if values := a.Values(kind); len(values) > 0 {
		return strings.Join(values, " ")
	}
	return a.Status
}
