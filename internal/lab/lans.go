package lab

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// leg is an address of the outside, a router's next hop, and one of the
// neighbour's in the segment of an uplink.
type leg struct {
	lan       string // the bridge in the world
	outside   netip.Prefix
	neighbour netip.Prefix
}

// legs gives the outside and the neighbour addresses in the segments that routers
// have theirs in.
func (t *topology) legs() ([]leg, error) {
	taken := map[netip.Addr]bool{}
	for _, r := range t.spec.Routers {
		for _, u := range r.Ways() {
			t.claim(u, taken)
		}
		for _, i := range r.Interfaces {
			if i.SNAT != nil {
				claimRange(i.SNAT.Address, taken)
				claimRange(i.SNAT.IPv6, taken)
			}
		}
	}
	for _, f := range t.spec.Forwards {
		taken[f.Floating], taken[f.Listen.Addr] = true, true
	}
	var list []leg
	for _, name := range slices.Sorted(maps.Keys(t.spec.Routers)) {
		ways := t.spec.Routers[name].Ways()
		for _, way := range slices.Sorted(maps.Keys(ways)) {
			more, err := t.legsOf(ways[way], taken, list)
			if err != nil {
				return nil, fmt.Errorf("read topology: router %s: %w", name, err)
			}
			list = append(list, more...)
		}
	}
	return list, nil
}

// claim takes what a router has on an uplink out of what is free there.
func (t *topology) claim(u *spec.Uplink, taken map[netip.Addr]bool) {
	for _, p := range address(u).list() {
		taken[p.Addr()] = true
	}
	gateways, _ := u.Gateway.List()
	for _, a := range gateways {
		taken[a] = true
	}
}

// claimRange takes the first addresses of a range; that is enough to keep the
// neighbour out of its way.
func claimRange(r spec.AddrRange, taken map[netip.Addr]bool) {
	for a, n := r.From, 0; a.IsValid() && r.Contains(a) && n < 1<<10; a, n = a.Next(), n+1 {
		taken[a] = true
	}
}

// legsOf are the legs that one uplink needs and that are not there yet.
func (t *topology) legsOf(u *spec.Uplink, taken map[netip.Addr]bool, have []leg) (list []leg, err error) {
	lan := t.lanOf(u)
	if lan == "" {
		return nil, nil
	}
	if u.DHCP || u.SLAAC {
		return nil, errors.New("its uplink wants an address of the LAN; the LAN of the demo gives none, write one")
	}
	gateways, _ := u.Gateway.List()
	for _, p := range address(u).list() {
		f := familyOf(p.Addr())
		if p.Masked() == [2]duo{outsideAddr, lanGateway}[lanIndex(lan)][f].Masked() || slices.ContainsFunc(have, func(l leg) bool { return l.outside.Masked() == p.Masked() }) {
			continue
		}
		l := leg{lan: lan}
		if i := slices.IndexFunc(gateways, func(a netip.Addr) bool { return familyOf(a) == f }); i >= 0 {
			l.outside = netip.PrefixFrom(gateways[i], p.Bits())
		} else {
			l.outside, _ = free(p, 1, taken)
		}
		taken[l.outside.Addr()] = true
		l.neighbour, _ = free(p, 3, taken)
		if !l.neighbour.IsValid() {
			return nil, fmt.Errorf("there is no room for another host beside %s", p)
		}
		list = append(list, l)
	}
	return list, nil
}

func lanIndex(lan string) int {
	if lan == lan0 {
		return 0
	}
	return 1
}

// lanOf is the LAN that an uplink is on, "" for one inside of the machine.
func (t *topology) lanOf(u *spec.Uplink) string {
	switch {
	case u.NIC != "" && u.NIC == t.uplink:
		return lan0
	case u.NIC != "" || u.Bridge != "":
		return lan1
	}
	return ""
}

// plugLegs gives the addresses to the outside and the neighbour.
func (w *world) plugLegs(legs []leg) error {
	w.legs = legs
	var errs []error
	for _, l := range legs {
		nic := []string{"eth0", "eth1"}[lanIndex(l.lan)]
		errs = append(errs, w.outside.AddAddress(nic, l.outside), w.neighbour.AddAddress(nic, l.neighbour))
	}
	return errors.Join(errs...)
}

// leg is the outside's address in the segment of an uplink.
func (w *world) leg(u *spec.Uplink) (d duo) {
	for _, p := range address(u).list() {
		f := familyOf(p.Addr())
		d[f] = w.outsideAt(p.Addr())[f]
	}
	return d
}

// outsideAt is the address with which the outside asks an address of a LAN.
func (w *world) outsideAt(a netip.Addr) duo {
	return w.beside(a, func(l leg) netip.Prefix { return l.outside }, outsideAddr, lanGateway)
}

// neighbourOf is the neighbour's address in the segment of an uplink.
func (w *world) neighbourOf(u *spec.Uplink) (d duo) {
	for _, p := range address(u).list() {
		f := familyOf(p.Addr())
		d[f] = w.beside(p.Addr(), func(l leg) netip.Prefix { return l.neighbour }, neighbourAddr, lanNeighbour)[f]
	}
	return d
}

func (w *world) beside(a netip.Addr, of func(leg) netip.Prefix, always ...duo) (d duo) {
	f := familyOf(a)
	for _, p := range always {
		if p[f].Masked().Contains(a) {
			d[f] = p[f]
		}
	}
	for _, l := range w.legs {
		if l.outside.Masked().Contains(a) {
			d[f] = of(l)
		}
	}
	return d
}
