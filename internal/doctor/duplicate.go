package doctor

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// address looks for addresses that two have: links of this host, and guests of one
// network, of whom one has it by lease and another one answers for it.
func (p *Patient) address(n *notes) {
	at := p.addresses()
	for _, a := range slices.SortedFunc(maps.Keys(at), netip.Addr.Compare) {
		links := slices.Compact(slices.Sorted(slices.Values(at[a])))
		if len(links) > 1 && !a.IsLinkLocalUnicast() && !a.IsLoopback() {
			n.warn(strings.Join(links, ", "), "all have %s", a).Fix = "take it from those that are not to have it: ip addr del " + a.String() + " dev …"
		}
	}
	for _, r := range p.networks() {
		p.leased(n, r, at)
	}
}

func (p *Patient) leased(n *notes, r running, here map[netip.Addr][]string) {
	holders := map[netip.Addr]api.Lease{}
	for _, l := range p.Leases {
		if l.Network == r.name && l.State == "bound" {
			holders[l.Address.Addr()] = l
		}
	}
	for _, nb := range p.Neighbours {
		lease, leased := holders[nb.Address]
		if nb.Link != r.Bridge.Name || nb.MAC.IsZero() {
			continue
		}
		if leased && nb.MAC != lease.MAC {
			n.broken(r.name, "%s is leased to %s, and %s answers for it", nb.Address, lease.MAC, nb.MAC).Fix =
				"find the guest that has it without a lease (kvmnet port list), or keep guests to theirs with guard: strict"
		}
		if links := here[nb.Address]; len(links) > 0 {
			n.broken(r.name, "%s is the host's, on %s, and %s answers for it", nb.Address, links[0], nb.MAC).Fix = "find the guest that took it (kvmnet port list)"
		}
	}
}

// mac looks for guests and links with one MAC on one segment. A bridge has that of one
// of its ports, which is no fault.
func (p *Patient) mac(n *notes) {
	type place struct {
		segment string
		mac     spec.MAC
	}
	seen := map[place]string{}
	note := func(at place, who string) {
		if other, twice := seen[at]; twice && !at.mac.IsZero() {
			n.broken(at.segment, "%s and %s both have %s", other, who, at.mac).Fix = "give one of them another: kvmnet port set, or the MAC of the guest"
		}
		seen[at] = who
	}
	for _, name := range slices.Sorted(maps.Keys(p.Spec.Ports)) {
		port := p.Spec.Ports[name]
		note(place{port.Network, port.MAC}, "port "+name)
	}
	for _, l := range p.links() {
		if l.Master != "" && l.Owner() == "" && l.Type != "tap" {
			note(place{l.Master, l.MAC}, l.Name)
		}
	}
}
