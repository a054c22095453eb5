package spec

import (
	"net/netip"
	"slices"
)

// hostBridge checks one bridge of the host by itself.
func (c *checker) hostBridge(path, name string, b *HostBridge) {
	c.addError(path, "", CheckInterfaceName(name))
	if !c.few(Field(path, "ports"), len(b.Ports), maxBridgePorts) || !c.few(Field(path, "addresses"), len(b.Addresses), maxAddresses) {
		return
	}
	for i, port := range b.Ports {
		p := Index(Field(path, "ports"), i)
		switch {
		case port == name:
			c.add(p, "", "a bridge cannot be a port of itself")
		case slices.Contains(b.Ports[:i], port):
			c.add(p, "remove it", "%q is listed twice", port)
		default:
			c.addError(p, "", CheckInterfaceName(port))
		}
	}
	for i, a := range b.Addresses {
		c.hostAddress(Index(Field(path, "addresses"), i), a, b.Addresses[:i])
	}
	c.gateways(Field(path, "gateway"), b)
	ipv6 := slices.ContainsFunc(b.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() })
	c.bridgeSettings(path, b.MAC, b.MTU, b.STP, b.ForwardDelay, ipv6)
}

func (c *checker) hostAddress(path string, p netip.Prefix, before []netip.Prefix) {
	switch {
	case !p.IsValid():
		c.add(path, "", "the address is missing")
	case c.addError(path, "", checkUnicast(p.Addr())):
	case c.addError(path, "", checkHostPart(p, p.Addr())):
	case p.Bits() == 0:
		c.add(path, "", "%s is every address, not a subnet", p)
	case slices.ContainsFunc(before, func(q netip.Prefix) bool { return q.Addr() == p.Addr() }):
		c.add(path, "remove it", "%s is listed twice", p.Addr())
	}
}

// gateways checks the default routes: one a family, and reached on the bridge.
// An IPv6 router is often known by its link-local address, which always is.
func (c *checker) gateways(path string, b *HostBridge) {
	sound := !slices.ContainsFunc(b.Addresses, func(p netip.Prefix) bool { return !p.IsValid() })
	seen := map[string]bool{}
	for i, a := range b.Gateway {
		p := Index(path, i)
		inside := func(q netip.Prefix) bool { return q.IsValid() && q.Contains(a) }
		own := func(q netip.Prefix) bool { return q.Addr() == a }
		switch {
		case c.addError(p, "", checkUnicast(a)):
		case seen[family(a)]:
			c.add(p, "remove one", "there is already an %s gateway", family(a))
		case slices.ContainsFunc(b.Addresses, own):
			c.add(p, "", "%s is the bridge's own address", a)
		case a.Is6() && a.IsLinkLocalUnicast():
		case sound && !slices.ContainsFunc(b.Addresses, inside):
			c.add(p, "", "%s is in no subnet of the bridge's addresses", a)
		}
		seen[family(a)] = true
	}
}
