package daemon_test

import (
	"bytes"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// state tells a network's run state and marks, "" when it is unknown.
func (m *machine) state(network string) string {
	m.T.Helper()
	n, err := m.Client.Network(m.T.Context(), network)
	if err != nil {
		return ""
	}
	words := []string{n.Status.State}
	for word, on := range map[string]bool{"persistent": n.Status.Persistent, "pending": n.Status.Pending} {
		if on {
			words = append(words, word)
		}
	}
	if len(words) == 3 && words[1] == "pending" {
		words[1], words[2] = words[2], words[1]
	}
	return strings.Join(words, " ")
}

func (m *machine) wantState(network, want string) {
	m.T.Helper()
	if got := m.state(network); got != want {
		m.T.Errorf("network %s is %q, want %q", network, got, want)
	}
	_, there := linkOf(m, network)
	if runs := strings.HasPrefix(want, "running"); runs != there {
		m.T.Errorf("network %s is %q and its bridge is there: %v", network, want, there)
	}
}

func linkOf(m *machine, name string) (string, bool) {
	out := nstest.Run(m.T, m.NS, "ip", "-br", "link")
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) > 0 && strings.Split(f[0], "@")[0] == name {
			return line, true
		}
	}
	return "", false
}

func (m *machine) ok(err error) {
	m.T.Helper()
	if err != nil {
		m.T.Fatal(err)
	}
}

// refused checks that a request fails with a code and words, and changes
// nothing.
func (m *machine) refused(err error, code string, words ...string) {
	m.T.Helper()
	var e *api.Error
	if !errors.As(err, &e) || e.Code != code {
		m.T.Errorf("got %v, want an error with code %s", err, code)
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			m.T.Errorf("%q does not say %q", err, w)
		}
	}
}

func file(text string) api.File { return api.File{Name: "lab.yaml", Text: text} }

func TestDefineStartStopUndefineAsLibvirtDoes(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	ctx := t.Context()
	_, err := m.Client.Define(ctx, api.DefineRequest{File: file("networks: {lab: {mode: nat, subnets: [{address: 10.2.0.1/24}]}}")})
	m.ok(err)
	m.wantState("lab", "inactive persistent")
	m.refused(m.Client.Stop(ctx, "lab"), api.CodeConflict, "does not run")
	m.ok(m.Client.Start(ctx, "lab"))
	m.wantState("lab", "running persistent")
	m.refused(m.Client.Start(ctx, "lab"), api.CodeConflict, "runs already")
	// defining it anew while it runs takes effect at the next start
	_, err = m.Client.Define(ctx, api.DefineRequest{File: file("networks: {lab: {mode: isolated, subnets: [{address: 10.2.0.1/24}]}}")})
	m.ok(err)
	m.wantState("lab", "running persistent pending")
	if out := nstest.Run(t, m.NS, "nft", "list", "map", "inet", "kvmnet", "from"); !strings.Contains(out, "from_nat") {
		t.Errorf("the running network changed: %s", out)
	}
	m.ok(m.Client.Stop(ctx, "lab"))
	m.ok(m.Client.Start(ctx, "lab"))
	if out := nstest.Run(t, m.NS, "nft", "list", "map", "inet", "kvmnet", "from"); !strings.Contains(out, "from_isolated") {
		t.Errorf("the new definition is not in force: %s", out)
	}
	// undefined while it runs it goes on as a transient one
	m.ok(m.Client.Undefine(ctx, "lab"))
	m.wantState("lab", "running")
	m.refused(m.Client.Undefine(ctx, "lab"), api.CodeConflict, "transient")
	m.ok(m.Client.Stop(ctx, "lab"))
	m.refused(m.Client.Start(ctx, "lab"), api.CodeNotFound, "lab")
	_, err = m.Client.Define(ctx, api.DefineRequest{File: file("networks: {tmp: {mode: isolated}}"), Transient: true})
	m.ok(err)
	m.wantState("tmp", "running")
	m.ok(m.Client.Stop(ctx, "tmp"))
	if m.state("tmp") != "" {
		t.Error("a transient network is still known after it stopped")
	}
}

