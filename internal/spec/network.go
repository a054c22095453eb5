package spec

import (
	"maps"
	"slices"
)

// network checks one network by itself.
func (c *checker) network(path, name string, n *Network) {
	c.addError(path, "", CheckName(name))
	c.addError(Field(path, "title"), "use description for longer text", checkLine(n.Title))
	c.labels(Field(path, "labels"), n.Labels)
	if n.UUID != "" {
		c.addError(Field(path, "uuid"), "remove it to have one made", checkUUID(n.UUID))
	}
	c.mode(Field(path, "mode"), n.Mode)
	c.networkGuards(path, n)
	if n.Mode == Bridge {
		c.onHostBridge(path, n)
		return
	}
	if n.Bridge.Name != "" {
		c.addError(Field(Field(path, "bridge"), "name"), "remove it to have one made", CheckInterfaceName(n.Bridge.Name))
	}
	if n.Direct != nil {
		c.add(Field(path, "direct"), "remove it, or choose mode bridge", "mode %s has a bridge of its own for the ports", n.Mode)
	}
	c.bandwidth(Field(path, "bandwidth"), n.Bandwidth)
	c.leaving(path, n)
	c.company(path, name, n)
	if !c.few(Field(path, "subnets"), len(n.Subnets), maxSubnets) {
		return
	}
	c.subnets(Field(path, "subnets"), n.Subnets)
	c.routes(Field(path, "routes"), n)
	for i, s := range n.Subnets {
		c.slaac(Field(Index(Field(path, "subnets"), i), "slaac"), s, n.advertised())
	}
	n = c.whole(name, n)
	c.bridgeSettings(Field(path, "bridge"), n.Bridge.MAC, n.Bridge.MTU, n.Bridge.STP, n.Bridge.ForwardDelay, n.hasIPv6())
	c.networkDHCP(Field(path, "dhcp"), n)
	c.advertisements(Field(path, "ra"), n)
	c.dns(Field(path, "dns"), n)
}

func (c *checker) labels(path string, labels map[string]string) {
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key == "" {
			c.add(path, "", "a label needs a name")
		}
		c.addError(Field(path, key), "", checkLine(key))
		c.addError(Field(path, key), "", checkLine(labels[key]))
	}
}

func (c *checker) mode(path string, m Mode) {
	switch {
	case m == "":
		c.add(path, "write mode: "+orList(Modes), "the mode is missing")
	case !slices.Contains(Modes, m):
		c.add(path, oneOf(string(m), "modes", texts(Modes)), "%q is not a mode", string(m))
	}
}

// oneOf is the hint for a word that is none of those there are.
func oneOf(word, what string, words []string) string {
	if near := Nearest(word, words); near != "" {
		return "did you mean " + near + "?"
	}
	return "the " + what + " are " + orList(words)
}

func texts[T ~string](list []T) []string {
	var s []string
	for _, v := range list {
		s = append(s, string(v))
	}
	return s
}

// onHostBridge checks a network of mode bridge. It uses a bridge that is not
// ours, so whatever we would set on ours has no place in it.
func (c *checker) onHostBridge(path string, n *Network) {
	bridge := Field(path, "bridge")
	switch {
	case n.Direct != nil:
		c.direct(path, n)
	case n.Hollow():
	case n.Bridge.Name == "":
		c.add(Field(bridge, "name"), "name a bridge of the host, for instance bridge: {name: br0}, or NICs: direct: {devices: [eth1]}", "mode bridge needs the name of a bridge")
	default:
		c.addError(Field(bridge, "name"), "", CheckInterfaceName(n.Bridge.Name))
	}
	refuse := func(path string, set bool) {
		if set {
			c.add(path, "remove it, or choose another mode", "a network of mode bridge cannot have this: its guests are hosts of the LAN behind the bridge")
		}
	}
	refuse(Field(bridge, "mac"), !n.Bridge.MAC.IsZero())
	refuse(Field(bridge, "mtu"), n.Bridge.MTU != 0)
	refuse(Field(bridge, "stp"), n.Bridge.STP)
	refuse(Field(bridge, "forwardDelay"), n.Bridge.ForwardDelay != 0)
	refuse(Field(path, "uplink"), n.Uplink != "")
	refuse(Field(path, "subnets"), len(n.Subnets) > 0)
	refuse(Field(path, "routes"), len(n.Routes) > 0)
	refuse(Field(path, "nat"), n.NAT != nil)
	refuse(Field(path, "dhcp"), n.DHCP != nil)
	refuse(Field(path, "ra"), n.RA != nil)
	refuse(Field(path, "dns"), n.DNS != nil)
	refuse(Field(path, "policy"), n.Policy != "")
	refuse(Field(path, "peers"), len(n.Peers) > 0)
	refuse(Field(path, "connections"), n.Connections != 0)
	if n.Bandwidth != nil {
		c.add(Field(path, "bandwidth"), "remove it, or choose another mode", "guests of mode bridge reach their LAN past the host: a limit on the bridge would hold back the host alone")
	}
}

// leaving checks what has to do with the way out of a network.
func (c *checker) leaving(path string, n *Network) {
	if (n.Mode == NAT || n.Mode == Route) && len(n.Subnets) == 0 {
		c.add(Field(path, "subnets"), "add subnets: [{address: 192.168.100.1/24}]", "mode %s needs a subnet", n.Mode)
	}
	if n.NAT != nil && n.Mode != NAT && n.Mode.Managed() {
		c.add(Field(path, "nat"), "remove it, or choose mode nat", "mode %s does not translate addresses", n.Mode)
	}
	if n.NAT != nil {
		c.natSource(Field(path, "nat"), n.NAT)
	}
	if n.Uplink == "" {
		return
	}
	switch {
	case n.Mode == Open:
		c.add(Field(path, "uplink"), "remove it, or choose mode route", "in mode open the host's own firewall and routes decide where guests leave")
	case n.Mode == Isolated:
		c.add(Field(path, "uplink"), "remove it, or choose mode nat or route", "guests of an isolated network do not leave it")
	default:
		c.addError(Field(path, "uplink"), "", CheckInterfaceName(n.Uplink))
	}
}

// natSource checks what guests leave with. The host need not hold the addresses:
// the outside may route them here.
func (c *checker) natSource(path string, nat *NATSettings) {
	switch a := nat.Address; {
	case a.IsZero():
	case !a.From.IsValid() || !a.To.IsValid():
		c.add(Field(path, "address"), "", "the range is missing an address")
	case c.addError(Field(path, "address"), "", checkUnicast(a.From)) || c.addError(Field(path, "address"), "", checkUnicast(a.To)):
	case !a.From.Is4() || !a.To.Is4():
		c.add(Field(path, "address"), "IPv6 leaves with the address of the interface; remove it, or use a router's egress: snat", "the source is to be IPv4, not %s", shortRange(a))
	case a.To.Less(a.From):
		c.add(Field(path, "address"), "", "the range %s is not in order", shortRange(a))
	}
	if p := nat.Ports; !p.IsZero() && (p.From == 0 || p.To < p.From) {
		c.add(Field(path, "ports"), "", "%d-%d is not a range of ports", p.From, p.To)
	}
}

func (n *Network) hasIPv6() bool {
	return slices.ContainsFunc(n.Subnets, func(s Subnet) bool { return s.Address.Addr().Is6() })
}
