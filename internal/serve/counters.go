package serve

import (
	"reflect"
	"strings"
)

// Counters tell what was asked of a network, answered and refused since its service
// began, by names such as "dhcp4 discovers"; what never happened is left out. Those
// of all its gateways are added up.
func (s *Servers) Counters(network string) map[string]uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]uint64{}
	for at, n := range s.networks {
		if at.network == network {
			n.count(all)
		}
	}
	return all
}

func (n *network) count(all map[string]uint64) {
	if n.link != nil {
		count(all, "link", n.link.Counters())
	}
	if p := n.dhcp4.Load(); p != nil {
		count(all, "dhcp4", p.Counters())
	}
	if p := n.dhcp6.Load(); p != nil {
		count(all, "dhcp6", p.Counters())
	}
	if p := n.radv.Load(); p != nil {
		count(all, "ra", p.Counters())
	}
	if n.dns != nil {
		count(all, "dns", n.dns.Counters())
	}
}

// count adds the fields of a struct of numbers.
func count(all map[string]uint64, what string, counters any) {
	v := reflect.ValueOf(counters)
	for i := range v.NumField() {
		if v.Field(i).CanUint() && v.Field(i).Uint() > 0 {
			all[what+" "+strings.ToLower(v.Type().Field(i).Name)] += v.Field(i).Uint()
		}
	}
}
