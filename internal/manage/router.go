package manage

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Routers implements api.Service.
func (m *Manager) Routers(ctx context.Context) ([]api.Router, error) {
	v, err := m.look(ctx)
	if err != nil {
		return nil, err
	}
	list := []api.Router{}
	for _, name := range v.all.Names("routers") {
		list = append(list, m.router(v, name))
	}
	return list, nil
}

// Router implements api.Service.
func (m *Manager) Router(ctx context.Context, name string) (api.Router, error) {
	v, err := m.look(ctx)
	if err != nil {
		return api.Router{}, err
	}
	if v.all.Routers[name] == nil {
		return api.Router{}, cmp.Or(v.legible("router/"+name), notFound("router", name))
	}
	r := m.router(v, name)
	return r, internal(m.count(ctx, &r))
}

func (m *Manager) router(v *view, name string) api.Router {
	r := v.all.Routers[name]
	st := api.RouterStatus{State: api.Missing, Namespace: m.insight.Namespace(name), Problems: v.report.Problems["router/"+name]}
	ways := r.Ways()
	for _, uplink := range slices.Sorted(maps.Keys(ways)) {
		st.Uplinks = append(st.Uplinks, v.uplink(name, uplink, ways[uplink]))
	}
	for _, i := range r.Interfaces {
		l := v.routerLink(name, i.Name)
		l.On, l.Egress = "network "+i.Network, egress(i)
		for _, t := range i.Allow {
			l.Allow = append(l.Allow, api.PolicyRule{Verdict: "allow", Traffic: t})
		}
		st.Interfaces = append(st.Interfaces, l)
		if i.Egress == spec.EgressMasquerade || i.Egress == spec.EgressSNAT {
			st.NAT = append(st.NAT, api.RouterNAT{Interface: i.Name, Network: i.Network, Source: source(i.SNAT), Uplink: i.Uplink})
		}
	}
	st.Routes, st.Rules = v.routesOf(name)
	for _, f := range v.all.Names("forwards") {
		if listener(v.holders, v.all.Forwards[f]) == name {
			st.Forwards = append(st.Forwards, f)
		}
	}
	if _, there := v.report.Have[plan.Netns{Name: name}.Key()]; there {
		st.State = routerState(st)
	}
	return api.Router{Name: name, Spec: r, Status: st}
}

// routerState tells whether all of a router is there that has a namespace.
func routerState(st api.RouterStatus) string {
	down := func(l api.RouterLink) bool { return l.State != api.Up }
	deaf := func(l api.RouterLink) bool { return len(l.Addresses) == 0 }
	if len(st.Problems) > 0 || slices.ContainsFunc(st.Interfaces, down) || slices.ContainsFunc(st.Uplinks, down) || slices.ContainsFunc(st.Uplinks, deaf) {
		return api.Waits
	}
	return api.Up
}

func (v *view) uplink(router, name string, u *spec.Uplink) api.RouterLink {
	l := v.routerLink(router, name)
	switch {
	case u.Bridge != "":
		l.On = "bridge " + u.Bridge
	case u.Network != "":
		l.On = "network " + u.Network
	case u.NIC != "":
		l.On = "nic " + u.NIC
	default:
		l.On = "host"
	}
	got := v.report.Facts.Acquired[router+"/"+name]
	written, _ := u.Address.List()
	l.Acquired = slices.ContainsFunc(l.Addresses, func(p netip.Prefix) bool {
		return u.DHCP && p == got.Address || u.SLAAC && p.Addr().Is6() && !slices.Contains(written, p) && !p.IsSingleIP()
	})
	for r := range plan.Of[plan.Route](v.report.Have) {
		if r.NS == router && r.Link == name && r.Dst.Bits() == 0 && r.Via.IsValid() && !slices.Contains(l.Gateways, r.Via) {
			l.Gateways = append(l.Gateways, r.Via)
		}
	}
	slices.SortFunc(l.Gateways, netip.Addr.Compare)
	return l
}

