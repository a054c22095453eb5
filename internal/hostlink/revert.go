package hostlink

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Revert works out how an interface and its bridge become again what they were before
// a conversion, whichever of its ops were done. Where they are as before there is
// nothing to do. What ends in its time has gone on ageing, or was renewed meanwhile.
//
// Whoever applies it looks again: what the kernel does to routes of others when an IPv6
// address changes or goes depends on the order in which it has them.
func Revert(now, before State) ([]Op, error) {
	if now.Name != before.Name {
		return nil, fmt.Errorf("revert %s: the state to go back to is that of %s", now.Name, before.Name)
	}
	if now.Index != before.Index {
		return nil, fmt.Errorf("revert %s: it is another interface than before, with number %d instead of %d: configure it anew", now.Name, now.Index, before.Index)
	}
	if b := now.Bridge; b != nil && b.Link.Kind != "bridge" {
		return nil, fmt.Errorf("revert %s: %s has become a device of kind %q: rename it", now.Name, b.Name, b.Link.Kind)
	}
	passed := now.Taken - before.Taken
	if before.Bridge != nil && before.Link.Master == before.Bridge.Name {
		return revertToBridge(now, before, passed)
	}
	if before.Link.Master != "" {
		return nil, errors.New("revert " + now.Name + ": it was a port of " + before.Link.Master + ", which was not looked at")
	}
	if before.Bridge != nil {
		return revertToBoth(now, before, passed), nil
	}
	if now.Bridge == nil {
		return toNIC(now, before.after(passed, now, nil), false, State{}), nil
	}
	return toNIC(now, before.after(passed, now, now.Bridge), len(now.otherPorts()) == 0, now.Bridge.own()), nil
}

// revertToBridge takes back what an Unconvert did.
func revertToBridge(now, before State, passed time.Duration) ([]Op, error) {
	bridge := State{Name: before.Bridge.Name}
	if now.Bridge != nil {
		bridge = *now.Bridge
	}
	want := before.Bridge.after(passed, bridge, &now)
	if bridge.Index == 0 { // the kernel makes its link-local address again, of the same secret
		want.Addresses = slices.DeleteFunc(want.Addresses, func(a Address) bool { return a.linkLocal() && a.kernelOnly() })
	}
	stay := before.after(passed, now, now.Bridge)
	bridge, back := bridge.trimmed(want.Routes)
	ops := append(toBridge(now, bridge, want, stay), back...)
	return append(ops, rulesInOrder(now, before)...), nil
}

// after is a state some time later: addresses and routes that have an end are nearer
// to it, or gone, unless one of their copies was renewed.
func (s State) after(passed time.Duration, now State, other *State) State {
	copies := now
	if other != nil {
		o := other.moved(s.Name)
		copies.Addresses = append(copies.Addresses[:len(copies.Addresses):len(copies.Addresses)], o.Addresses...)
		copies.Routes = append(copies.Routes[:len(copies.Routes):len(copies.Routes)], o.Routes...)
	}
	addresses, routes := s.Addresses, s.Routes
	s.Addresses, s.Routes = nil, nil
	for _, a := range addresses {
		if a, lives := a.renewed(copies.Addresses).agedUnless(copies.Addresses, passed); lives {
			s.Addresses = append(s.Addresses, a)
		}
	}
	alive := routeSetOf(copies.Routes)
	for _, r := range routes {
		if r, lives := r.agedUnless(alive, passed); lives {
			s.Routes = append(s.Routes, r)
		}
	}
	return s
}

// renewed is an address with the lifetimes of the copy that lasts longest.
func (a Address) renewed(copies []Address) Address {
	longest, found := a, false
	for _, c := range copies {
		if c.id() != a.id() {
			continue
		}
		if _, valid := c.lifetimes(); !found || outlasts(valid, longest) {
			longest, found = c, true
		}
	}
	return a.lasting(longest.lifetimes())
}

func outlasts(valid uint32, a Address) bool {
	_, v := a.lifetimes()
	return valid > v
}

// agedUnless lets an address age that has no copy whose lifetimes are of now.
func (a Address) agedUnless(copies []Address, passed time.Duration) (Address, bool) {
	if _, found := findAddress(copies, a.id()); found {
		return a, true
	}
	return a.aged(passed)
}

func (r Route) agedUnless(copies routeSet, passed time.Duration) (Route, bool) {
	left := r.Attrs.number(attrExpires)
	if left == 0 {
		return r, true
	}
	if c, found := copies.find(r); found {
		r.Attrs = r.Attrs.with(attrExpires, bytes32(c.Attrs.number(attrExpires)))
		return r, true
	}
	seconds := uint32(max(passed, 0) / time.Second)
	if left <= seconds {
		return r, false
	}
	r.Object = r.clone()
	r.Attrs = r.Attrs.with(attrExpires, bytes32(left-seconds))
	return r, true
}
