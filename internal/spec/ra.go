package spec

import "slices"

// Limits of router advertisements (RFC 4861 section 6.2.1).
const (
	shortestInterval Seconds = 4
	longestInterval  Seconds = 1800
	longestRouter    Seconds = 9000

	maxRARoutes = 32 // of 24 bytes; one packet carries everything
)

var preferences = []string{"low", "medium", "high"}

// advertised reports whether the network's prefixes are advertised.
func (n *Network) advertised() bool { return n.RA == nil || Truth(n.RA.Enabled) }

// advertisements checks the router advertisements of a network with all its
// subnets.
func (c *checker) advertisements(path string, n *Network) {
	if n.RA == nil {
		return
	}
	if Truth(n.RA.Enabled) && !n.hasIPv6() {
		c.refer(path, "add an IPv6 subnet, or remove it", "the network has no IPv6 subnet to advertise")
	}
	c.raTimes(path, n.RA)
	c.preference(Field(path, "preference"), n.RA.Preference)
	if h := n.RA.HopLimit; h < 0 || h > 255 {
		c.add(Field(path, "hopLimit"), "", "the hop limit %d is outside 1 to 255", h)
	}
	if !c.few(Field(path, "routes"), len(n.RA.Routes), maxRARoutes) {
		return
	}
	for i, r := range n.RA.Routes {
		c.raRoute(Index(Field(path, "routes"), i), r, n.RA.Routes[:i])
	}
}

// slaac checks that guests can make addresses: half of one is the prefix.
func (c *checker) slaac(path string, s Subnet, advertised bool) {
	switch {
	case s.SLAAC == nil || !s.Address.IsValid():
	case s.Address.Addr().Is4():
		c.add(path, "remove it", "%s is IPv4, slaac is for IPv6", s.Address.Masked())
	case *s.SLAAC && s.Address.Bits() != 64:
		c.add(path, "use a /64, or DHCPv6", "guests can make addresses in a /64 only (RFC 4862), %s is none", s.Address.Masked())
	case *s.SLAAC && !advertised:
		c.add(path, "remove it, or enable ra", "guests learn the prefix from router advertisements, which are off")
	}
}

func (c *checker) raTimes(path string, ra *RA) {
	if ra.Interval != 0 && (ra.Interval < shortestInterval || ra.Interval > longestInterval) {
		c.add(Field(path, "interval"), "", "the interval %s is outside %s to %s", ra.Interval, shortestInterval, longestInterval)
		return
	}
	if ra.Lifetime == nil || *ra.Lifetime == 0 {
		return
	}
	switch life := *ra.Lifetime; {
	case life < 0 || life > longestRouter:
		c.add(Field(path, "lifetime"), "", "the lifetime %s is outside 0s to %s", life, longestRouter)
	case life < ra.Interval:
		c.add(Field(path, "lifetime"), "make it three intervals", "guests would forget the router after %s, before the next advertisement (%s)", life, ra.Interval)
	}
}

func (c *checker) preference(path, word string) {
	if word != "" && !slices.Contains(preferences, word) {
		c.add(path, oneOf(word, "preferences", preferences), "%q is not a preference", word)
	}
}

func (c *checker) raRoute(path string, r RARoute, before []RARoute) {
	to := Field(path, "to")
	switch {
	case !r.To.IsValid():
		c.add(to, "write a prefix such as fd00:20::/48", "the prefix is missing")
	case r.To.Addr().Is4() || r.To.Addr().Is4In6():
		c.add(to, "for IPv4 set the DHCP option routes", "%s is IPv4, router advertisements carry IPv6 routes", r.To)
	case r.To != r.To.Masked():
		c.add(to, "write "+r.To.Masked().String(), "%s has bits set after its first %d", r.To, r.To.Bits())
	case r.To.Addr().IsMulticast() || r.To.Addr().IsLoopback() || r.To.Addr().IsLinkLocalUnicast():
		c.add(to, "", "%s is not a prefix that hosts can have", r.To)
	case slices.ContainsFunc(before, func(other RARoute) bool { return other.To == r.To }):
		c.add(to, "remove it", "%s is listed twice", r.To)
	}
	if l := r.Lifetime; l != Infinite && (l < 0 || l > longestLease) {
		c.add(Field(path, "lifetime"), "write infinite for a route without end", "the lifetime %s is outside 1s to %s", l, longestLease)
	}
	c.preference(Field(path, "preference"), r.Preference)
}
