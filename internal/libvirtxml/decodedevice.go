package libvirtxml

import (
	"fmt"
	"slices"

	"kvmnet/internal/xmltree"
)

// devices reads through which devices of the host guests leave. There are three ways
// to list them, and only the first that is used counts.
func (d *decoder) devices(e *xmltree.Node, f *Forward) error {
	interfaces, addresses, pfs := e.Elements("interface"), e.Elements("address"), e.Elements("pf")
	dev := e.Own("dev")
	switch {
	case dev != "" && len(addresses)+len(pfs) > 0: // the message has no name of the network
		return refuse(e.Place("dev"), classXML, "the <forward> 'dev' attribute cannot be used when <address> or <pf> sub-elements are present in network %%s")
	case dev != "" || len(interfaces) > 0:
		return d.interfaces(e, interfaces, f)
	case len(addresses) > 0:
		return d.pciAddresses(addresses, f)
	case len(pfs) > 1:
		return refuse(pfs[1].At, classXML, "Only one <pf> element is allowed in <forward> of network %s", d.network)
	case len(pfs) == 1 && !pfs[0].Has("dev"):
		return refuse(pfs[0].At, classXML, "Missing required dev attribute in <pf> element of network '%s'", d.network)
	case len(pfs) == 1:
		f.PFs = []Device{{Name: pfs[0].Value("dev")}}
	}
	return nil
}

// interfaces reads devices by name. The attribute dev names the first of them.
func (d *decoder) interfaces(e *xmltree.Node, interfaces []*xmltree.Node, f *Forward) error {
	if dev := e.Own("dev"); dev != "" {
		f.Interfaces = []Device{{Name: dev}}
	}
	for i, c := range interfaces {
		device, err := d.forwardInterface(c)
		switch {
		case err != nil:
			return err
		case i == 0 && len(f.Interfaces) == 1 && f.Interfaces[0] != device:
			return refuse(c.Place("dev"), classXML, "<forward dev='%s'> must match first <interface dev='%s'/> in network %s", f.Interfaces[0].Name, device.Name, d.network)
		case i == 0 && len(f.Interfaces) == 1:
			continue
		case slices.Contains(f.Interfaces, device):
			return refuse(c.Place("dev"), classXML, "interface '%s' can only be listed once in network %s", device.Name, d.network)
		}
		f.Interfaces = append(f.Interfaces, device)
	}
	f.Dev = f.Interfaces[0].Name
	return nil
}

// forwardInterface reads a device. How many guests use it is told, not read.
func (d *decoder) forwardInterface(e *xmltree.Node) (Device, error) {
	if !e.Has("dev") {
		return Device{}, refuse(e.At, classXML, "Missing required dev attribute in <forward> <interface> element of network %s", d.network)
	}
	return Device{Name: e.Value("dev")}, nil
}

// pciAddresses reads devices by their place on the PCI bus.
func (d *decoder) pciAddresses(addresses []*xmltree.Node, f *Forward) error {
	for _, c := range addresses {
		kind := c.Value("type")
		switch {
		case !c.Has("type"):
			return refuse(c.At, classXML, "missing address type in network %s", d.network)
		case kind == "none" || kind == "netdev":
			return refuse(c.Place("type"), classXML, "unsupported address type '%s' in network %s", kind, d.network)
		case kind != "pci":
			return refuse(c.Place("type"), classUnsupported, "unknown address type '%s' in network %s", kind, d.network)
		}
		a, err := pciAddress(c)
		if err != nil {
			return err
		}
		if slices.Contains(f.Addresses, a) {
			return refuse(c.At, classXML, "PCI device '%s' can only be listed once in network %s", a.name(), d.network)
		}
		f.Addresses = append(f.Addresses, a)
	}
	return nil
}

// pciAddress reads a place on the PCI bus. A number that is missing is 0.
func pciAddress(e *xmltree.Node) (PCIAddress, error) {
	a := PCIAddress{Type: "pci"}
	var numbers [4]uint64
	for i, name := range []string{"domain", "bus", "slot", "function"} {
		written, has := e.Attribute(name)
		var ok bool
		numbers[i], ok = parseUnsigned(written.Value, 0, 32)
		if has && !ok {
			return a, badValue(e, written, " Expected non-negative integer value")
		}
	}
	if more, has := e.Attribute("multifunction"); has && more.Value != "on" && more.Value != "off" {
		return a, badValue(e, more, "")
	}
	switch {
	case numbers[1] > 0xff:
		return a, refuse(e.Place("bus"), classXML, "Invalid PCI address bus='0x%x', must be <= 0xFF", numbers[1])
	case numbers[2] > 0x1f:
		return a, refuse(e.Place("slot"), classXML, "Invalid PCI address slot='0x%x', must be <= 0x1F", numbers[2])
	case numbers[3] > 7:
		return a, refuse(e.Place("function"), classXML, "Invalid PCI address function=0x%x, must be <= 7", numbers[3])
	}
	a.Domain, a.Bus = fmt.Sprintf("0x%04x", numbers[0]), fmt.Sprintf("0x%02x", numbers[1])
	a.Slot, a.Function = fmt.Sprintf("0x%02x", numbers[2]), fmt.Sprintf("0x%x", numbers[3])
	return a, nil
}

// name is a place on the PCI bus as the kernel writes it.
func (a PCIAddress) name() string {
	digits := func(s string) string { return s[min(2, len(s)):] }
	return digits(a.Domain) + ":" + digits(a.Bus) + ":" + digits(a.Slot) + "." + digits(a.Function)
}
