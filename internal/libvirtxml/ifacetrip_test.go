package libvirtxml

import (
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

var interfaceValues = cmp.Options{cmpopts.EquateEmpty(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})}

// host interfaces of every type, with all that XML of libvirt says and all it does not.
func everyInterface() []spec.HostInterface {
	no, yes := false, true
	p, a := netip.MustParsePrefix, netip.MustParseAddr
	nic := spec.HostInterface{Name: "eth0", Type: spec.EthernetInterface, Start: spec.StartHotplug, MAC: spec.MAC{0x52, 0x54, 0, 1, 2, 3}, MTU: 9000,
		IPv4: &spec.InterfaceIP{DHCP: true, PeerDNS: &no, Addresses: []netip.Prefix{p("192.0.2.7/24"), p("10.0.0.5/32")},
			Routes: []spec.InterfaceRoute{{To: p("0.0.0.0/0"), Via: a("192.0.2.1")}, {To: p("0.0.0.0/0"), Via: a("10.0.0.1"), OnLink: true, Metric: 500},
				{To: p("10.9.0.0/16"), Metric: 4294967295, Source: a("10.0.0.5")}, {To: p("10.8.0.0/16"), Via: a("192.0.2.2")}},
			DNS: []netip.Addr{a("192.0.2.53"), a("127.0.0.1")}, Search: []string{"example.org", "."}},
		IPv6: &spec.InterfaceIP{Autoconf: true, DHCP: true, PeerDNS: &yes, Addresses: []netip.Prefix{p("2001:db8::7/64")},
			Routes: []spec.InterfaceRoute{{To: p("::/0"), Via: a("fe80::1")}, {To: p("2001:db8:1::/48")}}, DNS: []netip.Addr{a("2001:db8::53")}}}
	bond := spec.HostInterface{Name: "bond0", Type: spec.BondInterface, Bond: &spec.BondDetails{Mode: "active-backup",
		MII: &spec.BondMII{Every: 100, UpDelay: 1, DownDelay: 2, Carrier: "ioctl"}, Ports: []spec.HostInterface{{Name: "eth1", Type: spec.EthernetInterface, MTU: 9000}, {Name: "eth2", Type: spec.EthernetInterface, MAC: nic.MAC}}}}
	asking := spec.HostInterface{Name: "bond1", Type: spec.BondInterface, Start: spec.StartNone, Bond: &spec.BondDetails{ARP: &spec.BondARP{Every: 7, Target: a("192.0.2.1"), Validate: "none"},
		Ports: []spec.HostInterface{{Name: "eth1", Type: spec.EthernetInterface}}}}
	vlan := spec.HostInterface{Name: "eth0.7", Type: spec.VLANInterface, Start: spec.StartOnBoot, VLAN: &spec.VLANDetails{Tag: 7, On: "eth0"}, IPv4: &spec.InterfaceIP{}}
	return []spec.HostInterface{nic, bond, asking, vlan, nic.Bridged("br0", true, 4), bond.Bridged("br1", false, 0), vlan.Bridged("br2", false, 2),
		{Name: "br3", Type: spec.BridgeInterface, MAC: nic.MAC, Bridge: &spec.BridgeDetails{}}}
}

func TestInterfacesReadBackWhatTheyPrint(t *testing.T) {
	t.Parallel()
	for _, i := range everyInterface() {
		text := FormatInterface(&i, nil)
		f := ParseInterface("x.xml", []byte(text))
		if problems := f.Validate(); problems != nil || f.Notes != nil {
			t.Errorf("%v %v\n%s", problems, f.Notes, text)
		}
		if diff := cmp.Diff(i, f.Interface, interfaceValues); diff != "" {
			t.Errorf("%s\n%s", diff, text)
		}
	}
}

