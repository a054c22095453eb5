package hostnet

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
)

const (
	own0 = "/etc/kvmnet/interfaces/eth0.yaml"
	own1 = "/etc/kvmnet/interfaces/eth1.yaml"
	dhcp = "ipv4: {dhcp: true}\n"
)

// ticking is what is left of a lease.
var ticking = regexp.MustCompile(`\d+sec`)

func TestALeaseComesChangesAndEnds(t *testing.T) {
	t.Parallel()
	m, f := newLeasing(t, map[string]string{own0: "name: eth0\nipv4: {dhcp: true, addresses: [192.0.2.7/24]}\n"})
	m.pass()
	if got := f.links(); got != "eth0 "+key0 {
		t.Fatalf("wanted: %s", got)
	}
	m.has4("eth0", "192.0.2.7/24", "no 10.")
	f.gives(key0, leaseOf("10.0.0.5/24", "10.0.0.1"))
	m.pass()
	m.has4("eth0", "192.0.2.7/24", "10.0.0.5/24", "valid_lft 3", "default via 10.0.0.1 proto dhcp src 10.0.0.5 metric 1024")
	before := m.ip("-4", "addr") + m.ip("-4", "route", "show", "table", "all")
	m.pass()
	nstest.Same(t, ticking.ReplaceAllString(before, ""), ticking.ReplaceAllString(m.ip("-4", "addr")+m.ip("-4", "route", "show", "table", "all"), ""))
	f.gives(key0, leaseOf("10.0.0.6/24", ""))
	m.pass()
	m.has4("eth0", "192.0.2.7/24", "10.0.0.6/24", "no 10.0.0.5", "no 10.0.0.1", "default via 192.0.2.1")
	f.gives(key0, nil)
	m.pass()
	m.has4("eth0", "192.0.2.7/24", "no 10.", "default via 192.0.2.1")
	if text, err := os.ReadFile(m.sitesPath()); err != nil || string(text) != "{}\n" {
		t.Errorf("still noted: %s, %v", text, err)
	}
}

