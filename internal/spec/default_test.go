package spec

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDefaultNames(t *testing.T) {
	t.Parallel()
	s := &Spec{
		Networks: map[string]*Network{
			"lab":                       {Mode: NAT},
			"default":                   {Mode: NAT}, // reserved below /proc/sys/net
			"a-rather-long-network":     {Mode: Isolated},
			"a,b":                       {Mode: Isolated},
			"named":                     {Mode: Open, Bridge: BridgeSettings{Name: "br7"}},
			"lan":                       {Mode: Bridge, Bridge: BridgeSettings{Name: "br0"}},
			"br0":                       {Mode: Isolated}, // its own name is the host bridge's
			"eth0":                      {Mode: Isolated}, // and here a NIC's
			"nothing":                   nil,
			"broken":                    {Mode: "natt"},
			"fifteen-letters":           {Mode: Isolated},
			"sixteen--letters":          {Mode: Isolated},
			"sixteen--letters-of-other": {Mode: Isolated},
		},
		Bridges: map[string]*HostBridge{"br0": {Ports: []string{"eth0"}}, "nothing": nil},
		Ports:   map[string]*Port{"lab": {Network: "lab"}, "vm1": {Network: "lab", Type: Veth}, "a-long-named-vm": {Type: Veth}, "nothing": nil},
	}
	s.Default()
	for name, want := range map[string]string{"lab": "lab", "named": "br7", "lan": "br0", "broken": "", "fifteen-letters": "fifteen-letters"} {
		if got := s.Networks[name].Bridge.Name; got != want {
			t.Errorf("network %s has the bridge %q, want %q", name, got, want)
		}
	}
	for name, head := range map[string]string{"default": "default-", "a-rather-long-network": "a-rather--", "a,b": "a_b-", "br0": "br0-", "eth0": "eth0-"} {
		got := s.Networks[name].Bridge.Name
		if !strings.HasPrefix(got, head) || len(got) != len(head)+5 || CheckInterfaceName(got) != nil {
			t.Errorf("network %s has the bridge %q, want %s and five characters", name, got, head)
		}
	}
	lab, vm1, long := s.Ports["lab"], s.Ports["vm1"], s.Ports["a-long-named-vm"]
	if lab.Type != Tap || !strings.HasPrefix(lab.Interface, "lab-") || lab.Peer != "" || lab.MAC != GenerateMAC("port/lab") {
		t.Errorf("port lab became %+v", lab)
	}
	if vm1.Interface != "vm1" || vm1.Peer != "vm1-p" {
		t.Errorf("port vm1 became %+v", vm1)
	}
	if long.Interface != "a-long-named-vm" || !strings.HasPrefix(long.Peer, "a-long-na-") {
		t.Errorf("port a-long-named-vm became %+v", long)
	}
}

func TestDefaultMACsAvoidThoseInUse(t *testing.T) {
	t.Parallel()
	first := GenerateMAC("port/vm1")
	users := map[string]*Spec{
		"port":        {Ports: map[string]*Port{"other": {MAC: first}}},
		"network":     {Networks: map[string]*Network{"lab": {Bridge: BridgeSettings{MAC: first}}}},
		"host bridge": {Bridges: map[string]*HostBridge{"br0": {MAC: first}}},
		"reservation": {Networks: map[string]*Network{"lab": {Subnets: []Subnet{{DHCP: &DHCP{Hosts: map[string]Reservation{"x": {MAC: first}}}}}}}},
	}
	for name, s := range users {
		s = s.Merge(&Spec{Ports: map[string]*Port{"vm1": {}}})
		s.Default()
		if got := s.Ports["vm1"].MAC; got == first || got.IsZero() {
			t.Errorf("in use by a %s: got %v", name, got)
		}
	}
}

// anyNames draws names as people give them, with many that are alike.
func anyNames() *rapid.Generator[string] {
	return rapid.OneOf(rapid.StringMatching(`[ab][ab.,-]{0,3}`), rapid.StringMatching(`[a-c]-long-long-long-name[a-c]{0,2}`),
		rapid.SampledFrom([]string{"all", "default", "lo", "br0", "x-p"}))
}

func TestGeneratedNamesAreUniqueValidAndStable(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &Spec{Networks: map[string]*Network{}, Bridges: map[string]*HostBridge{"br0": {}}, Ports: map[string]*Port{}}
		for _, name := range rapid.SliceOf(anyNames()).Draw(t, "networks") {
			s.Networks[name] = &Network{Mode: Isolated}
		}
		for _, name := range rapid.SliceOf(anyNames()).Draw(t, "ports") {
			s.Ports[name] = &Port{Type: rapid.SampledFrom([]PortType{"", Tap, Veth}).Draw(t, "type")}
		}
		s.Default()
		used, macs := map[string]string{"br0": "bridge br0"}, map[MAC]string{}
		check := func(name, user string) {
			if err := CheckInterfaceName(name); err != nil {
				t.Fatalf("%s: %v", user, err)
			}
			if used[name] != "" {
				t.Fatalf("%s and %s are both called %s", user, used[name], name)
			}
			used[name] = user
		}
		for name, n := range s.Networks {
			check(n.Bridge.Name, "network "+name)
			alone := &Spec{Networks: map[string]*Network{name: {Mode: Isolated}}, Bridges: s.Bridges}
			alone.Default()
			if got := alone.Networks[name].Bridge.Name; got != n.Bridge.Name {
				t.Fatalf("network %s is %s alone and %s among others", name, got, n.Bridge.Name)
			}
		}
		for name, p := range s.Ports {
			check(p.Interface, "port "+name)
			if (p.Peer != "") != (p.Type == Veth) || p.Type == "" || macs[p.MAC] != "" || p.MAC.IsZero() {
				t.Fatalf("port %s is %+v", name, p)
			}
			if p.Peer != "" {
				check(p.Peer, "peer of "+name)
			}
			macs[p.MAC] = name
		}
		before := fmt.Sprint(flat(s))
		s.Default()
		if after := fmt.Sprint(flat(s)); after != before {
			t.Fatalf("a second Default changes\n%s to\n%s", before, after)
		}
	})
}

func flat(s *Spec) []string {
	var list []string
	for name, n := range sorted(s.Networks) {
		list = append(list, fmt.Sprintf("%s %+v", name, *n))
	}
	for name, p := range sorted(s.Ports) {
		list = append(list, fmt.Sprintf("%s %+v", name, *p))
	}
	return list
}

func TestMergeLetsTheOtherWinAndChangesNeither(t *testing.T) {
	t.Parallel()
	a := &Spec{Networks: map[string]*Network{"x": {Mode: NAT}, "y": {Mode: NAT}}, Ports: map[string]*Port{"p": {}}}
	b := &Spec{Networks: map[string]*Network{"y": {Mode: Open}, "z": nil}, Bridges: map[string]*HostBridge{"br0": {}}}
	m := a.Merge(b)
	m.Default()
	if m.Networks["x"].Mode != NAT || m.Networks["y"].Mode != Open || len(m.Networks) != 3 || len(m.Bridges) != 1 || len(m.Ports) != 1 {
		t.Errorf("merged: %+v", m)
	}
	unchangedA := &Spec{Networks: map[string]*Network{"x": {Mode: NAT}, "y": {Mode: NAT}}, Ports: map[string]*Port{"p": {}}}
	if !reflect.DeepEqual(a, unchangedA) || b.Networks["y"].Bridge.Name != "" {
		t.Error("Default of the merged Spec changed its sources")
	}
	if !(&Spec{}).Merge(&Spec{}).Empty() || m.Empty() {
		t.Error("Empty is wrong")
	}
}
