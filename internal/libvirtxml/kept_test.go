package libvirtxml

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"pgregory.net/rapid"

	"kvmnet/internal/spec"
)

// untidy is a document whose order and words a spec does not keep.
const untidy = `<network>
  <name>lab</name>
  <forward mode='nat'>
    <nat>
      <port start='1024' end='65535'/>
    </nat>
  </forward>
  <bridge name='lab0' zone='libvirt' stp='on' delay='0'/>
  <dns>
    <host ip='10.0.0.9'>
      <hostname>second</hostname>
      <hostname>first</hostname>
    </host>
    <host ip='10.0.0.8'>
      <hostname>third</hostname>
    </host>
  </dns>
  <ip family='ipv4' address='10.0.0.1' prefix='24'>
    <dhcp>
      <range start='10.0.0.100' end='10.0.0.200'/>
      <host mac='52:54:00:00:00:02' name='vm2' ip='10.0.0.12'/>
      <host mac='52:54:00:00:00:01' name='vm1' ip='10.0.0.11'/>
    </dhcp>
  </ip>
  <portgroup name='fast'>
    <bandwidth>
      <inbound average='10'/>
    </bandwidth>
  </portgroup>
</network>
`

// What people change in the YAML shows in the dump; all else stays as it was written.
func TestEditsOfTheSpecShowInTheDump(t *testing.T) {
	t.Parallel()
	dhcp := func(n *spec.Network) *spec.DHCP { return n.Subnets[0].DHCP }
	cases := map[string]struct {
		edit     func(n *spec.Network)
		old, new string
	}{
		"nothing": {edit: func(*spec.Network) {}},
		"a host more": {
			func(n *spec.Network) {
				dhcp(n).Hosts["vm3"] = spec.Reservation{MAC: spec.MAC{0x52, 0x54, 0, 0, 0, 3}, IP: netip.MustParseAddr("10.0.0.13")}
			},
			"name='vm1' ip='10.0.0.11'/>\n", "name='vm1' ip='10.0.0.11'/>\n      <host mac='52:54:00:00:00:03' name='vm3' ip='10.0.0.13'/>\n",
		},
		"a host less": {
			func(n *spec.Network) { delete(dhcp(n).Hosts, "vm2") },
			"      <host mac='52:54:00:00:00:02' name='vm2' ip='10.0.0.12'/>\n", "",
		},
		"another MAC": {
			func(n *spec.Network) {
				dhcp(n).Hosts["vm2"] = spec.Reservation{MAC: spec.MAC{0x52, 0x54, 0, 0, 0, 9}, IP: netip.MustParseAddr("10.0.0.12")}
			},
			"mac='52:54:00:00:00:02'", "mac='52:54:00:00:00:09'",
		},
		"another name": {
			func(n *spec.Network) {
				delete(n.DNS.Hosts, "first")
				n.DNS.Hosts["fourth"] = "10.0.0.9"
			},
			"<hostname>first</hostname>", "<hostname>fourth</hostname>",
		},
		"another range": {
			func(n *spec.Network) { dhcp(n).Ranges[0].To = netip.MustParseAddr("10.0.0.150") },
			"end='10.0.0.200'", "end='10.0.0.150'",
		},
		"another bridge": {func(n *spec.Network) { n.Bridge.Name = "lab1" }, "'lab0'", "'lab1'"},
		"a longer delay": {func(n *spec.Network) { n.Bridge.ForwardDelay = 9 }, "delay='0'", "delay='9'"},
		"IPv6 besides": {
			func(n *spec.Network) {
				n.Subnets = append(n.Subnets, spec.Subnet{Address: netip.MustParsePrefix("fd00::1/64")})
				n.NAT.IPv6 = new(bool)
			},
			"  </ip>\n", "  </ip>\n  <ip family='ipv6' address='fd00::1' prefix='64'>\n  </ip>\n",
		},
		"other ports": {func(n *spec.Network) { n.NAT.Ports.From = 2000 }, "start='1024'", "start='2000'"},
		"another mode": {
			func(n *spec.Network) { n.Mode, n.NAT = spec.Route, nil },
			"<forward mode='nat'>\n    <nat>\n      <port start='1024' end='65535'/>\n    </nat>\n  </forward>", "<forward mode='route'/>",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, err := Parse("lab.xml", []byte(untidy))
			if err != nil {
				t.Fatal(err)
			}
			n := f.Spec.Networks["lab"]
			c.edit(n)
			if got, want := Of("lab", n).Format(), strings.Replace(untidy, c.old, c.new, 1); got != want || c.old != "" && want == untidy {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What the YAML says and libvirt cannot stands beside what was kept.
func TestEditsThatXMLCannotSayAreCarried(t *testing.T) {
	t.Parallel()
	f, err := Parse("lab.xml", []byte(untidy))
	if err != nil {
		t.Fatal(err)
	}
	n := f.Spec.Networks["lab"]
	n.Policy, n.DNS.TTL = spec.StanceIsolated, 300
	want := strings.Replace(untidy, "</name>\n", `</name>
  <metadata>
    <kvmnet:network xmlns:kvmnet="https://kvmnet.dev/xmlns/network/1">
      <kvmnet:set path="dns/ttl">300s</kvmnet:set>
      <kvmnet:set path="policy">isolated</kvmnet:set>
    </kvmnet:network>
  </metadata>
`, 1)
	if got := Of("lab", n).Format(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Lines for dnsmasq that the YAML contradicts go; those that it does not speak of
// stay.
func TestLinesThatTheSpecContradictsGo(t *testing.T) {
	t.Parallel()
	const lines = `<network xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'>
  <name>lab</name>
  <bridge name='lab0' stp='on' delay='0'/>
  <ip address='10.0.0.1' netmask='255.255.255.0'>
  </ip>
  <dnsmasq:options>
    <dnsmasq:option value='log-queries'/>
    <dnsmasq:option value='cache-size=150'/>
    <dnsmasq:option value='cname=www,web'/>
  </dnsmasq:options>
</network>
`
	f, err := Parse("lab.xml", []byte(lines))
	if err != nil {
		t.Fatal(err)
	}
	n := f.Spec.Networks["lab"]
	if got := Of("lab", n).Format(); got != lines {
		t.Errorf("dumped\n%s", got)
	}
	n.DNS.Cache = 200
	want := strings.Replace(lines, "    <dnsmasq:option value='cache-size=150'/>\n", "", 1)
	want = strings.Replace(want, "</name>\n", `</name>
  <metadata>
    <kvmnet:network xmlns:kvmnet="https://kvmnet.dev/xmlns/network/1">
      <kvmnet:set path="dns/cache">200</kvmnet:set>
    </kvmnet:network>
  </metadata>
`, 1)
	if got := Of("lab", n).Format(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whatever was kept, of this network or of another one: the spec comes back.
func TestTheSpecIsTheTruth(t *testing.T) {
	t.Parallel()
	var kept []*spec.Libvirt
	names, err := filepath.Glob("testdata/translate/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(name, archive.Files[0].Data)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range f.Spec.Networks {
			if n.Libvirt != nil {
				kept = append(kept, n.Libvirt)
			}
		}
	}
	kept = append(kept, &spec.Libvirt{Kept: "no XML", Metadata: "<unclosed>"}, &spec.Libvirt{Kept: "<network><ip address='x'/><bridge stp='?'/></network>"})
	rapid.Check(t, func(t *rapid.T) {
		n := sound(t)
		n.Autostart, n.Libvirt = nil, rapid.SampledFrom(kept).Draw(t, "kept")
		text := Of("lab", n).Format()
		f, err := Parse("lab.xml", []byte(text))
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		again, bare := cloned(f.Spec.Networks["lab"]), cloned(n)
		again.Libvirt, bare.Libvirt = nil, nil
		if got, want := written(again), written(bare); got != want {
			t.Errorf("got\n%s\nwant\n%s\nby way of\n%s\nkept\n%s", got, want, text, n.Libvirt.Kept)
		}
	})
}
