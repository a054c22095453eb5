package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// newBridge is a machine with the bridge br0, the guests a and b in it, and a
// Kernel of the machine.
func newBridge(t testing.TB) (machine *testhost.Host, k *Kernel) {
	t.Helper()
	machine = nstest.Host(t, "machine")
	for _, err := range []error{
		machine.Bridge("br0"),
		machine.AddAddress("br0", netip.MustParsePrefix("10.8.0.1/24"), netip.MustParsePrefix("fd00:8::1/64")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for i, name := range []string{"a", "b"} {
		nstest.Join(t, nstest.Host(t, name), machine, "br0",
			netip.MustParsePrefix(fmt.Sprintf("10.8.0.%d/24", 2+i)), netip.MustParsePrefix(fmt.Sprintf("fd00:8::%d/64", 2+i)))
	}
	k, err := Open(machine.NS(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return machine, k
}

// meet lets the machine and a guest hear of each other.
func meet(t testing.TB, machine *testhost.Host, guests ...string) {
	t.Helper()
	for _, g := range guests {
		if r := machine.Probe(t.Context(), testhost.Probe{Proto: testhost.ICMP, To: netip.MustParseAddr(g)}); !r.OK {
			t.Fatalf("%s: %s", g, r)
		}
	}
}

func bridgeIndex(t testing.TB, k *Kernel) int {
	t.Helper()
	index, err := k.Index("br0")
	if err != nil {
		t.Fatal(err)
	}
	return index
}

func TestPortOfFindsWhereAGuestIs(t *testing.T) {
	t.Parallel()
	machine, k := newBridge(t)
	checkPorts(t, machine, k)
}

// A bridge that filters VLANs keeps guests by MAC and VLAN.
func TestPortOfFindsGuestsInAVLAN(t *testing.T) {
	t.Parallel()
	machine, k := newBridge(t)
	if err := machine.Command(t.Context(), "ip", "link", "set", "br0", "type", "bridge", "vlan_filtering", "1").Run(); err != nil {
		t.Skipf("needs a kernel whose bridges filter VLANs: %v", err)
	}
	checkPorts(t, machine, k)
}

func checkPorts(t *testing.T, machine *testhost.Host, k *Kernel) {
	t.Helper()
	meet(t, machine, "10.8.0.2", "10.8.0.3")
	own, err := machine.MAC("br0")
	if err != nil {
		t.Fatal(err)
	}
	for mac, port := range map[spec.MAC]string{
		spec.GenerateMAC("a"): "v-a", spec.GenerateMAC("b"): "v-b",
		own: "", spec.GenerateMAC("nobody"): "",
	} {
		if got, err := k.PortOf(bridgeIndex(t, k), mac); got != port || err != nil {
			t.Errorf("%s is behind %q, %v; want %q", mac, got, err, port)
		}
	}
}

func TestPortOfKnowsBridgesApart(t *testing.T) {
	t.Parallel()
	machine, k := newBridge(t)
	meet(t, machine, "10.8.0.2")
	if err := machine.Bridge("br1"); err != nil {
		t.Fatal(err)
	}
	br1, err := k.Index("br1")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := k.PortOf(br1, spec.GenerateMAC("a")); got != "" || err != nil {
		t.Errorf("got %q, %v on the other bridge", got, err)
	}
	if got, err := k.PortOf(9999, spec.GenerateMAC("a")); err == nil {
		t.Errorf("got %q on no bridge", got)
	}
}

func TestFDBListsGuestsAndNoBridge(t *testing.T) {
	t.Parallel()
	machine, k := newBridge(t)
	meet(t, machine, "10.8.0.2", "10.8.0.3")
	list, err := k.FDB(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	own, _ := machine.MAC("br0")
	for _, name := range []string{"a", "b"} {
		if e := (FDBEntry{"br0", "v-" + name, spec.GenerateMAC(name)}); !slices.Contains(list, e) {
			t.Errorf("%v lacks %v", list, e)
		}
	}
	if slices.ContainsFunc(list, func(e FDBEntry) bool { return e.MAC == own || e.MAC.IsMulticast() }) {
		t.Errorf("%v has what is no guest", list)
	}
}

func TestNeighboursAreThoseWhoAnswered(t *testing.T) {
	t.Parallel()
	machine, k := newBridge(t)
	meet(t, machine, "10.8.0.2", "fd00:8::3")
	silent := testhost.Probe{Proto: testhost.ICMP, To: netip.MustParseAddr("10.8.0.9"), Timeout: 200 * time.Millisecond}
	if r := machine.Probe(t.Context(), silent); r.OK {
		t.Fatal("somebody answered for 10.8.0.9")
	}
	nstest.Run(t, machine.NS(), "ip", "neigh", "add", "10.8.0.77", "lladdr", "02:00:00:00:00:77", "dev", "br0")
	list, err := k.Neighbours(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for addr, mac := range map[string]spec.MAC{
		"10.8.0.2": spec.GenerateMAC("a"), "fd00:8::3": spec.GenerateMAC("b"), "10.8.0.77": {2, 0, 0, 0, 0, 0x77},
	} {
		if !slices.ContainsFunc(list, func(n Neighbour) bool {
			return n.Link == "br0" && n.Addr.String() == addr && n.MAC == mac && n.State != ""
		}) {
			t.Errorf("%v lacks %s", list, addr)
		}
	}
	for _, n := range list {
		if n.Addr == silent.To || n.Addr.IsMulticast() || n.MAC.IsZero() {
			t.Errorf("%v is no neighbour", n)
		}
	}
}

func TestLinkLocalIsUsable(t *testing.T) {
	t.Parallel()
	machine, k := newBridge(t)
	addr, err := k.LinkLocal("br0")
	if err != nil || !addr.IsLinkLocalUnicast() || addr.Zone() != "" {
		t.Fatalf("got %s, %v", addr, err)
	}
	if err := machine.DelAddress("br0", netip.PrefixFrom(addr, 64)); err != nil {
		t.Fatal(err)
	}
	if got, err := k.LinkLocal("br0"); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("got %s, %v, want EADDRNOTAVAIL", got, err)
	}
	// Without a carrier an address stays tentative.
	nstest.Run(t, machine.NS(), "ip", "link", "add", "br2", "type", "bridge")
	nstest.Run(t, machine.NS(), "sysctl", "-qw", "net/ipv6/conf/br2/accept_dad=1", "net/ipv6/conf/br2/dad_transmits=1")
	nstest.Run(t, machine.NS(), "ip", "link", "set", "br2", "up")
	nstest.Run(t, machine.NS(), "ip", "addr", "add", "fe80::2/64", "dev", "br2")
	if got, err := k.LinkLocal("br2"); !errors.Is(err, unix.EADDRNOTAVAIL) {
		t.Errorf("got %s, %v, want EADDRNOTAVAIL", got, err)
	}
}

func TestIndexOfALink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if lo, err := w.Index("lo"); lo != 1 || err != nil {
		t.Errorf("lo is %d, %v", lo, err)
	}
	for _, name := range []string{"none0", "a-name-too-long-for-a-link"} {
		if got, err := w.Index(name); err == nil {
			t.Errorf("%s is %d", name, got)
		}
	}
	if _, err := w.LinkLocal("none0"); !errors.Is(err, unix.ENODEV) {
		t.Errorf("got %v, want ENODEV", err)
	}
}

func FuzzNeighbour(f *testing.F) {
	f.Add((&ndmsg{family: unix.AF_BRIDGE}).Serialize())
	f.Add(append((&ndmsg{}).Serialize(), 10, 0, unix.NDA_LLADDR, 0, 2, 0, 0, 0, 0, 1, 0, 0))
	f.Fuzz(func(t *testing.T, m []byte) { parseNeighbour(m) })
}

func BenchmarkPortOf(b *testing.B) {
	machine, k := newBridge(b)
	meet(b, machine, "10.8.0.2")
	br0, mac := bridgeIndex(b, k), spec.GenerateMAC("a")
	for b.Loop() {
		if got, err := k.PortOf(br0, mac); got == "" || err != nil {
			b.Fatal(got, err)
		}
	}
}
