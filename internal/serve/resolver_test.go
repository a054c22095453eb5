package serve

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"kvmnet/internal/plan"
	"kvmnet/internal/testhost"
)

// resolver is an address that the machine and a router have both, each with a
// server behind it.
var resolver = netip.MustParseAddr("192.0.2.53")

// answerWith starts a server of one answer to all questions of a host, on its
// loopback.
func answerWith(t *testing.T, h *testhost.Host, answer string) {
	t.Helper()
	must(t, h.Up("lo"))
	must(t, h.AddAddress("lo", netip.PrefixFrom(resolver, 32)))
	var c net.PacketConn
	must(t, h.NS().Do(func() (err error) {
		c, err = new(net.ListenConfig).ListenPacket(context.Background(), "udp4", netip.AddrPortFrom(resolver, 53).String())
		return err
	}))
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 2048)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			c.WriteTo(reply(b[:n], netip.MustParseAddr(answer)), from)
		}
	}()
}

// reply answers a question for an address; of what follows it nothing is kept.
func reply(query []byte, a netip.Addr) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	m := slices.Clone(query[:end+5])
	copy(m[2:], []byte{0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0})
	m = append(m, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4)
	return append(m, a.AsSlice()...)
}

// network returns the wanted service of a network.
func (w *world) network(name string) *plan.Service {
	for i := range w.want {
		if w.want[i].Network == name {
			return &w.want[i]
		}
	}
	w.t.Fatalf("no network %s", name)
	return nil
}

func TestForwardersAreAskedByTheRouterAndTheHostsResolversByTheHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t, resolver.String())
	answerWith(t, w.machine, "198.51.100.1")
	answerWith(t, w.router("r1").host, "198.51.100.2")
	w.network("red").DNS.Forwarders = []netip.AddrPort{netip.AddrPortFrom(resolver, 53)}
	w.settle()
	red, _ := w.guest("red")
	blue, _ := w.guest("blue")
	if got := w.ask(red, "www.example.org", "A"); got != "198.51.100.2" {
		t.Errorf("a forwarder that people wrote down: %s", got)
	}
	if got := w.ask(blue, "www.example.org", "A"); got != "198.51.100.1" {
		t.Errorf("the host's resolver: %s", got)
	}
}

// A resolver of the host may be its own gateway, with the address of the router's.
func TestAGatewayOfTheHostIsNotAskedForARouter(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gateway4.String(), resolver.String())
	var mu sync.Mutex
	var warned []string
	w.o.Warn = func(owner, message string) {
		mu.Lock()
		defer mu.Unlock()
		warned = append(warned, owner+": "+message)
	}
	answerWith(t, w.machine, "198.51.100.1")
	must(t, w.machine.Bridge("lab0"))
	must(t, w.machine.AddAddress("lab0", subnets...))
	lab := service("lab", "")
	lab.Device = "lab0"
	w.want = append(w.want, lab)
	must(t, w.machine.Sysctl("net/ipv4/conf/red0/arp_ignore", "1")) // as plan has it on each bridge
	w.Set(w.want, plan.State{})                                     // lab0 has no port, so no link-local address yet
	red, _ := w.guest("red")
	for name, want := range map[string]string{"www.example.org": "198.51.100.1", "nas.lab.internal": "NXDOMAIN", "nas.red.internal": "10.9.0.200"} {
		if got := w.ask(red, name, "A"); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if told := strings.Join(warned, "\n"); !strings.Contains(told, "network/red: 10.9.0.1, a resolver of the host, is the gateway of another network") {
		t.Errorf("warned %q", told)
	}
}

func TestANetworkMayAskForTheNamesOfOneItJoins(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.network("blue").Joins = []string{"red"}
	w.network("red").DNS.Reverse = []netip.Prefix{netip.MustParsePrefix("172.30.0.0/16")}
	w.settle()
	red, _ := w.guest("red")
	blue, _ := w.guest("blue")
	for _, way := range []string{"+notcp", "+tcp"} {
		for name, want := range map[string]string{"nas.red.internal": "10.9.0.200", "vm1.red.internal": "10.9.0.10", "nobody.red.internal": "NXDOMAIN", "nas.blue.internal": "10.9.0.200"} {
			if got := w.ask(blue, name, "A", way); got != want {
				t.Errorf("%s %s: %s, want %s", name, way, got, want)
			}
		}
	}
	if got := w.ask(blue, "1.0.30.172.in-addr.arpa", "PTR"); got != "NXDOMAIN" {
		t.Errorf("reverse zone of the other network: %s", got)
	}
	if got := w.ask(red, "nas.blue.internal", "A"); got != "NXDOMAIN" {
		t.Errorf("the other way round: %s", got)
	}
	w.network("blue").Joins = nil
	w.settle()
	if got := w.ask(blue, "*.red.internal", "A"); got != "NXDOMAIN" {
		t.Errorf("after they parted: %s", got)
	}
}
