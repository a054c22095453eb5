package hostlink

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Unconvert works out how all that the bridge of an interface has moves back to the
// interface. A bridge with other ports stays, without a way out. Own is what the bridge
// had before the interface came into it: that stays with it, and it gets its MAC, MTU
// and settings back; nil is a bridge that was made for the interface.
func Unconvert(now State, own *State) ([]Op, []Warning, error) {
	if now.Bridge == nil || now.Link.Master != now.Bridge.Name || now.Bridge.Link.Kind != "bridge" {
		return nil, nil, fmt.Errorf("%s is not a port of a bridge: there is nothing to move back", now.Name)
	}
	if own != nil {
		return now.parted(*own)
	}
	b := *now.Bridge
	others := now.otherPorts()
	list := leftOn(b, now)
	if len(others) > 0 {
		list = append(list, Warning(fmt.Sprintf("bridge %s stays, with %v: they do not reach the outside any more", b.Name, others)))
	}
	return toNIC(now, now.returned(), len(others) == 0, b.own()), list, nil
}

// otherPorts are the ports of the bridge besides the interface.
func (s State) otherPorts() []string {
	if s.Bridge == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(s.Bridge.Ports), func(p string) bool { return p == s.Name })
}

// returned is what a port has when all that its bridge has came to it. What it kept is
// in its old place; settings it kept all.
func (s State) returned() State {
	want, b := s, s.Bridge.moved(s.Name)
	want.Addresses, want.Link.Master = nil, ""
	for _, a := range b.Addresses {
		if _, kept := findAddress(s.Addresses, a.id()); !kept && !a.linkLocal() || a.linkLocal() && !kept && a.Attrs.get(attrOrigin) == nil {
			want.Addresses = append(want.Addresses, a)
		}
	}
	for _, a := range s.Addresses {
		want.Addresses = append(want.Addresses, a.refreshed(b.Addresses))
	}
	want.Routes = routeSetOf(slices.Concat(s.Routes, b.Routes)).list
	want.Rules = slices.Concat(s.Rules, b.Rules)
	want.Nexthops = slices.Concat(s.Nexthops, b.Nexthops)
	want.Neighbours = slices.Concat(s.Neighbours, b.Neighbours)
	want.Groups = slices.Concat(s.Groups, b.Groups)
	want.Link.Token = nil
	return want
}

// refreshed is an address with the lifetimes of its copy, which a router or a server
// has made longer meanwhile.
func (a Address) refreshed(copies []Address) Address {
	c, found := findAddress(copies, a.id())
	if !found || a.kernelOnly() {
		return a
	}
	_, old := a.lifetimes()
	preferred, valid := c.lifetimes()
	if valid <= old {
		return a
	}
	return a.lasting(preferred, valid)
}

// leftOn tells what of a bridge has no place on an interface.
func leftOn(b, nic State) (list []Warning) {
	for _, key := range order(b.Settings) {
		if value, known := nic.Settings[key]; known && value != b.Settings[key] && key != pathMTU {
			list = append(list, Warning(fmt.Sprintf("%s has %s=%s, and %s keeps %s", b.Name, key, b.Settings[key], nic.Name, value)))
		}
	}
	for _, g := range b.Groups {
		if !g.Static {
			list = append(list, Warning(fmt.Sprintf("a program listens to %s on %s: it does not hear it on %s until it joins there", g.Address, b.Name, nic.Name)))
		}
	}
	return list
}

// toNIC plans the way from a bridge, if there is one, to an interface that becomes no
// port, or is none already. What stays on the bridge is named.
func toNIC(now, want State, vanish bool, stay State) []Op {
	m := move{to: now, want: want, crosses: now.Link.Master != ""}
	if now.Bridge != nil {
		m.from, m.vanish, m.stay = *now.Bridge, vanish, stay
	}
	if want.Link.MTU != now.Link.MTU {
		m.add(setMTU(now.Name, want.Link.MTU))
	}
	m.begin()
	m.prepare()
	m.switchOver()
	if m.crosses {
		m.add(release(now.Name))
	}
	m.strip()
	m.finish()
	if want.Link.LRO && (m.crosses || !now.Link.LRO) {
		m.add(joinPackets{now.Name})
	}
	if m.vanish {
		m.add(deleteLink(m.from.Name))
	}
	return m.ops
}

// own are, of a bridge that was made for an interface, the link-local addresses, of which every interface has its own.
func (s State) own() (stay State) {
	for _, a := range s.of(unix.AF_INET6) {
		if a.linkLocal() {
			stay.Addresses = append(stay.Addresses, a)
		}
	}
	return stay
}
