package daemon_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// tenant is a host without a network manager, on a segment with a DHCP server.
type tenant struct {
	*machine
	host, lan *testhost.Host
	server    *testhost.Cmd
	heard     *daemontest.Journal // what the server says of messages
}

var tenantMAC = spec.MAC{0x52, 0x54, 0, 0, 9, 1}

func newTenant(t *testing.T) *tenant {
	t.Helper()
	nstest.Need(t)
	peers.Need(t, "dnsmasq", "dnsmasq-base")
	n := &tenant{host: nstest.Host(t, "tenant"), lan: nstest.Host(t, "lan"), heard: &daemontest.Journal{}}
	n.machine = newMachine(t, n.host.NS())
	n.fine(n.lan.Bridge("lan0"), n.lan.AddAddress("lan0", netip.MustParsePrefix("10.0.9.1/24")))
	n.plug("eth0", tenantMAC)
	n.fine(n.host.Down("eth0"))
	return n
}

func (n *tenant) fine(errs ...error) {
	n.T.Helper()
	if err := errors.Join(errs...); err != nil {
		n.T.Fatal(err)
	}
}

func (n *tenant) plug(nic string, mac spec.MAC) {
	n.T.Helper()
	n.fine(n.host.Plug(testhost.Plug{Inside: nic, MAC: mac, Outside: n.lan.NS(), OutsideName: "to-" + nic, Bridge: "lan0"}))
}

// serve starts the server, which asks its clients to renew often.
func (n *tenant) serve(from string, options ...string) {
	n.T.Helper()
	args := []string{"-k", "-C", "/dev/null", "--log-facility=-", "--log-dhcp", "--port=0", "--interface=lan0", "--bind-interfaces", "--no-ping", "--pid-file=", "--user=root",
		"--dhcp-authoritative", "--leasefile-ro", "--dhcp-range=" + from + ",10.0.9.250,2m", "--dhcp-option=option:T1,3"}
	n.server = n.lan.Command(n.T.Context(), "dnsmasq", append(args, options...)...)
	n.server.Stderr = n.heard
	n.fine(n.server.Start())
}

func (n *tenant) endServer() {
	n.T.Helper()
	n.fine(n.server.Process.Kill())
	n.server.Wait()
}

// define writes a definition of kvmnet's own, as an administrator does.
func (n *tenant) define(name, text string) {
	n.T.Helper()
	n.fine(os.MkdirAll(filepath.Dir(n.defined(name)), 0o755), os.WriteFile(n.defined(name), []byte(text), 0o644))
}

func (n *tenant) defined(name string) string {
	return filepath.Join(daemontest.Options(n.Dir).Root, "etc/kvmnet/interfaces", name+".yaml")
}

const byDHCP = "name: eth0\nipv4: {dhcp: true}\n"

var ends = regexp.MustCompile(`valid_lft (\d+)sec`)

// has waits until an interface has the addresses and routes, as ip(8) tells them.
func (n *tenant) has(link string, want ...string) (left string) {
	n.T.Helper()
	nstest.Eventually(n.T, 20*time.Second, func() (err error) {
		left, err = n.lacks(link, want...)
		return err
	})
	return left
}

func (n *tenant) lacks(link string, want ...string) (left string, err error) {
	out, err := n.host.Command(n.T.Context(), "ip", "-4", "-o", "addr", "show", "dev", link).Output()
	routes, err2 := n.host.Command(n.T.Context(), "ip", "-4", "route", "show", "dev", link).Output()
	if err := errors.Join(err, err2); err != nil {
		return "", err
	}
	text := string(out) + string(routes)
	for _, w := range want {
		if !strings.Contains(text, w) {
			return "", fmt.Errorf("%s has no %q: %s", link, w, text)
		}
	}
	if m := ends.FindStringSubmatch(text); m != nil {
		left = m[1]
	}
	if len(want) == 0 && text != "" {
		return left, fmt.Errorf("%s has %s", link, text)
	}
	return left, nil
}

// address is the one that the server gave.
func (n *tenant) address(link string) string {
	n.T.Helper()
	for i, word := range strings.Fields(nstest.Run(n.T, n.host.NS(), "ip", "-4", "-o", "addr", "show", "dev", link, "dynamic")) {
		if i == 3 {
			return word
		}
	}
	return ""
}

// count is how many messages of a kind the server has heard.
func (n *tenant) count(kind string) int { return strings.Count(n.heard.String(), kind+"(lan0)") }

// hears waits for one more message of a kind.
func (n *tenant) hears(kind string, do func()) {
	n.T.Helper()
	before := n.count(kind)
	do()
	nstest.Eventually(n.T, 20*time.Second, func() error {
		if n.count(kind) == before {
			return fmt.Errorf("the server has heard no %s: %s", kind, n.Log)
		}
		return nil
	})
}

