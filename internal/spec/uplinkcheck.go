package spec

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// gateways are the next hops of an uplink; none where they cannot be read.
func (u *Uplink) gateways() []netip.Addr {
	list, _ := u.Gateway.List()
	return list
}

// uplink checks one way out of a router.
func (c *checker) uplink(path string, r *Router, u *Uplink) {
	c.uplinkOn(path, r, u)
	addresses, sound := c.uplinkAddresses(Field(path, "address"), u)
	if sound {
		c.uplinkGateways(Field(path, "gateway"), u, addresses)
	}
	c.learning(path, u, addresses)
	c.uplinkNumbers(path, u, addresses)
	c.bandwidth(Field(path, "bandwidth"), u.Bandwidth)
	if sound && u.Host != "" {
		c.hostLink(path, u, addresses)
	}
}

// uplinkOn wants exactly one of the four things an uplink can be on.
func (c *checker) uplinkOn(path string, r *Router, u *Uplink) {
	const hint = "write one of bridge: br0, network: NAME, nic: eth0 or host: nat"
	var set []string
	for _, on := range []struct{ key, value string }{{"bridge", u.Bridge}, {"network", u.Network}, {"nic", u.NIC}, {"host", string(u.Host)}} {
		if on.value != "" {
			set = append(set, on.key)
		}
	}
	switch {
	case len(set) == 0:
		c.add(path, hint, "the uplink is on nothing")
		return
	case len(set) > 1:
		c.add(Field(path, set[1]), "remove all but one", "an uplink is on one thing, not on %s", strings.Join(set, " and "))
	}
	if u.Bridge != "" {
		c.addError(Field(path, "bridge"), "", CheckInterfaceName(u.Bridge))
	}
	if u.NIC != "" {
		c.addError(Field(path, "nic"), "", CheckInterfaceName(u.NIC))
	}
	if links := []HostLink{HostNAT, HostRoute}; u.Host != "" && !slices.Contains(links, u.Host) {
		c.add(Field(path, "host"), oneOf(string(u.Host), "ways", texts(links)), "%q is not a way to treat the router", string(u.Host))
	}
	if u.Network != "" {
		c.uplinkNetwork(Field(path, "network"), r, u)
	}
}

// uplinkNetwork checks an uplink on a network of ours.
func (c *checker) uplinkNetwork(path string, r *Router, u *Uplink) {
	n := known(c, path, "network", u.Network, c.spec.Networks)
	for _, i := range r.Interfaces {
		if i.Network == u.Network {
			c.add(path, "leave by another network", "the router is the gateway of network %q, it cannot leave by it", u.Network)
			return
		}
	}
	if n != nil && n.Direct != nil {
		c.add(path, "write nic: and one of "+orList(n.Direct.Devices), "network %q has no bridge to plug the router into, its ports are on NICs", u.Network)
	}
	if n == nil || n.Mode == Bridge {
		return
	}
	n = c.whole(u.Network, n)
	addresses, _ := u.Address.List()
	for _, a := range addresses {
		if len(n.Subnets) > 0 && checkUnicast(a.Addr()) == nil && !slices.ContainsFunc(n.Subnets, func(s Subnet) bool { return s.Address.IsValid() && s.Address.Contains(a.Addr()) }) {
			c.add(Field(Parent(path), "address"), "", "%s is in no subnet of network %q (%s)", a.Addr(), u.Network, subnetList(n.Subnets))
		}
	}
}

// uplinkAddresses checks the router's addresses on an uplink and tells whether all
// are sound.
func (c *checker) uplinkAddresses(path string, u *Uplink) (list []netip.Prefix, sound bool) {
	list, err := u.Address.List()
	if c.addError(path, "", err) || c.bare(path, u.Address) || !c.few(path, len(list), maxAddresses) {
		return list, false
	}
	before := len(c.problems)
	for i, p := range list {
		if checkUnicast(p.Addr()) == nil && c.addError(path, "", checkNotLinkLocal(p.Addr())) {
			continue
		}
		c.hostAddress(path, p, list[:i])
	}
	return list, len(c.problems) == before
}

// bare reports addresses of a router without a prefix length. A single address
// would be what they say, and is hardly ever meant.
func (c *checker) bare(path string, p Prefixes) bool {
	for _, word := range words(string(p)) {
		if a, err := netip.ParseAddr(word); err == nil {
			length := 24
			if a.Is6() {
				length = 64
			}
			c.add(path, fmt.Sprintf("write for instance %s/%d", a, length), "%q has no prefix length", word)
			return true
		}
	}
	return false
}

