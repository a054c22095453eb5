package netfiles

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// definitions are what each manager can say, written as kvmnet's own files are.
var definitions = map[string]string{
	"dhcp": `
name: eth0
type: ethernet
ipv4: {dhcp: true}
ipv6: {dhcp: true, autoconf: true}
`,
	"static": `
name: eth0
type: ethernet
mac: "52:54:00:12:34:56"
mtu: 9000
ipv4:
  addresses: [192.0.2.10/24, 192.0.2.11/24]
  routes:
    - {to: 0.0.0.0/0, via: 192.0.2.1}
    - {to: 198.51.100.0/24, via: 192.0.2.254, metric: 50, source: 192.0.2.10}
    - {to: 203.0.113.0/24, via: 203.0.113.1, onLink: true}
  dns: [192.0.2.53]
  search: [example.com, lab.example.com]
ipv6:
  addresses: ["2001:db8::10/64"]
  routes: [{to: "::/0", via: "fe80::1"}]
`,
	"by hand": `
name: eth0
type: ethernet
start: none
ipv4: {addresses: [192.0.2.10/24]}
`,
	"bridge": `
name: br0
type: bridge
mac: "52:54:00:12:34:56"
ipv4: {dhcp: true}
bridge:
  stp: true
  delay: 4
  ports: [{name: eth0, type: ethernet}, {name: eth1, type: ethernet}]
`,
	"bridge without ports": `
name: br1
type: bridge
ipv4: {addresses: [10.9.0.1/24]}
bridge: {}
`,
	"bond": `
name: bond0
type: bond
ipv4: {addresses: [192.0.2.10/24]}
bond:
  mode: active-backup
  mii: {every: 100, upDelay: 200, downDelay: 300}
  ports: [{name: eth0, type: ethernet}, {name: eth1, type: ethernet}]
`,
	"bond by ARP": `
name: bond0
type: bond
bond:
  mode: active-backup
  arp: {every: 100, target: 192.0.2.1, validate: all}
  ports: [{name: eth0, type: ethernet}]
`,
	"vlan": `
name: eth0.10
type: vlan
ipv4: {addresses: [192.0.2.10/24]}
vlan: {tag: 10, on: eth0}
`,
}

func parse(t testing.TB, text string) spec.HostInterface {
	t.Helper()
	f, _ := specfile.ParseInterface("definition", []byte(text))
	if problems := f.Validate(); len(problems) > 0 {
		t.Fatal(problems)
	}
	return f.Interface
}

var managers = []Manager{Networkd, NetworkManager, Netplan, Ifupdown, Ifcfg, Own}

// TestDefinitionsAreReadBackAndRemoved writes each definition with each manager, reads
// the same, writes it again without a change, and leaves nothing when it is removed.
// Who has its definitions elsewhere has those of interfaces there, too.
func TestOwnDefinitionsAreInTheFolderThatIsNamed(t *testing.T) {
	t.Parallel()
	root := lay(t, map[string]string{"/etc/kvmnet/interfaces/eth0.yaml": "name: eth0\n", "/srv/lab/interfaces/eth1.yaml": "name: eth1\n"})
	tree, err := Read(root, "/srv/lab/interfaces")
	if err != nil {
		t.Fatal(err)
	}
	all, errs := AllDefined(tree)
	if len(errs) > 0 || len(all) != 1 || all[0].Interface.Name != "eth1" {
		t.Errorf("found %+v, %v", all, errs)
	}
	changes, err := Define(tree, Own, spec.HostInterface{Name: "eth2", IPv4: &spec.InterfaceIP{DHCP: true}})
	if err != nil || len(changes) != 1 || changes[0].Path != "/srv/lab/interfaces/eth2.yaml" {
		t.Errorf("a definition is written as %+v, %v", changes, err)
	}
}

