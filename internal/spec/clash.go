package spec

import (
	"fmt"
	"maps"
	"slices"
)

// claim is the use of something that only one object may have.
type claim struct {
	path string // of the value
	who  string // network "lab"
	role role
}

type role int

const (
	managedBridge role = iota
	ownHostBridge
	enslaved
	guestEnd
)

// interfaces reports interface names used twice, and names that refer to an
// interface of the wrong kind.
func (c *checker) interfaces() {
	claims := c.interfaceClaims()
	for _, name := range slices.Sorted(maps.Keys(claims)) {
		c.clash(claims[name], fmt.Sprintf("the interface name %q", name))
	}
	for name, n := range sorted(c.spec.Networks) {
		path := Field("networks", name)
		switch {
		case n.Mode == Bridge:
			c.bridgeReference(Field(Field(path, "bridge"), "name"), n.Bridge.Name, claims)
		case n.Uplink != "":
			c.uplinkReference(Field(path, "uplink"), n, claims)
		}
	}
}

// clash reports every claim of a thing that more than one object claims.
func (c *checker) clash(claims []claim, thing string) {
	for i, mine := range claims {
		if len(claims) > 1 {
			c.add(mine.path, "", "%s is also used by %s", thing, claims[(i+1)%len(claims)].who)
		}
	}
}

func (c *checker) interfaceClaims() map[string][]claim {
	claims := map[string][]claim{}
	add := func(name, path, who string, r role) {
		if name != "" {
			claims[name] = append(claims[name], claim{path, who, r})
		}
	}
	for name, n := range sorted(c.spec.Networks) {
		if n.Mode.Managed() {
			add(n.Bridge.Name, Field(Field(Field("networks", name), "bridge"), "name"), fmt.Sprintf("network %q", name), managedBridge)
		}
	}
	for name, b := range sorted(c.spec.Bridges) {
		path, who := Field("bridges", name), fmt.Sprintf("bridge %q", name)
		add(name, path, who, ownHostBridge)
		for i, port := range b.Ports[:min(len(b.Ports), maxBridgePorts)] {
			if port != name && !slices.Contains(b.Ports[:i], port) {
				add(port, Index(Field(path, "ports"), i), who, enslaved)
			}
		}
	}
	for name, p := range sorted(c.spec.Ports) {
		path, who := Field("ports", name), fmt.Sprintf("port %q", name)
		add(p.Interface, Field(path, "interface"), who, guestEnd)
		add(p.Peer, Field(path, "peer"), who, guestEnd)
	}
	return claims
}

// bridgeReference checks the bridge that a network of mode bridge names.
func (c *checker) bridgeReference(path, name string, claims map[string][]claim) {
	for _, other := range claims[name] {
		switch other.role {
		case managedBridge:
			c.add(path, "name a bridge of the host", "%q is the bridge of %s, which has its own mode", name, other.who)
		case enslaved:
			c.add(path, "name that bridge", "%q is a port of %s", name, other.who)
		case guestEnd:
			c.add(path, "name a bridge of the host", "%q is an interface of %s", name, other.who)
		}
	}
}

// uplinkReference checks the interface by which guests shall leave.
func (c *checker) uplinkReference(path string, n *Network, claims map[string][]claim) {
	if n.Uplink == n.Bridge.Name {
		c.add(path, "name an interface of the host", "%q is the network's own bridge", n.Uplink)
		return
	}
	for _, other := range claims[n.Uplink] {
		switch other.role {
		case enslaved:
			c.add(path, "name that bridge", "%q is a port of %s, packets leave by the bridge", n.Uplink, other.who)
		case guestEnd:
			c.add(path, "name an interface of the host", "%q is an interface of %s", n.Uplink, other.who)
		}
	}
}

// macs reports addresses that two interfaces have, or that a reservation and a
// bridge have. A port and a reservation of one guest share theirs.
func (c *checker) macs() {
	claims := map[MAC][]claim{}
	bridges := map[MAC]string{}
	add := func(mac MAC, path, who string, bridge bool) {
		if mac.IsZero() {
			return
		}
		claims[mac] = append(claims[mac], claim{path: path, who: who})
		if bridge {
			bridges[mac] = who
		}
	}
	for name, n := range sorted(c.spec.Networks) {
		if n.Mode.Managed() {
			add(n.Bridge.MAC, Field(Field(Field("networks", name), "bridge"), "mac"), fmt.Sprintf("network %q", name), true)
		}
	}
	for name, b := range sorted(c.spec.Bridges) {
		add(b.MAC, Field(Field("bridges", name), "mac"), fmt.Sprintf("bridge %q", name), true)
	}
	for name, p := range sorted(c.spec.Ports) {
		add(p.MAC, Field(Field("ports", name), "mac"), fmt.Sprintf("port %q", name), false)
	}
	for mac, list := range claims {
		c.clash(list, fmt.Sprintf("the MAC %s", mac))
	}
	for name, n := range sorted(c.spec.Networks) {
		n.eachReservation(Field("networks", name), func(path, _ string, _ Subnet, r Reservation) {
			if who, ok := bridges[r.MAC]; ok {
				c.add(Field(path, "mac"), "", "%s is the MAC of the bridge of %s", r.MAC, who)
			}
		})
	}
}