// A boot empties the runtime directory and the kernel. What is to start by
// itself does; what somebody stopped does so too, at the next boot only.
func TestAutostartHappensOnceABoot(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	m.Apply("networks: {auto: {mode: isolated}, hand: {mode: isolated, autostart: false}, demand: {mode: isolated, onDemand: true}}")
	m.wantState("auto", "running persistent")
	m.wantState("hand", "inactive persistent")
	m.wantState("demand", "on demand persistent")
	m.ok(m.Client.Start(t.Context(), "hand"))
	m.ok(m.Client.Stop(t.Context(), "auto"))
	m.Kill()
	m.Start(0) // the daemon alone: all as it was
	m.wantState("auto", "inactive persistent")
	m.wantState("hand", "running persistent")
	m.Kill()
	nstest.Run(t, m.NS, "ip", "link", "del", "hand")
	m.ok(os.RemoveAll(daemontest.RuntimeDir(m.Dir)))
	m.Start(0) // a boot
	m.wantState("auto", "running persistent")
	m.wantState("hand", "inactive persistent")
	m.wantState("demand", "on demand persistent")
	m.ok(m.Client.SetAutostart(t.Context(), "auto", false))
	m.wantState("auto", "running persistent")
}

func TestOnDemandNetworkRunsWhileItHasAPort(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	ctx := t.Context()
	m.Start(0)
	m.Apply("networks: {lab: {mode: nat, onDemand: true, subnets: [{address: 10.2.0.1/24}]}}")
	foreign := nstest.Run(t, m.NS, "nft", "list", "ruleset")
	m.wantState("lab", "on demand persistent")
	for _, name := range []string{"vm1", "vm2"} {
		p, err := m.Client.AddPort(ctx, api.AddPort{Name: name, Port: &spec.Port{Network: "lab", Type: spec.Veth}, Transient: name == "vm2"})
		m.ok(err)
		if p.Status.State != "up" || p.Spec.MAC.IsZero() {
			t.Errorf("port %s is %+v", name, p.Status)
		}
		m.wantState("lab", "running persistent")
	}
	m.Kill()
	m.Start(0)
	m.wantState("lab", "running persistent")
	m.ok(m.Client.DeletePort(ctx, "vm1"))
	m.wantState("lab", "running persistent")
	m.ok(m.Client.DeletePort(ctx, "vm2"))
	m.wantState("lab", "on demand persistent")
	if now := nstest.Run(t, m.NS, "nft", "list", "ruleset"); now != foreign {
		t.Errorf("rules are %s", now)
	}
	m.refused(m.Client.DeletePort(ctx, "vm2"), api.CodeNotFound, "vm2")
}

func TestStartSaysWhoUsesTheSubnet(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	ctx := t.Context()
	m.Start(0)
	_, err := m.Client.Define(ctx, api.DefineRequest{File: file("networks: {lab: {mode: nat, subnets: [{address: 192.0.2.129/25}]}}")})
	m.ok(err)
	m.refused(m.Client.Start(ctx, "lab"), api.CodeConflict, "192.0.2.128/25 is in use on this host: address 192.0.2.2/24 on eth0", "is free")
	m.wantState("lab", "inactive persistent")
	_, err = m.Client.Apply(ctx, api.ApplyRequest{Files: []api.File{file("networks:\n  other: {mode: nat, subnets: [{address: 192.0.2.1/26}]}\n")}})
	m.refused(err, api.CodeConflict, "lab.yaml:2:", "eth0")
	if m.state("other") != "" {
		t.Error("a refused file left a definition")
	}
	nstest.Run(t, m.NS, "ip", "route", "add", "10.60.0.0/24", "via", "192.0.2.9")
	_, err = m.Client.AddNetwork(ctx, api.AddNetwork{Name: "vpn", Start: true,
		Network: &spec.Network{Mode: spec.NAT, Subnets: withSubnets("10.60.0.1/24")}})
	m.refused(err, api.CodeConflict, "route 10.60.0.0/24 via 192.0.2.9 dev eth0")
	n, err := m.Client.AddNetwork(ctx, api.AddNetwork{Name: "free", Start: true, Choose: true, IPv6: true, Network: &spec.Network{Mode: spec.NAT}})
	m.ok(err)
	if len(n.Spec.Subnets) != 2 {
		t.Errorf("chose %+v", n.Spec.Subnets)
	}
	m.wantState("free", "running persistent")
}