func TestDefinitionsAreReadBackAndRemoved(t *testing.T) {
	t.Parallel()
	compare := cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })}
	for name, text := range definitions {
		for _, m := range managers {
			t.Run(fmt.Sprintf("%s/%s", m, name), func(t *testing.T) {
				t.Parallel()
				want := parse(t, text)
				changes, err := Define(Tree{}, m, want)
				must(t, err)
				e := &edit{Tree{}, map[string]*File{}}
				for _, c := range changes {
					e.set(c.Path, string(c.After), c.Mode)
				}
				tree := e.result()
				got, err := Defined(tree, m, want.Name)
				must(t, err)
				if got == nil {
					t.Fatalf("nothing is defined by\n%s", Diff(changes))
				}
				if d := cmp.Diff(want, *got, compare); d != "" {
					t.Errorf("read back (-want +got):\n%s\nfrom\n%s", d, Diff(changes))
				}
				if again, err := Define(tree, m, want); err != nil || len(again) > 0 {
					t.Errorf("defined again: %v\n%s", err, Diff(again))
				}
				all, errs := AllDefined(tree)
				if len(errs) > 0 || !slices.ContainsFunc(all, func(d Definition) bool { return d.Interface.Name == want.Name && d.Manager == m }) {
					t.Errorf("all: %v %v", all, errs)
				}
				gone, err := Undefine(tree, m, want.Name)
				must(t, err)
				for _, c := range gone {
					if c.After != nil && c.Path != interfacesPath {
						t.Errorf("%s stays:\n%s", c.Path, c.After)
					}
				}
			})
		}
	}
}

