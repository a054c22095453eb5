package spec

import (
	"net/netip"
	"slices"
)

var forwarded = []Protocol{TCP, UDP, SCTP}

// forward checks one forward by itself and against its network and router.
func (c *checker) forward(path, name string, f *Forward) {
	c.addError(path, "", CheckName(name))
	h, found := c.forwardHolder(path, f)
	if f.Floating.IsValid() {
		c.floating(path, f)
	} else {
		c.listens(path, f, found && h.Router == "")
	}
	c.target(Field(path, "to"), f)
	for _, s := range h.Subnets {
		if s.Address.IsValid() && s.Address.Contains(f.Floating) && s.Address.Addr() != f.Floating {
			c.add(Field(path, "floating"), "write an address of the outside", "%s is in the network's own subnet %s", f.Floating, s.Address.Masked())
		}
	}
	if found && f.To.Addr.IsValid() && checkUnicast(f.To.Addr) == nil {
		c.guestAddress(Field(path, "to"), f.To.Addr, h.Subnets)
	}
	if found && h.Router != "" && len(c.spec.Routers[h.Router].Ways()) == 0 {
		c.add(path, "add an uplink to the router", "router %q has no uplink by which somebody could come", h.Router)
	}
}

// forwardHolder returns who holds the gateway of the forward's guest.
func (c *checker) forwardHolder(path string, f *Forward) (Holder, bool) {
	n := c.portNetwork(Field(path, "network"), f.Network)
	var r *Router
	if f.Router != "" {
		r = known(c, Field(path, "router"), "router", f.Router, c.spec.Routers)
	}
	if n == nil || f.Router != "" && r == nil {
		return Holder{}, false
	}
	if n.Mode == Bridge {
		c.add(Field(path, "network"), "open connections to the guest's own address", "network %q has mode bridge: its guests are hosts of the LAN and need no forwards", f.Network)
		return Holder{}, false
	}
	h, found := c.holders.Of(f)
	switch {
	case found:
	case f.Router != "":
		c.refer(Field(path, "router"), "give it an interface there", "router %q has no interface on network %q", f.Router, f.Network)
	case len(c.holders[f.Network]) > 1:
		c.add(Field(path, "router"), "write router: "+orList(c.routersOn(f.Network)), "network %q has several routers, which one shall listen?", f.Network)
	default:
		c.refer(Field(path, "network"), "give it a subnet, or an interface of a router", "network %q has no gateway that could lead connections to its guests", f.Network)
	}
	return h, found
}

func (c *checker) routersOn(network string) []string {
	var names []string
	for _, end := range c.ends[network] {
		names = append(names, end.router)
	}
	return slices.Compact(names)
}

// floating checks a forward of all connections to an address.
func (c *checker) floating(path string, f *Forward) {
	at := Field(path, "floating")
	if !c.addError(at, "", checkUnicast(f.Floating)) {
		c.addError(at, "", checkNotLinkLocal(f.Floating))
	}
	const hint = "remove it, or write listen in place of floating"
	if f.Protocol != "" {
		c.add(Field(path, "protocol"), hint, "a floating address takes every protocol")
	}
	if !f.Listen.IsZero() {
		c.add(Field(path, "listen"), hint, "a floating address takes all ports")
	}
	if f.To.Port != 0 {
		c.add(Field(path, "to"), "write "+Target{Name: f.To.Name, Addr: f.To.Addr}.String(), "a floating address leaves ports as they are")
	}
	if a := f.To.Addr; a.IsValid() && a.Is4() != f.Floating.Is4() {
		c.add(Field(path, "to"), "", "%s is %s, but %s is %s", a, family(a), f.Floating, family(f.Floating))
	}
}

// listens checks the ports that a forward waits on.
func (c *checker) listens(path string, f *Forward, host bool) {
	at := Field(path, "listen")
	if f.Protocol != "" && !slices.Contains(forwarded, f.Protocol) {
		c.add(Field(path, "protocol"), oneOf(string(f.Protocol), "protocols", texts(forwarded)), "%q is not a protocol with ports", string(f.Protocol))
	}
	p := f.Listen.Ports
	switch {
	case p.IsZero():
		c.add(at, "write for instance listen: 8080, or floating: and an address", "the ports to listen on are missing")
	case p.From == 0 || p.To < p.From:
		c.add(at, "", "%d-%d is not a range of ports", p.From, p.To)
	case int(f.To.Port)+p.Len()-1 > 65535 && f.To.Port != 0:
		c.add(Field(path, "to"), "", "%d ports from %d on end after 65535", p.Len(), f.To.Port)
	}
	if f.Listen.Addr.IsValid() {
		c.listenAddress(at, f, host)
	}
}

func (c *checker) listenAddress(path string, f *Forward, host bool) {
	a := f.Listen.Addr
	switch {
	case a.IsUnspecified():
		c.add(path, "write the ports alone: "+f.Listen.Ports.String(), "%s stands for all addresses", a)
	case a.IsLoopback() && a.Is4() && host:
	case a.IsLoopback() && !a.Is4In6():
		c.add(path, "write the ports alone: "+f.Listen.Ports.String(), "%s cannot be listened on", a)
	case c.addError(path, "", checkUnicast(a)) || c.addError(path, "", checkNotLinkLocal(a)):
	case f.To.Addr.IsValid() && f.To.Addr.Is4() != a.Is4():
		c.add(Field(Parent(path), "to"), "", "%s is %s, but %s is %s", f.To.Addr, family(f.To.Addr), a, family(a))
	}
}

// target checks where a forward leads.
func (c *checker) target(path string, f *Forward) {
	switch {
	case f.To.Addr.IsValid():
		c.addError(path, "", checkUnicast(f.To.Addr))
	case f.To.Name == "":
		c.add(path, "write the guest's name or address, for instance vm1:80", "the guest is missing")
	default:
		c.addError(path, "write the guest's name or address, for instance vm1:80", CheckHostName(f.To.Name))
	}
}

// listener is who listens: two forwards of one listener can get into each other's
// way.
type listener struct {
	router   string
	protocol Protocol
	addr     netip.Addr
}
