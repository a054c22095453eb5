package testhost_test

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

func TestPlugJoinsABridgeWithTheGivenAddressNameAndMTU(t *testing.T) {
	t.Parallel()
	outside, h := nstest.Host(t, "switch"), nstest.Host(t, "h")
	must(t, outside.Bridge("br0"))
	mac := spec.MAC{0x52, 0x54, 0, 1, 2, 3}
	must(t, h.Plug(testhost.Plug{Inside: "net7", MAC: mac, MTU: 1400, Outside: outside.NS(), OutsideName: "port7", Bridge: "br0"}))
	got, err := h.MAC("net7")
	must(t, err)
	if got != mac {
		t.Errorf("address %s, want %s", got, mac)
	}
	inside := nstest.Run(t, h.NS(), "ip", "-o", "link", "show", "net7")
	port := nstest.Run(t, outside.NS(), "ip", "-o", "link", "show", "port7")
	for _, c := range []struct{ text, want string }{{inside, "mtu 1400"}, {inside, "LOWER_UP"}, {port, "mtu 1400"}, {port, "master br0"}, {port, "LOWER_UP"}} {
		if !strings.Contains(c.text, c.want) {
			t.Errorf("%q lacks %q", c.text, c.want)
		}
	}
}

func TestPlugThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	outside, h := nstest.Host(t, "switch"), nstest.Host(t, "h")
	nstest.Unchanged(t, outside.NS())
	nstest.Unchanged(t, h.NS())
	err := h.Plug(testhost.Plug{Outside: outside.NS(), OutsideName: "port7", Bridge: "nobridge"})
	if err == nil || !strings.Contains(err.Error(), "nobridge") {
		t.Errorf("got %v, want an error that names the bridge", err)
	}
}

func TestUnplugAndCloseRemoveTheOutsideEndAtOnce(t *testing.T) {
	t.Parallel()
	outside := nstest.Host(t, "switch")
	must(t, outside.Bridge("br0"))
	for name, end := range map[string]func(*testhost.Host) error{
		"unplug": func(h *testhost.Host) error { return h.Unplug("eth0") },
		"close":  (*testhost.Host).Close,
	} {
		h := nstest.Host(t, name)
		nstest.Join(t, h, outside, "br0")
		must(t, end(h))
		if out := nstest.Run(t, outside.NS(), "ip", "-o", "link"); strings.Contains(out, "v-"+name) {
			t.Errorf("after %s the port is still there: %s", name, out)
		}
	}
	h := nstest.Host(t, "twice")
	must(t, h.Unplug("none0"))
	must(t, h.Close())
	must(t, h.Close())
}

func TestAddressesRoutesAndForwardingAreWhatTheKernelShows(t *testing.T) {
	t.Parallel()
	outside, h := nstest.Host(t, "switch"), nstest.Host(t, "h")
	nstest.Join(t, h, outside, "", prefix("10.0.0.2/24"), prefix("fd00::2/64"))
	must(t, h.Gateways(addr("10.0.0.1"), addr("fe80::1%eth0")))
	must(t, h.AddRoute(prefix("10.9.0.0/16"), addr("10.0.0.7")))
	must(t, h.DelAddress("eth0", prefix("fd00::2/64")))
	must(t, h.Forward(true))
	routes := nstest.Run(t, h.NS(), "ip", "route") + nstest.Run(t, h.NS(), "ip", "-6", "route")
	for _, want := range []string{"default via 10.0.0.1 dev eth0", "default via fe80::1 dev eth0", "10.9.0.0/16 via 10.0.0.7 dev eth0"} {
		if !strings.Contains(routes, want) {
			t.Errorf("%q lacks %q", routes, want)
		}
	}
	must(t, h.DelRoute(prefix("10.9.0.0/16"), addr("10.0.0.7")))
	if routes := nstest.Run(t, h.NS(), "ip", "route"); strings.Contains(routes, "10.9.0.0/16") {
		t.Errorf("the deleted route is still there: %s", routes)
	}
	have, err := h.Addresses("eth0")
	must(t, err)
	if len(have) == 0 || have[0] != prefix("10.0.0.2/24") {
		t.Errorf("addresses %v, want 10.0.0.2/24 first", have)
	}
	for _, key := range []string{"net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"} {
		if v, err := h.ReadSysctl(key); v != "1" || err != nil {
			t.Errorf("%s is %q, %v; want 1", key, v, err)
		}
	}
	if err := h.AddAddress("none0", prefix("10.0.0.2/24")); err == nil || !strings.Contains(err.Error(), "none0") {
		t.Errorf("got %v, want an error that names the interface", err)
	}
}

