package netfiles

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// nmRouteKey is what two routes cannot share.
func nmRouteKey(value, options string) string {
	words := append(strings.FieldsFunc(value, func(r rune) bool { return r == ',' }), "", "", "")
	to, _ := prefixOf(words[0])
	table := ""
	for o := range strings.SplitSeq(options, ",") {
		if of, ok := strings.CutPrefix(strings.TrimSpace(o), "table="); ok {
			table = of
		}
	}
	return fmt.Sprintf("%s metric %s table %s", to.Masked(), cmp.Or(words[2], "0"), table)
}

// routes adds routes and the rules that choose tables of them.
func (m *nmMerger) routes(family string) {
	has := map[string]string{}
	note := func(value, options string) { has[nmRouteKey(value, options)] = value + " " + options }
	for _, e := range m.bridge.numbered(family, "route") {
		note(e.value, m.bridge.get(family, e.key+"_options"))
	}
	all := map[string]string{"ipv4": "0.0.0.0/0,", "ipv6": "::/0,"}[family]
	if g := m.bridge.gateway(family); g != "" {
		note(all+g, "")
	}
	for _, e := range m.users.numbered(family, "route") {
		m.route(family, e, has)
	}
	if g := m.users.gateway(family); g != "" && m.bridge.gateway(family) == "" && has[nmRouteKey(all+g, "")] != "" {
		m.contradict(family+" default route", m.bridge.path, m.origin())
	}
	for _, e := range m.users.numbered(family, "routing-rule") {
		if !slices.ContainsFunc(m.bridge.numbered(family, "routing-rule"), func(o entry) bool { return o.value == e.value }) {
			m.put(family, m.next(family, "routing-rule"), e.value)
		}
	}
}

func (m *nmMerger) route(family string, e entry, has map[string]string) {
	options := m.users.get(family, e.key+"_options")
	key, text := nmRouteKey(e.value, options), e.value+" "+options
	if has[key] != "" {
		if has[key] != text {
			m.contradict(family+" route to "+strings.SplitN(e.value, ",", 2)[0], m.bridge.path, m.origin())
		}
		return
	}
	name := m.next(family, "route")
	m.put(family, name, e.value)
	if options != "" {
		m.put(family, name+"_options", options)
	}
}
