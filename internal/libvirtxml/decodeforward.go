package libvirtxml

import (
	"slices"
	"strings"
)

// forwardModes are the words for how guests leave a network.
var forwardModes = []string{"none", "nat", "route", "open", "bridge", "private", "vepa", "passthrough", "hostdev"}

// outside reads <forward> and checks what else depends on it.
func (d *decoder) outside(root *node, n *Network) error {
	e := first(root.elements("forward"))
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
func (d *decoder) forward(e *node) (*Forward, error) {
	f := &Forward{Mode: e.own("mode")}
	if f.Mode == "" {
		f.Mode = "nat"
	}
	if !slices.Contains(forwardModes, f.Mode) {
		return nil, refuse(e.place("mode"), classUnsupported, "unknown forwarding type '%s'", f.Mode)
	}
	if f.Mode == "hostdev" {
		f.Managed = "no"
		if strings.EqualFold(e.own("managed"), "yes") {
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
func (d *decoder) driver(e *node, f *Forward) error {
	c := first(e.elements("driver"))
	if c == nil {
		return nil
	}
	driver := &Driver{Name: c.own("name"), Model: c.own("model")}
	if driver.Name != "" && driver.Name != "kvm" && driver.Name != "vfio" {
		return refuse(c.place("name"), classUnsupported, "Unknown forward <driver name='%s'/> in network %s", driver.Name, d.network)
	}
	if driver.Name != "" || driver.Model != "" {
		f.Driver = driver
	}
	return nil
}

// nats reads the one <nat> there may be.
func (d *decoder) nats(e *node, f *Forward) (err error) {
	nats := e.elements("nat")
	switch {
	case len(nats) == 0:
		return nil
	case len(nats) > 1:
		return refuse(nats[1].at, classXML, "Only one <nat> element is allowed in <forward> of network %s", d.network)
	case f.Mode != "nat":
		return refuse(nats[0].at, classXML, "The <nat> element can only be used when <forward> 'mode' is 'nat' in network %s", d.network)
	}
	f.NAT, err = d.nat(nats[0])
	return err
}

// nat reads what refines mode nat.
func (d *decoder) nat(e *node) (*NAT, error) {
	n := &NAT{}
	var err error
	if n.IPv6, err = e.yesNo("ipv6"); err != nil {
		return nil, err
	}
	addresses, ports := e.elements("address"), e.elements("port")
	switch {
	case len(addresses) > 1:
		return nil, refuse(addresses[1].at, classXML, "Only one <address> element is allowed in <nat> in <forward> in network %s", d.network)
	case len(addresses) == 1:
		if err := d.natAddress(addresses[0], n); err != nil {
			return nil, err
		}
	}
	switch {
	case len(ports) > 1:
		return nil, refuse(ports[1].at, classXML, "Only one <port> element is allowed in <nat> in <forward> in network %s", d.network)
	case len(ports) == 1:
		return n, d.natPorts(ports[0], n)
	}
	return n, nil
}

// natAddress reads the addresses that guests get outside.
func (d *decoder) natAddress(e *node, n *NAT) error {
	for _, name := range []string{"start", "end"} {
		if !e.has(name) {
			return refuse(e.at, classXML, "missing '%s' attribute in <address> element in <nat> in <forward> in network %s", name, d.network)
		}
	}
	for _, end := range []struct {
		name string
		to   *string
	}{{"start", &n.Start}, {"end", &n.End}} {
		a, ok := parseAddress(e.value(end.name))
		if !ok || !a.Is4() {
			return refuse(e.place(end.name), classXML, "Bad ipv4 %s address '%s' in <nat> in <forward> in network '%s'", end.name, e.value(end.name), d.network)
		}
		*end.to = formatAddress(a)
	}
	return checkRange(e.place("start"), addressOf(n.Start), addressOf(n.End), nil)
}

// natPorts reads the ports that guests get outside.
func (d *decoder) natPorts(e *node, n *NAT) error {
	var ends [2]uint64
	for i, name := range []string{"start", "end"} {
		value, ok := parseUnsigned(e.own(name), 10, 32)
		if !ok || value > 65535 || value < ends[0] {
			return refuse(e.place(name), "", "Missing or invalid '%s' attribute in <port> in <nat> in <forward> in network %s", name, d.network)
		}
		ends[i] = value
	}
	n.PortStart, n.PortEnd = int(ends[0]), int(ends[1])
	return nil
}
