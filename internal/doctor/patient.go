package doctor

import (
	"cmp"
	"net/netip"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Patient is what is looked at: the daemon's own namespace.
type Patient struct {
	Spec     *spec.Spec // what runs
	Defined  *spec.Spec // what is defined, running or not
	Facts    plan.Facts
	Have     plan.State
	Ops      []plan.Op               // by which the kernel differs from what is wanted
	Problems map[string][]string     // by object, what the last pass could not do
	Blocked  func(owner string) bool // whether it could not do it; else it only waits

	Settings   Settings
	Resolvers  []string // of the host
	Neighbours []api.Neighbour
	Leases     []api.Lease
	Ports      []PortHolder
	Chains     []Chain
	Legacy     []string           // tables of the old iptables that are in use
	Managers   map[string]Manager // by the link they have
	Litter     []Stray
	Changes    []api.HostChange // of the host's own network
}

// PortHolder is who else listens where our servers do.
type PortHolder struct {
	Network string
	Service string // DHCP, DHCPv6, DNS
	Holder  string // "dnsmasq (pid 812) on 0.0.0.0:53"
}

// Chain is a chain of somebody else's firewall that is on a hook.
type Chain struct {
	Family string // ip, ip6, inet
	Table  string
	Name   string
	Hook   string // forward or input
	Drops  bool   // by its policy
}

// Manager is who else has, or would have, a link that is ours.
type Manager struct {
	Name string // "systemd-networkd"
	Why  string // "/etc/systemd/network/all.network matches it"
}

// Stray is something in our directories that serves nobody.
type Stray struct {
	Path string
	Why  string
	Ours bool // nobody misses it: it may be removed
}

// networks yields the running networks that are on bridges of ours, by name.
func (p *Patient) networks() []running {
	var list []running
	for name, n := range p.Spec.Networks {
		if n.Mode.Managed() {
			list = append(list, running{name, n})
		}
	}
	slices.SortFunc(list, func(a, b running) int { return cmp.Compare(a.name, b.name) })
	return list
}

type running struct {
	name string
	*spec.Network
}

// leaves reports whether guests of the network are to reach the outside by the host.
func (r running) leaves() bool {
	return r.Mode == spec.NAT || r.Mode == spec.Route || r.Mode == spec.Open
}

// serves reports whether we give the guests addresses in a family.
func (r running) serves(v4 bool) bool {
	return slices.ContainsFunc(r.Subnets, func(s spec.Subnet) bool { return s.Address.IsValid() && s.Address.Addr().Is4() == v4 })
}

// links yields the host's links in the order of their names.
func (p *Patient) links() []plan.Link {
	var list []plan.Link
	for _, l := range p.Facts.Links {
		list = append(list, l)
	}
	slices.SortFunc(list, func(a, b plan.Link) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

// uplinks are the links with a default route, of either family.
func (p *Patient) uplinks() []string {
	all := slices.Concat(p.Facts.Uplinks4, p.Facts.Uplinks6)
	slices.Sort(all)
	return slices.Compact(all)
}

// setting is the value of a sysctl of a link, "" where it is not known.
func (p *Patient) setting(family, link, name string) string {
	if s, ok := p.Have[plan.Sysctl{Family: family, Link: link, Name: name}.Key()].(plan.Sysctl); ok {
		return s.Value
	}
	return ""
}

// addresses yields every address of the host's links, ours too.
func (p *Patient) addresses() map[netip.Addr][]string {
	at := map[netip.Addr][]string{}
	for a := range plan.Of[plan.Addr](p.Have) {
		if a.NS == "" {
			at[a.Prefix.Addr()] = append(at[a.Prefix.Addr()], a.Link)
		}
	}
	return at
}
