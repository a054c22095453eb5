package manage

import (
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// nearPorts is a spec without the ports that have nothing in common with those of an
// input: what one port may be depends on another only where both have a name, an
// interface, a MAC or an address in common. So to check a port takes no longer beside
// a thousand others than beside none.
func nearPorts(all *spec.Spec, ports map[string]*spec.Port) *spec.Spec {
	near := *all
	near.Ports = map[string]*spec.Port{}
	t := traitsOf(ports)
	for name, p := range all.Ports {
		if p == nil || ports[name] != nil || t.of(p) {
			near.Ports[name] = p
		}
	}
	return &near
}

// clearOf reports whether ports that were filled in meanwhile have nothing in common
// with those that were left out: a name is made so that it is free beside the others.
func clearOf(all, near *spec.Spec, ports map[string]*spec.Port) bool {
	t := traitsOf(ports)
	for name, p := range all.Ports {
		if _, looked := near.Ports[name]; !looked && p != nil && t.of(p) {
			return false
		}
	}
	return true
}

// traits are what no two ports may both have.
type traits struct {
	links map[string]bool
	macs  map[spec.MAC]bool
	addrs map[netip.Addr]bool
}

func traitsOf(ports map[string]*spec.Port) traits {
	t := traits{map[string]bool{"": false}, map[spec.MAC]bool{}, map[netip.Addr]bool{}}
	for _, p := range ports {
		if p == nil {
			continue
		}
		for _, name := range []string{p.Interface, p.Peer} {
			t.links[name] = name != ""
		}
		t.macs[p.MAC] = !p.MAC.IsZero()
		for _, a := range p.Addresses {
			t.addrs[a] = true
		}
	}
	return t
}

// of reports whether a port has one of the traits.
func (t traits) of(p *spec.Port) bool {
	return t.links[p.Interface] || t.links[p.Peer] || t.macs[p.MAC] ||
		slices.ContainsFunc(p.Addresses, func(a netip.Addr) bool { return t.addrs[a] })
}