// TestAnInterfaceWithoutAManagerHasItsAddressByDHCP: from boot on, over the death of the
// daemon and renewals, until it is stopped; and again when it is started.
func TestAnInterfaceWithoutAManagerHasItsAddressByDHCP(t *testing.T) {
	t.Parallel()
	n := newTenant(t)
	n.serve("10.0.9.100", "--dhcp-option=option:classless-static-route,0.0.0.0/0,10.0.9.1,10.7.0.0/16,203.0.113.7")
	n.define("eth0", byDHCP+"start: onboot\n")
	n.Start(0)
	gateway := "default via 10.0.9.1 proto dhcp src 10.0.9."
	n.has("eth0", "10.0.9.", "valid_lft 1", gateway, "10.7.0.0/16 via 203.0.113.7 proto dhcp", "onlink")
	address := n.address("eth0")
	if r := n.host.Probe(t.Context(), testhost.Probe{Proto: testhost.ICMP, To: netip.MustParseAddr("10.0.9.1"), Timeout: 5 * time.Second}); !r.OK {
		t.Errorf("to the gateway: %s", r)
	}

	watch := n.host.Command(t.Context(), "ip", "-4", "-o", "monitor", "address", "route")
	seen := &daemontest.Journal{}
	watch.Stdout = seen
	n.fine(watch.Start())
	n.hears("DHCPREQUEST", func() { n.Kill(); n.Start(0) }) // whether it holds
	for range 3 {
		n.hears("DHCPREQUEST", func() {})
	}
	n.has("eth0", address, gateway)
	if text := seen.String(); strings.Contains(text, "Deleted") || !strings.Contains(text, address) {
		t.Errorf("the address went, or was never renewed: %s", text)
	}
	n.fine(watch.Process.Kill())
	if got := n.count("DHCPRELEASE"); got != 0 || n.address("eth0") != address {
		t.Errorf("%d released; %s, want %s", got, n.address("eth0"), address)
	}

	n.hears("DHCPRELEASE", func() { n.fine(n.Client.StopInterface(t.Context(), api.InterfaceAction{Name: "eth0"})) })
	n.has("eth0")
	_, err := n.Client.StartInterface(t.Context(), api.InterfaceAction{Name: "eth0"})
	n.fine(err)
	if _, err := n.lacks("eth0", address, gateway); err != nil {
		t.Errorf("when the start was over: %v", err)
	}
}

func TestAStartTellsThatNoServerAnswersAndGoesOnAsking(t *testing.T) {
	t.Parallel()
	n := newTenant(t)
	n.define("eth0", byDHCP+"start: none\n")
	n.Start(0)
	_, err := n.Client.StartInterface(t.Context(), api.InterfaceAction{Name: "eth0"})
	if err == nil || !strings.Contains(err.Error(), "no DHCP server answers. kvmnet goes on asking") {
		t.Errorf("error %v", err)
	}
	n.serve("10.0.9.100")
	n.has("eth0", "10.0.9.", "default via 10.0.9.1")
}

func TestAnInterfaceThatAppearsLateHasItsAddress(t *testing.T) {
	t.Parallel()
	n := newTenant(t)
	n.serve("10.0.9.100")
	n.define("eth1", "name: eth1\nipv4: {dhcp: true}\n")
	begun := time.Now()
	n.Start(0)
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the daemon waited %s for a device", took)
	}
	n.plug("eth1", spec.MAC{0x52, 0x54, 0, 0, 9, 2})
	n.has("eth1", "10.0.9.", "default via 10.0.9.1")
	n.fine(n.Client.StopInterface(t.Context(), api.InterfaceAction{Name: "eth1"}))
	n.plug("eth2", spec.MAC{0x52, 0x54, 0, 0, 9, 3}) // is no reason to start what was stopped
	n.has("eth1")
}

func TestALeaseThatTheServerDeniesIsReplaced(t *testing.T) {
	t.Parallel()
	n := newTenant(t)
	n.serve("10.0.9.100")
	n.define("eth0", byDHCP)
	n.Start(0)
	n.has("eth0", "10.0.9.")
	old := n.address("eth0")
	n.endServer()
	nstest.Run(t, n.host.NS(), "ip", "addr", "add", "10.0.9.7/24", "dev", "eth0") // somebody's
	n.serve("10.0.9.240")
	n.has("eth0", "10.0.9.24", "10.0.9.7/24", "default via 10.0.9.1 proto dhcp src 10.0.9.24")
	if text := nstest.Run(t, n.host.NS(), "ip", "-4", "addr", "show", "dev", "eth0"); strings.Contains(text, old) {
		t.Errorf("%s is still there: %s", old, text)
	}
}

