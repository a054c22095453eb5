package plan

import (
	"fmt"
	"net/netip"
	"strings"

	"kvmnet/internal/spec"
)

// policyChains wants what policies say about one end: what may be opened from it,
// to it, and from it to the host or router itself.
func (b *builder) policyChains(e *end) {
	if e.from == judgeIsolated || e.from == judgeOpen {
		return
	}
	var from, to, in []string
	for _, r := range b.lay.rules {
		from = append(from, b.lay.linesFrom(e, r)...)
		to = append(to, b.lay.linesTo(e, r)...)
		in = append(in, b.lay.linesIn(e, r)...)
	}
	for _, r := range e.allowed() {
		from = append(from, b.lay.linesFrom(e, r)...)
	}
	b.chain(e, "policy_from", from)
	b.chain(e, "policy_to", to)
	b.chain(e, "policy_in", in)
}

// chain wants a chain made for an end, and the element that leads to it.
func (b *builder) chain(e *end, set string, rules []string) {
	if len(rules) == 0 {
		return
	}
	name := chainName(set, e.link)
	b.want.Add(NewChain(e.owner(), e.ns, name, rules...),
		Element{Mark: e.owner(), NS: e.ns, Map: set, ID: e.link, Value: "jump " + name})
}

// owner is the object that what judges the end belongs to.
func (e *end) owner() Mark {
	if e.router != "" {
		return Mark(routerOwner(e.router))
	}
	return Mark("network/" + e.network)
}

// linesFrom are the rules about what comes from an end.
func (l *layout) linesFrom(e *end, r rule) []string {
	from, to := l.side(r.from, e.ns), l.side(r.to, e.ns)
	if from.never || from.outside || from.end != nil && from.end != e || to.never || to.end == e || !e.reaches(from) {
		return nil
	}
	return r.lines(from, to, to.interfaceMatch("oifname"), "goto permit")
}

// linesTo are the rules about what goes to an end.
func (l *layout) linesTo(e *end, r rule) []string {
	from, to := l.side(r.from, e.ns), l.side(r.to, e.ns)
	if from.never || from.end == e || to.never || to.outside || to.end != nil && to.end != e || !e.reaches(to) {
		return nil
	}
	return r.lines(from, to, from.interfaceMatch("iifname"), "goto permit")
}

func (s side) interfaceMatch(word string) string {
	switch {
	case s.outside:
		return word + " != @bridges"
	case s.end != nil:
		return fmt.Sprintf("%s %q", word, s.end.link)
	}
	return ""
}

// linesIn are the rules about what guests send to the host or router itself. Its
// address on their own network, where they get DHCP and DNS, is meant only where
// it is named as that network's gateway, or as the router.
func (l *layout) linesIn(e *end, r rule) []string {
	from := l.side(r.from, e.ns)
	if from.never || from.outside || from.end != nil && from.end != e || !e.reaches(from) {
		return nil
	}
	to, match := side{limited: true}, ""
	switch r.to.Kind {
	case spec.PartyGateway:
		to.list = l.gatewaysAt(r.to.Name, e.ns)
	case spec.PartyNetwork:
		if r.to.Name != e.network {
			to.list = l.gatewaysAt(r.to.Name, e.ns)
		}
	case spec.PartyRouter:
		if r.to.Name == e.ns {
			to.list = l.addresses(r.to)
		}
	case spec.PartyAny:
		to, match = side{}, elsewhere
	case spec.PartySet, spec.PartyPrefix:
		to.list, match = l.addresses(r.to), elsewhere
	}
	if to.limited && len(to.list) == 0 {
		return nil
	}
	return r.lines(from, to, match, "accept")
}

// elsewhere matches the addresses of the host or router that are not on the link
// by which the packet came.
const elsewhere = "fib daddr . iif type != { local, broadcast, multicast }"

// gatewaysAt are the addresses of the host or router on a network.
func (l *layout) gatewaysAt(network, ns string) []netip.Prefix {
	if e := l.at(network, ns); e != nil {
		return joinPrefixes(singles(e.subnets))
	}
	return nil
}

// lines writes a rule, once for each family where addresses count.
func (r rule) lines(from, to side, match, permit string) []string {
	if !from.limited && !to.limited && len(r.traffic.to) == 0 {
		return r.text(permit, match, r.traffic.match())
	}
	var lines []string
	for _, f := range []struct{ word, name string }{{"ip", "4"}, {"ip6", "6"}} {
		src, ok1 := addressMatch(f.word+" saddr", from.limited, from.list, f.name)
		dst, ok2 := addressMatch(f.word+" daddr", to.limited, to.list, f.name)
		more, ok3 := addressMatch(f.word+" daddr", len(r.traffic.to) > 0, r.traffic.to, f.name)
		if ok1 && ok2 && ok3 {
			lines = append(lines, r.text(permit, match, src, dst, more, r.traffic.match())...)
		}
	}
	return lines
}

func addressMatch(word string, limited bool, list []netip.Prefix, fam string) (string, bool) {
	if !limited {
		return "", true
	}
	var texts []string
	for _, p := range list {
		if family(p.Addr()) == fam {
			texts = append(texts, prefixText(p))
		}
	}
	return word + " " + nftSet(texts), len(texts) > 0
}

func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

func nftSet(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	return "{ " + strings.Join(texts, ", ") + " }"
}

// text puts a rule together; a second one before it writes to the log.
func (r rule) text(permit string, matches ...string) []string {
	var b strings.Builder
	for _, m := range matches {
		if m != "" {
			b.WriteString(m + " ")
		}
	}
	verdict := map[ruling]string{deny: "drop", reject: "reject with icmpx admin-prohibited", allow: permit}[r.verdict]
	line := fmt.Sprintf("%scounter %s comment %q", b.String(), verdict, fmt.Sprintf("%s %s %d", r.name, r.verdict, r.index))
	if !r.log {
		return []string{line}
	}
	name := strings.TrimPrefix(r.name, "policy/")
	return []string{fmt.Sprintf("%slimit rate 10/second log prefix %q", b.String(), fmt.Sprintf("kvmnet %s %s: ", name, r.verdict)), line}
}

// match writes the kind of a connection but for its destinations.
func (t traffic) match() string {
	protocol := map[spec.Protocol]string{"": "", spec.ICMP: "meta l4proto { icmp, ipv6-icmp }"}
	text, special := protocol[t.protocol]
	switch {
	case len(t.ports) > 0 && t.protocol == "":
		text = "meta l4proto { tcp, udp }"
	case !special:
		text = "meta l4proto " + string(t.protocol)
	}
	if len(t.ports) == 0 {
		return text
	}
	var ports []string
	for _, r := range t.ports {
		ports = append(ports, r.String())
	}
	return text + " th dport " + nftSet(ports)
}
