package plan

import (
	"fmt"
	"net/netip"

	"kvmnet/internal/spec"
)

// What source NAT leaves alone: multicast and broadcast (RFC 5135 section 3).
const (
	translated4 = "meta nfproto ipv4 ip daddr != { 224.0.0.0/4, 255.255.255.255 }"
	translated6 = "meta nfproto ipv6 ip6 daddr != ff00::/8"
)

// natSource wants what the guests of a network of mode nat leave with: the address
// of the interface they leave by, or, of IPv4, one that was chosen; and ports of a
// range, where the protocol has ports.
func (b *builder) natSource(owner Mark, e *end) {
	nat := spec.NATSettings{}
	if e.n.NAT != nil {
		nat = *e.n.NAT
	}
	comment := fmt.Sprintf("nat/%s snat 0", e.network)
	var rules []string
	masquerade := func(family, match string) {
		b.want.Add(Element{Mark: owner, Map: "masquerade" + family, ID: e.link})
		if !nat.Ports.IsZero() {
			rules = append(rules, fmt.Sprintf("%s meta l4proto { tcp, udp, sctp } counter masquerade to :%s fully-random comment %q", match, nat.Ports, comment))
		}
	}
	if nat.Address.IsZero() {
		masquerade("4", translated4)
	} else {
		rules = snatRules(translated4, nat.Address, nat.Ports, comment)
	}
	if spec.Truth(nat.IPv6) {
		masquerade("6", translated6)
	}
	b.chain(e, "source", rules)
}

// natIdles tells what answers will not find their way back by themselves.
func (l *layout) natIdles(n *spec.Network) (list []string) {
	if n.Mode != spec.NAT || n.NAT == nil || n.NAT.Address.IsZero() {
		return nil
	}
	for _, s := range n.Subnets {
		if a := n.NAT.Address; s.Address.Contains(a.From) || s.Address.Contains(a.To) {
			return []string{fmt.Sprintf("leaves with %s, which is in its own subnet %s: no answer comes back", rangeText(a, netip.Addr.String), s.Address.Masked())}
		}
	}
	if a, absent := l.absent(n.NAT.Address); absent {
		list = append(list, fmt.Sprintf("leaves with %s, which this host does not hold: answers come back only where the outside routes it to this host", a))
	}
	return list
}

// absent finds an address of a range that the host does not hold.
func (l *layout) absent(r spec.AddrRange) (netip.Addr, bool) {
	held := map[netip.Addr]bool{}
	for _, a := range l.facts.Addresses {
		held[a.Prefix.Addr()] = true
	}
	for _, hb := range sorted(l.live.Bridges) {
		for _, p := range hb.Addresses {
			held[p.Addr()] = true
		}
	}
	for _, f := range sorted(l.live.Forwards) {
		held[f.Floating] = true
	}
	n := 0
	for a := r.From; a.IsValid() && a.Compare(r.To) <= 0 && n < mostSources; a = a.Next() {
		if !held[a] {
			return a, true
		}
		n++
	}
	return netip.Addr{}, false
}
