package netfiles

import (
	"cmp"
	"fmt"
	"slices"
)

// reconcile has the bridge do what either file says where that takes nothing from the
// other: who asks a DHCP server goes on asking.
func (j joining) reconcile(more, nic sections) sections {
	now, bridge := j.bridge.all, j.bridge.all
	if j.bridge.path == "" { // nothing is done by default where there is no file
		bridge = parseUnit("[Network]\nDHCP=no\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n[Link]\nRequiredForOnline=no\n")
	}
	if want := or(families(bridge.get("Network", "DHCP")), families(nic.get("Network", "DHCP"))); want != families(now.get("Network", "DHCP")) {
		more = more.set("Network", "DHCP", familyWord(want))
	}
	if want := or(linkLocal(bridge), linkLocal(nic)); want != linkLocal(now) {
		more = more.set("Network", "LinkLocalAddressing", familyWord(want))
	}
	if want := acceptsRA(bridge) || acceptsRA(nic); want != acceptsRA(append(slices.Clone(now), more...)) {
		more = more.set("Network", "IPv6AcceptRA", yes(want))
	}
	if isNo(now.get("Network", "DNSDefaultRoute")) && !isNo(nic.get("Network", "DNSDefaultRoute")) {
		more = more.set("Network", "DNSDefaultRoute", "yes")
	}
	if want := online(now.get("Link", "RequiredForOnline"), nic.get("Link", "RequiredForOnline")); want != "" {
		more = more.set("Link", "RequiredForOnline", want)
	}
	if now.get("Link", "MACAddress") != "" {
		more = more.set("Link", "MACAddress", j.c.MAC.String())
	}
	if n := j.bridgeMTU(); n > 0 {
		more = more.set("Link", "MTUBytes", fmt.Sprint(n))
	}
	return more
}

// online is what is said of RequiredForOnline, "" for what is said already: a boot waits
// for the bridge if it waited for either.
func online(bridge, nic string) string {
	switch waits := nic != "" && !isNo(nic); {
	case isNo(bridge) && !isNo(nic):
		return cmp.Or(nic, "yes")
	case bridge == "" && waits && !isYes(nic):
		return nic
	}
	return ""
}

// bridgeMTU is what the bridge's file must say: the smaller one of both, 0 for nothing.
// A bridge whose MTU nobody says has the least of its ports, of which a guest's may be
// one: with no other port in the files it has the NIC's.
func (j joining) bridgeMTU() int {
	said := j.bridge.all.get("Link", "MTUBytes")
	for _, d := range j.devices {
		if device := d.all.get("NetDev", "MTUBytes"); said == "" && device != "" {
			return 0 // device says
		}
	}
	switch mtu := j.mtu(); {
	case said != "" && j.lower(said),
		said == "" && mtu < 1500,
		said == "" && mtu > 1500 && len(networkdPorts(j.t, "Bridge", j.c.Bridge)) == 0:
		return mtu
	}
	return 0
}

// families are what words such as ipv4 and yes stand for.
func families(word string) [2]bool {
	switch word {
	case "ipv4", "v4":
		return [2]bool{true, false}
	case "ipv6", "v6":
		return [2]bool{false, true}
	}
	both := isYes(word) || word == "both"
	return [2]bool{both, both}
}

func familyWord(f [2]bool) string {
	return map[[2]bool]string{{true, true}: "yes", {true, false}: "ipv4", {false, true}: "ipv6", {}: "no"}[f]
}

func or(a, b [2]bool) [2]bool { return [2]bool{a[0] || b[0], a[1] || b[1]} }

func linkLocal(s sections) [2]bool {
	if word := s.get("Network", "LinkLocalAddressing"); word != "" {
		return families(word)
	}
	return [2]bool{false, true}
}

// acceptsRA is systemd-networkd's network_adjust_ipv6_accept_ra.
func acceptsRA(s sections) bool {
	if !linkLocal(s)[1] {
		return false
	}
	if word := s.get("Network", "IPv6AcceptRA"); word != "" {
		return isYes(word)
	}
	forwards := or(families(s.get("Network", "IPForward")), [2]bool{false, isYes(s.get("Network", "IPv6Forwarding"))})
	return !forwards[1]
}
