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
	routerLink // the host's end of a link to a router
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
		case n.Direct != nil:
			for i, nic := range n.Direct.Devices {
				c.nicReference(Index(Field(Field(path, "direct"), "devices"), i), nic, claims)
			}
		case n.Mode == Bridge:
			c.bridgeReference(Field(Field(path, "bridge"), "name"), n.Bridge.Name, "name a bridge of the host", claims)
		case n.Uplink != "":
			c.uplinkReference(Field(path, "uplink"), n, claims)
		}
	}
	for name, r := range sorted(c.spec.Routers) {
		r.eachWay(Field("routers", name), func(path, _ string, u *Uplink) {
			if n := c.spec.Networks[u.Bridge]; n != nil && n.Mode.Managed() && c.spec.Bridges[u.Bridge] == nil && n.Bridge.Name != u.Bridge {
				c.add(Field(path, "bridge"), "write network: "+u.Bridge, "%q is a network of kvmnet", u.Bridge)
			}
			c.bridgeReference(Field(path, "bridge"), u.Bridge, "write network: and its name", claims)
			c.nicReference(Field(path, "nic"), u.NIC, claims)
		})
	}
}

// nicReference checks the NIC that an uplink of a router, or a macvtap, shares.
func (c *checker) nicReference(path, name string, claims map[string][]claim) {
	for _, other := range claims[name] {
		switch other.role {
		case enslaved:
			c.add(path, "write bridge: and that bridge", "%q is a port of %s, it cannot be shared", name, other.who)
		case managedBridge:
			c.add(path, "write network: and its name", "%q is the bridge of %s, which has its own mode", name, other.who)
		case ownHostBridge:
			c.add(path, "write bridge: "+name, "%q is a bridge of the host", name)
		default:
			c.add(path, "name a NIC of the host", "%q is an interface of %s", name, other.who)
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

// plugs are the pairs by which a router is plugged in, by the names of their
// inner ends, with the paths of what they are for.
func (r *Router) plugs(path string) map[string]string {
	plugs := map[string]string{}
	for k, name := range r.InterfaceNames() {
		plugs[name] = Field(Index(Field(path, "interfaces"), k), "name")
	}
	r.eachWay(path, func(path, name string, u *Uplink) {
		if u.NIC == "" {
			plugs[name] = path
		}
	})
	return plugs
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
	for name, r := range sorted(c.spec.Routers) {
		path, who := Field("routers", name), fmt.Sprintf("router %q", name)
		plugs := r.plugs(path)
		for _, inside := range slices.Sorted(maps.Keys(plugs)) {
			add(HostEnd(name, inside), plugs[inside], who, routerLink)
		}
	}
	for name, p := range sorted(c.spec.Ports) {
		path, who := Field("ports", name), fmt.Sprintf("port %q", name)
		add(p.Interface, Field(path, "interface"), who, guestEnd)
		add(p.Peer, Field(path, "peer"), who, guestEnd)
	}
	return claims
}

// bridgeReference checks the bridge that a network of mode bridge, or an uplink of
// a router, names. The hint is for one that is a network's.
func (c *checker) bridgeReference(path, name, hint string, claims map[string][]claim) {
	for _, other := range claims[name] {
		switch other.role {
		case managedBridge:
			c.add(path, hint, "%q is the bridge of %s, which has its own mode", name, other.who)
		case enslaved:
			c.add(path, "name that bridge", "%q is a port of %s", name, other.who)
		case guestEnd, routerLink:
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
		case guestEnd, routerLink:
			c.add(path, "name an interface of the host", "%q is an interface of %s", n.Uplink, other.who)
		}
	}
}