func TestForeignBridgeIsNeverTaken(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	ctx := t.Context()
	m.Start(0)
	nstest.Run(t, m.NS, "ip", "link", "add", "virbr0", "type", "bridge")
	nstest.Run(t, m.NS, "ip", "addr", "add", "10.66.0.1/24", "dev", "virbr0")
	before := nstest.Run(t, m.NS, "ip", "-d", "addr", "show", "dev", "virbr0")
	_, err := m.Client.AddNetwork(ctx, api.AddNetwork{Name: "lab", Start: true, Network: &spec.Network{Mode: spec.NAT,
		Bridge: spec.BridgeSettings{Name: "virbr0"}, Subnets: withSubnets("10.2.0.1/24")}})
	m.refused(err, api.CodeConflict, "virbr0 exists", "not kvmnet's")
	m.Settled()
	if now := nstest.Run(t, m.NS, "ip", "-d", "addr", "show", "dev", "virbr0"); now != before {
		t.Errorf("the foreign bridge is now\n%s\nwas\n%s", now, before)
	}
	if out := nstest.Run(t, m.NS, "nft", "list", "ruleset"); strings.Contains(out, "virbr0") {
		t.Errorf("rules for a foreign bridge: %s", out)
	}
	// when it goes away, the network comes up by itself once it is to run
	nstest.Run(t, m.NS, "ip", "link", "del", "virbr0")
	m.ok(m.Client.Start(ctx, "lab"))
	m.Settled()
	// and a stranger that takes the name of a running network's bridge is left alone
	m.ok(m.Client.Pause(ctx, true))
	nstest.Run(t, m.NS, "ip", "link", "del", "virbr0")
	nstest.Run(t, m.NS, "ip", "link", "add", "virbr0", "type", "bridge")
	m.ok(m.Client.Pause(ctx, false))
	m.repaired(func() bool {
		n, err := m.Client.Network(ctx, "lab")
		return err == nil && len(n.Status.Problems) > 0 && strings.Contains(n.Status.Problems[0], "not kvmnet's")
	})
	m.repaired(func() bool {
		return !strings.Contains(nstest.Run(t, m.NS, "nft", "list", "ruleset"), "virbr0")
	})
	if out := nstest.Run(t, m.NS, "ip", "addr", "show", "dev", "virbr0"); strings.Contains(out, "10.2.0.1") {
		t.Errorf("an address was put on a foreign bridge: %s", out)
	}
}

func TestPortKeepsItsDeviceWhileTheNetworkIsStopped(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	ctx := t.Context()
	m.Start(0)
	m.Apply("networks: {lab: {mode: isolated}}\nports: {vm1: {network: lab, type: veth}}")
	index := func() string { return strings.Fields(nstest.Run(t, m.NS, "ip", "-o", "link", "show", "vm1"))[0] }
	before := index()
	m.ok(m.Client.Stop(ctx, "lab"))
	if out := nstest.Run(t, m.NS, "ip", "link", "show", "vm1"); strings.Contains(out, "master") {
		t.Errorf("still plugged in: %s", out)
	}
	m.ok(m.Client.Start(ctx, "lab"))
	if out := nstest.Run(t, m.NS, "ip", "link", "show", "vm1"); !strings.Contains(out, "master lab") {
		t.Errorf("not plugged in again: %s", out)
	}
	if index() != before {
		t.Error("the device was made anew")
	}
	m.refused(addPort(m, "vm1", spec.MAC{}), api.CodeConflict, "vm1 exists")
	ports, err := m.Client.Ports(ctx)
	m.ok(err)
	m.refused(addPort(m, "vm2", ports[0].Spec.MAC), api.CodeInvalid, "vm1")
}

func addPort(m *machine, name string, mac spec.MAC) error {
	_, err := m.Client.AddPort(m.T.Context(), api.AddPort{Name: name, Port: &spec.Port{Network: "lab", Type: spec.Veth, MAC: mac}})
	return err
}

// An uplink that comes late is waited for; the rest works meanwhile.
func TestUplinkMayComeLateAndGo(t *testing.T) {
	t.Parallel()
	ns := nstest.NS(t)
	m := newMachine(t, ns)
	m.Start(0)
	r := m.Apply("networks: {lab: {mode: nat, subnets: [{address: 10.2.0.1/24}]}}")
	if len(r.Problems) > 0 || !strings.Contains(r.Waits["network/lab"], "no default route") {
		t.Errorf("problems %v, waits %v", r.Problems, r.Waits)
	}
	nstest.Run(t, ns, "ip", "link", "add", "wan0", "type", "veth", "peer", "name", "far0")
	nstest.Run(t, ns, "ip", "addr", "add", "192.0.2.2/24", "dev", "wan0")
	nstest.Run(t, ns, "ip", "link", "set", "far0", "up")
	nstest.Run(t, ns, "ip", "link", "set", "wan0", "up")
	nstest.Run(t, ns, "ip", "route", "add", "default", "via", "192.0.2.1")
	forwarding := func(want string) func() bool {
		return func() bool {
			return strings.TrimSpace(nstest.Run(t, ns, "cat", "/proc/sys/net/ipv4/conf/wan0/forwarding")) == want
		}
	}
	m.repaired(forwarding("1"))
	nstest.Run(t, ns, "ip", "route", "del", "default")
	m.repaired(forwarding("0"))
}

func TestSecondDaemonIsRefused(t *testing.T) {
	t.Parallel()
	ns := nstest.NS(t)
	m := newMachine(t, ns)
	m.Start(0)
	other := newMachine(t, ns)
	other.Launch(0)
	select {
	case <-other.Ended:
	case <-time.After(10 * time.Second):
		t.Fatal("two daemons manage one network namespace")
	}
	if !strings.Contains(other.Log.String(), "already manages this network namespace") {
		t.Errorf("it says %s", other.Log)
	}
}

