package spec

import (
	"fmt"
	"net/netip"
	"strings"
)

// Validate checks every rule and returns all problems, ordered by path. It holds
// for a Spec before and after Default alike. A clash of two objects is reported
// on both, so that each side's file can be pointed at.
func (s *Spec) Validate() []Problem {
	c := &checker{spec: s, ends: s.routerEnds(), holders: s.Holders()}
	c.nilObjects()
	for name, n := range sorted(s.Networks) {
		c.network(Field("networks", name), name, n)
	}
	for name, b := range sorted(s.Bridges) {
		c.hostBridge(Field("bridges", name), name, b)
	}
	for name, p := range sorted(s.Ports) {
		c.port(Field("ports", name), name, p)
	}
	for name, r := range sorted(s.Routers) {
		c.router(Field("routers", name), name, r)
	}
	for name, f := range sorted(s.Forwards) {
		c.forward(Field("forwards", name), name, f)
	}
	for name, p := range sorted(s.Policies) {
		c.policy(Field("policies", name), name, p)
	}
	for name, set := range sorted(s.Sets) {
		c.addressSet(Field("sets", name), name, set)
	}
	c.together()
	return c.sorted()
}

// together checks what objects say of the same things.
func (c *checker) together() {
	c.interfaces()
	c.macs()
	c.uuids()
	c.overlaps()
	c.hostRoutes()
	c.guestAddresses()
	c.segments()
	c.circles()
	c.forwards()
}

// nilObjects reports what a JSON null leaves; the other rules skip it.
func (c *checker) nilObjects() {
	nils(c, "networks", c.spec.Networks)
	nils(c, "bridges", c.spec.Bridges)
	nils(c, "ports", c.spec.Ports)
	nils(c, "routers", c.spec.Routers)
	nils(c, "forwards", c.spec.Forwards)
	nils(c, "policies", c.spec.Policies)
	nils(c, "sets", c.spec.Sets)
}

func nils[T any](c *checker, kind string, objects map[string]*T) {
	for name, object := range objects {
		if object == nil {
			c.add(Field(kind, name), "", "the %s has no settings", Singular(kind))
		}
	}
}

// bridgeSettings are the rules that managed and host bridges share.
func (c *checker) bridgeSettings(path string, mac MAC, mtu int, stp bool, delay Seconds, ipv6 bool) {
	if mac.IsMulticast() {
		c.add(Field(path, "mac"), "clear the lowest bit of the first byte", "%s is a multicast address, a bridge needs a unicast one", mac)
	}
	switch {
	case mtu != 0 && (mtu < 68 || mtu > 65535):
		c.add(Field(path, "mtu"), "", "the MTU %d is outside 68 to 65535", mtu)
	case mtu != 0 && mtu < 1280 && ipv6:
		c.add(Field(path, "mtu"), "IPv6 needs links of 1280 bytes (RFC 8200 section 5)", "the MTU %d is too small for IPv6", mtu)
	}
	switch {
	case delay == 0:
	case !stp:
		c.add(Field(path, "forwardDelay"), "add stp: true or remove it", "the forward delay means nothing without STP")
	case delay < 2 || delay > 30:
		c.add(Field(path, "forwardDelay"), "", "the forward delay %s is outside 2s to 30s", delay)
	}
}

// Limits keep the time to compare everything with everything small. That of
// bridge ports is the kernel's (BR_MAX_PORTS).
const (
	maxBridgePorts = 1024
	maxSubnets     = 256 // of one network
	maxAddresses   = 256 // of one port or host bridge
)

// few reports a list that is longer than its limit and tells whether it is not.
func (c *checker) few(path string, n, limit int) bool {
	if n > limit {
		c.add(path, "", "the list has %d elements, at most %d are allowed", n, limit)
	}
	return n <= limit
}

// uuids reports networks that share a UUID.
func (c *checker) uuids() {
	users := map[string][]string{}
	for name, n := range sorted(c.spec.Networks) {
		if n.UUID != "" {
			id := strings.ToLower(n.UUID)
			users[id] = append(users[id], name)
		}
	}
	for _, names := range users {
		for i, name := range names {
			if len(names) > 1 {
				other := names[(i+1)%len(names)]
				c.add(Field(Field("networks", name), "uuid"), "remove it to have a new one made", "network %q has the same UUID", other)
			}
		}
	}
}

// hostRoutes reports routes that the kernel's main table cannot both hold.
func (c *checker) hostRoutes() {
	type key struct {
		to     netip.Prefix
		metric int
	}
	type user struct{ path, name string }
	users := map[key]user{}
	for name, n := range sorted(c.spec.Networks) {
		for i, r := range n.Routes {
			path := Field(Index(Field(Field("networks", name), "routes"), i), "to")
			k := key{r.To, r.Metric}
			if first, ok := users[k]; ok && r.To.IsValid() {
				const hint = "give one of them another metric"
				c.add(path, hint, "network %q has a route to %s with the same metric", first.name, r.To)
				c.add(first.path, hint, "network %q has a route to %s with the same metric", name, r.To)
				continue
			}
			users[k] = user{path, name}
		}
	}
}

// orList writes words for a hint: a, b or c.
func orList[T ~string](words []T) string {
	s := ""
	for i, w := range words {
		switch {
		case i == 0:
		case i == len(words)-1:
			s += " or "
		default:
			s += ", "
		}
		s += fmt.Sprint(w)
	}
	return s
}
