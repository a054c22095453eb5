package netfiles

import (
	"fmt"
	"slices"
	"strings"
)

// networkdRepeated are sections of which each is a thing of its own (systemd.network(5)).
var networkdRepeated = []string{"Address", "Route", "RoutingPolicyRule", "Neighbor", "NextHop", "IPv6AddressLabel", "IPv6Prefix", "IPv6RoutePrefix", "IPv6PREF64Prefix",
	"BridgeFDB", "BridgeMDB", "DHCPServerStaticLease"}

// networkdLists are the keys of other sections that add to what was said before.
var networkdLists = map[string][]string{
	"Network":      {"Address", "Gateway", "DNS", "Domains", "NTP", "BindCarrier", "DNSSECNegativeTrustAnchors", "IPv6ProxyNDPAddress"},
	"DHCPv4":       {"RequestOptions", "SendOption", "SendVendorOption", "AllowList", "DenyList"},
	"DHCPv6":       {"RequestOptions", "SendOption", "SendVendorOption", "UserClass", "VendorClass"},
	"IPv6AcceptRA": {"RouterAllowList", "RouterDenyList", "PrefixAllowList", "PrefixDenyList", "RouteAllowList", "RouteDenyList"},
	"IPv6SendRA":   {"DNS", "Domains"},
	"DHCPServer":   {"DNS", "NTP", "SIP", "POP3", "SMTP", "LPR", "SendOption", "SendVendorOption"},
}

// networkdEither are the keys of which reconcile makes one of both.
var networkdEither = map[string][]string{
	"Network": {"DHCP", "LinkLocalAddressing", "IPv6AcceptRA", "DNSDefaultRoute", "Description"},
	"Link":    {"RequiredForOnline", "MTUBytes", "Unmanaged"},
}

// merge is what a drop-in to the bridge's file says, so that the bridge has what the
// NIC's file says, too, and nothing twice.
func (j joining) merge() (sections, error) {
	s := j.nic.all
	if err := j.declined(); err != nil {
		return nil, err
	}
	text := networkdIdentity(s.forBridge().String(), network{all: s}, j.t.link(j.c.NIC))
	if families(s.get("Network", "DHCP")) == [2]bool{} { // then the bridge's own client, which gets another MAC
		text = networkdIdentity(text, j.bridge, j.t.link(j.c.Bridge))
	}
	s = parseUnit(text)
	var more sections
	for _, part := range s.parts() {
		left, err := j.once(part)
		if slices.Contains(networkdRepeated, part.name()) {
			left, err = j.again(part)
		}
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(left, func(e entry) bool { return e.key != "" }) {
			more = append(append(more, entry{raw: "\n"}), left...)
		}
	}
	return j.reconcile(more, s), nil
}

// parts are the sections one by one, each with the comments above its heading.
func (s sections) parts() []sections {
	var list []sections
	begun := 0 // of the lines that may be above the next heading
	for i, e := range s {
		if e.heading() {
			list = append(list, slices.Clone(s[begun:i+1]))
			begun = i + 1
		} else if e.key != "" && len(list) > 0 {
			last := &list[len(list)-1]
			*last = append(*last, s[begun:i+1]...)
			begun = i + 1
		}
	}
	return list
}

// name is that of a part.
func (s sections) name() string {
	for _, e := range s {
		if e.heading() {
			return e.section
		}
	}
	return ""
}

// once is what a section that is there once says and the bridge's file does not.
func (j joining) once(part sections) (sections, error) {
	var left sections
	for _, e := range part {
		said, ok := j.bridge.all.find(e.section, e.key)
		switch {
		case e.key == "":
			left = append(left, e)
		case slices.Contains(networkdEither[e.section], e.key):
		case slices.Contains(networkdLists[e.section], e.key):
			more, err := j.listed(left, e)
			if err != nil {
				return nil, err
			}
			left = more
		case !ok:
			left = append(left, e)
		case said != e.value:
			same := func(o entry) bool { return o.section == e.section && o.key == e.key }
			return nil, j.contradiction(same, same, fmt.Sprintf("%s=%s", e.key, said), fmt.Sprintf("%s=%s", e.key, e.value), "make them say the same")
		}
	}
	return left, nil
}

// listed adds what a list does not have yet. An empty value forgets what the NIC's file
// said before, and must not forget what the bridge's says.
func (j joining) listed(left sections, e entry) (sections, error) {
	if e.value == "" {
		return left.without(func(o entry) bool { return o.section == e.section && o.key == e.key }), nil
	}
	if e.section == "Network" && e.key == "Gateway" {
		return j.routed(left, sections{e}, networkdWay{gateway: e.value})
	}
	if e.section == "Network" && e.key == "Address" && j.hasAddress(e.value) {
		return left, nil
	}
	has := j.bridge.all.list(e.section, e.key)
	for _, w := range strings.Fields(e.value) {
		if !slices.Contains(has, w) {
			return append(left, e), nil
		}
	}
	return left, nil
}

// again is a section of which there may be several, unless the bridge's file has it.
func (j joining) again(part sections) (sections, error) {
	switch name := part.name(); {
	case name == "Route":
		return j.routed(nil, part, networkdWayOf(part))
	case name == "Address" && j.hasAddress(part.get(name, "Address")):
		return nil, nil
	default:
		has := false
		j.bridge.all.each(name, func(other sections) { has = has || other.says() == part.says() })
		if has {
			return nil, nil
		}
	}
	return part, nil
}

// says is what a section says, whatever the order and the comments.
func (s sections) says() string {
	var lines []string
	for _, e := range s {
		if e.key != "" {
			lines = append(lines, e.key+"="+e.value)
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (s sections) without(gone func(entry) bool) sections {
	return slices.DeleteFunc(slices.Clone(s), gone)
}

func (j joining) hasAddress(text string) bool {
	want, ok := prefixOf(text)
	has := func(other string) bool {
		p, is := prefixOf(other)
		return ok && is && p == want
	}
	found := slices.ContainsFunc(j.bridge.all.list("Network", "Address"), has)
	j.bridge.all.each("Address", func(part sections) { found = found || has(part.get("Address", "Address")) })
	return found
}