func withSubnets(prefixes ...string) []spec.Subnet {
	var list []spec.Subnet
	for _, p := range prefixes {
		list = append(list, spec.Subnet{Address: netip.MustParsePrefix(p)})
	}
	return list
}

// A host that finds itself inside the subnet of an autostart network when it boots
// (a guest of a host with the same network, a laptop in another LAN) keeps its own.
func TestBootInsideAnOwnSubnetWaits(t *testing.T) {
	t.Parallel()
	ns := daemontest.Uplinked(t)
	m := newMachine(t, ns)
	m.Start(0)
	_, err := m.Client.Define(t.Context(), api.DefineRequest{File: file("networks: {lab: {mode: nat, subnets: [{address: 192.0.2.1/24}]}, red: {mode: isolated}}")})
	m.refused(err, api.CodeInvalid, "exactly one network")
	_, err = m.Client.Define(t.Context(), api.DefineRequest{File: file("networks: {lab: {mode: nat, subnets: [{address: 192.0.2.1/24}]}}")})
	m.ok(err)
	m.Kill()
	m.ok(os.RemoveAll(daemontest.RuntimeDir(m.Dir)))
	before := nstest.Dump(t, ns)
	m.Start(0) // a boot
	n, err := m.Client.Network(t.Context(), "lab")
	m.ok(err)
	if len(n.Status.Problems) == 0 || !strings.Contains(n.Status.Problems[0], "in use on this host: address 192.0.2.2/24 on eth0") {
		t.Errorf("problems %q", n.Status.Problems)
	}
	nstest.Same(t, before, nstest.Dump(t, ns))
	nstest.Run(t, ns, "ip", "addr", "del", "192.0.2.2/24", "dev", "eth0") // it moves to another LAN
	m.repaired(func() bool {
		_, there := linkOf(m, "lab")
		return there
	})
}

// TestSlipsInAnEditorTakeNothingAway spoils each definition in turn, the way editors
// and hands do: neither the running daemon nor a new one removes anything.
func TestSlipsInAnEditorTakeNothingAway(t *testing.T) {
	t.Parallel()
	ns := daemontest.Uplinked(t)
	nstest.Run(t, ns, "ip", "link", "add", "nic1", "type", "veth", "peer", "name", "far1")
	m := newMachine(t, ns)
	m.Start(0)
	m.Apply(strings.Replace(allModes, "addresses: [10.5.0.1/24]", "ports: [nic1], addresses: [10.5.0.1/24]", 1))
	m.Settled()
	files, err := filepath.Glob(filepath.Join(m.Dir, "etc", "*", "*.yaml"))
	if err != nil || len(files) != 10 {
		t.Fatalf("%d definitions, %v", len(files), err)
	}
	for i, path := range files {
		text, err := os.ReadFile(path)
		m.ok(err)
		// In the middle of the last key: cut between lines it would be another definition.
		last := 1 + bytes.LastIndexByte(text[:bytes.LastIndexByte(text, ':')], '\n')
		half := last + bytes.IndexByte(text[last:], ':') - 1
		for k, how := range []string{"emptied", "cut", "mistyped"} {
			if k != i%3 && !*everyOp { // the ways take turns
				continue
			}
			spoilt := map[string]string{"emptied": "", "cut": string(text[:half]), "mistyped": string(text) + "    tpye: x\n"}[how]
			m.ok(os.WriteFile(path, []byte(spoilt), 0o644))
			for range 2 {
				for _, op := range m.Drift() {
					t.Errorf("%s %s: the daemon would %s", filepath.Base(path), how, op)
				}
				m.Kill()
				m.Start(0)
			}
			if strings.Contains(m.Log.String(), "msg=op") {
				t.Errorf("%s %s: a new daemon did\n%s", filepath.Base(path), how, m.Log)
			}
		}
		m.ok(os.WriteFile(path, text, 0o644))
	}
	m.Settled()
}

// Anybody may take the name that daemons lock a namespace with. Taken by another
// user it keeps no daemon from starting.
func TestStrangerCannotKeepTheDaemonFromStarting(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else")
	}
	ns := nstest.NS(t)
	var squatter net.Listener
	err := ns.Do(func() (err error) {
		// The raw calls change this thread only.
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 65534, ^uintptr(0)); errno != 0 {
			return errno
		}
		defer unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0))
		squatter, err = net.Listen("unix", "@kvmnet/daemon")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	m := newMachine(t, ns)
	m.Start(0)
}
