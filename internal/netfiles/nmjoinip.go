package netfiles

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// nmMerger adds what the NIC's profile says to the bridge's.
type nmMerger struct {
	*faults
	bridge, users profile
	out           sections // the bridge's, as it is to be
}

// nmRanks are the methods of a family: of two the one that gives more is taken.
var nmRanks = map[string]int{"disabled": 0, "ignore": 0, "link-local": 1, "manual": 2, "dhcp": 3, "auto": 4, "shared": 5}

// method is that of a family: NetworkManager takes auto where nothing is said.
func (p profile) method(family string) string { return cmp.Or(p.get(family, "method"), "auto") }

// asks reports whether a family learns addresses from others.
func (p profile) asks(family string) bool { return nmRanks[p.method(family)] > nmRanks["manual"] }

// silent reports whether a family has no addresses but the link-local one, which each
// IPv6 interface has.
func (p profile) silent(family string) bool {
	return nmRanks[p.method(family)] == 0 || family == "ipv6" && p.method(family) == "link-local" && len(p.numbered(family, "route")) == 0
}

// put sets a key of the bridge's profile, as GKeyFile reads it.
func (m *nmMerger) put(section, key, value string) {
	text := strings.NewReplacer(`\`, `\\`, "\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(value)
	if rest, ok := strings.CutPrefix(text, " "); ok {
		text = `\s` + rest
	}
	m.out = m.out.set(section, key, text)
}

// origin is where a profile is, in words.
func (m *nmMerger) origin() string { return cmp.Or(m.users.path, m.now()) }

func (m *nmMerger) family(family string) {
	if m.users.silent(family) {
		return
	}
	mine, theirs := m.bridge.method(family), m.users.method(family)
	if (mine == "shared" && nmRanks[theirs] > 1) || (theirs == "shared" && nmRanks[mine] > 1) {
		m.contradict(family+".method", m.bridge.path, m.origin())
		return
	}
	if nmRanks[theirs] > nmRanks[mine] {
		mine = theirs
	}
	m.put(family, "method", mine)
	m.routes(family)
	m.addresses(family)
	for _, key := range []string{"dns", "dns-search", "dns-options"} {
		m.words(family, key)
	}
	m.settings(family)
	m.metric(family)
}

// numbered are the entries of a list: key1, key2, … or the older keys1, ….
func (p profile) numbered(family, key string) []entry {
	var list []entry
	for _, e := range p.sections {
		if e.section == family && nmNumbered(e.key, key) {
			list = append(list, e)
		}
	}
	return list
}

func nmNumbered(key, of string) bool {
	n, ok := strings.CutPrefix(key, of)
	return ok && strings.Trim(strings.TrimPrefix(n, "s"), "0123456789") == ""
}

// next is a free number of a list, higher than all.
func (m *nmMerger) next(family, key string) string {
	highest := 0
	for _, e := range m.out {
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(strings.TrimPrefix(e.key, key), "s"), "%d", &n); e.section == family && nmNumbered(strings.TrimSuffix(e.key, "_options"), key) && err == nil {
			highest = max(highest, n)
		}
	}
	return fmt.Sprintf("%s%d", key, highest+1)
}

// nmAddress takes an entry apart: 10.0.0.1/24,10.0.0.254, or as it was before
// 10.0.0.1;24;10.0.0.254;.
func nmAddress(value string) (address, gateway string) {
	words := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ';' || r == ' ' })
	words = append(words, "", "", "")
	if !strings.Contains(words[0], "/") && words[1] != "" && strings.Trim(words[1], "0123456789") == "" {
		words[0] += "/" + words[1]
		words = append(words[:1], words[2:]...)
	}
	if a, err := netip.ParseAddr(words[1]); err != nil || a.IsUnspecified() {
		words[1] = ""
	}
	return words[0], words[1]
}

// gateway is that of a family, which an address may name as well.
func (p profile) gateway(family string) string {
	first := p.get(family, "gateway")
	for _, e := range p.numbered(family, "address") {
		_, of := nmAddress(e.value)
		first = cmp.Or(first, of)
	}
	return first
}

func (m *nmMerger) addresses(family string) {
	has := map[string]bool{}
	for _, e := range m.bridge.numbered(family, "address") {
		address, _ := nmAddress(e.value)
		has[address] = true
	}
	mine, theirs := m.bridge.gateway(family), m.users.gateway(family)
	if mine != "" && theirs != "" && mine != theirs {
		m.contradict(family+".gateway", m.bridge.path, m.origin())
	}
	for _, e := range m.users.numbered(family, "address") {
		if address, _ := nmAddress(e.value); address != "" && !has[address] {
			has[address] = true
			m.put(family, m.next(family, "address"), address)
		}
	}
	if mine == "" && theirs != "" {
		m.put(family, "gateway", theirs)
	}
}

// words adds what is missing to a list in one line.
func (m *nmMerger) words(family, key string) {
	list := m.bridge.words(family, key)
	had := len(list)
	for _, w := range m.users.words(family, key) {
		if !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	if len(list) > had {
		m.put(family, key, strings.Join(list, ";")+";")
	}
}

// scalar takes a key over that the bridge's profile does not have.
func (m *nmMerger) scalar(e entry, over bool) {
	now, said := m.bridge.find(e.section, e.key)
	switch {
	case !said || over:
		m.put(e.section, e.key, e.value)
	case now != e.value:
		m.contradict(e.section+"."+e.key, m.bridge.path, m.origin())
	}
}

// metric keeps the rank of the NIC's routes, see nmMetrics, where the bridge's profile
// says nothing.
func (m *nmMerger) metric(family string) {
	mine, theirs := m.bridge.get(family, "route-metric"), m.users.get(family, "route-metric")
	silent := m.bridge.silent(family)
	switch {
	case mine != "" && theirs != "" && mine != theirs && !silent:
		m.contradict(family+".route-metric", m.bridge.path, m.origin())
	case theirs != "" && (mine == "" || silent):
		m.put(family, "route-metric", theirs)
	case mine == "" || silent:
		m.put(family, "route-metric", "100")
	}
}