func TestIPv6AddressesAnswerAtOnce(t *testing.T) {
	t.Parallel()
	a, b := nstest.Host(t, "a"), nstest.Host(t, "b")
	must(t, a.Plug(testhost.Plug{Outside: b.NS(), OutsideName: "eth0"}))
	for i := range 20 { // the kernel enters them in a work queue; one try could be lucky
		p := netip.PrefixFrom(addr(fmt.Sprintf("fd00::%x", i+0x10)), 64)
		q := netip.PrefixFrom(addr(fmt.Sprintf("fd00::%x", i+0x80)), 64)
		must(t, a.AddAddress("eth0", p))
		must(t, b.AddAddress("eth0", q))
		expect(t, a, testhost.Probe{Proto: testhost.ICMP, To: q.Addr()}, "")
	}
}

func TestDownInterfaceIsSilent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.warm(t)
	must(t, w.server.Down("eth0"))
	expect(t, w.client, testhost.Probe{Proto: testhost.ICMP, To: server4, Timeout: short}, testhost.Timeout)
	must(t, w.server.Up("eth0"))
	must(t, w.server.Gateways(addr("10.2.0.1")))
	nstest.Eventually(t, 5*time.Second, func() error {
		if r := w.client.Probe(t.Context(), testhost.Probe{Proto: testhost.ICMP, To: server4, Timeout: short}); !r.OK {
			return fmt.Errorf("after up: %s", r)
		}
		return nil
	})
}

func TestNamedHostIsBoundAndDetachKeepsIt(t *testing.T) {
	t.Parallel()
	nstest.Need(t)
	name := fmt.Sprintf("kvmnet-test-%d", os.Getpid())
	for _, c := range []struct {
		name string
		end  func(*testhost.Host) error
		kept bool
	}{{"close", (*testhost.Host).Close, false}, {"detach", (*testhost.Host).Detach, true}} {
		h, err := testhost.NewNamed(name)
		must(t, err)
		if _, err := testhost.NewNamed(name); err == nil {
			t.Error("a second host of the same name was made")
		}
		out, err := exec.Command("ip", "netns", "exec", name, "ip", "-o", "link", "show", "lo").CombinedOutput()
		if err != nil || !strings.Contains(string(out), "UP") {
			t.Errorf("ip netns exec: %v, %s", err, out)
		}
		must(t, c.end(h))
		if _, err := os.Stat(filepath.Join(netns.Dir, name)); (err == nil) != c.kept {
			t.Errorf("after %s: stat says %v, want kept %v", c.name, err, c.kept)
		}
		must(t, netns.Delete(name))
	}
}

func TestCommandRunsInsideAndDiesWithTheHost(t *testing.T) {
	t.Parallel()
	h := nstest.Host(t, "h")
	must(t, h.Bridge("br7"))
	out, err := h.Command(t.Context(), "ip", "-o", "link").Output()
	if err != nil || !strings.Contains(string(out), "br7") {
		t.Errorf("got %q, %v; want the links of the host", out, err)
	}
	if out, err := h.Command(t.Context(), "ip", "link", "show", "none0").CombinedOutput(); err == nil || !strings.Contains(string(out), "none0") {
		t.Errorf("got %q, %v; want the error of the command", out, err)
	}
	if _, err := h.Command(t.Context(), "ip", "link", "show", "none0").Output(); err == nil || !strings.Contains(err.Error(), "none0") {
		t.Errorf("got %v, want the standard error in it", err)
	}
	sleeper := h.Command(t.Context(), "sleep", "600")
	must(t, sleeper.Start())
	must(t, h.Close())
	if sleeper.ProcessState == nil || sleeper.ProcessState.Success() {
		t.Errorf("after Close the process is %v, want killed", sleeper.ProcessState)
	}
	if err := h.Command(t.Context(), "true").Run(); err == nil {
		t.Error("a closed host ran a command")
	}
}

func TestHostsDoNotForwardUnlessAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.warm(t)
	must(t, w.router.Forward(false))
	for _, to := range both {
		expect(t, w.client, testhost.Probe{Proto: testhost.ICMP, To: to, Timeout: short}, testhost.Timeout)
	}
}
