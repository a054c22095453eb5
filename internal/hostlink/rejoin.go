package hostlink

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// revertToBoth takes back what a conversion into a bridge did that was there before:
// the interface gets its own back, and the bridge becomes what it was. If the bridge is
// gone, or is another one, that is left alone.
func revertToBoth(now, before State, passed time.Duration) []Op {
	want := before.after(passed, now, now.Bridge)
	if now.Bridge == nil || now.Bridge.Index != before.Bridge.Index {
		now.Bridge = nil
		return toNIC(now, want, false, State{})
	}
	own := before.Bridge.after(passed, *now.Bridge, &now)
	if now.hasComers(before) && !slices.ContainsFunc(own.Addresses, Address.linkLocal) {
		own.Addresses = append(own.Addresses[:len(own.Addresses):len(own.Addresses)], now.Bridge.own().Addresses...)
		own.Link.Ready, own.Link.Multicast = true, true
	}
	b, back := now.Bridge.trimmed(own.Routes)
	b, silence := b.hushed(own)
	now.Bridge = &b
	ops := slices.Concat(silence, toNIC(now, want, false, own), now.restore(own), back, rulesInOrder(now, before))
	return append(ops, routesInOrder(now, before)...)
}

// hasComers says whether the bridge has ports that came meanwhile, say guests: its IPv6,
// which their carrier began, goes on.
func (s State) hasComers(before State) bool {
	return slices.ContainsFunc(s.otherPorts(), func(p string) bool { return !slices.Contains(before.Bridge.Ports, p) })
}

// parted works out how an interface leaves a bridge that was there before it.
func (s State) parted(own State) ([]Op, []Warning, error) {
	told := s.partWarnings(own)
	b, back := s.Bridge.trimmed(own.Routes)
	b, silence := b.hushed(own)
	s.Bridge = &b
	stay, rest := b.common(own), b
	rest = rest.without(stay)
	apart := s
	apart.Bridge = &rest
	want := apart.returned()
	shared := stay.alsoOf(want.Addresses)
	want.Routes = append(want.Routes, shared...)
	own.Name = b.Name
	back = append(back, own.behindOthers(shared)...)

	own.Addresses = slices.Concat(stay.of(unix.AF_INET), stay.of(unix.AF_INET6), own.missingLinkLocal(b))
	own.Routes, own.Nexthops, own.Rules, own.Neighbours = stay.Routes, stay.Nexthops, stay.Rules, stay.Neighbours
	if others := s.otherPorts(); len(others) > 0 && !slices.ContainsFunc(own.Addresses, Address.linkLocal) {
		stay.Addresses = append(stay.Addresses, b.own().Addresses...) // which IPv6 needs
		own.Addresses, own.Link.Ready, own.Link.Multicast = stay.Addresses, true, true
	}
	own.Link.Flags, own.Link.Token, own.Link.Uppers = b.Link.Flags, tokenOf(own, b), upgrown(b.Link.Uppers, own.Link.Uppers)
	return slices.Concat(silence, toNIC(s, want, false, stay), s.restore(own), back), told, nil
}

// hushed is a bridge that has the kernel make no temporary addresses while those leave
// it that they are made of: the kernel makes the next one when one goes
// (addrconf_verify_rtnl in net/ipv6/addrconf.c).
func (s State) hushed(own State) (State, []Op) {
	leaves := func(a Address) bool {
		_, stays := findAddress(own.Addresses, a.id())
		return a.flags()&unix.IFA_F_MANAGETEMPADDR != 0 && !stays
	}
	if value := s.Settings[temporary]; value < "1" || !slices.ContainsFunc(s.Addresses, leaves) {
		return s, nil
	}
	s.Settings = maps.Clone(s.Settings)
	s.Settings[temporary] = quiet[temporary]
	return s, []Op{setting{s.Name, temporary, quiet[temporary]}}
}

// partWarnings tell what of the bridge has no place on the interface: what it had
// before stays with it.
func (s State) partWarnings(own State) []Warning {
	b := *s.Bridge
	b.Settings = maps.Clone(b.Settings)
	maps.DeleteFunc(b.Settings, func(key, value string) bool { return own.Settings[key] == value })
	b.Groups = slices.DeleteFunc(slices.Clone(b.Groups), func(g Group) bool { return slices.Contains(own.Groups, g) })
	list := leftOn(b, s)
	if others := s.otherPorts(); len(others) > 0 {
		return append(list, Warning(fmt.Sprintf("bridge %s stays, with %v: they do not reach the outside by %s any more", b.Name, others, s.Name)))
	}
	return append(list, Warning(fmt.Sprintf("bridge %s stays, as it was before %s came into it", b.Name, s.Name)))
}

