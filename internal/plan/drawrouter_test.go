package plan_test

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// drawRouters adds routers, forwards, policies and peers to a live spec.
func drawRouters(t *rapid.T, label string, s *spec.Spec) {
	s.Routers, s.Forwards = map[string]*spec.Router{}, map[string]*spec.Forward{}
	s.Policies, s.Sets = map[string]*spec.Policy{}, map[string]*spec.AddressSet{"office": {Addresses: "192.0.2.0/24, 2001:db8:9::/48"}}
	for k := range 2 {
		if name := fmt.Sprint("r", k); rapid.Bool().Draw(t, label+name) {
			s.Routers[name] = drawRouter(t, label+name+" ", k, s)
		}
	}
	judged := networks(s, func(n *spec.Network) bool { return n.Mode != spec.Open && n.Mode != spec.Bridge && len(n.Subnets) > 0 })
	if len(judged) == 0 {
		return
	}
	pick := func(what string, list []string) string { return rapid.SampledFrom(list).Draw(t, label+what) }
	for k := range rapid.IntRange(0, 3).Draw(t, label+"policies") {
		p := &spec.Policy{From: spec.Parties(pick(fmt.Sprint("from", k), judged)),
			To: spec.Parties(pick(fmt.Sprint("to", k), []string{"outside", "any", "set/office", "198.51.100.0/24"}))}
		list := pick(fmt.Sprint("list", k), []string{"deny", "reject", "allow"})
		traffic := []spec.Traffic{{Protocol: spec.TCP, Ports: spec.PortRanges(pick(fmt.Sprint("ports", k), []string{"", "80", "2000-2999, 22"}))}}
		map[string]func(){"deny": func() { p.Deny = traffic }, "reject": func() { p.Reject = traffic }, "allow": func() { p.Allow = traffic }}[list]()
		s.Policies[fmt.Sprint("p", k)] = p
	}
	for k := range rapid.IntRange(0, 2).Draw(t, label+"forwards") {
		network := pick(fmt.Sprint("forward", k), judged)
		f := &spec.Forward{Network: network, To: spec.Target{Addr: s.Networks[network].Subnets[0].Address.Addr().Next()}}
		listen := pick(fmt.Sprint("listen", k), []string{fmt.Sprintf("%d", 80+k), fmt.Sprintf("%d", 90+k), fmt.Sprintf("%d000-%d100", 2+k, 2+k), fmt.Sprintf("%d050-%d200", 2+k, 2+k)})
		f.Listen, _ = spec.ParseListen(listen)
		s.Forwards[fmt.Sprint("f", k)] = f
	}
	if len(judged) > 1 && rapid.Bool().Draw(t, label+"peers") {
		s.Networks[judged[0]].Peers = []string{judged[1]}
	}
}

func networks(s *spec.Spec, fits func(*spec.Network) bool) (list []string) {
	for name, n := range s.Networks {
		if fits(n) {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func drawRouter(t *rapid.T, label string, k int, s *spec.Spec) *spec.Router {
	r := &spec.Router{Uplinks: map[string]*spec.Uplink{}}
	for _, way := range []string{"isp1", "isp2"} {
		if u := drawUplink(t, label+way+" ", k, way); u != nil {
			r.Uplinks[way] = u
		}
	}
	for i := range 3 {
		name := fmt.Sprint("n", i)
		if n := s.Networks[name]; n != nil && n.Mode == spec.Bridge || !rapid.Bool().Draw(t, label+name) {
			continue
		}
		r.Interfaces = append(r.Interfaces, drawInterface(t, label+name+" ", k, i, r))
	}
	if rapid.Bool().Draw(t, label+"cap") {
		r.Connections = 100
	}
	return r
}

func drawUplink(t *rapid.T, label string, k int, way string) *spec.Uplink {
	net := map[string]int{"isp1": 1, "isp2": 2}[way]
	u := &spec.Uplink{Address: spec.Prefixes(fmt.Sprintf("172.16.%d.%d/24, fd00:16:%d::%d/64", net, k+9, net, k+9)), Gateway: spec.Addresses(fmt.Sprintf("172.16.%d.1", net))}
	switch rapid.SampledFrom([]string{"none", "bridge", "absent", "nic", "host"}).Draw(t, label+"kind") {
	case "none":
		return nil
	case "bridge":
		u.Bridge = "virbr9"
	case "absent":
		u.Bridge = "br7"
	case "nic":
		u.NIC = rapid.SampledFrom([]string{"eth1", "eth9"}).Draw(t, label+"nic")
	case "host":
		u.Host = rapid.SampledFrom([]spec.HostLink{spec.HostNAT, spec.HostRoute}).Draw(t, label+"host")
		u.Address = spec.Prefixes(fmt.Sprintf("172.17.%d.2/30", 10*k+net))
		u.Gateway = spec.Addresses(fmt.Sprintf("172.17.%d.1", 10*k+net))
	}
	return u
}

func drawInterface(t *rapid.T, label string, k, i int, r *spec.Router) spec.Interface {
	e := spec.Interface{Network: fmt.Sprint("n", i), Name: fmt.Sprint("eth", i), Address: spec.Prefixes(fmt.Sprintf("10.%d.%d.1/24, fd00:%d:%d::1/64", 20+k, i, 20+k, i))}
	if len(r.Uplinks) == 0 {
		return e
	}
	e.Egress = rapid.SampledFrom([]spec.Egress{spec.EgressNone, spec.EgressRoute, spec.EgressMasquerade, spec.EgressSNAT}).Draw(t, label+"egress")
	if e.Egress == spec.EgressSNAT {
		a, _ := spec.ParseAddrRange("172.18.0.1-172.18.0.2")
		e.SNAT = &spec.SNAT{Address: a}
	}
	for way := range r.Uplinks {
		if e.Egress != spec.EgressNone && len(r.Uplinks) == 1 {
			e.Uplink, e.KillSwitch = way, rapid.Bool().Draw(t, label+"kill")
		}
	}
	if rapid.Bool().Draw(t, label+"rate") {
		e.Bandwidth = &spec.Bandwidth{In: spec.Limit{Rate: 1e6 + 1}}
	}
	return e
}

// guardRouter: what is up in the namespace of a router is judged, and the ends of
// its pairs that stay with the host are up in a bridge only, or judged.
func (m *machine) guardRouter(l plan.Link) error {
	_, up := m.state[plan.Up{NS: l.NS, Link: l.Name}.Key()]
	row := func(set string) bool { return m.has(plan.Element{NS: l.NS, Map: set, ID: l.Name}) }
	switch {
	case !up || l.Name == "lo" || l.Owner() == "":
	case l.NS == "" && l.Master == "" && !(row("from") && row("to")):
		return fmt.Errorf("router's end %s is up without a bridge and without rules", l.Name)
	case l.NS != "" && strings.HasPrefix(l.Name, "eth") && !(row("from") && row("to") && row("bridges")):
		return fmt.Errorf("%s is up in %s without rules", l.Name, l.NS)
	case l.NS != "" && strings.HasPrefix(l.Name, "isp") && !(row("held4") && row("held6")):
		return fmt.Errorf("uplink %s is up in %s without rules", l.Name, l.NS)
	}
	return nil
}

func (m *machine) has(o plan.Object) bool { _, there := m.state[o.Key()]; return there }
