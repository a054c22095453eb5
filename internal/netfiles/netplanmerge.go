package netfiles

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// netplanMerge puts keys of a NIC to a part of the bridge's definition.
type netplanMerge struct {
	*netplanJoining
	was netplanDef // the bridge's, as it was
	to  *yaml.Node
}

// netplanEither are keys of which a yes of either counts for both.
var netplanEither = []string{"dhcp4", "dhcp6", "accept-ra", "critical"}

// add adds what a part of the NIC's definition says by a key.
func (m netplanMerge) add(part netplanPart, key string) error {
	value := child(part.node, key)
	said := m.was.get(key)
	switch {
	case key == "activation-mode" || key == "optional" || key == "link-local" || value.Tag == "!!null":
		return nil // seen to by unsaid
	case key == "gateway4" || key == "gateway6":
		return m.gateway(part.node, key, value.Value)
	case slices.Contains(netplanEither, key):
		m.either(part.node, key, said)
	case value.Kind == yaml.SequenceNode:
		return m.items(value, key)
	case value.Kind == yaml.MappingNode:
		return m.inner(key, value)
	case said == nil:
		m.take(part.node, key)
	case said.Value != value.Value:
		return m.contradiction(value, said, key)
	}
	return nil
}

// take copies a key with its comments to the bridge; the part of the NIC loses it later.
func (m netplanMerge) take(from *yaml.Node, key string) {
	at := childAt(from, key)
	cut(m.to, key) // null
	m.to.Content = append(m.to.Content, copyOf(from.Content[at]), copyOf(from.Content[at+1]))
}

func (m netplanMerge) either(from *yaml.Node, key string, said *yaml.Node) {
	value := child(from, key)
	switch {
	case said == nil && (key != "accept-ra" || isYes(value.Value)): // unsaid it is accepted
		m.take(from, key)
	case said != nil && isYes(value.Value) && !isYes(said.Value):
		m.set(key, copyOf(value))
	}
}

// unsaid sees to what counts although one of both does not say it: an interface accepts
// router advertisements, has a link-local IPv6 address, and a boot waits for it.
func (m netplanMerge) unsaid() {
	if isNo(m.was.text("accept-ra")) && m.nic.get("accept-ra") == nil {
		m.set("accept-ra", truth(true))
	}
	if isYes(m.was.text("optional")) && !isYes(m.nic.text("optional")) {
		m.set("optional", truth(false))
	}
	said, nic := m.was.get("link-local"), m.nic.get("link-local")
	if said == nil && (nic == nil || !slices.Contains(m.nic.strings("link-local"), "ipv4")) {
		return // what is the case without a word
	}
	union := list(yaml.FlowStyle)
	for _, d := range []netplanDef{m.was, m.nic} {
		families := d.strings("link-local")
		if d.get("link-local") == nil {
			families = []string{"ipv6"}
		}
		for _, f := range families {
			if !slices.ContainsFunc(union.Content, func(n *yaml.Node) bool { return n.Value == f }) {
				union.Content = append(union.Content, word(f))
			}
		}
	}
	if said == nil || len(union.Content) > len(said.Content) {
		m.set("link-local", union) // of several files the last one's counts
	}
}

// items adds those of a list that the bridge does not have.
func (m netplanMerge) items(value *yaml.Node, keys ...string) error {
	for _, item := range value.Content {
		item = follow(item)
		if keys[len(keys)-1] == "routes" {
			same, err := m.routed(item, netplanWayOf(item))
			if err != nil {
				return err
			}
			if same {
				continue
			}
		}
		text := flat(item)
		if slices.ContainsFunc(m.was.items(keys...), func(n *yaml.Node) bool { return flat(n) == text }) {
			continue
		}
		to := m.to
		for _, k := range keys[:len(keys)-1] {
			to = ensure(to, k, "")
		}
		m.push(to, keys[len(keys)-1], item, value.Style)
	}
	return nil
}

// push adds an item to a list, which is made where it is missing.
func (m netplanMerge) push(to *yaml.Node, key string, item *yaml.Node, style yaml.Style) {
	n := child(to, key)
	if n == nil || n.Kind != yaml.SequenceNode {
		n = list(style)
		put(to, key, n)
	}
	if item.Kind == yaml.MappingNode || item.HeadComment+item.LineComment+item.FootComment != "" {
		n.Style &^= yaml.FlowStyle
	}
	n.Content = append(n.Content, copyOf(item))
}

// inner merges a mapping of values and lists, such as nameservers.
func (m netplanMerge) inner(key string, value *yaml.Node) error {
	for _, k := range keysOf(value) {
		v, said := child(value, k), m.was.get(key, k)
		switch {
		case v.Kind == yaml.SequenceNode:
			if err := m.items(v, key, k); err != nil {
				return err
			}
		case said == nil:
			put(ensure(m.to, key, ""), k, copyOf(v))
		case flat(said) != flat(v):
			return m.contradiction(v, said, key+"."+k)
		}
	}
	return nil
}

// flat is what a node says, whatever its comments and style.
func flat(n *yaml.Node) string {
	n = follow(n)
	if n.Kind == yaml.ScalarNode {
		return n.Value
	}
	var parts []string
	if n.Kind == yaml.MappingNode {
		for _, k := range keysOf(n) {
			parts = append(parts, k+": "+flat(child(n, k)))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, ", ") + "}"
	}
	for _, c := range n.Content {
		parts = append(parts, flat(c))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

func (m netplanMerge) gateway(from *yaml.Node, key, value string) error {
	same, err := m.routed(child(from, key), networkdWay{gateway: value})
	if err != nil || same {
		return err
	}
	m.take(from, key)
	return nil
}

func netplanWayOf(n *yaml.Node) networkdWay {
	say := func(key string) string {
		if v := child(n, key); v != nil {
			return v.Value
		}
		return ""
	}
	w := networkdWay{to: say("to"), table: say("table"), metric: say("metric"), gateway: say("via")}
	if w.to == "default" {
		w.to = ""
		if a, err := netip.ParseAddr(w.gateway); err != nil || a.Is4() {
			w.to = "0.0.0.0/0"
		}
	}
	return w
}

// routed reports whether the bridge has a route already, and refuses one for the same
// packets another way.
func (m netplanMerge) routed(at *yaml.Node, way networkdWay) (same bool, err error) {
	way = way.plain()
	var other *yaml.Node
	look := func(n *yaml.Node, w networkdWay) {
		if w = w.plain(); w == way {
			same = true
		} else if w.same(way) {
			other = n
		}
	}
	for _, key := range []string{"gateway4", "gateway6"} {
		if n := m.was.get(key); n != nil {
			look(n, networkdWay{gateway: n.Value})
		}
	}
	for _, n := range m.was.items("routes") {
		look(n, netplanWayOf(n))
	}
	if same || other == nil {
		return same, nil
	}
	return false, &Refusal{fmt.Sprintf("make %s a port of %s: %s and %s are different ways to %s, and the bridge cannot have both: give one of both another metric (below routes:), or take it out",
		m.c.NIC, m.c.Bridge, m.place(m.was, other), m.place(m.nic, at), way.to)}
}
