package libvirtxml

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"kvmnet/internal/peers"
	"kvmnet/internal/spec"
)

// A libvirt takes the dumps of networks that were written as YAML, and gives back what
// leads to the same YAML.
func TestLibvirtTakesDumpsOfSpecs(t *testing.T) {
	t.Parallel()
	lv := peers.StartLibvirt(t)
	for i, n := range someNetworks(t, 25) {
		forLibvirt9(n, i)
		text := Of("lab", n).Format()
		if said := lv.Virsh("net-define", lv.File("lab.xml", text)); said.Code != 0 {
			t.Errorf("%s\n%s", said.Err, text)
			continue
		}
		back := lv.Virsh("net-dumpxml", "lab").Out
		f, err := Parse("back.xml", []byte(back))
		if err != nil {
			t.Fatalf("%v\n%s", err, back)
		}
		if got, want := written(f.Spec.Networks["lab"]), written(n); got != want {
			t.Errorf("got\n%s\nwant\n%s\nby way of\n%s\nand\n%s", got, want, text, back)
		}
		if said := lv.Virsh("net-undefine", "lab"); said.Code != 0 {
			t.Fatal(said.Err)
		}
	}
}

func someNetworks(t *testing.T, count int) []*spec.Network {
	var list []*spec.Network
	rapid.Check(t, func(t *rapid.T) {
		if n := sound(t); len(list) < count {
			list = append(list, n)
		}
	})
	return list
}

// forLibvirt9 leaves out what is newer than libvirt 9.0, and says what it would make
// up.
func forLibvirt9(n *spec.Network, i int) {
	n.Title, n.Description, n.Autostart = "", "", nil
	n.UUID = fmt.Sprintf("3e3fce45-4f53-4fa7-bb32-11f34168b8%02x", i)
	if n.Mode.Managed() {
		n.Bridge.Name, n.Bridge.MAC = fmt.Sprintf("lab%d", i), spec.MAC{0x52, 0x54, 0, 0xaa, 0, byte(i)}
	}
	if n.DNS != nil {
		n.DNS.Forwarders, n.DNS.Domains = nil, nil
		n.DNS.Register = new(bool)
	}
}
