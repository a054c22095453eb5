package hostnet

import (
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/api"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// holder is who has an address.
func (m *machine) holder(address string) string {
	m.t.Helper()
	for line := range strings.Lines(m.ip("-o", "address")) {
		if words := strings.Fields(line); len(words) > 3 && words[3] == address {
			return words[1]
		}
	}
	return ""
}

func (m *machine) has(address, iface string) {
	m.t.Helper()
	if got := m.holder(address); got != iface {
		m.t.Errorf("%s is on %q, not on %q", address, got, iface)
	}
}

// confirmed keeps the change that a verb made.
func (m *machine) confirmed(c api.InterfaceChange, err error) {
	m.t.Helper()
	if err != nil || c.Conversion == nil || c.Conversion.Change == nil {
		m.t.Fatalf("%+v %v", c, err)
	}
	if done, err := m.ConfirmChange(m.t.Context(), c.Conversion.Change.ID); err != nil || done.Failure != "" {
		m.t.Fatal(err, done.Failure)
	}
}

func (m *machine) unchanged(before map[string]string) {
	m.t.Helper()
	if diff := cmp.Diff(before, m.files()); diff != "" {
		m.t.Error(diff)
	}
}

// What is up is moved as a conversion does it, and back; files wait for it.
func TestABridgedInterfaceWaitsForAConfirmation(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	before := m.files()
	bridge := func() (api.InterfaceChange, error) {
		return m.BridgeInterface(t.Context(), api.BridgeInterface{Interface: "eth0", Bridge: "br7", Start: true})
	}
	c, err := bridge()
	if err != nil || c.Interface != "br7" || c.Port != "eth0" || c.Conversion == nil {
		t.Fatalf("%+v %v", c, err)
	}
	m.has("192.0.2.7/24", "br7")
	m.unchanged(before)
	if _, err := m.RollbackChange(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	m.has("192.0.2.7/24", "eth0")
	m.confirmed(bridge())
	if i, err := m.Interface(t.Context(), "br7"); err != nil || i.Defined == nil || !i.Active {
		t.Errorf("%+v %v", i, err)
	}
	if _, err := m.BridgeInterface(t.Context(), api.BridgeInterface{Interface: "eth1", Bridge: "br7"}); reasonOf(err) != api.ReasonInterfaceTaken {
		t.Errorf("a name that is taken: %v", err)
	}
	if _, err := m.BridgeInterface(t.Context(), api.BridgeInterface{Interface: "br7", Bridge: "br8"}); reasonOf(err) != api.ReasonIsBridge {
		t.Errorf("a bridge in a bridge: %v", err)
	}
	m.confirmed(m.UnbridgeInterface(t.Context(), api.UnbridgeInterface{Bridge: "br7", Start: true}))
	m.has("192.0.2.7/24", "eth0")
	m.unchanged(before)
	if got := m.states(); got != "eth0+ eth1-" {
		t.Errorf("interfaces %s", got)
	}
}

// What is down needs no confirmation.
func TestAnInterfaceThatIsDownIsBridgedAtOnce(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	before := m.files()
	c, err := m.BridgeInterface(t.Context(), api.BridgeInterface{Interface: "eth1", Bridge: "br7", STP: true, Delay: 4, Start: true})
	if err != nil || c.Conversion != nil {
		t.Fatalf("%+v %v", c, err)
	}
	if got := m.states(); got != "br7+ eth0+" {
		t.Errorf("interfaces %s", got)
	}
	m.confirmed(m.UnbridgeInterface(t.Context(), api.UnbridgeInterface{Bridge: "br7", Start: true}))
	i, err := m.Interface(t.Context(), "eth1")
	if err != nil || i.Defined == nil || !i.Active {
		t.Errorf("%+v %v", i, err)
	}
	if err := m.UndefineInterface(t.Context(), "eth1"); err != nil {
		t.Fatal(err)
	}
	m.unchanged(before)
	for _, start := range []bool{false, true} {
		if _, err := m.UnbridgeInterface(t.Context(), api.UnbridgeInterface{Bridge: "eth1", Start: start}); reasonOf(err) != api.ReasonNoBridge {
			t.Errorf("no bridge: %v", err)
		}
	}
	if _, err := m.BridgeInterface(t.Context(), api.BridgeInterface{Interface: "eth0", Bridge: "br9"}); err != nil {
		t.Fatal(err)
	}
	if got := m.states(); got != "br9- eth0+ eth1+" {
		t.Errorf("only defined: %s", got)
	}
	if _, err := m.UnbridgeInterface(t.Context(), api.UnbridgeInterface{Bridge: "br9"}); err != nil {
		t.Fatal(err)
	}
	i, err = m.Interface(t.Context(), "eth0")
	if err != nil || i.Defined == nil || i.Defined.IPv4.Addresses[0].String() != "192.0.2.7/24" {
		t.Errorf("%+v %v", i.Defined, err)
	}
}

// A bridge that is defined takes its port over when it starts, and that waits for a
// confirmation. Taken back it leaves the files as they were before it was defined.
func TestADefinedBridgeTakesItsPortOver(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	before := m.files()
	m.define("name: br7\nbridge:\n  ports:\n    - name: eth0\nipv4:\n  addresses: [192.0.2.7/24]\n")
	defined := m.files()
	start := func() (api.InterfaceChange, error) {
		return m.StartInterface(t.Context(), api.InterfaceAction{Name: "br7"})
	}
	if c, err := start(); err != nil || c.Conversion == nil || c.Port != "eth0" {
		t.Fatalf("%+v %v", c, err)
	}
	m.has("192.0.2.7/24", "br7")
	if _, err := m.RollbackChange(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	m.has("192.0.2.7/24", "eth0")
	m.unchanged(defined)
	m.confirmed(start())
	m.has("192.0.2.7/24", "br7")
	m.unchanged(defined)
	m.confirmed(m.UnbridgeInterface(t.Context(), api.UnbridgeInterface{Bridge: "br7", Start: true}))
	m.has("192.0.2.7/24", "eth0")
	m.unchanged(before)
}

// A rollback brings all back: definitions, bridges that wait and bridges that were
// confirmed, and what was stopped.
func TestARollbackBringsAllBack(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	files, states, links := m.files(), m.states(), m.ip("-o", "-4", "address")
	for _, end := range []func() error{func() error { return m.CommitInterfaces(t.Context()) }, func() error { return m.RollbackInterfaces(t.Context()) }} {
		if err := end(); reasonOf(err) != api.ReasonNotBegun {
			t.Errorf("nothing was begun: %v", err)
		}
	}
	begin := func() error { return m.BeginInterfaces(t.Context()) }
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	if err := begin(); reasonOf(err) != api.ReasonBegun {
		t.Errorf("begun twice: %v", err)
	}
	m.define("name: eth0\nipv4:\n  addresses: [192.0.2.200/24]\n")
	m.define("name: br7\nbridge:\n  ports:\n    - name: eth1\nipv4:\n  addresses: [198.51.100.1/24]\n")
	if _, err := m.StartInterface(t.Context(), api.InterfaceAction{Name: "br7"}); err != nil {
		t.Fatal(err)
	}
	m.ip("link", "add", "docker0", "up", "type", "bridge") // others' bridges stay
	m.write("/etc/systemd/network/20-by-hand.network", "[Match]\nName=eth5\n")
	m.confirmed(m.BridgeInterface(t.Context(), api.BridgeInterface{Interface: "eth0", Bridge: "br8", Start: true}))
	if err := m.StopInterface(t.Context(), api.InterfaceAction{Name: "br7"}); err != nil {
		t.Fatal(err)
	}
	if err := m.RollbackInterfaces(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.unchanged(files)
	if got := m.states(); got != "docker0+ "+states {
		t.Errorf("interfaces %s, were %s", got, states)
	}
	if got := m.ip("-o", "-4", "address"); withoutIndexes(got) != withoutIndexes(links) {
		t.Errorf("addresses\n%s\nwere\n%s", got, links)
	}
	if !strings.Contains(m.ip("route"), "default via 192.0.2.1 dev eth0") {
		t.Errorf("routes\n%s", m.ip("route"))
	}
	// Another one: what is stopped and what waits.
	if err := begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := m.BridgeInterface(t.Context(), api.BridgeInterface{Interface: "eth0", Bridge: "br8", Start: true}); err != nil {
		t.Fatal(err)
	}
	if err := m.RollbackInterfaces(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.has("192.0.2.7/24", "eth0")
	m.unchanged(files)
}

func withoutIndexes(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		_, rest, _ := strings.Cut(line, ":")
		lines = append(lines, rest)
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// A commit keeps what was changed, and confirms what waits.
func TestACommitKeepsAll(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	if err := m.BeginInterfaces(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := m.BridgeInterface(t.Context(), api.BridgeInterface{Interface: "eth0", Bridge: "br8", Start: true}); err != nil {
		t.Fatal(err)
	}
	if err := m.CommitInterfaces(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.has("192.0.2.7/24", "br8")
	i, err := m.Interface(t.Context(), "br8")
	if err != nil || i.Defined == nil {
		t.Errorf("%+v %v", i, err)
	}
	list, err := m.Changes(t.Context())
	if err != nil || slices.ContainsFunc(list, func(c api.HostChange) bool { return c.State != api.ChangeConfirmed }) || len(list) != 2 {
		t.Errorf("%+v %v", list, err)
	}
}

// An open change outlives the daemon, and is rolled back by a boot.
func TestABootRollsBack(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	state, files := m.StateDir, m.files()
	if err := m.BeginInterfaces(t.Context()); err != nil {
		t.Fatal(err)
	}
	m.define("name: eth0\nipv4:\n  addresses: [192.0.2.200/24]\n")
	changed := m.files()
	restart := func(ns *netns.NS) []api.HostChange {
		m.journal.Abandon()
		m.ns = ns
		m.open(state)
		ended, err := m.Recover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return ended
	}
	if ended := restart(m.ns); len(ended) != 0 {
		t.Errorf("ended %+v", ended)
	}
	m.unchanged(changed)
	if err := m.BeginInterfaces(t.Context()); reasonOf(err) != api.ReasonBegun {
		t.Errorf("begun twice: %v", err)
	}
	ended := restart(nstest.NS(t)) // as after a boot, nothing is there that was before
	if len(ended) != 1 || ended[0].State != api.ChangeReverted || ended[0].Why != "the machine was started anew before iface-commit" {
		t.Errorf("ended %+v", ended)
	}
	m.unchanged(files)
	if err := m.RollbackInterfaces(t.Context()); reasonOf(err) != api.ReasonNotBegun {
		t.Errorf("rolled back twice: %v", err)
	}
}

// Nobody saws off the branch that carries the session, unless it is said.
func TestASessionIsNotCutOff(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	outside := nstest.Host(t, "outside")
	m.ip("link", "add", "eth2", "type", "veth", "peer", "name", "far2")
	m.toOutside("far2", outside.NS())
	m.ip("link", "set", "eth2", "up")
	m.ip("address", "add", "198.51.100.2/24", "dev", "eth2")
	if err := outside.NS().Do(func() error { return exec.Command("ip", "address", "add", "198.51.100.9/24", "dev", "far2").Run() }); err != nil {
		t.Fatal(err)
	}
	peer := m.session(outside.NS(), "198.51.100.2:0")
	err := m.StopInterface(t.Context(), api.InterfaceAction{Name: "eth2", Peer: peer})
	if err == nil || !strings.Contains(err.Error(), "your session comes by it") {
		t.Errorf("stopped: %v", err)
	}
	m.define("name: br7\nbridge:\n  ports:\n    - name: eth1\n    - name: eth2\n")
	_, err = m.StartInterface(t.Context(), api.InterfaceAction{Name: "br7", Peer: peer})
	if err == nil || !strings.Contains(err.Error(), "your session comes by eth2, which would lose its addresses") {
		t.Errorf("started: %v", err)
	}
	m.has("198.51.100.2/24", "eth2")
	if err := m.StopInterface(t.Context(), api.InterfaceAction{Name: "eth0", Peer: peer}); err != nil {
		t.Errorf("another interface: %v", err)
	}
	if err := m.StopInterface(t.Context(), api.InterfaceAction{Name: "eth2", Peer: peer, Force: true}); err != nil {
		t.Errorf("by force: %v", err)
	}
}

// session opens a connection from outside and returns its ends.
func (m *machine) session(outside *netns.NS, at string) api.Peer {
	m.t.Helper()
	var l net.Listener
	if err := m.ns.Do(func() (err error) { l, err = net.Listen("tcp", at); return err }); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { l.Close() })
	var c net.Conn
	if err := outside.Do(func() (err error) { c, err = net.Dial("tcp", l.Addr().String()); return err }); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { c.Close() })
	accepted, err := l.Accept()
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { accepted.Close() })
	return api.Peer{Client: c.LocalAddr().String(), Server: c.RemoteAddr().String()}
}

// running are programs that run.
type running []string

func (r running) Running(program string) bool { return slices.Contains(r, program) }

func TestInterfacesAreStartedByWhoeverHasThem(t *testing.T) {
	t.Parallel()
	bridge := spec.HostInterface{Name: "br7", Type: spec.BridgeInterface, Bridge: &spec.BridgeDetails{Ports: []spec.HostInterface{{Name: "eth0"}}}}
	nic := spec.HostInterface{Name: "eth0", Type: spec.EthernetInterface}
	for _, c := range []struct {
		m           netfiles.Manager
		runs        running
		there       string
		of          spec.HostInterface
		start, stop string
	}{
		{netfiles.Networkd, running{"systemd-networkd"}, "", nic, "networkctl reload; networkctl reconfigure eth0; networkctl up eth0", "networkctl down eth0"},
		{netfiles.Networkd, running{"systemd-networkd"}, "", bridge, "networkctl reload; networkctl reconfigure eth0; networkctl up br7", "networkctl down br7"},
		{netfiles.Networkd, nil, "", nic, "", ""},
		{netfiles.Netplan, running{"systemd-networkd"}, "", nic, "netplan generate; networkctl reload; networkctl reconfigure eth0; networkctl up eth0", "networkctl down eth0"},
		{netfiles.Netplan, running{"NetworkManager"}, "", nic, "netplan generate; nmcli connection reload; nmcli device connect eth0", "nmcli device disconnect eth0"},
		{netfiles.NetworkManager, running{"NetworkManager"}, "", bridge, "nmcli connection reload; nmcli connection up br7", "nmcli device disconnect br7"},
		{netfiles.Ifcfg, running{"NetworkManager"}, "", nic, "nmcli connection reload; nmcli device connect eth0", "nmcli device disconnect eth0"},
		{netfiles.Ifcfg, nil, "/etc/init.d/network", nic, "ifup eth0", "ifdown eth0"},
		{netfiles.Ifupdown, nil, "/sbin/ifup", bridge, "ifup br7", "ifdown br7"},
		{netfiles.Ifupdown, nil, "", bridge, "", ""},
		{netfiles.Own, running{"NetworkManager"}, "", nic, "", ""},
	} {
		s := sight{tree: netfiles.Tree{Links: map[string]netfiles.Link{"eth0": {}}, Present: map[string]bool{c.there: true}}, ask: c.runs}
		start, stop := strings.Join(s.startCommands(c.m, c.of), "; "), strings.Join(s.stopCommands(c.m, c.of.Name), "; ")
		if start != c.start || stop != c.stop {
			t.Errorf("%s %s:\nstart %q, want %q\nstop %q, want %q", c.m, c.of.Name, start, c.start, stop, c.stop)
		}
	}
}

// What no manager has comes up with the daemon, once in a boot, in whatever order.
func TestOwnInterfacesComeUpAtBoot(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	m.define("name: a-bridge\nbridge:\n  ports:\n    - name: eth1\nipv4:\n  addresses: [198.51.100.1/24]\n")
	m.define("name: by-hand\nstart: none\ntype: bridge\n")
	if err := m.StartOwn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := m.states(); got != "a-bridge+ by-hand- eth0+" {
		t.Errorf("interfaces %s", got)
	}
	if err := m.StopInterface(t.Context(), api.InterfaceAction{Name: "a-bridge"}); err != nil {
		t.Fatal(err)
	}
	state := m.StateDir
	m.journal.Abandon()
	m.open(state)
	if err := m.StartOwn(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := m.states(); got != "a-bridge- by-hand- eth0+ eth1-" {
		t.Errorf("started again in the same boot: %s", got)
	}
	m.define("name: no-nic\nbridge:\n  ports:\n    - name: eth9\n")
	if err := os.Remove(state + "/interfaces-started"); err != nil {
		t.Fatal(err)
	}
	if err := m.StartOwn(t.Context()); err == nil || err.Error() != "start no-nic: there is no device eth9" {
		t.Errorf("a NIC that is missing: %v", err)
	}
	if got := m.states(); got != "a-bridge+ by-hand- eth0+ no-nic-" {
		t.Errorf("the others: %s", got)
	}
}