// uplinkGateways checks the next hops: one a family, reached on the uplink. A
// router with a single address (/32) reaches any: that is how providers do it.
func (c *checker) uplinkGateways(path string, u *Uplink, addresses []netip.Prefix) {
	if u.Gateway == "" {
		return
	}
	list, err := u.Gateway.List()
	if c.addError(path, "", err) {
		return
	}
	seen := map[string]bool{}
	for _, a := range list {
		of := addressesOf(addresses, a.Is4())
		switch {
		case c.addError(path, "", checkUnicast(a)):
		case seen[family(a)]:
			c.add(path, "remove one", "there is already an %s gateway", family(a))
		case a.Is4() && u.DHCP, a.Is6() && u.SLAAC: // told by learning
		case len(of) == 0:
			c.add(path, "add an "+family(a)+" address", "%s cannot be reached, the uplink has no %s address", a, family(a))
		case slices.ContainsFunc(of, func(p netip.Prefix) bool { return p.Addr() == a }):
			c.add(path, "write the address of the next router", "%s is the router's own address", a)
		case a.Is6() && a.IsLinkLocalUnicast(), slices.ContainsFunc(of, netip.Prefix.IsSingleIP):
		default:
			c.reached(path, a, of)
		}
		seen[family(a)] = true
	}
}

// reached wants an address that a host in one of the prefixes can have.
func (c *checker) reached(path string, a netip.Addr, of []netip.Prefix) {
	for _, p := range of {
		if p.Contains(a) {
			c.addError(path, "", checkHostPart(p, a))
			return
		}
	}
	c.add(path, "", "%s is not in the subnet of the uplink, %s", a, of[0].Masked())
}

func addressesOf(list []netip.Prefix, v4 bool) []netip.Prefix {
	var of []netip.Prefix
	for _, p := range list {
		if p.Addr().Is4() == v4 {
			of = append(of, p)
		}
	}
	return of
}

// learning checks what an uplink learns against what is written, and that it has
// an address at all.
func (c *checker) learning(path string, u *Uplink, addresses []netip.Prefix) {
	gateways := u.gateways()
	v4 := func(a netip.Addr) bool { return a.Is4() }
	v6 := func(a netip.Addr) bool { return a.Is6() }
	switch {
	case u.Host != "":
	case u.DHCP && len(addressesOf(addresses, true)) > 0:
		c.add(Field(path, "dhcp"), "remove one of them", "the IPv4 address is written and asked for by DHCP")
	case u.DHCP && slices.ContainsFunc(gateways, v4):
		c.add(Field(path, "gateway"), "remove it, or dhcp", "the IPv4 gateway comes by DHCP")
	}
	if u.Host == "" && u.SLAAC && slices.ContainsFunc(gateways, v6) {
		c.add(Field(path, "gateway"), "remove it, or slaac", "the IPv6 gateway comes by router advertisements")
	}
	if u.Address == "" && !u.DHCP && !u.SLAAC && u.Host == "" {
		c.add(Field(path, "address"), "write for instance address: 192.168.1.100/24, or dhcp: true", "the uplink has no address")
	}
}

func (c *checker) uplinkNumbers(path string, u *Uplink, addresses []netip.Prefix) {
	if u.Metric < 0 || int64(u.Metric) > maxMetric {
		c.add(Field(path, "metric"), "", "the metric %d is outside 0 to %d", u.Metric, int64(maxMetric))
	}
	ipv6 := u.SLAAC || len(addressesOf(addresses, false)) > 0
	c.bridgeSettings(path, MAC{}, u.MTU, false, 0, ipv6)
	c.routerMAC(Field(path, "mac"), u.MAC)
}

func (c *checker) routerMAC(path string, mac MAC) {
	if mac.IsMulticast() {
		c.add(path, "clear the lowest bit of the first byte", "%s is a multicast address, a router needs a unicast one", mac)
	}
}

// maxMetric is the largest metric of a default route of ours: the one that refuses
// what a kill switch keeps in comes after it.
const maxMetric = 1<<31 - 1

func (c *checker) bandwidth(path string, b *Bandwidth) {
	if b == nil {
		return
	}
	for key, l := range map[string]Limit{"in": b.In, "out": b.Out} {
		if _, err := ParseLimit(l.String()); l != (Limit{}) && err != nil {
			c.add(Field(path, key), "", "%v", err)
		}
	}
}