// The dump of a running interface tells of its cable, and can be defined again.
func TestADumpTellsOfTheCable(t *testing.T) {
	t.Parallel()
	i := everyInterface()[5]
	text := FormatInterface(&i, map[string]InterfaceLink{"br1": {Speed: 10, State: "up"}, "bond0": {State: "lowerlayerdown"}, "eth1": {Speed: 1000, State: "up"}})
	want := `<interface type='bridge' name='br1'>
  <bridge stp='off' delay='0'>
    <interface type='bond' name='bond0'>
      <link state='lowerlayerdown'/>
      <bond mode='active-backup'>
        <miimon freq='100' downdelay='2' updelay='1' carrier='ioctl'/>
        <interface type='ethernet' name='eth1'>
          <mtu size='9000'/>
          <link speed='1000' state='up'/>
        </interface>
        <interface type='ethernet' name='eth2'>
          <mac address='52:54:00:01:02:03'/>
        </interface>
      </bond>
    </interface>
  </bridge>
</interface>
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	f := ParseInterface("x.xml", []byte(text))
	if diff := cmp.Diff(i, f.Interface, interfaceValues); diff != "" || f.Validate() != nil || len(f.Notes) != 2 {
		t.Errorf("%v %v %s", f.Validate(), f.Notes, diff)
	}
}

func toldOf(problems []specfile.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		p.Excerpt = ""
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

func TestFaultsOfAnInterfaceAreToldAllAtOnce(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`<interface type='ethernet' name='a/b'>
  <start mode='soon'/>
  <mtu size='many'/>
  <mac address='52:54:00'/>
  <protocol family='ipv4'>
    <dhcp peerdns='maybe'/>
    <ip address='10.0.0.300' prefix='24'/>
    <ip address='10.0.0.5' prefix='64'/>
    <ip address='2001:db8::1' prefix='64'/>
    <route gateway='10.7.0.1' metric='x' onlink='perhaps'/>
    <dns server='resolver'/>
    <search domain='a b'/>
  </protocol>
  <protocol family='ipx'/>
</interface>`: `x.xml:1:34: name: "a/b" cannot name an interface because of '/'
x.xml:2:16: start: XML error: unknown interface startmode soon
x.xml:3:14: mtu: the MTU "many" is no number
hint: write for instance size='1500'
x.xml:4:17: mac: "52:54:00" is not an Ethernet address
hint: write for instance 52:54:00:12:34:56
x.xml:6:20: ipv4.peerDNS: XML error: Invalid value for attribute 'peerdns' in element 'dhcp': 'maybe'.
x.xml:7:18: ipv4.addresses[0]: "10.0.0.300" is no IP address
x.xml:8:36: ipv4.addresses[1]: the prefix of an IPv4 address has at most 32 bits
x.xml:9:18: ipv4.addresses[2]: 2001:db8::1 is IPv6
hint: write it below ipv6
x.xml:10:39: ipv4.routes[0].metric: the metric "x" is no number from 0 to 4294967295
x.xml:10:50: ipv4.routes[0].onLink: "perhaps" is neither yes nor no
hint: write yes or no
x.xml:11:18: ipv4.dns[0]: "resolver" is no IP address
x.xml:12:21: ipv4.search[0]: "a b" is not a host name: letters, digits, dashes and dots are allowed
x.xml:14:21: XML error: unsupported protocol family 'ipx'
`,
		"<interface type='bridge' name='br0'><bridge delay='99'>\n<interface type='ethernet' name='br0'/>\n<interface type='wifi' name='w'/>\n<interface type='vlan' name='v'><vlan tag='5000'><interface name='v'/></vlan></interface>\n</bridge></interface>": `x.xml:1:52: bridge.delay: the forward delay 99s is outside 0s to 30s
x.xml:2:34: bridge.ports[0].name: br0 cannot be a port of itself
x.xml:3:18: bridge.ports[1].type: XML error: Invalid value for attribute 'type' in element 'interface': 'wifi'.
x.xml:4:44: bridge.ports[2].vlan.tag: the VLAN 5000 is outside 1 to 4094
x.xml:4:67: bridge.ports[2].vlan.on: a VLAN cannot be on itself
`,
		"<interface type='ethernet' name='a'>\n  <mtu>\n</interface>\n": "x.xml:3:13: Opening and ending tag mismatch: mtu line 2 and interface\n",
		"<network/>":    "x.xml:1:1: XML error: expecting root element of 'interface', not 'network'\n",
		"<interface/>":  "x.xml:1:1: type: XML error: Missing required attribute 'type' in element 'interface'\n",
		"interface: {}": "x.xml:1:1: Start tag expected, '<' not found\n",
	} {
		if diff := cmp.Diff(want, toldOf(ParseInterface("x.xml", []byte(text)).Validate())); diff != "" {
			t.Errorf("%s:\n%s", text, diff)
		}
	}
}

func TestWhatAnInterfaceSaysInVainIsNoted(t *testing.T) {
	t.Parallel()
	text := `<interface type='bridge' name='br0' mode='x'>
  <start mode='none'/>
  <start mode='onboot'/>
  <protocl family='ipv4'/>
  <protocol family='ipv4'>
    <ip address='172.16.0.5' prefx='24'/>
    <autoconf/>
    <route/>
  </protocol>
  <protocol family='ipv4'/>
  <vlan tag='5'/>
  <bridge stp='on'>
    <interface type='ethernet' name='eth0'>
      <protocol family='ipv4'><dhcp/></protocol>
      <link speed='1000'/>
    </interface>
    <interface type='bond' name='bond0'>
      <bond><miimon freq='100'/><arpmon interval='1' target='192.0.2.1'/><interface type='ethernet' name='eth1'><bond/></interface></bond>
    </interface>
  </bridge>
</interface>`
	want := `x.xml:1:37: mode of <interface> has no effect
x.xml:3:3: <start> is ignored, the first one counts
hint: remove it
x.xml:4:3: <protocl> has no effect here
hint: did you mean protocol?
x.xml:6:5: the address has no prefix: it is taken for 172.16.0.5/16
hint: write it
x.xml:6:30: prefx of <ip> has no effect
hint: did you mean prefix?
x.xml:7:5: <autoconf> is ignored, because it is of IPv6
hint: write it into <protocol family='ipv6'>
x.xml:8:5: <route> is ignored, because it leads nowhere
hint: remove it, or write a gateway
x.xml:10:3: the second <protocol family='ipv4'> is ignored
hint: put what it says into the first one
x.xml:11:3: <vlan> has no effect here
x.xml:14:7: <protocol> has no effect here
x.xml:15:7: <link> has no effect: it tells how the cable is, which nobody defines
hint: remove it
x.xml:18:33: <arpmon> is ignored, because <miimon> is there
hint: remove one of them
x.xml:18:113: <bond> has no effect here
`
	f := ParseInterface("x.xml", []byte(text))
	if diff := cmp.Diff(want, toldOf(f.Notes)); diff != "" || f.Validate() != nil {
		t.Errorf("%v\n%s", f.Validate(), diff)
	}
}

// What the documentation shows is taken, and says nothing in vain.
func TestDocumentedInterfaceIsTaken(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/interfaces.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```xml\n")
	block, _, _ = strings.Cut(block, "```")
	f := ParseInterface("interfaces.md", []byte(block))
	if problems := f.Validate(); !found || problems != nil || f.Notes != nil {
		t.Errorf("%v %v", problems, f.Notes)
	}
}

