package daemon_test

import (
	"flag"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
)

// networksAtOnce is more than a process may have descriptors for by default, seven a
// network. The kernel takes a thousand bridges down in 16 s, in which no other
// namespace of the machine can change a link.
var networksAtOnce = flag.Int("networks", 300, "how many networks one daemon serves")

// TestRulesDoNotGrowWithNetworks counts the rules of the machine with one network
// and with a hundred.
func TestRulesDoNotGrowWithNetworks(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	rules := func() (n int) {
		for line := range strings.Lines(nstest.Run(t, m.NS, "nft", "-a", "list", "ruleset")) {
			if strings.Contains(line, "# handle") && !strings.Contains(line, "{") {
				n++
			}
		}
		return n
	}
	m.Apply(manyNetworks(1))
	one := rules()
	m.Apply(manyNetworks(100))
	many := rules()
	if one < 30 || one != many {
		t.Errorf("%d rules with one network, %d with 100", one, many)
	}
	if ops := m.Drift(); len(ops) > 0 {
		t.Errorf("100 networks are not settled: %s …", ops[0])
	}
	networks, err := m.Client.Networks(t.Context())
	if err != nil || len(networks) != 100 {
		t.Errorf("%d networks, %v", len(networks), err)
	}
	t.Logf("%d rules", many)
}

// TestManyNetworksAreServedByOneProcess counts what they cost, and has a guest
// of one network take an address and ask for a name while guests of another do
// nothing but ask.
func TestManyNetworksAreServedByOneProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	n := *networksAtOnce
	if testing.Short() {
		n = 100
	}
	w.Apply(servedNetworks(n))
	if ops := w.Drift(); len(ops) > 0 {
		t.Errorf("%d networks are not settled: %s …", n, ops[0])
	}
	st, err := w.Client.Status(t.Context())
	if err != nil || len(st.Problems) > 0 {
		t.Fatalf("%v %.1000v", err, st.Problems)
	}
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", st.PID))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d networks of two families: %d descriptors, %d goroutines", n, len(files), st.Goroutines)
	if len(files) > 7*n+100 || st.Goroutines > 5*n+100 {
		t.Errorf("%d descriptors and %d goroutines are too many", len(files), st.Goroutines)
	}
	noisy, _, _ := w.strict("noisy", "net1")
	var c net.Conn
	if err := noisy.NS().Do(func() (err error) { c, err = net.Dial("udp", "10.0.1.1:67"); return err }); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	end := make(chan struct{})
	defer close(end)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			default:
				c.Write(message(guestMAC(i), dhcpv4.MessageTypeDiscover).ToBytes())
			}
		}
	}()
	begin := time.Now()
	guest, _, lease := w.strict("guest", "net7")
	got := w.ask(guest, "10.0.7.1", "fixed.net7.internal", "A")
	t.Logf("beside the noise: address and name in %s", time.Since(begin).Round(time.Millisecond))
	if !netip.MustParsePrefix("10.0.7.0/24").Contains(lease.Address.Addr()) || got != "10.0.7.77" {
		t.Errorf("got %s and %s", lease.Address, got)
	}
	w.Stop() // a killed process closes its packet sockets one after the other
}

// servedNetworks is a file with n NAT networks of two families, with all services.
func servedNetworks(n int) string {
	var s strings.Builder
	s.WriteString("networks:\n")
	for i := range n {
		fmt.Fprintf(&s, "  net%d: {mode: nat, dns: {domain: net%d.internal, hosts: {fixed: %s}}, subnets: [{address: %s, dhcp: {}}, {address: \"fd00:%x::1/64\"}]}\n",
			i, i, netip.AddrFrom4([4]byte{10, byte(i / 256), byte(i), 77}), address(i), i)
	}
	return s.String()
}
