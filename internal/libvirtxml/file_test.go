package libvirtxml

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

const placed = `<network>
  <name>lab</name>
  <forward mode="nat" dev='eth0'/>
  <bridge name='lab0' zone='x'/>
  <domain name='lab.example'/>
  <ip address='10.0.0.1' netmask='255.255.255.0'>
    <dhcp>
      <range start='10.0.0.10' end='10.0.0.20'/>
      <range start='10.0.0.30' end='10.0.0.40'/>
      <host mac='52:54:00:00:00:01' name='vm1' ip='10.0.0.11'/>
    </dhcp>
  </ip>
</network>
`

func TestProblemsStandAtTheirElements(t *testing.T) {
	t.Parallel()
	f, err := Parse("net.xml", []byte(placed))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]string{
		"networks.lab":                                  "2:3",
		"networks.lab.mode":                             "3:12",
		"networks.lab.uplink":                           "3:23",
		"networks.lab.nat.ports":                        "3:3",
		"networks.lab.bridge.name":                      "4:11",
		"networks.lab.bridge.mac":                       "1:1",
		"networks.lab.dns.domain":                       "5:11",
		"networks.lab.subnets[0].address":               "6:7",
		"networks.lab.subnets[0].dhcp.ranges[1]":        "9:7",
		"networks.lab.subnets[0].dhcp.hosts.vm1":        "10:7",
		"networks.lab.subnets[0].dhcp.hosts.vm1.ip":     "10:48",
		"networks.lab.subnets[0].dhcp.hosts.other.mac":  "7:5",
		"networks.lab.policy":                           "2:3",
		"networks.other.mode":                           "0:0",
		"ports.lab":                                     "0:0",
		"networks.lab.subnets[7].dhcp.ranges[0].broken": "2:3",
	}
	for path, want := range cases {
		p := f.Locate(spec.Problem{Path: path, Message: "m", Refers: true})
		if got := fmt.Sprintf("%d:%d", p.Line, p.Column); got != want || p.Path != path || !p.Refers {
			t.Errorf("%s: at %s, want %s", path, got, want)
		}
		if (p.Excerpt == "") != (p.Line == 0) {
			t.Errorf("%s: shows %q", path, p.Excerpt)
		}
	}
}

func TestNetworksAreCheckedBesideOthers(t *testing.T) {
	t.Parallel()
	f, err := Parse("net.xml", []byte(placed))
	if err != nil {
		t.Fatal(err)
	}
	if problems := f.Validate(nil); len(problems) > 0 {
		t.Errorf("alone it has problems: %v", problems)
	}
	defined := &spec.Spec{Networks: map[string]*spec.Network{
		"taken":  {Mode: spec.Isolated, Bridge: spec.BridgeSettings{Name: "lab0"}},
		"broken": {Mode: "none"},
		"lab":    {Mode: "replaced"},
		"near":   {Mode: spec.Isolated, Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.0.0.129/25")}}},
	}}
	want := `net.xml:4:11: networks.lab.bridge.name: the interface name "lab0" is also used by network "taken"
   4 |   <bridge name='lab0' zone='x'/>
     |           ^
net.xml:6:7: networks.lab.subnets[0].address: 10.0.0.1/24 overlaps 10.0.0.129/25 of network "near"
   6 |   <ip address='10.0.0.1' netmask='255.255.255.0'>
     |       ^
hint: give one of them another prefix
`
	var got strings.Builder
	for _, p := range f.Validate(defined) {
		got.WriteString(p.String() + "\n")
	}
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
	if defined.Networks["lab"].Mode != "replaced" || len(f.Spec.Networks) != 1 {
		t.Error("Validate changed a spec")
	}
}

func TestNotesShowTheirLines(t *testing.T) {
	t.Parallel()
	f, err := Parse("net.xml", []byte(strings.Replace(placed, "</network>", "  <dns enabled='no'/>\n</network>", 1)))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`net.xml:4:23: zone of <bridge> is kept, but not supported here, because kvmnet puts no bridge into a zone of firewalld
   4 |   <bridge name='lab0' zone='x'/>
     |                       ^`, `net.xml:13:8: the attribute enabled is ignored: <dns> has none of this name
  13 |   <dns enabled='no'/>
     |        ^
hint: did you mean enable?`}
	if len(f.Notes) != len(want) {
		t.Fatalf("notes %v", f.Notes)
	}
	for i, n := range f.Notes {
		if n.String() != want[i] {
			t.Errorf("got\n%s\nwant\n%s", n, want[i])
		}
	}
}

func TestDocumentsThatLibvirtRefusesAreRefused(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"no XML": "{}",
		"read":   strings.Replace(placed, "10.0.0.40", "10.0.1.40", 1),
		"define": strings.Replace(placed, "</network>", "<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/></network>", 1),
	}
	for name, text := range cases {
		var e *Error
		if f, err := Parse("net.xml", []byte(text)); f != nil || !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBridgeNamesMayBeLeftToBeMade(t *testing.T) {
	t.Parallel()
	const named = "name='lab0' "
	cases := map[string]struct{ text, name, template string }{
		"named":    {placed, "lab0", ""},
		"nameless": {strings.Replace(placed, named, "", 1), "", "virbr%d"},
		"none":     {strings.Replace(placed, "<bridge name='lab0' zone='x'/>", "", 1), "", "virbr%d"},
		"template": {strings.Replace(placed, "lab0", "lab%d", 1), "", "lab%d"},
		"the host": {"<network><name>lab</name><forward mode='bridge'/><bridge name='br0'/></network>", "br0", ""},
		"macvtap":  {"<network><name>lab</name><forward mode='bridge' dev='eth0'/></network>", "", ""},
	}
	for name, c := range cases {
		f, err := Parse("net.xml", []byte(c.text))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := f.Spec.Networks["lab"]
		if n.Bridge.Name != c.name || f.Template != c.template {
			t.Errorf("%s: the name is %q, the template %q", name, n.Bridge.Name, f.Template)
		}
		if n.Libvirt != nil && strings.Contains(n.Libvirt.Kept, "lab") {
			t.Errorf("%s: the name is kept twice: %s", name, n.Libvirt.Kept)
		}
		n.Bridge.Name = "made7"
		if again := Of("lab", n); name != "macvtap" && !strings.Contains(again.Format(), "<bridge name='made7'") {
			t.Errorf("%s: dumped as\n%s", name, again.Format())
		}
	}
}
