package lab

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/examples"
	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
	"kvmnet/internal/qemuguest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// The router lab that everybody has built by hand once, with a real guest.
func TestExampleRouterWithAVirtualMachine(t *testing.T) {
	assets := needQEMU(t)
	d := begin(t, "07-router.yaml", io.Discard)
	n := d.networks[0]
	_, err := d.daemon.AddPort(t.Context(), api.AddPort{Name: "vm-001", Port: &spec.Port{Network: n.name, Type: spec.Tap, Interface: "tap001"}})
	must(t, err)
	port := d.port(t, "vm-001")
	g, err := qemuguest.Start(t.Context(), qemuguest.Config{Assets: assets, Name: "vm-001", NS: d.world.machine.NS(), Tap: "tap001", MAC: port.Spec.MAC, DHCP: true})
	must(t, err)
	t.Cleanup(func() { g.Close() })

	own := leased(t, g)
	if gateway := netip.MustParsePrefix("133.133.1.254/24"); !gateway.Contains(own) {
		t.Errorf("the guest was given %s", own)
	}
	must(t, g.Ping(t.Context(), netip.MustParseAddr("133.133.1.254")))
	must(t, g.Ping(t.Context(), far))
	seen, err := g.Seen(t.Context(), netip.AddrPortFrom(far, testhost.EchoPort))
	must(t, err)
	if seen.Addr() != netip.MustParseAddr("192.168.1.100") {
		t.Errorf("the outside saw %s", seen)
	}

	must(t, vmAsker{g}.do(t.Context(), fmt.Sprintf("setsid nc -ll -p %d -e true >/dev/null 2>&1 &", testhost.EchoPort)))
	must(t, d.world.outside.AddRoute(netip.MustParsePrefix("133.133.1.0/24"), netip.MustParseAddr("192.168.1.100")))
	outside := d.stranger(d.world.outside, outsideAddr)
	if v := (question{from: outside, to: own, mute: true}).put(t.Context()); v.outcome != no {
		t.Errorf("the outside reaches the guest: %s (%s)", v.outcome, v.detail)
	}
	looksRight(t, d)
}

func (d *demo) port(t *testing.T, name string) api.Port {
	t.Helper()
	list, err := d.daemon.Ports(t.Context())
	must(t, err)
	for _, p := range list {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("there is no port %s", name)
	return api.Port{}
}

// leased waits for the address that a guest takes by DHCP, and for its default
// route.
func leased(t *testing.T, g *qemuguest.Guest) netip.Addr {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		out, _, err := g.Run(ctx, "ip -4 addr show dev eth0 | awk '/inet / { print $2 }'; ip route | awk '/^default/ { print $3 }'")
		must(t, err)
		if f := strings.Fields(out); len(f) == 2 && f[1] == "133.133.1.254" {
			return netip.MustParsePrefix(f[0]).Addr()
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no lease: %s", out)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// looksRight looks at the router as an administrator does.
func looksRight(t *testing.T, d *demo) {
	t.Helper()
	for command, want := range map[string][]string{
		"ip addr":          {"inet 133.133.1.254/24 ", "inet 192.168.1.100/24 ", " eth0@", " uplink@"},
		"ip route":         {"default via 192.168.1.1 dev uplink", "133.133.1.0/24 dev eth0 "},
		"nft list ruleset": {"table inet kvmnet {", "masquerade", "elements = { \"eth0\" }"},
	} {
		out := inside(t, d, "r1", command)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: %q is missing in:\n%s", command, w, out)
			}
		}
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "table ") && !strings.HasSuffix(line, " kvmnet {\n") {
				t.Errorf("%s has a table of others: %s", "r1", line)
			}
		}
	}
}

// inside runs a command by ip-netns(8), where the directory of the daemon's
// namespaces is the usual one.
func inside(t *testing.T, d *demo, router, command string) string {
	t.Helper()
	script := fmt.Sprintf("mount --rbind %s /run/netns && ip netns exec %s %s", netnsIn(d.dir), router, command)
	out, err := d.world.machine.Command(t.Context(), "unshare", "--mount", "sh", "-c", script).CombinedOutput()
	if err != nil {
		t.Errorf("ip netns exec %s %s: %v\n%s", router, command, err, out)
	}
	return string(out)
}

// A daemon that was killed leaves the namespaces of its routers bound.
func TestNothingIsLeftOfADaemonThatWasKilled(t *testing.T) {
	t.Parallel()
	nstest.Need(t)
	top, err := parseTopology(defaultTopology, examples.Text(defaultTopology))
	must(t, err)
	o := Options{Out: io.Discard, Guests: GuestsVeth}
	must(t, o.findExe())
	d := newDemo(o, top)
	t.Cleanup(func() { d.takeDown(context.Background()) })
	must(t, d.up(t.Context()))
	if _, err := os.Stat(filepath.Join(netnsIn(d.dir), "r1")); err != nil {
		t.Error(err)
	}
	must(t, d.daemon.cmd.Process.Kill())
	<-d.daemon.done
	if err := d.takeDown(t.Context()); err == nil {
		t.Error("nobody deleted the networks, and nobody says so")
	}
	if _, err := os.Stat(d.dir); err == nil {
		t.Errorf("%s is left", d.dir)
	}
	if mounts, err := os.ReadFile("/proc/self/mountinfo"); err != nil || strings.Contains(string(mounts), d.dir) {
		t.Errorf("something is mounted in %s: %s (%v)", d.dir, mounts, err)
	}
}
