package plan

import "strings"

// stays reports whether an observed object belongs to a waiting owner: its guests
// go on with what they have, rules included, until it can have what it wants.
// Rules that would judge a stranger's interface do not stay.
func (d *differ) stays(h Object) bool {
	if len(d.waits) == 0 {
		return false
	}
	if ns := h.Key().NS; ns != "" && d.waits[routerOwner(ns)] {
		return true // wanted leaves out what is replaced
	}
	switch h := h.(type) {
	case Netns:
		return d.waits[h.Owner()]
	case Link:
		return d.linkStays(h)
	case Element:
		return d.elementStays(h)
	case Redirect:
		l, there := d.have.Link(h.NS, h.Link)
		if l.Owner() == "" { // a port that others made: the ifb tells whose the detour is
			l, there = d.have.Link(h.NS, h.To)
		}
		return there && d.linkStays(l)
	case Chain:
		return d.chainStays(h)
	case Program:
		return d.programStays(h)
	}
	l, there := d.have.Link(h.Key().NS, linkOf(h))
	return there && h.Owner() == l.Owner() && d.linkStays(l) && !d.unplugged(h, l)
}

// linkStays is false for a link that is in the way of another, or that another
// owner takes over.
func (d *differ) linkStays(l Link) bool {
	w, wanted := d.want[l.Key()]
	return d.waits[l.Owner()] && !d.replaced[l.Key()] && (!wanted || d.waits[w.Owner()])
}

// unplugged reports whether the object is the up state of a port whose bridge of
// ours goes. It would be up as an interface of the host.
func (d *differ) unplugged(h Object, port Link) bool {
	_, up := h.(Up)
	bridge, there := d.have.Link(port.NS, port.Master)
	return up && there && bridge.Owner() != "" && !d.wanted(bridge)
}

// stranded reports whether the object is the up state of a link of others that is
// plugged in as a port, and whose port has to wait while its bridge goes.
func (d *differ) stranded(h Object) bool {
	w, wanted := d.want[h.Key()].(Up)
	if !wanted || h.Owner() != "" || !d.waits[w.Owner()] && !d.late[placeOf(w)] {
		return false
	}
	port, _ := d.have.Link(w.NS, w.Link)
	return d.unplugged(h, port)
}

// elementStays finds whose an element is: the kernel does not tell, but gateways
// are addresses, and every other map begins with the interface.
func (d *differ) elementStays(e Element) bool {
	if e.Map == "gateways4" || e.Map == "gateways6" {
		return d.gatewayStays(e)
	}
	name, _, _ := strings.Cut(e.ID, " . ")
	l, there := d.have.Link(e.NS, name)
	return there && d.linkStays(l)
}

// chainStays: a chain is whose the element is that leads to it.
func (d *differ) chainStays(c Chain) bool {
	for e := range Of[Element](d.have) {
		if e.NS == c.NS && e.Value == "jump "+c.Name && d.elementStays(e) {
			return true
		}
	}
	return false
}

// programStays: a program is there for its elements.
func (d *differ) programStays(p Program) bool {
	for e := range Of[Element](d.have) {
		if e.NS == p.NS && d.elementStays(e) {
			return true
		}
	}
	return false
}

func (d *differ) gatewayStays(e Element) bool {
	for a := range Of[Addr](d.have) {
		if a.NS == e.NS && a.Prefix.Addr().String() == e.ID && d.stays(a) {
			return true
		}
	}
	return false
}