// routerLink is a link inside a router as it was seen. Link-local addresses are
// left out: every link has one.
func (v *view) routerLink(router, name string) api.RouterLink {
	l := api.RouterLink{Name: name, State: api.Missing}
	have, there := v.report.Have.Link(router, name)
	if !there {
		return l
	}
	l.State, l.MAC, l.MTU = "down", have.MAC, have.MTU
	if _, up := v.report.Have[plan.Up{NS: router, Link: name}.Key()]; up {
		l.State = api.Up
	}
	for a := range plan.Of[plan.Addr](v.report.Have) {
		if a.NS == router && a.Link == name && !a.Prefix.Addr().IsLinkLocalUnicast() {
			l.Addresses = append(l.Addresses, a.Prefix)
		}
	}
	slices.SortFunc(l.Addresses, func(a, b netip.Prefix) int {
		return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
	})
	return l
}

// routesOf lists the routes and the routing rules of a router, without the routes
// that every link has.
func (v *view) routesOf(router string) (routes, rules []string) {
	for _, o := range v.report.Have.Sorted() {
		switch o := o.(type) {
		case plan.Route:
			if o.NS == router && !o.Dst.Addr().IsLinkLocalUnicast() {
				routes = append(routes, strings.TrimPrefix(o.String(), "route "))
			}
		case plan.Rule:
			if o.NS == router {
				rules = append(rules, strings.TrimPrefix(o.String(), "rule "))
			}
		}
	}
	return routes, rules
}

// egress tells how a network leaves: "masquerade by wan", "snat 192.0.2.7".
func egress(i spec.Interface) string {
	words := []string{string(cmp.Or(i.Egress, spec.EgressNone))}
	if i.Egress == spec.EgressSNAT {
		words = append(words, source(i.SNAT))
	}
	if i.Uplink != "" {
		words = append(words, "by", i.Uplink)
	}
	if i.KillSwitch {
		words = append(words, "or not at all")
	}
	return strings.Join(words, " ")
}

// source tells with what address or addresses, and ports, guests leave.
func source(s *spec.SNAT) string {
	if s == nil {
		return ""
	}
	var words []string
	for _, r := range []spec.AddrRange{s.Address, s.IPv6} {
		switch {
		case r.IsZero():
		case r.From == r.To:
			words = append(words, r.From.String())
		default:
			words = append(words, r.String())
		}
	}
	if !s.Ports.IsZero() {
		words = append(words, fmt.Sprintf("ports %s", s.Ports))
	}
	return strings.Join(words, " ")
}

// count fills in what is asked of the kernel for one router only.
func (m *Manager) count(ctx context.Context, r *api.Router) error {
	if r.Status.State == api.Missing {
		return nil
	}
	traffic, err := m.insight.Traffic(ctx, r.Name)
	if err != nil {
		return err
	}
	for _, list := range [][]api.RouterLink{r.Status.Uplinks, r.Status.Interfaces} {
		for k := range list {
			if t, counted := traffic[list[k].Name]; counted {
				list[k].Traffic = &t
			}
		}
	}
	if err := m.countEgress(ctx, r); err != nil {
		return err
	}
	if r.Status.Refused, err = m.insight.Refused(ctx, r.Name); err != nil {
		return err
	}
	r.Status.Neighbours, err = m.insight.Neighbours(ctx, r.Name)
	return err
}

// countEgress adds what the elements and rules counted by which interfaces leave.
func (m *Manager) countEgress(ctx context.Context, r *api.Router) error {
	hits, err := m.insight.Hits(ctx, r.Name)
	if err != nil {
		return err
	}
	rules, err := m.insight.Rules(ctx, r.Name)
	if err != nil {
		return err
	}
	for k := range r.Status.NAT {
		n := &r.Status.NAT[k]
		n.Counter = plus(n.Counter, hits, "masquerade4 "+n.Interface)
		n.Counter = plus(n.Counter, hits, "masquerade6 "+n.Interface)
		n.Counter = plus(n.Counter, rules, fmt.Sprintf("egress/%s/%s snat 0", r.Name, n.Interface))
	}
	for _, i := range r.Status.Interfaces {
		countRules(rules, fmt.Sprintf("egress/%s/%s", r.Name, i.Name), i.Allow)
	}
	return nil
}

// countRules fills in what the rules of a policy, or of an egress, have counted:
// those of one verdict are numbered.
func countRules(counted map[string]api.Counter, of string, rules []api.PolicyRule) {
	next := map[string]int{}
	for k := range rules {
		r := &rules[k]
		if c, ok := counted[fmt.Sprintf("%s %s %d", of, r.Verdict, next[r.Verdict])]; ok {
			r.Counter = &c
		}
		next[r.Verdict]++
	}
}
