package libvirtxml

import (
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

// What libvirt tells of networks that run, and of devices that this machine lacks, has
// the form its documentation gives.
func TestNetworksThatRunAreDumped(t *testing.T) {
	t.Parallel()
	n := Network{
		Connections: 3, Name: "pool", UUID: "c7a5fdbd-edaf-9455-926a-d65c16db1809", MAC: spec.MAC{},
		Forward: &Forward{
			Mode: "hostdev", Managed: "yes", Driver: &Driver{Name: "vfio"}, PFs: []Device{{Name: "eth0", Connections: 1}},
			Addresses: []PCIAddress{{Domain: "0x0000", Bus: "0x07", Slot: "0x00", Function: "0x1"}},
		},
		PortGroups: []PortGroup{{Name: "x", Bandwidth: &Bandwidth{In: &Limit{Average: 1, Peak: 2, Burst: 3, Floor: 4}}}},
	}
	want := `<network connections='3'>
  <name>pool</name>
  <uuid>c7a5fdbd-edaf-9455-926a-d65c16db1809</uuid>
  <forward mode='hostdev' managed='yes'>
    <driver name='vfio'/>
    <pf dev='eth0' connections='1'/>
    <address type='pci' domain='0x0000' bus='0x07' slot='0x00' function='0x1'/>
  </forward>
  <portgroup name='x'>
    <bandwidth>
      <inbound average='1' peak='2' floor='4' burst='3'/>
    </bandwidth>
  </portgroup>
</network>
`
	if got := n.Format(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// A network made of a spec may leave out what libvirt always has.
func TestSparseNetworksAreDumped(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]Network{
		"<forward dev='e' mode='nat'>\n    <interface dev='e'/>\n  </forward>\n  <bridge stp='on' delay='0'/>": {Forward: &Forward{Dev: "e"}},
		"<bridge name='b' stp='off' delay='2'/>": {Bridge: &Bridge{Name: "b", STP: "off", Delay: "2"}},
		"<forward mode='bridge'/>":               {Forward: &Forward{Mode: "bridge"}, DNS: &DNS{}, VirtualPort: &VirtualPort{}, Bandwidth: &Bandwidth{}},
	} {
		want = "<network>\n  " + want + "\n</network>\n"
		if got := n.Format(); got != want {
			t.Errorf("got:\n%s\nwant:\n%s", got, want)
		}
	}
}

// What no reader could take is left out, whoever made the model.
func TestControlCharactersAreLeftOut(t *testing.T) {
	t.Parallel()
	n := Network{Name: "a\x01b\r", DnsmasqLines: []string{"x\x00\t\n\ry"}, Metadata: []Element{{Namespace: "u", Text: "<broken"}}}
	got := n.Format()
	for _, want := range []string{"<name>ab&#13;</name>", "value='x&#9;&#10;&#13;y'/>", "<metadata>\n  </metadata>"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// Elements of foreign namespaces can be read by themselves.
func TestKeptElementsStandAlone(t *testing.T) {
	t.Parallel()
	d, err := Read([]byte(`<network xmlns:k="u"><name>a</name><metadata xmlns="w"><k:x k:a="1"><y/></k:x></metadata></network>`))
	if err != nil {
		t.Fatal(err)
	}
	want := Element{Namespace: "u", Text: "<k:x xmlns:k=\"u\" xmlns=\"w\" k:a=\"1\">\n  <y/>\n</k:x>"}
	if d.Network.Metadata != nil {
		t.Fatalf("an element of another namespace was taken for libvirt's: %v", d.Network.Metadata)
	}
	d, err = Read([]byte(`<network xmlns:k="u"><name>a</name><metadata><k:x k:a="1" xmlns="w"><y/></k:x></metadata></network>`))
	if err != nil || len(d.Network.Metadata) != 1 || d.Network.Metadata[0] != want {
		t.Errorf("got %v, %v", d.Network.Metadata, err)
	}
}
