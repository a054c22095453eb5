package libvirtxml

import (
	"slices"
	"strings"

	"kvmnet/internal/xmltree"
)

// forwardModes are the words for how guests leave a network.
var forwardModes = []string{"none", "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev"}

// outside reads <forward> and checks what else depends on it.
func (d *decoder) outside(root *xmltree.Node, n *Network) error {
	e := root.Element("forward")
	if e != nil {
		f, err := d.forward(e)
		if err != nil {
			return err
		}
		if f.Mode != "none" {
			n.Forward = f
		}
	}
	return d.fits(root, e, n)
}

// forward reads <forward>.
func (d *decoder) forward(e *xmltree.Node) (*Forward, error) {
	f := &Forward{Mode: e.Own("mode")}
	if f.Mode == "" {
		f.Mode = "nat"
	}
	if !slices.Contains(forwardModes, f.Mode) {
		return nil, refuse(e.Place("mode"), classUnsupported, "unknown forwarding type '%s'", f.Mode)
	}
	if f.Mode == "hostdev" {
		f.Managed = "no"
		if strings.EqualFold(e.Own("managed"), "yes") {
			f.Managed = "yes"
		}
	}
	if err := d.driver(e, f); err != nil {
		return nil, err
	}
	if err := d.nats(e, f); err != nil {
		return nil, err
	}
	return f, d.devices(e, f)
}

// driver reads what drives the devices. Its model is newer than libvirt 9.0.
func (d *decoder) driver(e *xmltree.Node, f *Forward) error {
	c := e.Element("driver")
	if c == nil {
		return nil
	}
	driver := &Driver{Name: c.Own("name"), Model: c.Own("model")}
	if driver.Name != "" && driver.Name != "kvm" && driver.Name != "vfio" {
		return refuse(c.Place("name"), classUnsupported, "Unknown forward <driver name='%s'/> in network %s", driver.Name, d.network)
	}
	if driver.Name != "" || driver.Model != "" {
		f.Driver = driver
	}
	return nil
}

// nats reads the one <nat> there may be.
func (d *decoder) nats(e *xmltree.Node, f *Forward) (err error) {
	nats := e.Elements("nat")
	switch {
	case len(nats) == 0:
		return nil
	case len(nats) > 1:
		return refuse(nats[1].At, classXML, "Only one <nat> element is allowed in <forward> of network %s", d.network)
	case f.Mode != "nat":
		return refuse(nats[0].At, classXML, "The <nat> element can only be used when <forward> 'mode' is 'nat' in network %s", d.network)
	}
	f.NAT, err = d.nat(nats[0])
	return err
}

// nat reads what refines mode nat.
func (d *decoder) nat(e *xmltree.Node) (*NAT, error) {
	n := &NAT{}
	var err error
	if n.IPv6, err = yesNo(e, "ipv6"); err != nil {
		return nil, err
	}
	addresses, ports := e.Elements("address"), e.Elements("port")
	switch {
	case len(addresses) > 1:
		return nil, refuse(addresses[1].At, classXML, "Only one <address> element is allowed in <nat> in <forward> in network %s", d.network)
	case len(addresses) == 1:
		if err := d.natAddress(addresses[0], n); err != nil {
			return nil, err
		}
	}
	switch {
	case len(ports) > 1:
		return nil, refuse(ports[1].At, classXML, "Only one <port> element is allowed in <nat> in <forward> in network %s", d.network)
	case len(ports) == 1:
		return n, d.natPorts(ports[0], n)
	}
	return n, nil
}

// natAddress reads the addresses that guests get outside.
func (d *decoder) natAddress(e *xmltree.Node, n *NAT) error {
	for _, name := range []string{"start", "end"} {
		if !e.Has(name) {
			return refuse(e.At, classXML, "missing '%s' attribute in <address> element in <nat> in <forward> in network %s", name, d.network)
		}
	}
	for _, end := range []struct {
		name string
		to   *string
	}{{"start", &n.Start}, {"end", &n.End}} {
		a, ok := parseAddress(e.Value(end.name))
		if !ok || !a.Is4() {
			return refuse(e.Place(end.name), classXML, "Bad ipv4 %s address '%s' in <nat> in <forward> in network '%s'", end.name, e.Value(end.name), d.network)
		}
		*end.to = formatAddress(a)
	}
	return checkRange(e.Place("start"), addressOf(n.Start), addressOf(n.End), nil)
}

// natPorts reads the ports that guests get outside.
func (d *decoder) natPorts(e *xmltree.Node, n *NAT) error {
	var ends [2]uint64
	for i, name := range []string{"start", "end"} {
		value, ok := parseUnsigned(e.Own(name), 10, 32)
		if !ok || value > 65535 || value < ends[0] {
			return refuse(e.Place(name), "", "Missing or invalid '%s' attribute in <port> in <nat> in <forward> in network %s", name, d.network)
		}
		ends[i] = value
	}
	n.PortStart, n.PortEnd = int(ends[0]), int(ends[1])
	return nil
}
