package spec

import (
	"net/netip"
	"slices"
)

// hostLink checks a link to the host: its end has the gateway's address.
func (c *checker) hostLink(path string, u *Uplink, addresses []netip.Prefix) {
	const hint = "write for instance address: 10.255.0.2/30 and gateway: 10.255.0.1"
	if u.DHCP || u.SLAAC {
		c.add(path, hint, "nobody gives addresses on a link to the host")
		return
	}
	if u.Address == "" || u.Gateway == "" {
		c.add(path, hint, "a link to the host needs the addresses of both ends: address and gateway")
		return
	}
	for _, p := range addresses {
		of := addressesOf(addresses, p.Addr().Is4())
		near := slices.ContainsFunc(u.gateways(), func(a netip.Addr) bool { return a.Is4() == p.Addr().Is4() })
		far := slices.ContainsFunc(u.gateways(), func(a netip.Addr) bool {
			return a.Is4() == p.Addr().Is4() && (p.IsSingleIP() || a.IsLinkLocalUnicast())
		})
		switch {
		case len(of) > 1:
			c.add(Field(path, "address"), "leave one", "a link to the host has one %s address", family(p.Addr()))
			return
		case !near:
			c.add(Field(path, "gateway"), "", "the host's end has no %s address", family(p.Addr()))
		case far:
			c.add(Field(path, "gateway"), "use the same subnet for both ends", "the host's end cannot be reached from %s", p)
		}
	}
}

// hostAddresses are the addresses of the host's end of a link to a router, with
// the prefix length of the router's.
func (u *Uplink) hostAddresses() []netip.Prefix {
	var list []netip.Prefix
	addresses, _ := u.Address.List()
	for _, a := range u.gateways() {
		for _, p := range addresses {
			if h := netip.PrefixFrom(a, p.Bits()); u.Host != "" && p.Contains(a) && soundPrefix(h) {
				list = append(list, h)
			}
		}
	}
	return list
}
