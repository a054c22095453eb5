package doctor

import (
	"kvmnet/internal/spec"
)

// filter looks for strict checks of the way back (RFC 3704) where packets may come by
// another link than answers leave by: hosts with several uplinks, and what is routed
// to a guest. The kernel takes the greater of all and the link's own.
func (p *Patient) filter(n *notes) {
	if uplinks := p.Facts.Uplinks4; len(uplinks) > 1 {
		for _, link := range uplinks {
			p.strict(n, link, "the host has several uplinks, and answers may come by another one than the route back")
		}
	}
	for _, r := range p.networks() {
		for _, route := range r.Routes {
			if route.To.Addr().Is4() {
				p.strict(n, r.Bridge.Name, "what comes from "+route.To.String()+" behind a guest may be answered elsewhere")
				break
			}
		}
	}
}

func (p *Patient) strict(n *notes, link, why string) {
	for _, of := range []string{link, "all"} {
		if p.Settings[filter(of)] == "1" && p.Settings[filter(link)] != "2" {
			n.warn(link, "%s is 1 (strict): %s", filter(of), why).Fix = "sysctl -w " + filter(link) + "=2"
			return
		}
	}
}

// netfilter looks for bridges on which br_netfilter passes frames through the rules for
// routed packets: those of Docker and of firewalls then drop what guests of one
// segment say to each other. Our own bridges have it off, whatever the host says.
func (p *Patient) netfilter(n *notes) {
	if p.Settings[callIPTables] != "1" && p.Settings[callIP6Tables] != "1" {
		return
	}
	for _, bridge := range p.hostBridges() {
		n.warn(bridge, "frames between guests on %s pass iptables and nftables (br_netfilter): a firewall for routed packets may drop them", bridge).Fix =
			"sysctl -w " + callIPTables + "=0 " + callIP6Tables + "=0, unless Docker or Kubernetes on this host need it"
	}
}

// hostBridges are bridges that networks of mode bridge use and that are not ours,
// sorted.
func (p *Patient) hostBridges() (list []string) {
	used := map[string]bool{}
	for _, network := range p.Spec.Networks {
		if network.Mode == spec.Bridge {
			used[network.Bridge.Name] = true
		}
	}
	for _, l := range p.links() {
		if used[l.Name] && l.Type == "bridge" && l.Owner() == "" {
			list = append(list, l.Name)
		}
	}
	return list
}
