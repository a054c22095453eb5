package netfiles

import (
	"slices"
	"strconv"
	"strings"
)

// ifcfg4 are the variables of one IPv4 address; each may have a number at its end.
var ifcfg4 = []string{"IPADDR", "PREFIX", "NETMASK", "BROADCAST", "NETWORK", "GATEWAY"}

// suffixes are the ends of numbered variables, in the order in which they are read.
func suffixes() []string {
	list := []string{""}
	for n := range 256 {
		list = append(list, strconv.Itoa(n))
	}
	return list
}

// dhcp4 reports whether a file asks for an IPv4 address.
func (f ifcfg) dhcp4() bool {
	p := strings.ToLower(f.get("BOOTPROTO"))
	return p != "" && p != "none" && p != "static"
}

func (f ifcfg) gateway4() string {
	for _, n := range suffixes() {
		if g := f.get("GATEWAY" + n); g != "" {
			return g
		}
	}
	return ""
}

// addresses4 are those of a file.
func (f ifcfg) addresses4() []string {
	var list []string
	for _, n := range suffixes() {
		if a := f.get("IPADDR" + n); a != "" {
			list = append(list, a)
		}
	}
	return list
}

// free is the next number of a variable: the scripts stop at a gap.
func (m *ifcfgMerger) free(key string) string {
	if !m.out.has(key) && !slices.ContainsFunc(m.out, func(a assignment) bool { return numberedAs(a.key, key) >= 0 }) {
		return ""
	}
	highest := 0
	for _, a := range m.out {
		highest = max(highest, numberedAs(a.key, key))
	}
	return strconv.Itoa(highest + 1)
}

// numberedAs is the number of a variable, -1 when it is another.
func numberedAs(key, of string) int {
	if rest, ok := strings.CutPrefix(key, of); ok {
		if n, err := strconv.ParseUint(rest, 10, 8); err == nil {
			return int(n)
		}
	}
	return -1
}

// family4 merges addresses, which the scripts leave out where they ask for one.
func (m *ifcfgMerger) family4(byNM bool) {
	mine, theirs := strings.ToLower(m.bridge.get("BOOTPROTO")), strings.ToLower(m.users.get("BOOTPROTO"))
	switch {
	case m.bridge.dhcp4() && m.users.dhcp4() && mine != theirs:
		m.disagree("BOOTPROTO")
	case m.users.dhcp4() && !m.bridge.dhcp4():
		m.put("BOOTPROTO", m.users.get("BOOTPROTO"))
	}
	if m.bridge.dhcp4() != m.users.dhcp4() && !byNM && (len(m.bridge.addresses4()) > 0 || len(m.users.addresses4()) > 0) {
		m.add("%s and %s together ask for an address and have others, of which the network scripts take the first only: let NetworkManager have them (NM_CONTROLLED), or write the others to an ifcfg-%s:0",
			m.bridge.path, m.origin(), m.Bridge)
	}
	if a, b := m.bridge.gateway4(), m.users.gateway4(); a != "" && b != "" && a != b {
		m.disagree("GATEWAY")
	} else if a == "" && b != "" {
		m.put("GATEWAY", b)
	}
	for _, n := range suffixes() {
		if a := m.users.get("IPADDR" + n); a != "" && !slices.Contains(m.bridge.addresses4(), a) {
			m.address4(n)
		}
	}
}

func (m *ifcfgMerger) address4(n string) {
	to := m.free("IPADDR")
	for _, key := range ifcfg4[:len(ifcfg4)-1] {
		if m.users.has(key + n) {
			m.put(key+to, m.users.get(key+n))
		}
	}
}

// names merges resolvers and domains.
func (m *ifcfgMerger) names() {
	var has []string
	highest := 0
	for _, a := range m.bridge.shellFile {
		if n := numberedAs(a.key, "DNS"); n > 0 {
			has, highest = append(has, a.value), max(highest, n)
		}
	}
	for n := 1; n < 10; n++ {
		if a := m.users.get("DNS" + strconv.Itoa(n)); a != "" && !slices.Contains(has, a) {
			highest++
			m.put("DNS"+strconv.Itoa(highest), a)
		}
	}
	m.words("DOMAIN", m.users.get("DOMAIN"))
}

// words adds what is missing to a list.
func (m *ifcfgMerger) words(key, more string) {
	list := strings.Fields(m.out.get(key))
	had := len(list)
	for w := range strings.FieldsSeq(more) {
		if !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	if len(list) > had {
		m.put(key, strings.Join(list, " "))
	}
}

// has6 reports whether a file has IPv6 at all, and autoconf6 whether it listens to routers.
func (f ifcfg) has6() bool { return isYes(f.get("IPV6INIT")) || f.has("IPV6ADDR") }
func (f ifcfg) autoconf6() bool {
	return isYes(f.get("IPV6INIT")) && (isYes(f.get("IPV6_AUTOCONF")) || !f.has("IPV6_AUTOCONF"))
}

func (m *ifcfgMerger) family6() {
	if !m.users.has6() {
		return
	}
	m.put("IPV6INIT", "yes")
	switch said := m.bridge.has("IPV6_AUTOCONF"); {
	case m.users.autoconf6() && said && !isYes(m.bridge.get("IPV6_AUTOCONF")):
		m.put("IPV6_AUTOCONF", "yes")
	case !m.users.autoconf6() && !m.bridge.autoconf6() && !said:
		m.put("IPV6_AUTOCONF", "no")
	}
	if isYes(m.users.get("DHCPV6C")) {
		m.put("DHCPV6C", "yes")
	}
	first := m.users.get("IPV6ADDR")
	if m.bridge.get("IPV6ADDR") == "" && first != "" {
		m.put("IPV6ADDR", first)
	}
	for w := range strings.FieldsSeq(first + " " + m.users.get("IPV6ADDR_SECONDARIES")) {
		if w != m.out.get("IPV6ADDR") {
			m.words("IPV6ADDR_SECONDARIES", w)
		}
	}
	m.gateway6()
}

func (m *ifcfgMerger) gateway6() {
	a, _, _ := strings.Cut(m.bridge.get("IPV6_DEFAULTGW"), "%")
	b, _, _ := strings.Cut(m.users.get("IPV6_DEFAULTGW"), "%")
	switch {
	case a != "" && b != "" && a != b:
		m.disagree("IPV6_DEFAULTGW")
	case a == "" && b != "":
		m.put("IPV6_DEFAULTGW", renameWord(m.users.get("IPV6_DEFAULTGW"), m.NIC, m.Bridge))
	}
}
