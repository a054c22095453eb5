package hostnet

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// lessee is one with its definition.
type lessee struct {
	Lessee
	defined spec.HostInterface // zero = nothing defines it any more
}

// lessees are the interfaces that want a lease: those of kvmnet's own definitions that
// are up, and those that have one of ours still. What runs stays as it is, whatever was
// defined meanwhile, until it goes down.
func (h *Host) lessees(s sight) (list []lessee) {
	taken := map[string]bool{}
	add := func(l hostlink.Listed, key string, of spec.HostInterface) {
		if taken[l.Name] || taken["key "+key] {
			return
		}
		taken[l.Name], taken["key "+key] = true, true
		list = append(list, lessee{Lessee{Key: key, Link: l.Name, MAC: l.MAC}, of})
	}
	asking := s.asking()
	for _, i := range asking {
		if l, top := s.live[i.Name]; top && l.Up {
			add(l, leaseKey(l.HostInterface), i)
		}
	}
	for _, i := range asking {
		if l, is := s.inPlaceOf(i.Name); is && l.Up {
			add(l, leaseKey(l.HostInterface), i)
		}
	}
	for key, p := range h.leases.sitesNow(h.journal.Boot) {
		if l, there := s.leased(key, p); there {
			add(l, key, s.defined[l.Name].Interface)
		}
	}
	return append(list, h.heldLessees(s, taken)...)
}

// heldLessees are those from before that a change holds which waits: it may be reverted,
// and the lease is wanted again.
func (h *Host) heldLessees(s sight, taken map[string]bool) (list []lessee) {
	for _, was := range h.leases.wanted {
		_, top := s.live[was.Link]
		if !taken["key "+was.Key] && top && h.journal.Held(was.Link) != nil {
			list = append(list, was)
		}
	}
	return list
}

// asking are kvmnet's own definitions that say DHCP for IPv4, by name.
func (s sight) asking() (list []spec.HostInterface) {
	for _, d := range s.defined {
		if d.Manager == netfiles.Own && d.Interface.IPv4 != nil && d.Interface.IPv4.DHCP {
			list = append(list, d.Interface)
		}
	}
	slices.SortFunc(list, func(a, b spec.HostInterface) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// inPlaceOf finds the bridge that has the MAC of a port, and so its addresses.
func (s sight) inPlaceOf(name string) (hostlink.Listed, bool) {
	for _, l := range s.live {
		if p, is := portOf(l.HostInterface, name); is && l.Type == spec.BridgeInterface && p.MAC == l.MAC {
			return l, true
		}
	}
	return hostlink.Listed{}, false
}

// leased finds the interface that has a lease of ours, if nobody else has it by now.
func (s sight) leased(key string, p site) (hostlink.Listed, bool) {
	for _, name := range s.names() {
		l, top := s.live[name]
		d, defined := s.defined[name]
		if !top || !l.Up || leaseKey(l.HostInterface) != key || defined && d.Manager != netfiles.Own {
			continue
		}
		if l.IPv4 != nil && slices.ContainsFunc(p.Addresses, func(a netip.Prefix) bool { return slices.Contains(l.IPv4.Addresses, a) }) {
			return l, true
		}
	}
	return hostlink.Listed{}, false
}

// leaseKey is the MAC by which a server knows an interface, and the tag of its VLAN, on
// which there is another server. A bridge has the key of the port whose MAC it has.
func leaseKey(i spec.HostInterface) string {
	for _, p := range i.Ports() {
		if i.Type == spec.BridgeInterface && p.MAC == i.MAC {
			return leaseKey(p)
		}
	}
	if i.VLAN != nil {
		return fmt.Sprintf("%s.%d", i.MAC, i.VLAN.Tag)
	}
	return i.MAC.String()
}