func FuzzParseInterface(f *testing.F) {
	for _, i := range everyInterface() {
		f.Add(FormatInterface(&i, map[string]InterfaceLink{i.Name: {Speed: 5, State: "up"}}))
	}
	f.Add("<interface type='vlan'><vlan tag='2'><interface name='e'/></vlan></interface>")
	f.Add("<interface type='ethernet' name='e'><protocol family='ipv4'><ip address='10.0.0.1'/><route address='0.0.0.0' prefix='0'/></protocol></interface>")
	f.Fuzz(func(t *testing.T, text string) {
		file := ParseInterface("x.xml", []byte(text))
		problems := file.Validate()
		for _, p := range slices.Concat(problems, file.Notes) {
			if p.Message == "" || p.Line < 1 || p.Column < 1 {
				t.Fatalf("a problem without a place: %+v", p)
			}
		}
		if file.Refusal() != nil && len(problems) == 0 {
			t.Fatalf("refused without a problem: %v", file.Refusal())
		}
		if len(problems) > 0 {
			return
		}
		again := ParseInterface("y.xml", []byte(FormatInterface(&file.Interface, nil)))
		if again.Validate() != nil || again.Notes != nil {
			t.Fatalf("the dump has faults: %v %v\n%s", again.Validate(), again.Notes, FormatInterface(&file.Interface, nil))
		}
		if a, b := FormatInterface(&file.Interface, nil), FormatInterface(&again.Interface, nil); a != b {
			t.Fatalf("dumped again:\n%s\n%s", a, b)
		}
		if a, b := plainRoutes(file.Interface), plainRoutes(again.Interface); !cmp.Equal(a, b, interfaceValues) {
			t.Fatalf("read again: %s", cmp.Diff(a, b, interfaceValues))
		}
	})
}

// plainRoutes is an interface with its routes in the order of dumps.
func plainRoutes(i spec.HostInterface) spec.HostInterface {
	for _, ip := range []*spec.InterfaceIP{i.IPv4, i.IPv6} {
		if ip != nil {
			slices.SortStableFunc(ip.Routes, func(a, b spec.InterfaceRoute) int {
				rank := func(r spec.InterfaceRoute) int {
					return map[bool]int{true: 0, false: 1}[r.To.Bits() == 0 && r.Via.IsValid()]
				}
				return rank(a) - rank(b)
			})
		}
	}
	return i
}