// TestWhatAManagerCannotSayIsRefused holds the messages.
func TestWhatAManagerCannotSayIsRefused(t *testing.T) {
	t.Parallel()
	no := false
	for want, c := range map[string]struct {
		m Manager
		i spec.HostInterface
	}{
		"define eth0 with systemd-networkd: start: hotplug: it configures devices whenever they appear: leave start out":         {Networkd, spec.HostInterface{Name: "eth0", Start: spec.StartHotplug}},
		"define eth0 with NetworkManager: start: hotplug: it configures devices whenever they appear: leave start out":           {NetworkManager, spec.HostInterface{Name: "eth0", Start: spec.StartHotplug}},
		"define eth0 with netplan: start: hotplug: it configures devices whenever they appear: leave start out":                  {Netplan, spec.HostInterface{Name: "eth0", Start: spec.StartHotplug}},
		"define br0 with ifcfg: start: hotplug: only hardware appears: leave start out":                                          {Ifcfg, spec.HostInterface{Name: "br0", Type: spec.BridgeInterface, Start: spec.StartHotplug, Bridge: &spec.BridgeDetails{Ports: []spec.HostInterface{{Name: "eth0"}}}}},
		"define br0 with NetworkManager: delay: 40: it takes 2 to 30 seconds":                                                    {NetworkManager, spec.HostInterface{Name: "br0", Type: spec.BridgeInterface, Bridge: &spec.BridgeDetails{STP: true, Delay: 40}}},
		"define eth0 with ifupdown: peerDNS: false: the DHCP client decides: say so in its own configuration (dhclient.conf(5))": {Ifupdown, spec.HostInterface{Name: "eth0", IPv4: &spec.InterfaceIP{DHCP: true, PeerDNS: &no}}},
		`no files of "wicked" are known: use one of systemd-networkd, NetworkManager, netplan, ifupdown, ifcfg and kvmnet`:       {"wicked", spec.HostInterface{Name: "eth0"}},
	} {
		_, err := Define(Tree{}, c.m, c.i)
		if err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// TestDefiningOverAFileOfTheUserKeepsItForTheWayBack: the change holds what was there.
func TestDefiningOverAFileOfTheUserKeepsItForTheWayBack(t *testing.T) {
	t.Parallel()
	files := map[Manager]map[string]string{
		Networkd:       {"/etc/systemd/network/eth0.network": "[Match]\nName=eth0\n[Network]\nDHCP=yes\n"},
		NetworkManager: {"/etc/NetworkManager/system-connections/x.nmconnection": "[connection]\nuuid=1\ntype=ethernet\ninterface-name=eth0\n"},
		Netplan:        {"/etc/netplan/a.yaml": "network:\n  version: 2\n  ethernets:\n    eth0: {dhcp4: true}\n    eth1: {dhcp4: true}\n"},
		Ifupdown:       {interfacesPath: "auto lo eth0\niface lo inet loopback\niface eth0 inet dhcp\n    up something eth0\n"},
		Ifcfg:          {"/etc/sysconfig/network-scripts/ifcfg-eth0": "DEVICE=eth0\nBOOTPROTO=dhcp\n", "/etc/sysconfig/network-scripts/route-eth0": "192.0.2.0/24 dev eth0\n"},
		Own:            {"/etc/kvmnet/interfaces/eth0.yaml": "name: eth0\nipv4: {dhcp: true}\n"},
	}
	want := parse(t, definitions["static"])
	for m, list := range files {
		root := lay(t, list)
		before := disk(t, root)
		tree, err := Read(root, "")
		must(t, err)
		changes, err := Define(tree, m, want)
		must(t, err)
		must(t, Write(root, changes))
		tree, err = Read(root, "")
		must(t, err)
		got, err := Defined(tree, m, "eth0")
		if err != nil || got == nil || got.MTU != 9000 || got.IPv4.DHCP || len(got.IPv4.Addresses) != 2 {
			t.Errorf("%s: %+v %v\n%s", m, got, err, Diff(changes))
		}
		must(t, Write(root, Undo(changes)))
		if d := cmp.Diff(before, disk(t, root)); d != "" {
			t.Errorf("%s, after the undoing (-before +after):\n%s", m, d)
		}
	}
}

// TestADefinitionForSeveralIsNotRemoved: it is not one interface's alone.
func TestADefinitionForSeveralIsNotRemoved(t *testing.T) {
	t.Parallel()
	root := lay(t, map[string]string{"/etc/systemd/network/all.network": "[Match]\nName=e*\n[Network]\nDHCP=yes\n", "/etc/netplan/a.yaml": "network: {ethernets: {all: {match: {name: e*}, dhcp4: true}}}\n"})
	tree, err := Read(root, "")
	must(t, err)
	for m, want := range map[Manager]string{
		Networkd: "undefine eth0: /etc/systemd/network/all.network is for other interfaces, too: give eth0 a file of its own, or edit that one",
		Netplan:  "undefine eth0: its definition all in /etc/netplan/a.yaml is for several interfaces: edit that one",
	} {
		if _, err := Undefine(tree, m, "eth0"); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", m, err, want)
		}
	}
}

// TestFaultsOfOwnFilesHaveTheirPlace: those of a definition are told by line and column,
// and the other definitions still count.
func TestFaultsOfOwnFilesHaveTheirPlace(t *testing.T) {
	t.Parallel()
	root := lay(t, map[string]string{Tree{}.ownPath("eth0"): "name: eth0\nipv4:\n  dchp: true\n", Tree{}.ownPath("eth1"): "name: eth1\nipv4: {dhcp: true}\n", Tree{}.ownPath("eth2"): "name: eth3\n"})
	tree, err := Read(root, "")
	must(t, err)
	all, errs := AllDefined(tree)
	if len(all) != 1 || all[0].Interface.Name != "eth1" || len(errs) != 2 {
		t.Fatalf("got %v, %v", all, errs)
	}
	if !strings.HasPrefix(errs[0].Error(), "/etc/kvmnet/interfaces/eth0.yaml:3:3: ipv4: unknown key \"dchp\"") {
		t.Error(errs[0])
	}
	if want := `/etc/kvmnet/interfaces/eth2.yaml: it defines "eth3": name the file eth3.yaml, or the interface eth2`; errs[1].Error() != want {
		t.Error(errs[1])
	}
}

// What packages bring for machines of other kinds is no definition of this one, until
// there is such a device.
func TestNamesOfPackagesAreNotDefinitions(t *testing.T) {
	t.Parallel()
	tree := Tree{Files: map[string]*File{
		"/usr/lib/systemd/network/80-container-host0.network": {Text: []byte("[Match]\nName=host0\n\n[Network]\nDHCP=yes\n"), Mode: 0o644},
		"/etc/systemd/network/10-lan.network":                 {Text: []byte("[Match]\nName=eth7\n\n[Network]\nDHCP=yes\n"), Mode: 0o644},
	}}
	names := func() (list []string) {
		all, errs := AllDefined(tree)
		for _, d := range all {
			list = append(list, d.Interface.Name)
		}
		if len(errs) > 0 {
			t.Error(errs)
		}
		return list
	}
	if got := names(); !slices.Equal(got, []string{"eth7"}) {
		t.Errorf("defined are %v", got)
	}
	tree.Links = map[string]Link{"host0": {Type: "ether"}}
	if got := names(); !slices.Equal(got, []string{"eth7", "host0"}) {
		t.Errorf("with the device, defined are %v", got)
	}
}