// common is what a bridge has, and had before. That may have been in an earlier boot,
// with other lifetimes and other numbers.
func (s State) common(own State) State {
	routes := routeSetOf(own.Routes)
	s.Addresses = slices.DeleteFunc(slices.Clone(s.Addresses), func(a Address) bool {
		_, had := findAddress(own.Addresses, a.id())
		return !had
	})
	s.Routes = slices.DeleteFunc(slices.Clone(s.Routes), func(r Route) bool { return !routes.contains(r) })
	s.Nexthops = slices.DeleteFunc(slices.Clone(s.Nexthops), func(n Nexthop) bool { return !slices.ContainsFunc(own.Nexthops, n.same) })
	s.Rules = slices.DeleteFunc(slices.Clone(s.Rules), func(r Rule) bool { return !slices.ContainsFunc(own.Rules, r.same) })
	s.Neighbours = slices.DeleteFunc(slices.Clone(s.Neighbours), func(n Neighbour) bool {
		return !n.learnt() && !slices.ContainsFunc(own.Neighbours, n.same)
	})
	s.Groups = slices.DeleteFunc(slices.Clone(s.Groups), func(g Group) bool { return !slices.Contains(own.Groups, g) })
	return s
}

// without is what a bridge has beside some of it.
func (s State) without(some State) State {
	routes := routeSetOf(some.Routes)
	s.Addresses = slices.DeleteFunc(slices.Clone(s.Addresses), func(a Address) bool {
		_, there := findAddress(some.Addresses, a.id())
		return there
	})
	s.Routes = slices.DeleteFunc(slices.Clone(s.Routes), routes.contains)
	s.Nexthops = slices.DeleteFunc(slices.Clone(s.Nexthops), func(n Nexthop) bool { return slices.ContainsFunc(some.Nexthops, n.same) })
	s.Rules = slices.DeleteFunc(slices.Clone(s.Rules), func(r Rule) bool { return slices.ContainsFunc(some.Rules, r.same) })
	s.Neighbours = slices.DeleteFunc(slices.Clone(s.Neighbours), func(n Neighbour) bool { return slices.ContainsFunc(some.Neighbours, n.same) })
	s.Groups = slices.DeleteFunc(slices.Clone(s.Groups), func(g Group) bool { return slices.Contains(some.Groups, g) })
	return s
}

// missingLinkLocal are the link-local addresses of before that a bridge does not have.
func (s State) missingLinkLocal(b State) []Address {
	return slices.DeleteFunc(s.newOn(b), func(a Address) bool { return !a.linkLocal() })
}

// tokenOf is the token that a bridge has when it is on its own: one that it got since
// is not its own.
func tokenOf(own, now State) []byte {
	if own.Link.Token != nil {
		return now.Link.Token
	}
	return nil
}

// upgrown are interfaces on top of a bridge, with the MTUs that they had before.
func upgrown(list, before []Upper) []Upper {
	list = slices.Clone(list)
	for i, u := range list {
		if j := slices.IndexFunc(before, func(o Upper) bool { return o.Name == u.Name }); j >= 0 {
			list[i].MTU = max(u.MTU, before[j].MTU)
		}
	}
	return list
}

// restore makes the bridge, when the interface has left it, what it is to be on its own.
func (s State) restore(want State) []Op {
	bridge := s.Bridge.common(want)
	bridge.Groups = s.Bridge.Groups
	if len(s.Bridge.of(unix.AF_INET)) > 0 && len(bridge.of(unix.AF_INET)) == 0 {
		bridge = bridge.without4()
	}
	m := move{to: bridge, want: want}
	m.relink()
	if m.asleep() {
		m.sleep()
	}
	m.begin()
	m.prepare()
	m.unlisten()
	m.switchOver()
	m.strip()
	m.finish()
	if m.to.Link.Multicast && !m.want.Link.Multicast {
		m.add(deleteRoute(m.to.Name, multicastRoute()))
	}
	if m.want.Link.Token == nil && m.to.Link.Token != nil {
		m.add(setToken(m.to.Name, make([]byte, len(m.to.Link.Token))))
	}
	if s.Link.Master == want.Name {
		m.proxiesAfter()
	}
	return m.ops
}

// without4 is a bridge that lost its last IPv4 address: the kernel takes its routes and
// neighbours along (fib_disable_ip in net/ipv4/fib_frontend.c).
func (s State) without4() State {
	s.Routes = slices.DeleteFunc(slices.Clone(s.Routes), func(r Route) bool { return r.family() == unix.AF_INET && !r.Attrs.has(attrNexthop) })
	s.Neighbours = slices.DeleteFunc(slices.Clone(s.Neighbours), func(n Neighbour) bool { return n.family() == unix.AF_INET })
	return s
}

// unlisten takes the static groups that came with the interface.
func (m *move) unlisten() {
	for _, g := range m.to.Groups {
		if g.Static && !slices.Contains(m.want.Groups, g) {
			m.add(unlisten{m.to.Name, g.Address})
		}
	}
}

// proxiesAfter gives a bridge its proxies again that the kernel forgets when it notices
// that the carrier went with the interface.
func (m *move) proxiesAfter() {
	if slices.ContainsFunc(m.want.Neighbours, Neighbour.proxy) {
		m.add(notice{m.to.Name})
		m.proxiesAgain()
	}
}
