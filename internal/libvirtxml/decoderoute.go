package libvirtxml

import (
	"net/netip"
	"strconv"
	"strings"

	"kvmnet/internal/xmltree"
)

// route reads a route of the host to what lies behind a guest.
func (d *decoder) route(e *xmltree.Node) (Route, error) {
	r := Route{Family: e.Value("family")}
	prefix, hasPrefix, err := unsigned(e, "prefix", 32)
	if err != nil {
		return r, err
	}
	if r.Metric, err = metric(e); err != nil {
		return r, err
	}
	if hasPrefix {
		r.Prefix = strconv.FormatUint(prefix, 10)
	}
	for _, name := range []string{"address", "gateway"} {
		if !e.Has(name) {
			return r, d.badRoute(e.At, "Missing required %s attribute in route definition", name)
		}
	}
	if err := d.routeAddresses(e, &r); err != nil {
		return r, err
	}
	if err := d.routeFamily(e, r, prefix); err != nil {
		return r, err
	}
	if !isSubnet(addressOf(r.Address), r.prefixLength()) {
		return r, d.badRoute(e.Place("address"), "Address '%s' in route definition is not a network address", e.Value("address"))
	}
	return r, nil
}

// routeAddresses reads where a route leads and by whom.
func (d *decoder) routeAddresses(e *xmltree.Node, r *Route) error {
	for _, part := range []struct {
		name, kind string
		to         *string
	}{{"address", "network", &r.Address}, {"gateway", "gateway", &r.Gateway}, {"netmask", "netmask", &r.Netmask}} {
		a, ok := parseAddress(e.Value(part.name))
		if e.Has(part.name) && !ok {
			return d.badRoute(e.Place(part.name), "Bad %s address '%s' in route definition", part.kind, e.Value(part.name))
		}
		if ok {
			*part.to = formatAddress(a)
		}
	}
	return nil
}

// badRoute is an error of a route; unlike others it begins with the network's name.
func (d *decoder) badRoute(at int, format string, values ...any) error {
	return refuse(at, classXML, "%s: "+format, append([]any{d.network}, values...)...)
}

func metric(n *xmltree.Node) (int, error) {
	metric, has, err := unsigned(n, "metric", 32)
	if err != nil {
		return 0, err
	}
	if has && metric == 0 {
		return 0, refuse(n.Place("metric"), classXML, "Invalid value for attribute 'metric' in element 'route': Zero is not permitted")
	}
	return int(metric), nil
}

// routeFamily checks that the addresses of a route are of its family.
func (d *decoder) routeFamily(e *xmltree.Node, r Route, prefix uint64) error {
	address, gateway := addressOf(r.Address), addressOf(r.Gateway)
	switch {
	case e.Has("family") && r.Family != "ipv4" && r.Family != "ipv6":
		return d.badRoute(e.Place("family"), "Unrecognized family '%s' in route definition", r.Family)
	case r.Family == "ipv6":
		return d.routeIs6(e, r, prefix)
	}
	family := "No"
	if r.Family == "ipv4" {
		family = "IPv4"
	}
	switch {
	case !address.Is4():
		return d.badRoute(e.Place("address"), "%s family specified for non-IPv4 address '%s' in route definition", family, e.Value("address"))
	case !gateway.Is4():
		return d.badRoute(e.Place("gateway"), "%s family specified for non-IPv4 gateway '%s' in route definition", family, e.Value("address"))
	case strings.Contains(r.Netmask, ":"):
		return d.badRoute(e.Place("netmask"), "Invalid netmask '%s' for address '%s' (both must be IPv4)", e.Value("netmask"), e.Value("address"))
	case r.Netmask != "" && r.Prefix != "":
		return d.badRoute(e.Place("prefix"), "Route definition cannot have both a prefix and a netmask")
	case prefix > 32:
		return d.badRoute(e.Place("prefix"), "Invalid prefix %d specified in route definition, must be 0 - 32", prefix)
	}
	return nil
}

func (d *decoder) routeIs6(e *xmltree.Node, r Route, prefix uint64) error {
	switch {
	case !addressOf(r.Address).Is6():
		return d.badRoute(e.Place("address"), "ipv6 family specified for non-IPv6 address '%s' in route definition", e.Value("address"))
	case r.Netmask != "":
		return d.badRoute(e.Place("netmask"), "Specifying netmask invalid for IPv6 address '%s' in route definition", e.Value("address"))
	case !addressOf(r.Gateway).Is6():
		return d.badRoute(e.Place("gateway"), "ipv6 specified for non-IPv6 gateway address '%s' in route definition", e.Value("gateway"))
	case prefix > 128:
		return d.badRoute(e.Place("prefix"), "Invalid prefix %d specified in route definition, must be 0 - 128", prefix)
	}
	return nil
}

// prefixLength is the length of the subnet a route leads to. Without one the address
// has to be that of all addresses: nothing is made of its class.
func (r Route) prefixLength() int {
	if bits, err := strconv.Atoi(r.Prefix); err == nil {
		return bits
	}
	if r.Netmask != "" {
		return maskLength(addressOf(r.Netmask))
	}
	return 0
}

// isSubnet reports whether an address is the first of a subnet of a length.
func isSubnet(a netip.Addr, bits int) bool {
	p, err := a.Prefix(bits)
	return err == nil && p.Addr() == a
}

// reachable reports whether one of a network's subnets has an address.
func reachable(address string, ips []IP) bool {
	a := addressOf(address).WithZone("")
	for _, ip := range ips {
		p, err := addressOf(ip.Address).WithZone("").Prefix(ip.prefixLength())
		if err == nil && p.Contains(a) {
			return true
		}
	}
	return false
}
