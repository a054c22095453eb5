package hostnet

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kvmnet/internal/api"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
)

// machine is a host with real NICs in a namespace, and a tree of files.
type machine struct {
	*Host
	t    *testing.T
	ns   *netns.NS
	root string
	ran  []string
}

// newMachine has the NICs eth0, which is up with an address, and eth1, each the end of
// a cable. Nobody has their configuration but who is in the files.
func newMachine(t *testing.T, files map[string]string) *machine {
	t.Helper()
	nstest.Need(t)
	m := &machine{t: t, ns: nstest.NS(t), root: t.TempDir()}
	m.open(t.TempDir())
	outside := nstest.NS(t)
	for name, text := range files {
		m.write(name, text)
	}
	for _, nic := range []string{"eth0", "eth1"} {
		m.ip("link", "add", nic, "address", "52:54:00:00:00:0"+nic[3:], "type", "veth", "peer", "name", "far"+nic[3:])
		m.toOutside("far"+nic[3:], outside)
	}
	m.ip("link", "set", "eth0", "up")
	m.ip("address", "add", "192.0.2.7/24", "dev", "eth0")
	m.ip("route", "add", "default", "via", "192.0.2.1")
	return m
}

func (m *machine) open(state string) {
	m.t.Helper()
	h, err := Open(Options{NS: m.ns, Root: m.root, StateDir: state, Run: m.run})
	if err != nil {
		m.t.Fatal(err)
	}
	m.Host = h
	m.t.Cleanup(func() { h.Close(context.WithoutCancel(m.t.Context())) })
}

// run is what runs commands of managers: there are none.
func (m *machine) run(_ context.Context, words []string) error {
	m.ran = append(m.ran, strings.Join(words, " "))
	return errors.New("it is not there")
}

