package libvirtxml

import (
	"strings"

	"kvmnet/internal/xmltree"
)

// decoder makes the model out of elements, by libvirt's rules. Its errors name the
// network.
type decoder struct {
	network    string
	partial    bool // net-update looks for an entry by a part of it
	guaranteed bool // a port: its bandwidth may have a floor and a class
}

// decodeNetwork reads <network>. Its parts are read in libvirt's order: of several
// mistakes it tells the first.
func decodeNetwork(root *xmltree.Node) (*Network, error) {
	if root.Name != "network" {
		return nil, refuse(root.At, classXML, "expecting root element of 'network', not '%s'", root.Name)
	}
	n := &Network{Name: root.Element("name").Content()}
	d := &decoder{network: n.Name}
	for _, part := range []func(*xmltree.Node, *Network) error{
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
func (d *decoder) identity(root *xmltree.Node, n *Network) error {
	name := root.Element("name")
	switch {
	case n.Name == "" && name == nil:
		return refuse(root.At, "", "missing name information")
	case n.Name == "":
		return refuse(name.At, "", "missing name information")
	case strings.Contains(n.Name, "/"):
		return refuse(name.At, "", "invalid char in name: /")
	}
	if e := root.Element("uuid"); e.Content() != "" {
		uuid, ok := parseUUID(e.Content())
		if !ok {
			return refuse(e.At, classInternal, "malformed uuid element")
		}
		n.UUID = uuid
	}
	if title := root.Element("title").Content(); !strings.Contains(title, "\n") {
		n.Title = title
	}
	n.Description = root.Element("description").Content()
	return nil
}

// settings reads the attributes of the root.
func (d *decoder) settings(root *xmltree.Node, n *Network) (err error) {
	switch ipv6 := root.Own("ipv6"); ipv6 {
	case "yes":
		n.IPv6 = ipv6
	case "no", "":
	default:
		return refuse(root.Place("ipv6"), classXML, "Invalid ipv6 setting '%s' in network '%s'", ipv6, d.network)
	}
	n.TrustGuestRxFilters, err = yesNo(root, "trustGuestRxFilters")
	return err
}

// domain reads <domain>, which says nothing without a name. Its attribute register
// is newer than libvirt 9.0, which ignores it, so what is wrong with it is no error.
func (d *decoder) domain(root *xmltree.Node, n *Network) error {
	e := root.Element("domain")
	localOnly, err := yesNo(e, "localOnly")
	if err != nil || !e.Has("name") {
		return err
	}
	n.Domain = &Domain{Name: e.Value("name"), LocalOnly: localOnly}
	if e.Value("register") == "no" || e.Value("register") == "yes" && localOnly == "yes" {
		n.Domain.Register = e.Value("register")
	}
	return nil
}

// traffic reads what applies to all ports: limits, VLANs, isolation.
func (d *decoder) traffic(root *xmltree.Node, n *Network) (err error) {
	if n.Bandwidth, err = d.bandwidth(root.Element("bandwidth")); err != nil {
		return err
	}
	if n.VLAN, err = d.vlan(root.Element("vlan")); err != nil {
		return err
	}
	n.Isolated, err = d.isolated(root)
	return err
}

// isolated reads <port isolated=…> inside an element.
func (d *decoder) isolated(n *xmltree.Node) (string, error) {
	return yesNo(n.Element("port"), "isolated")
}

// services reads <dns>.
func (d *decoder) services(root *xmltree.Node, n *Network) (err error) {
	n.DNS, err = d.dns(root.Element("dns"))
	return err
}

// virtualPort reads <virtualport> of the whole network, which needs a type.
func (d *decoder) virtualPort(root *xmltree.Node, n *Network) (err error) {
	n.VirtualPort, err = d.virtualport(root.Element("virtualport"), true)
	return err
}

// portGroups reads every <portgroup>.
func (d *decoder) portGroups(root *xmltree.Node, n *Network) error {
	for _, e := range root.Elements("portgroup") {
		g, err := d.portGroup(e)
		if err != nil {
			return err
		}
		n.PortGroups = append(n.PortGroups, g)
	}
	return nil
}

// addresses reads every <ip> and every <route>.
func (d *decoder) addresses(root *xmltree.Node, n *Network) error {
	for _, e := range root.Elements("ip") {
		ip, err := d.ip(e)
		if err != nil {
			return err
		}
		n.IPs = append(n.IPs, ip)
	}
	routes := root.Elements("route")
	for _, e := range routes {
		r, err := d.route(e)
		if err != nil {
			return err
		}
		n.Routes = append(n.Routes, r)
	}
	for i, e := range routes {
		if !reachable(n.Routes[i].Gateway, n.IPs) {
			return refuse(e.Place("gateway"), classUnsupported, "unreachable static route gateway '%s' specified for network '%s'", n.Routes[i].Gateway, d.network)
		}
	}
	return nil
}

// rest reads what is kept as it is.
func (d *decoder) rest(root *xmltree.Node, n *Network) (err error) {
	n.Metadata = metadata(root.Element("metadata"))
	n.DnsmasqLines, err = dnsmasqLines(root)
	return err
}

// first is the first of elements, nil when there are none.
func first(elements []*xmltree.Node) *xmltree.Node {
	if len(elements) == 0 {
		return nil
	}
	return elements[0]
}