func TestWhatADefinitionSaysWinsOverALease(t *testing.T) {
	t.Parallel()
	m, f := newLeasing(t, map[string]string{own1: "name: eth1\nipv4:\n  dhcp: true\n  routes: [{to: 0.0.0.0/0, via: 10.0.0.9, metric: 7}, {to: 10.8.0.0/16, via: 10.0.0.8}]\n"})
	if err := m.StartOwn(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.gives(key1, leaseOf("10.0.0.5/24", "10.0.0.1"))
	m.pass()
	m.has4("eth1", "10.0.0.5/24", "default via 10.0.0.9 proto dhcp src 10.0.0.5 metric 7", "10.8.0.0/16 via 10.0.0.8", "no via 10.0.0.1")
}

// TestALeaseOfAnEarlierDaemonIsKnown: also when that was killed between two addresses.
func TestALeaseOfAnEarlierDaemonIsKnown(t *testing.T) {
	t.Parallel()
	m, f := newLeasing(t, map[string]string{own0: "name: eth0\n" + dhcp})
	m.ip("addr", "add", "10.0.0.4/24", "dev", "eth0", "valid_lft", "600", "preferred_lft", "600")
	m.ip("addr", "add", "10.0.1.5/24", "dev", "eth0", "valid_lft", "600", "preferred_lft", "600")
	m.ip("addr", "add", "10.0.2.6/24", "dev", "eth0", "valid_lft", "600", "preferred_lft", "600") // somebody else's
	first := site{Link: "eth0", Boot: m.journal.Boot, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.4/24"), netip.MustParsePrefix("10.0.1.5/24")}}
	if err := m.note(key0, &first); err != nil {
		t.Fatal(err)
	}
	m.leases.sites = nil // the daemon is another one
	all, err := m.readSites()
	if err != nil {
		t.Fatal(err)
	}
	m.leases.sites = all
	f.gives(key0, leaseOf("10.0.1.5/24", ""))
	m.pass()
	m.has4("eth0", "no 10.0.0.4", "10.0.1.5/24", "10.0.2.6/24")
}

func TestWhatRunsKeepsItsLeaseUntilItGoesDown(t *testing.T) {
	t.Parallel()
	m, f := newLeasing(t, map[string]string{own1: "name: eth1\n" + dhcp})
	if err := m.StartOwn(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.gives(key1, leaseOf("10.0.0.5/24", ""))
	m.pass()
	if err := m.UndefineInterface(t.Context(), "eth1"); err != nil {
		t.Fatal(err)
	}
	m.pass()
	if got := f.links(); got != "eth1 "+key1 {
		t.Errorf("undefined, wanted: %s", got)
	}
	m.has4("eth1", "10.0.0.5/24")
	if err := m.StopInterface(t.Context(), api.InterfaceAction{Name: "eth1"}); err != nil {
		t.Fatal(err)
	}
	m.pass()
	if got := f.links() + fmt.Sprint(f.gone); got != "[eth1 up true]" {
		t.Errorf("stopped: %s", got)
	}
	m.has4("eth1", "no 10.0.0.5")
}

// TestALeaseIsOnlyForWhatKvmnetDefines: another manager asks itself.
func TestALeaseIsOnlyForWhatKvmnetDefines(t *testing.T) {
	t.Parallel()
	const network = "/etc/systemd/network/eth0.network"
	m, f := newLeasing(t, map[string]string{network: "[Match]\nName=eth0\n[Network]\nDHCP=yes\n", own1: "name: eth1\n" + dhcp})
	m.pass()
	if got := f.links(); got != "" { // eth1 is down
		t.Errorf("wanted: %s", got)
	}
	if err := os.Rename(filepath.Join(m.root, network), filepath.Join(m.root, "away")); err != nil {
		t.Fatal(err)
	}
	m.write(own0, "name: eth0\n"+dhcp)
	f.gives(key0, leaseOf("10.0.0.5/24", ""))
	m.pass()
	m.has4("eth0", "10.0.0.5/24")
	if err := os.Remove(filepath.Join(m.root, own0)); err != nil {
		t.Fatal(err)
	}
	m.write(network, "[Match]\nName=eth0\n[Network]\nDHCP=yes\n")
	m.pass()
	if got := f.links() + fmt.Sprint(f.gone); got != "[eth0 up true]" {
		t.Errorf("another manager has it: %s", got)
	}
	m.has4("eth0", "192.0.2.7/24", "no 10.0.0.5")
}

// TestALeaseFollowsIntoABridge: as the same client, while the change waits, too.
func TestALeaseFollowsIntoABridge(t *testing.T) {
	t.Parallel()
	m, f := newLeasing(t, map[string]string{own0: "name: eth0\n" + dhcp})
	f.gives(key0, leaseOf("10.0.0.5/24", "10.0.0.1"))
	m.pass()
	for _, end := range []func(context.Context, string) (api.HostChange, error){m.RollbackChange, m.ConfirmChange} {
		if _, err := m.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0"}); err != nil {
			t.Fatal(err)
		}
		m.pass()
		if got := f.links(); got != "br0 "+key0 {
			t.Errorf("wanted: %s", got)
		}
		m.has4("br0", "10.0.0.5/24", "default via 10.0.0.1 proto dhcp")
		m.has4("eth0", "no 10.")
		if _, err := end(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
		m.pass()
	}
	m.has4("br0", "10.0.0.5/24")
	if f.gone != nil {
		t.Errorf("given back: %v", f.gone)
	}
	// A link that a killed daemon gave a lease, and that is another one's place now.
	m.ip("addr", "add", "10.0.0.5/24", "dev", "eth1", "valid_lft", "600", "preferred_lft", "600")
	if err := m.note(key0, &site{Link: "eth1", Boot: m.journal.Boot, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.5/24")}}); err != nil {
		t.Fatal(err)
	}
	m.pass()
	m.has4("br0", "10.0.0.5/24")
	m.has4("eth1", "no 10.")
}

func TestNoLeaseIsPutAnywhereWhileAChangeIsTakenBack(t *testing.T) {
	t.Parallel()
	m, f := newLeasing(t, map[string]string{own0: "name: eth0\n" + dhcp})
	resume := m.leases.pause()
	inner := m.leases.pause()
	f.gives(key0, leaseOf("10.0.0.5/24", ""))
	inner()
	m.pass()
	m.has4("eth0", "no 10.")
	resume()
	m.pass()
	m.has4("eth0", "10.0.0.5/24")
}

// TestLeasesAreKept: by themselves, as links come and go up, until the end, which leaves
// all as it is.
func TestLeasesAreKept(t *testing.T) {
	t.Parallel()
	m, f := newLeasing(t, map[string]string{own1: "name: eth1\n" + dhcp, "/etc/kvmnet/interfaces/eth2.yaml": "name: eth2\n" + dhcp})
	m.KeepLeases()
	f.gives(key1, leaseOf("10.0.0.5/24", ""))
	f.gives("52:54:00:00:00:02", leaseOf("10.0.2.5/24", ""))
	m.ip("link", "set", "eth1", "up")
	becomes := func(link, want string) {
		t.Helper()
		nstest.Eventually(t, 10*time.Second, func() error {
			if out := nstest.Run(t, m.ns, "ip", "-4", "-o", "addr", "show"); !strings.Contains(out, want) {
				return fmt.Errorf("%s has no %s: %s", link, want, out)
			}
			return nil
		})
	}
	becomes("eth1", "10.0.0.5/24")
	m.ip("link", "add", "eth2", "address", "52:54:00:00:00:02", "type", "veth", "peer", "name", "far2")
	becomes("eth2", "10.0.2.5/24")
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.has4("eth1", "10.0.0.5/24")
	if f.gone != nil {
		t.Errorf("given back: %v", f.gone)
	}
}

func TestAStartWaitsForTheLease(t *testing.T) {
	t.Parallel()
	m, f := newLeasing(t, map[string]string{own1: "name: eth1\n" + dhcp})
	m.KeepLeases()
	soon, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := m.StartInterface(soon, api.InterfaceAction{Name: "eth1"}); err == nil || !strings.Contains(err.Error(), "no DHCP server has answered. kvmnet goes on asking") {
		t.Errorf("error %v", err)
	}
	f.gives(key1, leaseOf("10.0.0.5/24", ""))
	if err := m.awaitLease(t.Context(), "eth1"); err != nil {
		t.Error(err)
	}
	m.has4("eth1", "10.0.0.5/24")
	if err := m.awaitLease(t.Context(), "eth0"); err != nil { // which has its own
		t.Error(err)
	}
}

// TestOnlyDHCPForIPv6IsRefused: there is no client for it.
func TestOnlyDHCPForIPv6IsRefused(t *testing.T) {
	t.Parallel()
	m, f := newLeasing(t, map[string]string{own1: "name: eth1\nipv6: {dhcp: true}\n"})
	m.KeepLeases()
	f.gives(key1, leaseOf("10.0.0.5/24", ""))
	if _, err := m.StartInterface(t.Context(), api.InterfaceAction{Name: "eth1"}); err == nil || !strings.Contains(err.Error(), "no network manager runs that would ask for them") {
		t.Errorf("error %v", err)
	}
	m.write(own1, "name: eth1\nipv4: {dhcp: true}\nipv6: {dhcp: true}\n")
	if _, err := m.StartInterface(t.Context(), api.InterfaceAction{Name: "eth1"}); err != nil {
		t.Error(err)
	}
}

// TestTheLeaseOfABridgeWaitsToo: of one that gets the MAC of a NIC, and with it the NIC's
// lease. Should that be taken back, the bridge has its own still.
func TestTheLeaseOfABridgeWaitsToo(t *testing.T) {
	t.Parallel()
	const keyBridge = "52:54:00:00:00:0a"
	m, f := newLeasing(t, map[string]string{own0: "name: eth0\n" + dhcp, "/etc/kvmnet/interfaces/br0.yaml": "name: br0\nmac: " + keyBridge + "\ntype: bridge\nbridge: {}\n" + dhcp})
	if err := m.StartOwn(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.gives(key0, leaseOf("10.0.0.5/24", ""))
	f.gives(keyBridge, leaseOf("10.0.1.5/24", ""))
	m.pass()
	m.has4("br0", "10.0.1.5/24")
	convert := func() {
		t.Helper()
		if _, err := m.ConvertBridge(t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0"}); err != nil {
			t.Fatal(err)
		}
		m.pass()
		m.has4("br0", "10.0.0.5/24", "10.0.1.5/24")
	}
	convert()
	if _, err := m.RollbackChange(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	m.pass()
	m.has4("br0", "10.0.1.5/24", "no 10.0.0.5")
	m.has4("eth0", "10.0.0.5/24")
	if f.gone != nil {
		t.Errorf("given back: %v", f.gone)
	}
	convert()
	if _, err := m.ConfirmChange(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	m.pass()
	m.has4("br0", "10.0.0.5/24", "no 10.0.1.5")
	if got := f.links(); got != "br0 "+key0 {
		t.Errorf("wanted: %s", got)
	}
}
