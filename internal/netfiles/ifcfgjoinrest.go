package netfiles

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// ifcfgAsked are the variables that count where addresses are learnt, and what holds
// where nothing is said, see nmAsked.
var ifcfgAsked = map[string]string{"DEFROUTE": "yes", "PEERDNS": "yes", "PEERROUTES": "yes", "DHCP_CLIENT_ID": "none", "DHCP_HOSTNAME": "", "DHCP_FQDN": "", "DHCP_SEND_HOSTNAME": "", "PERSISTENT_DHCLIENT": "", "DHCLIENTARGS": "",
	"IPV6_DEFROUTE": "yes", "IPV6_PEERDNS": "yes", "IPV6_PEERROUTES": "yes", "IPV6_ADDR_GEN_MODE": "eui64", "IPV6_PRIVACY": "", "IPV6_TOKEN": "none", "DHCPV6C_OPTIONS": "", "DHCPV6_DUID": "none", "DHCPV6_IAID": "none"}

// rest merges what is not of addresses.
func (m *ifcfgMerger) rest() {
	for _, key := range slices.Sorted(maps.Keys(ifcfgAsked)) {
		m.asked(key, ifcfgAsked[key])
	}
	for _, a := range m.users.shellFile {
		_, asked := ifcfgAsked[a.key]
		v6 := strings.HasPrefix(a.key, "IPV6") || strings.HasPrefix(a.key, "DHCPV6")
		switch {
		case a.key == "" || asked || slices.Contains(ifcfgStays, a.key) || m.merged(a.key) || v6 && !m.users.has6():
		case !m.bridge.has(a.key) || v6 && !m.bridge.has6():
			m.take(a)
		case m.bridge.get(a.key) != a.value && !slices.Contains(ifcfgKept, a.key):
			m.disagree(a.key)
		}
	}
}

// ifcfgKept are variables whose word is the bridge's: how long things may take, and what
// programs tell each other.
var ifcfgKept = []string{"IPV4_FAILURE_FATAL", "IPV6_FAILURE_FATAL", "PROXY_METHOD", "BROWSER_ONLY", "ARPING_WAIT", "DEVTIMEOUT"}

// merged reports whether a variable has been seen to before.
func (m *ifcfgMerger) merged(key string) bool {
	for _, of := range append([]string{"DNS"}, ifcfg4...) {
		if key == of || numberedAs(key, of) >= 0 {
			return true
		}
	}
	return slices.Contains([]string{"BOOTPROTO", "DOMAIN", "IPV6INIT", "IPV6_AUTOCONF", "DHCPV6C", "IPV6ADDR", "IPV6ADDR_SECONDARIES", "IPV6_DEFAULTGW"}, key)
}

func (f ifcfg) asks(key string) bool {
	switch {
	case key == "IPV6_DEFROUTE":
		return f.autoconf6() || f.has("IPV6_DEFAULTGW")
	case strings.HasPrefix(key, "IPV6") || strings.HasPrefix(key, "DHCPV6"):
		return f.autoconf6() || isYes(f.get("DHCPV6C"))
	case key == "DEFROUTE":
		return f.dhcp4() || f.gateway4() != ""
	}
	return f.dhcp4()
}

// only reports whether nothing but the NIC's file has the family of a variable.
func (m *ifcfgMerger) only(key string) bool {
	if strings.HasPrefix(key, "IPV6") || strings.HasPrefix(key, "DHCPV6") {
		return m.users.has6() && !m.bridge.has6()
	}
	return len(m.users.addresses4()) > 0 && len(m.bridge.addresses4()) == 0 && !m.bridge.dhcp4()
}

// asked merges a variable that counts for the bridge, for the NIC, or for both.
func (m *ifcfgMerger) asked(key, usual string) {
	if !m.users.asks(key) && !m.only(key) {
		return
	}
	mine, theirs := cmp.Or(m.bridge.get(key), usual), cmp.Or(m.users.get(key), usual)
	if m.bridge.asks(key) {
		if nmPlain("", mine) != nmPlain("", theirs) && (usual != "" || m.bridge.has(key) && m.users.has(key)) {
			m.disagree(key)
		}
		if m.bridge.has(key) {
			return
		}
	}
	if m.drop(key); m.users.has(key) {
		m.put(key, m.users.get(key))
	}
}
