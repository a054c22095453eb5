package netfiles

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// nmAsked are the keys that count where addresses are learnt; those with a word count
// as that where nothing is said, and two that differ cannot both be had.
var nmAsked = map[string]string{"never-default": "false", "ignore-auto-routes": "false", "ignore-auto-dns": "false", "dhcp-client-id": "none", "dhcp-iaid": "none", "dhcp-duid": "none",
	"addr-gen-mode": "eui64", "token": "none", "ip6-privacy": "", "ra-timeout": "", "dhcp-timeout": "", "dhcp-hostname": "", "dhcp-fqdn": "", "dhcp-send-hostname": "", "dhcp-hostname-flags": "",
	"dhcp-vendor-class-identifier": "", "dhcp-reject-servers": ""}

// settings merges the rest of a family. Of what counts for learnt addresses that of the
// one who learns is taken.
func (m *nmMerger) settings(family string) {
	silent := m.bridge.silent(family)
	for _, key := range slices.Sorted(maps.Keys(nmAsked)) {
		mine, theirs := m.bridge.asks(family), m.users.asks(family) || silent
		if key == "never-default" {
			mine, theirs = mine || m.bridge.gateway(family) != "", theirs || m.users.gateway(family) != ""
		}
		m.asked(family, key, nmAsked[key], mine, theirs)
	}
	for _, e := range m.users.sections {
		_, asked := nmAsked[e.key]
		plain := e.section == family && e.key != "" && !asked && !slices.Contains([]string{"method", "gateway", "dns", "dns-search", "dns-options", "route-metric"}, e.key)
		if plain && !nmNumbered(e.key, "address") && !nmNumbered(strings.TrimSuffix(e.key, "_options"), "route") && !nmNumbered(e.key, "routing-rule") {
			m.scalar(e, silent)
		}
	}
}

// asked merges a key that counts for the bridge, for the NIC, or for both.
func (m *nmMerger) asked(family, key, usual string, mine, theirs bool) {
	a, saidMine := m.bridge.find(family, key)
	b, saidTheirs := m.users.find(family, key)
	if !theirs {
		return
	}
	differ := nmPlain(key, cmp.Or(a, usual)) != nmPlain(key, cmp.Or(b, usual))
	if mine && differ && (usual != "" || saidMine && saidTheirs) {
		m.contradict(family+"."+key, m.bridge.path, m.origin())
	}
	switch {
	case mine && saidMine:
	case saidTheirs:
		m.put(family, key, b)
	case saidMine:
		m.out = slices.DeleteFunc(m.out, func(e entry) bool { return e.section == family && e.key == key })
	}
}

// nmPlain writes truths in one way, and a mode that may be a number as the word.
func nmPlain(key, value string) string {
	switch {
	case key == "addr-gen-mode":
		return map[string]string{"0": "eui64", "1": "stable-privacy"}[value] + strings.Trim(value, "01")
	case isYes(value) && !strings.HasPrefix(key, "dhcp-") && key != "token":
		return "true"
	case isNo(value):
		return "false"
	}
	return value
}