func (m *machine) write(name, text string) {
	m.t.Helper()
	full := filepath.Join(m.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o755), os.WriteFile(full, []byte(text), 0o644)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) ip(args ...string) string {
	m.t.Helper()
	var out []byte
	err := m.ns.Do(func() (err error) { out, err = exec.Command("ip", args...).CombinedOutput(); return err })
	if err != nil {
		m.t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// toOutside moves the far end of a cable away, and brings it up there.
func (m *machine) toOutside(name string, outside *netns.NS) {
	m.t.Helper()
	r, err := m.rtnetlink()
	if err != nil {
		m.t.Fatal(err)
	}
	defer r.Close()
	l, err := r.LinkByName(name)
	if err == nil {
		err = r.LinkSetNsFd(l, outside.Fd())
	}
	if err == nil {
		err = outside.Do(exec.Command("ip", "link", "set", name, "up").Run)
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// files are those of the tree, by their paths.
func (m *machine) files() map[string]string {
	m.t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(m.root, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && !strings.HasPrefix(path, filepath.Join(m.root, "run")) { // which a boot forgets
			text, readErr := os.ReadFile(path)
			files[strings.TrimPrefix(path, m.root)], err = string(text), readErr
		}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return files
}

// states are the interfaces as iface-list shows them.
func (m *machine) states() string {
	m.t.Helper()
	list, err := m.Interfaces(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	var words []string
	for _, i := range list {
		words = append(words, i.Name+map[bool]string{true: "+", false: "-"}[i.Active])
	}
	return strings.Join(words, " ")
}

func (m *machine) define(text string) {
	m.t.Helper()
	if _, err := m.DefineInterface(m.t.Context(), api.DefineInterface{File: api.File{Name: "x.yaml", Text: text}}); err != nil {
		m.t.Fatal(err)
	}
}

func reasonOf(err error) string {
	var e *api.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

const networkdNIC = "[Match]\nName=eth0\n\n[Network]\nAddress=192.0.2.7/24\nGateway=192.0.2.1\n"

func networkd() map[string]string {
	return map[string]string{"/etc/systemd/network/10-eth0.network": networkdNIC, "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": ""}
}

func TestInterfacesAreThoseOfFilesAndOfTheKernel(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	m.define("name: br7\ntype: bridge\nstart: none\n")
	if got := m.states(); got != "br7- eth0+ eth1-" {
		t.Errorf("interfaces %s", got)
	}
	i, err := m.Interface(t.Context(), "52:54:00:00:00:00")
	if err != nil || i.Name != "eth0" || i.Manager != "systemd-networkd" || i.Defined == nil || i.Live == nil {
		t.Errorf("%+v %v", i, err)
	}
	if _, err := m.Interface(t.Context(), "eth9"); reasonOf(err) != api.ReasonNoInterface {
		t.Errorf("eth9: %v", err)
	}
	m.ip("link", "add", "br5", "address", "52:54:00:00:00:01", "type", "bridge")
	if _, err := m.Interface(t.Context(), "52:54:00:00:00:01"); reasonOf(err) != api.ReasonManyInterfaces || err.Error() != "br5 and eth1 have the MAC 52:54:00:00:00:01: use a name" {
		t.Errorf("a MAC of two: %v", err)
	}
	text, err := m.InterfaceXML(t.Context(), "eth0", false)
	if want := "<link speed='10000' state='up'/>"; err != nil || !strings.Contains(text, want) || !strings.Contains(text, "<route gateway='192.0.2.1'/>") {
		t.Errorf("%v\n%s", err, text)
	}
	if text, err = m.InterfaceXML(t.Context(), "br7", false); err != nil || !strings.HasPrefix(text, "<interface type='bridge' name='br7'>\n  <start mode='none'/>\n") {
		t.Errorf("%v\n%s", err, text)
	}
	if _, err := m.InterfaceXML(t.Context(), "eth1", true); reasonOf(err) != api.ReasonNotDefined {
		t.Errorf("a definition of nobody: %v", err)
	}
}

// The files are as before when what was defined is undefined, whoever has them.
func TestADefinitionIsTakenBackByteForByte(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"nobody": {}, "networkd": networkd(),
		"ifupdown": {"/sbin/ifup": "", "/etc/network/interfaces": "# mine\nauto lo\niface lo inet loopback\nauto eth0\niface eth0 inet static\n\taddress 192.0.2.7/24\n\tgateway 192.0.2.1\n"},
		"netplan":  {"/usr/sbin/netplan": "", "/etc/netplan/50-cloud.yaml": "network:\n  version: 2\n  ethernets:\n    eth0: # the one\n      addresses: [192.0.2.7/24]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, files)
			before := m.files()
			m.define("name: br7\nbridge:\n  ports:\n    - name: eth0\nipv4:\n  addresses: [192.0.2.7/24]\n")
			m.define("name: br7\nmtu: 1400\nbridge:\n  ports:\n    - name: eth0\nipv4:\n  addresses: [192.0.2.8/24]\n")
			i, err := m.Interface(t.Context(), "br7")
			if err != nil || i.Defined == nil || i.Defined.MTU != 1400 || len(i.Defined.Ports()) != 1 || i.Defined.IPv4.Addresses[0].String() != "192.0.2.8/24" {
				t.Errorf("%+v %v", i.Defined, err)
			}
			if nic, err := m.Interface(t.Context(), "eth0"); err != nil || nic.Defined != nil && nic.Defined.IPv4 != nil {
				t.Errorf("the port is still defined by itself: %+v %v", nic.Defined, err)
			}
			if err := m.UndefineInterface(t.Context(), "br7"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, m.files()); diff != "" {
				t.Error(diff)
			}
			if err := m.UndefineInterface(t.Context(), "br7"); reasonOf(err) != api.ReasonNoInterface {
				t.Errorf("undefined twice: %v", err)
			}
		})
	}
}

func TestABadDefinitionChangesNothing(t *testing.T) {
	t.Parallel()
	m := newMachine(t, networkd())
	before := m.files()
	for text, want := range map[string]string{
		"<interface type='ethernet' name='e'><start mode='x'/>\n<mtu size='y'/></interface>": "XML error: unknown interface startmode x\nx:1:50: start: XML error: unknown interface startmode x",
		"<interface type='ethernet'":                        "(interface_definition):1: attributes construct error",
		"name: br7\nbridge: {ports: [{name: br7}]}\nmtu: 5": "2 problems; nothing changed\nx:2:25: bridge.ports[0].name: br7 cannot be a port of itself",
		"nmae: br7": "1 problem; nothing changed\nx:1:1: unknown key \"nmae\"",
	} {
		_, err := m.DefineInterface(t.Context(), api.DefineInterface{File: api.File{Name: "x", Text: text}})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
	odd := api.DefineInterface{File: api.File{Name: "x", Text: "<interface type='ethernet' name='eth1'><odd/></interface>"}, Strict: true}
	if _, err := m.DefineInterface(t.Context(), odd); err == nil || !strings.Contains(err.Error(), "x:1:40: <odd> has no effect here") {
		t.Errorf("strict: %v", err)
	}
	odd.Strict, odd.DryRun = false, true
	d, err := m.DefineInterface(t.Context(), odd)
	if err != nil || len(d.Notes) != 1 || d.Manager != "systemd-networkd" || !strings.Contains(d.Files, "eth1") {
		t.Errorf("%+v %v", d, err)
	}
	if diff := cmp.Diff(before, m.files()); diff != "" {
		t.Error(diff)
	}
}

func TestAnInterfaceStartsAndStopsWithoutAManager(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	before := m.ip("-br", "address")
	m.define("name: br7\nmac: 52:54:00:00:00:77\nmtu: 1400\nbridge:\n  stp: true\n  delay: 4s\n  ports:\n    - name: eth1\n      mtu: 1400\n" +
		"ipv4:\n  addresses: [198.51.100.1/24]\n  routes:\n    - {to: 10.9.0.0/16, via: 198.51.100.9, metric: 7}\nipv6:\n  addresses: [2001:db8::1/64]\n")
	start := func(name string) error {
		_, err := m.StartInterface(t.Context(), api.InterfaceAction{Name: name})
		return err
	}
	if err := start("br7"); err != nil {
		t.Fatal(err)
	}
	if err := start("br7"); reasonOf(err) != api.ReasonInterfaceActive {
		t.Errorf("started twice: %v", err)
	}
	i, err := m.Interface(t.Context(), "br7")
	if err != nil {
		t.Fatal(err)
	}
	want := i.Defined.Clone()
	want.Start = ""
	want.Bridge.Ports[0].MAC = i.Live.Bridge.Ports[0].MAC
	i.Live.IPv6.Addresses = slices.Clip(i.Live.IPv6.Addresses[:1]) // the other one is link-local
	if diff := cmp.Diff(want, *i.Live, interfaceValues); diff != "" {
		t.Error(diff)
	}
	if got := m.states(); got != "br7+ eth0+" {
		t.Errorf("interfaces %s", got)
	}
	if err := m.StopInterface(t.Context(), api.InterfaceAction{Name: "eth1"}); err == nil || err.Error() != "eth1 is a port: start and stop what it is a port of" {
		t.Errorf("a port: %v", err)
	}
	stop := func() error { return m.StopInterface(t.Context(), api.InterfaceAction{Name: "br7"}) }
	m.ip("tuntap", "add", "tap7", "mode", "tap")
	m.ip("link", "set", "tap7", "master", "br7")
	if err := stop(); err == nil || !strings.Contains(err.Error(), "guests are on it, by tap7") {
		t.Errorf("with guests: %v", err)
	}
	m.ip("link", "del", "tap7")
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := stop(); reasonOf(err) != api.ReasonInterfaceInactive {
		t.Errorf("stopped twice: %v", err)
	}
	m.ip("link", "set", "eth1", "down", "mtu", "1500")
	if after := m.ip("-br", "address"); strings.Join(strings.Fields(before), " ") != strings.Join(strings.Fields(after), " ") {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// A start that fails leaves no device behind.
func TestAStartThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	m := newMachine(t, nil)
	before := m.ip("link")
	for text, want := range map[string]string{
		"name: br7\nbridge:\n  ports:\n    - name: eth9\n": "start br7: there is no device eth9",
		"name: eth9.5\nvlan: {tag: 5, on: eth9}\n":         "start eth9.5: there is no device eth9",
		"name: eth9\n": "start eth9: there is no device eth9",
		"name: br8\ntype: bridge\nipv4: {dhcp: true}\n": "start br8: it gets its addresses by DHCP, and no network manager runs that would ask for them: start that, or define addresses",
	} {
		m.define(text)
		name, _, _ := strings.Cut(strings.TrimPrefix(text, "name: "), "\n")
		if _, err := m.StartInterface(t.Context(), api.InterfaceAction{Name: name}); err == nil || err.Error() != want {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := m.ip("link"); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

var interfaceValues = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}
