package libvirtxml

import "strings"

// decoder makes the model out of elements, by libvirt's rules. Its errors name the
// network.
type decoder struct {
	network    string
	partial    bool // net-update looks for an entry by a part of it
	guaranteed bool // a port: its bandwidth may have a floor and a class
}

// decodeNetwork reads <network>. Its parts are read in libvirt's order: of several
// mistakes it tells the first.
func decodeNetwork(root *node) (*Network, error) {
	if root.name != "network" {
		return nil, refuse(root.at, classXML, "expecting root element of 'network', not '%s'", root.name)
	}
	n := &Network{Name: first(root.elements("name")).content()}
	d := &decoder{network: n.Name}
	for _, part := range []func(*node, *Network) error{
		d.identity, d.settings, d.domain, d.traffic, d.link, d.services, d.virtualPort, d.portGroups, d.addresses, d.outside, d.rest,
	} {
		if err := part(root, n); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// identity reads the name, the UUID and what people say of the network. A title has
// one line; libvirt 9.0 knew no titles, so a longer one is ignored.
func (d *decoder) identity(root *node, n *Network) error {
	name := first(root.elements("name"))
	switch {
	case n.Name == "" && name == nil:
		return refuse(root.at, "", "missing name information")
	case n.Name == "":
		return refuse(name.at, "", "missing name information")
	case strings.Contains(n.Name, "/"):
		return refuse(name.at, "", "invalid char in name: /")
	}
	if e := first(root.elements("uuid")); e.content() != "" {
		uuid, ok := parseUUID(e.content())
		if !ok {
			return refuse(e.at, classInternal, "malformed uuid element")
		}
		n.UUID = uuid
	}
	if title := first(root.elements("title")).content(); !strings.Contains(title, "\n") {
		n.Title = title
	}
	n.Description = first(root.elements("description")).content()
	return nil
}

// settings reads the attributes of the root.
func (d *decoder) settings(root *node, n *Network) (err error) {
	switch ipv6 := root.own("ipv6"); ipv6 {
	case "yes":
		n.IPv6 = ipv6
	case "no", "":
	default:
		return refuse(root.place("ipv6"), classXML, "Invalid ipv6 setting '%s' in network '%s'", ipv6, d.network)
	}
	n.TrustGuestRxFilters, err = root.yesNo("trustGuestRxFilters")
	return err
}

// domain reads <domain>, which says nothing without a name. Its attribute register
// is newer than libvirt 9.0, which ignores it, so what is wrong with it is no error.
func (d *decoder) domain(root *node, n *Network) error {
	e := first(root.elements("domain"))
	localOnly, err := e.yesNo("localOnly")
	if err != nil || !e.has("name") {
		return err
	}
	n.Domain = &Domain{Name: e.value("name"), LocalOnly: localOnly}
	if e.value("register") == "no" || e.value("register") == "yes" && localOnly == "yes" {
		n.Domain.Register = e.value("register")
	}
	return nil
}

// traffic reads what applies to all ports: limits, VLANs, isolation.
func (d *decoder) traffic(root *node, n *Network) (err error) {
	if n.Bandwidth, err = d.bandwidth(first(root.elements("bandwidth"))); err != nil {
		return err
	}
	if n.VLAN, err = d.vlan(first(root.elements("vlan"))); err != nil {
		return err
	}
	n.Isolated, err = d.isolated(root)
	return err
}

// isolated reads <port isolated=…> inside an element.
func (d *decoder) isolated(n *node) (string, error) {
	return first(n.elements("port")).yesNo("isolated")
}

// services reads <dns>.
func (d *decoder) services(root *node, n *Network) (err error) {
	n.DNS, err = d.dns(first(root.elements("dns")))
	return err
}

// virtualPort reads <virtualport> of the whole network, which needs a type.
func (d *decoder) virtualPort(root *node, n *Network) (err error) {
	n.VirtualPort, err = d.virtualport(first(root.elements("virtualport")), true)
	return err
}

// portGroups reads every <portgroup>.
func (d *decoder) portGroups(root *node, n *Network) error {
	for _, e := range root.elements("portgroup") {
		g, err := d.portGroup(e)
		if err != nil {
			return err
		}
		n.PortGroups = append(n.PortGroups, g)
	}
	return nil
}

// addresses reads every <ip> and every <route>.
func (d *decoder) addresses(root *node, n *Network) error {
	for _, e := range root.elements("ip") {
		ip, err := d.ip(e)
		if err != nil {
			return err
		}
		n.IPs = append(n.IPs, ip)
	}
	routes := root.elements("route")
	for _, e := range routes {
		r, err := d.route(e)
		if err != nil {
			return err
		}
		n.Routes = append(n.Routes, r)
	}
	for i, e := range routes {
		if !reachable(n.Routes[i].Gateway, n.IPs) {
			return refuse(e.place("gateway"), classUnsupported, "unreachable static route gateway '%s' specified for network '%s'", n.Routes[i].Gateway, d.network)
		}
	}
	return nil
}

// rest reads what is kept as it is.
func (d *decoder) rest(root *node, n *Network) (err error) {
	n.Metadata = metadata(first(root.elements("metadata")))
	n.DnsmasqLines, err = dnsmasqLines(root)
	return err
}
