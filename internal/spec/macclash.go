package spec

import "fmt"

// macs reports addresses that two interfaces have, or that a reservation and a
// gateway have. A port and a reservation of one guest share theirs.
func (c *checker) macs() {
	claims, gateways := c.macClaims()
	for mac, list := range claims {
		c.clash(list, fmt.Sprintf("the MAC %s", mac))
	}
	c.eachReservation(func(_, path, _ string, _ Subnet, r Reservation) {
		if who, ok := gateways[r.MAC]; ok {
			c.add(Field(path, "mac"), "", "%s is the MAC of %s", r.MAC, who)
		}
	})
}

// macClaims finds who has which MAC, and of those the ones that are no guests.
func (c *checker) macClaims() (claims map[MAC][]claim, gateways map[MAC]string) {
	claims, gateways = map[MAC][]claim{}, map[MAC]string{}
	add := func(mac MAC, path, who string) {
		if !mac.IsZero() {
			claims[mac] = append(claims[mac], claim{path: Field(path, "mac"), who: who})
		}
	}
	gateway := func(mac MAC, path, who, what string) {
		if add(mac, path, who); !mac.IsZero() {
			gateways[mac] = what + who
		}
	}
	for name, n := range sorted(c.spec.Networks) {
		if n.Mode.Managed() {
			gateway(n.Bridge.MAC, Field(Field("networks", name), "bridge"), fmt.Sprintf("network %q", name), "the bridge of ")
		}
	}
	for name, b := range sorted(c.spec.Bridges) {
		gateway(b.MAC, Field("bridges", name), fmt.Sprintf("bridge %q", name), "the bridge of ")
	}
	for name, r := range sorted(c.spec.Routers) {
		path, who := Field("routers", name), fmt.Sprintf("router %q", name)
		r.eachWay(path, func(path, _ string, u *Uplink) { gateway(u.MAC, path, who, "") })
		for k, i := range r.Interfaces {
			gateway(i.MAC, Index(Field(path, "interfaces"), k), who, "")
		}
	}
	for name, p := range sorted(c.spec.Ports) {
		add(p.MAC, Field("ports", name), fmt.Sprintf("port %q", name))
	}
	return claims, gateways
}
