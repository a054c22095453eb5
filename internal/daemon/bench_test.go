package daemon_test

import (
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// bare makes with plain kernel calls what a NAT network is in the kernel: a bridge
// with its MAC, address and up, its settings, and its elements in as many sets.
// It is what kvmnet is measured against, in the same run.
type bare struct {
	handle *netlink.Handle
	ns     *netns.NS
	rules  *nftables.Conn
	sets   []*nftables.Set
}

// bareSettings are the settings of a NAT network's bridge.
var bareSettings = map[string]string{"ipv4/conf/%s/forwarding": "1", "ipv4/conf/%s/arp_ignore": "1", "ipv4/conf/%s/arp_announce": "2",
	"ipv4/conf/%s/promote_secondaries": "1", "ipv6/conf/%s/disable_ipv6": "1"}

func newBare(b *testing.B, ns *netns.NS) *bare {
	b.Helper()
	h, err := netlink.NewHandleAt(vnetns.NsHandle(ns.Fd()))
	try(b, err)
	c, err := nftables.New(nftables.WithNetNSFd(ns.Fd()), nftables.AsLasting())
	try(b, err)
	b.Cleanup(func() { h.Close(); c.CloseLasting() })
	k := &bare{handle: h, ns: ns, rules: c}
	table := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "bare"})
	for i := range 8 {
		s := &nftables.Set{Table: table, Name: fmt.Sprintf("set%d", i), KeyType: nftables.TypeIFName}
		try(b, c.AddSet(s, nil))
		k.sets = append(k.sets, s)
	}
	try(b, c.Flush())
	return k
}

func (k *bare) start(b *testing.B, name string, address netip.Prefix) {
	b.Helper()
	for _, s := range k.sets {
		try(b, k.rules.SetAddElements(s, k.element(name)))
	}
	try(b, k.rules.Flush())
	mac := spec.GenerateMAC(name)
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name, HardwareAddr: mac[:]}}
	addr, err := netlink.ParseAddr(address.String())
	try(b, err)
	try(b, k.handle.LinkAdd(br))
	try(b, k.ns.Do(func() error {
		for path, value := range bareSettings {
			if err := os.WriteFile("/proc/sys/net/"+fmt.Sprintf(path, name), []byte(value), 0); err != nil {
				return err
			}
		}
		return nil
	}))
	try(b, k.handle.AddrAdd(br, addr))
	try(b, k.handle.LinkSetUp(br))
}

func (k *bare) element(name string) []nftables.SetElement {
	key := make([]byte, 16)
	copy(key, name)
	return []nftables.SetElement{{Key: key}}
}

func (k *bare) stop(b *testing.B, name string) {
	b.Helper()
	try(b, k.handle.LinkDel(&netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}))
	for _, s := range k.sets {
		try(b, k.rules.SetDeleteElements(s, k.element(name)))
	}
	try(b, k.rules.Flush())
}

// BenchmarkStartNetwork starts a NAT network by the API, with a number of other
// networks running, against the bare calls.
func BenchmarkStartNetwork(b *testing.B) {
	for _, others := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("beside=%d", others), func(b *testing.B) {
			m, k := benchMachine(b), newBare(b, nstest.NS(b))
			m.Apply(manyNetworks(others) + "  lab: {mode: nat, autostart: false, dns: {domain: lab.internal}, subnets: [{address: 10.200.0.1/24, dhcp: {}}]}\n")
			m.Settled()
			var ours, theirs []time.Duration
			for b.Loop() {
				theirs = append(theirs, daemontest.Clock(func() { k.start(b, "lab", netip.MustParsePrefix("10.200.0.1/24")) }))
				k.stop(b, "lab")
				ours = append(ours, daemontest.Clock(func() { try(b, m.Client.Start(b.Context(), "lab")) }))
				try(b, m.Client.Stop(b.Context(), "lab"))
				m.Settled()
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(daemontest.MS(daemontest.Median(ours)), "ms/start")
			b.ReportMetric(daemontest.MS(daemontest.Median(theirs)), "ms/bare")
			b.ReportMetric(float64(daemontest.Median(ours))/float64(daemontest.Median(theirs)), "x-bare")
		})
	}
}

// BenchmarkNoOpPass looks at everything and finds nothing to do.
func BenchmarkNoOpPass(b *testing.B) {
	var one time.Duration
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("networks=%d", n), func(b *testing.B) {
			m := benchMachine(b)
			m.Apply(manyNetworks(n))
			m.Settled()
			var took []time.Duration
			for b.Loop() {
				took = append(took, daemontest.Clock(func() { m.Drift() }))
			}
			if n == 1 {
				one = daemontest.Median(took)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(daemontest.MS(daemontest.Median(took)), "ms/pass")
			b.ReportMetric(float64(daemontest.Median(took))/float64(one), "x-one-network")
		})
	}
}

// BenchmarkApplyFile brings up a thousand networks from one file, against the bare
// calls for as many. Once a run, whatever b.N: the kernel takes half a minute to
// remove them.
func BenchmarkApplyFile(b *testing.B) {
	const n = 1000
	m, k := benchMachine(b), newBare(b, nstest.NS(b))
	text := manyNetworks(n)
	ours := daemontest.Clock(func() { m.Apply(text) })
	theirs := daemontest.Clock(func() {
		for i := range n {
			k.start(b, fmt.Sprintf("net%d", i), address(i))
		}
	})
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(daemontest.MS(ours), "ms/1000-networks")
	b.ReportMetric(daemontest.MS(theirs), "ms/bare")
	b.ReportMetric(float64(ours)/float64(theirs), "x-bare")
	b.ReportMetric(m.Resident(), "MB-daemon")
}

func benchMachine(b *testing.B) *machine {
	b.Helper()
	m := newMachine(b, daemontest.Uplinked(b))
	m.Start(0)
	return m
}

// manyNetworks is a file with n NAT networks with DHCP and DNS.
func manyNetworks(n int) string {
	var s strings.Builder
	s.WriteString("networks:\n")
	for i := range n {
		fmt.Fprintf(&s, "  net%d: {mode: nat, subnets: [{address: %s, dhcp: {}}]}\n", i, address(i))
	}
	return s.String()
}

func address(i int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i / 256), byte(i), 1}), 24)
}

func try(b *testing.B, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}