// TestALeaseGoesIntoABridgeAndBack: the server sees one client all along.
func TestALeaseGoesIntoABridgeAndBack(t *testing.T) {
	t.Parallel()
	n := newTenant(t)
	n.serve("10.0.9.100")
	n.define("eth0", byDHCP)
	n.Start(0)
	n.has("eth0", "10.0.9.")
	address := n.address("eth0")
	at := func(link string) {
		t.Helper()
		n.has(link, address, "default via 10.0.9.1 proto dhcp")
		n.hears("DHCPREQUEST", func() {})
		n.hears("DHCPREQUEST", func() {})
		n.has(link, address, "default via 10.0.9.1 proto dhcp")
	}
	into := func() {
		t.Helper()
		c, err := n.Client.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0"})
		n.fine(err)
		if !slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, "kvmnet renews it on br0") }) {
			t.Errorf("warnings %q", c.Warnings)
		}
		at("br0")
	}
	confirm := func() {
		t.Helper()
		_, err := n.Client.ConfirmChange(t.Context(), "")
		n.fine(err)
	}
	into()
	_, err := n.Client.RollbackChange(t.Context(), "")
	n.fine(err)
	at("eth0")
	into()
	n.Kill() // which is reverted by the next one
	n.Start(0)
	at("eth0")
	into()
	confirm()
	at("br0")
	text, err := os.ReadFile(n.defined("br0"))
	n.fine(err)
	if !strings.Contains(string(text), "dhcp: true") || strings.Contains(string(text), "10.0.9.") {
		t.Errorf("written:\n%s", text)
	}
	n.Kill()
	n.Start(0)
	at("br0")
	c, err := n.Client.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"})
	n.fine(err)
	if slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, "nothing defines eth0") }) {
		t.Errorf("warnings %q", c.Warnings)
	}
	at("eth0")
	confirm()
	at("eth0")
	if got := n.count("DHCPRELEASE") + n.count("DHCPDECLINE"); got != 0 || n.count("DHCPDISCOVER") != 1 {
		t.Errorf("the server heard %d goodbyes and %d DISCOVERs", got, n.count("DHCPDISCOVER"))
	}
}

// TestALeaseOfSomebodyElseIsTakenOver: not while their client runs; then its address is
// asked for, and nothing of the lease is written down.
func TestALeaseOfSomebodyElseIsTakenOver(t *testing.T) {
	t.Parallel()
	n := newTenant(t)
	n.serve("10.0.9.100")
	n.fine(n.host.Up("eth0"))
	other := n.dhclient("eth0")
	n.has("eth0", "10.0.9.", "default via 10.0.9.1")
	address := n.address("eth0")
	n.Start(0)
	_, err := n.Client.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0"})
	if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("dhclient (pid %d) renews it there", other.Process.Pid)) {
		t.Fatalf("error %v", err)
	}
	n.fine(other.Process.Signal(syscall.SIGKILL))
	other.Wait()
	_, err = n.Client.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0"})
	n.fine(err)
	n.has("br0", address)
	_, err = n.Client.ConfirmChange(t.Context(), "")
	n.fine(err)
	n.has("br0", address, "default via 10.0.9.1 proto dhcp")
	text, err := os.ReadFile(n.defined("br0"))
	n.fine(err)
	if !strings.Contains(string(text), "dhcp: true") || strings.Contains(string(text), "10.0.9.") {
		t.Errorf("written:\n%s", text)
	}
	c, err := n.Client.UnconvertBridge(t.Context(), api.UnconvertBridge{Bridge: "br0"})
	n.fine(err)
	if !slices.ContainsFunc(c.Warnings, func(w string) bool { return strings.Contains(w, "nothing defines eth0 any more") }) {
		t.Errorf("warnings %q", c.Warnings)
	}
	_, err = n.Client.ConfirmChange(t.Context(), "")
	n.fine(err)
	n.has("eth0", address)
	n.hears("DHCPREQUEST", func() {})
	n.hears("DHCPREQUEST", func() {})
	if got := n.count("DHCPRELEASE"); got != 0 {
		t.Errorf("%d released", got)
	}
}

// dhclient starts ISC's client, which gives the interface what it gets.
func (n *tenant) dhclient(nic string) *testhost.Cmd {
	n.T.Helper()
	peers.Need(n.T, "dhclient", "isc-dhcp-client")
	dir := n.T.TempDir()
	script := "#!/bin/sh\ncase $reason in BOUND|RENEW|REBIND|REBOOT)\nip address replace \"$new_ip_address/24\" dev \"$interface\" valid_lft \"$new_dhcp_lease_time\" preferred_lft \"$new_dhcp_lease_time\"\n" +
		"ip route replace default via \"$new_routers\" dev \"$interface\";;\nesac\n"
	n.fine(os.WriteFile(dir+"/script", []byte(script), 0o755), os.WriteFile(dir+"/conf", []byte("request subnet-mask, routers;\n"), 0o644))
	cmd := n.host.Command(n.T.Context(), "dhclient", "-4", "-d", "-cf", dir+"/conf", "-sf", dir+"/script", "-lf", dir+"/leases", "-pf", dir+"/pid", nic)
	n.fine(cmd.Start())
	return cmd
}
