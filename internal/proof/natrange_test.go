package proof

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// lab is a NAT network with what is added to it.
func lab(more string) string {
	return fmt.Sprintf(`networks: {lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: 10.9.0.1/24}, {address: "fd00:9::1/64"}]%s}}`, more)
}

// outsideSees opens connections to the outside and tells as whom they were seen.
func outsideSees(t *testing.T, g *testhost.Host, to netip.Addr, proto testhost.Proto, times int) map[netip.AddrPort]bool {
	t.Helper()
	seen := map[netip.AddrPort]bool{}
	for range times {
		r := g.Probe(t.Context(), testhost.Probe{Proto: proto, To: to, Timeout: 2 * silence})
		if !r.OK {
			t.Fatalf("%s → %s: %s", g.Name(), to, r)
		}
		seen[netip.AddrPortFrom(r.Seen, r.SeenPort)] = true
	}
	return seen
}

// within wants every source in a range of addresses and ports.
func within(t *testing.T, seen map[netip.AddrPort]bool, addresses string, ports spec.PortRange) {
	t.Helper()
	r, err := spec.ParseAddrRange(addresses)
	if err != nil {
		t.Fatal(err)
	}
	for s := range seen {
		if !r.Contains(s.Addr()) || s.Port() < ports.From || s.Port() > ports.To {
			t.Errorf("seen as %s, want %s and ports %s", s, addresses, ports)
		}
	}
}

// TestNATLeavesWithChosenAddressesAndPorts has two addresses, which the machine
// holds; the choice changes while a connection goes on.
func TestNATLeavesWithChosenAddressesAndPorts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, lab(`, nat: {address: 192.0.2.40-192.0.2.41, ports: 20000-20999}`)+`
forwards: {web: {network: lab, listen: 8080, to: "10.9.0.5:80"}}`)
	for _, a := range []string{"192.0.2.40/32", "192.0.2.41/32"} {
		nstest.Run(t, w.NS, "ip", "addr", "add", a, "dev", "eth0")
	}
	w.Settled()
	g := w.guest("vm1", "lab0", "10.9.0.5/24", "fd00:9::5/64", "10.9.0.1", "fd00:9::1")
	stream, err := g.TCPStream(t.Context(), netip.AddrPortFrom(nstest.Outside4, testhost.EchoPort))
	if err != nil {
		t.Fatal(err)
	}
	first := spec.PortRange{From: 20000, To: 20999}
	for _, proto := range []testhost.Proto{testhost.TCP, testhost.UDP} {
		within(t, outsideSees(t, g, nstest.Outside4, proto, 16), "192.0.2.40-192.0.2.41", first)
	}
	within(t, outsideSees(t, g, nstest.Outside6, testhost.TCP, 4), nstest.Machine6.String(), first)
	ask(t, append(everyProto(g, nstest.Outside4.String(), "yes"),
		question{w.Outside, testhost.Probe{Proto: testhost.TCP, To: nstest.Machine4, Port: 8080}, "yes"}))
	for _, c := range []struct {
		nat, addresses string
		ports          spec.PortRange
	}{
		{"address: 192.0.2.41, ports: 30000-30009", "192.0.2.41", spec.PortRange{From: 30000, To: 30009}},
		{"address: 192.0.2.40", "192.0.2.40", spec.PortRange{From: 1, To: 65535}},
		{"ports: 40000-40999", nstest.Machine4.String(), spec.PortRange{From: 40000, To: 40999}},
	} {
		w.put(lab(", nat: {" + c.nat + "}"))
		within(t, outsideSees(t, g, nstest.Outside4, testhost.TCP, 4), c.addresses, c.ports)
	}
	if r := goesOn(t, stream); r.Broken != "" || r.LongestStall > stall {
		t.Errorf("the connection: %+v", r)
	}
	for range 2 {
		w.put(lab(""))
	}
	if out := nstest.Run(t, w.NS, "nft", "list", "table", "inet", "kvmnet"); strings.Contains(out, "chain source_") {
		t.Error("a chain of sources is left")
	}
	within(t, outsideSees(t, g, nstest.Outside4, testhost.TCP, 2), nstest.Machine4.String(), spec.PortRange{From: 1, To: 65535})
}

// TestNATWithAnAddressThatIsRoutedHere: the machine does not hold it, which is said.
func TestNATWithAnAddressThatIsRoutedHere(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "")
	w.put(lab(`, nat: {address: 203.0.113.9}`))
	n, err := w.Client.Network(t.Context(), "lab")
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprint(n.Status.Problems); !strings.Contains(text, "203.0.113.9, which this host does not hold") {
		t.Errorf("problems: %s", text)
	}
	if err := w.Outside.AddRoute(netip.MustParsePrefix("203.0.113.9/32"), nstest.Machine4); err != nil {
		t.Fatal(err)
	}
	g := w.guest("vm1", "lab0", "10.9.0.5/24", "10.9.0.1")
	ask(t, everyProto(g, nstest.Outside4.String(), "203.0.113.9"))
}
