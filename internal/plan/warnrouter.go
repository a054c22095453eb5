package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// routerWaits lists what a router has not got yet.
func (l *layout) routerWaits(name string, r *spec.Router) (list []string) {
	for _, way := range slices.Sorted(maps.Keys(r.Ways())) {
		u := r.Ways()[way]
		_, there := l.way(name, way, u)
		switch {
		case !there:
			list = append(list, way+" waits for "+missing(u))
		case u.DHCP && !l.facts.Acquired[name+"/"+way].Address.IsValid():
			list = append(list, way+" waits for an address by DHCP")
		case u.Bandwidth != nil && u.Bandwidth.In.Rate > 0 && u.NIC != "":
			list = append(list, way+" is on a NIC: what comes in from there is not limited")
		}
	}
	for k := range r.Interfaces {
		if i := &r.Interfaces[k]; !l.runs(i.Network) {
			list = append(list, i.Name+" waits for network "+i.Network+", which does not run")
		}
	}
	b := builder{live: l.live, facts: l.facts, lay: l}
	rt := newRouting(&b, name, r)
	for _, route := range r.Routes {
		if _, link, _ := rt.nextHop(route); link == "" && !route.Blackhole {
			list = append(list, fmt.Sprintf("the route to %s waits for its next hop", route.To))
		}
	}
	return list
}

func missing(u *spec.Uplink) string {
	switch {
	case u.Bridge != "":
		return "bridge " + u.Bridge + ", which does not exist"
	case u.NIC != "":
		return "interface " + u.NIC + ", which does not exist"
	}
	return "network " + u.Network + ", which does not run"
}

// forwardWaits tells what a forward waits for.
func (l *layout) forwardWaits(f *spec.Forward) string {
	e := l.listens(f)
	switch {
	case e == nil && f.Router != "" && l.live.Networks[f.Network] != nil:
		return "waits for router " + f.Router + " on network " + f.Network
	case e == nil:
		return "waits for network " + f.Network + ", which does not run"
	case len(l.targets(f)) == 0 && f.To.Name != "":
		return "waits for guest " + f.To.Name + " of network " + f.Network + ", which has no address" + familyOf(f)
	case f.Floating.IsValid() && e.ns == "" && l.segmentOf(f.Floating) == "" && !l.holds(f):
		return "waits for an uplink to hold " + f.Floating.String() + " on: the host has no default route"
	}
	return ""
}

// familyOf tells the family that only counts, where one address is listened on.
func familyOf(f *spec.Forward) string {
	a := f.Listen.Addr
	if f.Floating.IsValid() {
		a = f.Floating
	}
	switch {
	case !a.IsValid():
		return ""
	case a.Is4():
		return " of IPv4"
	}
	return " of IPv6"
}

// holds reports whether the host has the floating address already.
func (l *layout) holds(f *spec.Forward) bool {
	for _, a := range l.facts.Addresses {
		if a.Prefix.Addr() == f.Floating {
			return true
		}
	}
	for _, hb := range l.live.Bridges {
		if hb == nil {
			continue
		}
		for _, p := range hb.Addresses {
			if p.Addr() == f.Floating {
				return true
			}
		}
	}
	return false
}

// policyIdles tells why a policy does nothing, "" when it does something.
func (l *layout) policyIdles(name string, p *spec.Policy) string {
	var absent, open []string
	for _, parties := range []spec.Parties{p.From, p.To} {
		list, _ := parties.Parse()
		for _, party := range list {
			n := l.live.Networks[party.Network()]
			switch {
			case party.Network() == "":
			case n == nil:
				absent = append(absent, party.Network())
			case n.Mode == spec.Open || n.Mode == spec.Bridge:
				open = append(open, party.Network())
			}
		}
	}
	for _, r := range rulesOf("policy/"+name, p) {
		for _, e := range l.order {
			if e.from != judgeIsolated && e.from != judgeOpen && len(l.linesFrom(e, r))+len(l.linesTo(e, r))+len(l.linesIn(e, r)) > 0 {
				return ""
			}
		}
	}
	switch {
	case len(absent) > 0:
		return "waits for network " + strings.Join(absent, ", ") + ", which does not run"
	case len(open) > 0:
		return "has no effect: kvmnet does not judge what goes to and from network " + strings.Join(open, ", ")
	}
	return "has no effect: no connection fits, as nothing routes between its parties"
}
