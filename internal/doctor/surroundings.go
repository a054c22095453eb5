package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kvmnet/internal/api"
)

// holders tells who else listens where our servers do.
func (p *Patient) holders(n *notes) {
	for _, h := range p.Ports {
		f := n.warn(h.Network, "%s of its guests may not be served: %s holds the port", h.Service, h.Holder)
		f.Fix = "have it listen on its own addresses only (dnsmasq: bind-interfaces, named: listen-on), or stop it"
	}
}

// firewall tells of chains that drop by their policy what nobody accepts. An accept of
// ours cannot undo that (nft: a packet must be accepted on each hook by all).
func (p *Patient) firewall(n *notes) {
	needs := p.behindFirewall()
	if len(needs) == 0 {
		return
	}
	for _, c := range p.Chains {
		if !c.Drops {
			continue
		}
		owner, fix := p.ownerOf(c, needs)
		lost := "routed packets of " + names(needs)
		if c.Hook == "input" {
			lost = "what guests of " + names(needs) + " ask of the host (DHCP, DNS)"
		}
		n.warn(owner, "table %s %s, chain %s drops by default: %s may not pass", c.Family, c.Table, c.Name, lost).Fix = fix
	}
	for _, t := range p.Legacy {
		if strings.HasSuffix(t, " filter") {
			n.warn("iptables-legacy", "rules of the old %s are in force beside nftables", t).Fix =
				"see them with " + strings.TrimSuffix(t, " filter") + "-legacy -S, and accept what guests need, or move them to nftables"
		}
	}
}

// behindFirewall are the running networks whose packets pass the host's hooks.
func (p *Patient) behindFirewall() (list []running) {
	for _, r := range p.networks() {
		if r.leaves() || len(r.Subnets) > 0 {
			list = append(list, r)
		}
	}
	return list
}

func names(list []running) string {
	var all []string
	for _, r := range list {
		all = append(all, r.name)
	}
	return strings.Join(all, ", ")
}

// ownerOf guesses whose a chain is, by the names that firewalls give, and how each of
// them is told to let guests through.
func (p *Patient) ownerOf(c Chain, needs []running) (owner, fix string) {
	bridge := needs[0].Bridge.Name
	has := func(name string) bool {
		return slices.ContainsFunc(p.Chains, func(o Chain) bool { return o.Family == c.Family && o.Table == c.Table && o.Name == name })
	}
	switch {
	case c.Table == "firewalld":
		return "firewalld", fmt.Sprintf("firewall-cmd --permanent --zone=trusted --add-interface=%s && firewall-cmd --reload", bridge)
	case has("ufw-before-forward") || has("ufw-before-input") || has("ufw6-before-forward"):
		return "ufw", fmt.Sprintf("ufw allow in on %s && ufw route allow in on %s && ufw route allow out on %s", bridge, bridge, bridge)
	case has("DOCKER-USER"):
		return "Docker", fmt.Sprintf("iptables -I DOCKER-USER -i %s -j ACCEPT && iptables -I DOCKER-USER -o %s -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", bridge, bridge)
	}
	return "a firewall", fmt.Sprintf("nft insert rule %s %s %s iifname %s accept, and the way back: oifname %s ct state established,related accept",
		c.Family, c.Table, c.Name, bridge, bridge)
}

// managers tells who else would configure links of ours.
func (p *Patient) managers(n *notes) {
	for _, link := range slices.Sorted(maps.Keys(p.Managers)) {
		m := p.Managers[link]
		n.warn(link, "%s takes it for its own: %s", m.Name, m.Why).Fix = leave(m.Name, link)
	}
}

// leave is how a manager is told to leave a link alone.
func leave(manager, link string) string {
	switch manager {
	case "systemd-networkd":
		return "name fewer links there, or write /etc/systemd/network/00-" + link + ".network with [Match] Name=" + link + " and [Link] Unmanaged=yes"
	case "NetworkManager":
		return "delete that profile, or keyfile.unmanaged-devices=interface-name:" + link + " in /etc/NetworkManager/conf.d"
	case "dhcpcd":
		return "denyinterfaces " + link + " in /etc/dhcpcd.conf"
	}
	return "have it leave " + link + " alone"
}

// resolver looks whether what guests ask our servers can be asked further.
func (p *Patient) resolver(n *notes) {
	for _, r := range p.networks() {
		if r.leaves() && (r.DNS == nil || len(r.DNS.Forwarders) == 0) && len(p.Resolvers) == 0 {
			n.warn(r.name, "the host's resolv.conf names no server: guests find no names of the outside").Fix =
				"name one there, or dns: {forwarders: […]} in the definition (kvmnet net edit " + r.name + ")"
		}
	}
}

// problems tells what the last pass could not do, by object.
func (p *Patient) problems(n *notes) {
	for _, owner := range slices.Sorted(maps.Keys(p.Problems)) {
		for _, problem := range p.Problems[owner] {
			level := api.Warning
			if p.Blocked(owner) {
				level = api.Broken
			}
			n.add(level, owner, "%s", problem).Fix = "kvmnet status tells more"
		}
	}
}

// changes tells what waits for a confirmation.
func (p *Patient) changes(n *notes) {
	for _, c := range p.Changes {
		if c.State == "armed" {
			n.warn(strings.Join(c.Holds, ", "), "%s waits for a confirmation, and is taken back at %s", c.What, c.Deadline.Format(time.TimeOnly)).Fix =
				"kvmnet bridge confirm " + c.ID + ", or kvmnet bridge rollback " + c.ID
		}
	}
}

// litter tells of files that serve nobody.
func (p *Patient) litter(n *notes) {
	for _, s := range p.Litter {
		f := n.warn(s.Path, "%s", s.Why)
		f.Fix, f.Ours = "rm "+s.Path, s.Ours
		if s.Ours {
			f.Fix = byItself
		}
	}
}
