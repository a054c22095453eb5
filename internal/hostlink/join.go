package hostlink

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// joined is what a bridge that is there already has when all that an interface has
// comes beside it. The bridge's first IPv4 address stays the first, from which the
// kernel picks; of IPv6 the newest is the first.
func (s State) joined() State {
	b, nic := *s.Bridge, s.moved(s.Bridge.Name)
	want := b
	want.Addresses = slices.Concat(b.of(unix.AF_INET), nic.of(unix.AF_INET), nic.newOn(b), b.of(unix.AF_INET6))
	want.Routes = joinedRoutes(b.Routes, nic.Routes)
	want.Nexthops = slices.Concat(b.Nexthops, nic.Nexthops)
	want.Rules = slices.Clone(b.Rules)
	for _, r := range nic.Rules {
		if !slices.ContainsFunc(b.Rules, r.same) {
			want.Rules = append(want.Rules, r)
		}
	}
	want.Neighbours = slices.Clone(nic.Neighbours)
	for _, n := range b.Neighbours {
		if !slices.ContainsFunc(nic.Neighbours, n.fixed) {
			want.Neighbours = append(want.Neighbours, n)
		}
	}
	want.Groups = slices.Concat(b.Groups, nic.Groups)
	want.Settings = s.joinedSettings()
	want.Link.MAC, want.Link.MTU = s.Link.MAC, s.joinedMTU()
	if b.Link.Token == nil { // another one would end the addresses made of it
		want.Link.Token = s.Link.Token
	}
	return want
}

// newOn are the IPv6 addresses that a bridge does not have. It may have the link-local
// one.
func (s State) newOn(b State) []Address {
	return slices.DeleteFunc(s.of(unix.AF_INET6), func(a Address) bool {
		_, there := findAddress(b.Addresses, a.id())
		return there
	})
}

// joinedRoutes has each route once, with the later end.
func joinedRoutes(a, b []Route) []Route {
	list, have := slices.Clone(a), routeSetOf(a)
	for _, r := range b {
		if !have.contains(r) {
			list = append(list, r)
			continue
		}
		i := slices.IndexFunc(list, func(o Route) bool { return o.content() == r.content() })
		if end := list[i].Attrs.number(attrExpires); end != 0 && r.outlives(end) {
			list[i].Attrs = r.Attrs
		}
	}
	return list
}

func (r Route) outlives(end uint32) bool {
	own := r.Attrs.number(attrExpires)
	return own == 0 || own > end
}

// joinedMTU lets what other ports carry go on fitting. Set, it does not follow the
// least of the ports any more.
func (s State) joinedMTU() int {
	if len(s.Bridge.Ports) == 0 {
		return s.Link.MTU
	}
	return min(s.Bridge.Link.MTU, s.Link.MTU)
}

// Settings of a bridge that another value would cut off from what it serves.
const (
	noIPv6   = "ipv6/conf/disable_ipv6"
	acceptRA = "ipv6/conf/accept_ra"
	forward4 = "ipv4/conf/forwarding"
	forward6 = "ipv6/conf/forwarding"
)

// joinedSettings are the interface's, but for what makes addresses and for what the
// bridge's own guests live by: a bridge that forwards goes on forwarding, and listens
// to routers as the interface does nevertheless; one that has IPv6 keeps it.
func (s State) joinedSettings() map[string]string {
	own := s.Bridge.Settings
	want := maps.Clone(own)
	for key, value := range s.Settings {
		if _, known := own[key]; known && key != genMode && key != secret && key != pathMTU {
			want[key] = value
		}
	}
	for _, key := range []string{forward4, forward6, noIPv6} {
		if on := map[string]string{noIPv6: "0"}; own[key] == cmp.Or(on[key], "1") {
			want[key] = own[key]
		}
	}
	if want[forward6] == "1" && s.Settings[forward6] == "0" && want[acceptRA] == "1" {
		want[acceptRA] = "2"
	}
	if _, known := own[pathMTU]; known {
		want[pathMTU] = s.joinedPathMTU()
	}
	return want
}

// joinedPathMTU is what a router or somebody says that fits the link of each.
func (s State) joinedPathMTU() string {
	nic, _ := strconv.Atoi(s.Settings[pathMTU])
	own, _ := strconv.Atoi(s.Bridge.Settings[pathMTU])
	switch {
	case nic == 0:
		nic = s.joinedMTU()
	case own == 0 || len(s.Bridge.Ports) == 0:
		own = nic
	}
	return strconv.Itoa(min(nic, own, s.joinedMTU()))
}

// joinWarnings tell what becomes another on the bridge.
func (s State) joinWarnings() (list []Warning) {
	warn := func(format string, args ...any) { list = append(list, Warning(fmt.Sprintf(format, args...))) }
	b, want := s.Bridge, s.joined()
	for _, cable := range b.Cables {
		warn("%s is a port of %s, too: two cables into one network are a loop, unless the switches know of it", cable, b.Name)
	}
	if old := b.Link.MAC; old != want.Link.MAC {
		warn("%s gets the MAC of %s, %s instead of %s: it tells its neighbours, but not those that were given the old one by hand", b.Name, s.Name, want.Link.MAC, old)
	}
	if old := b.Link.MTU; old != want.Link.MTU {
		warn("%s gets the MTU %d instead of %d", b.Name, want.Link.MTU, old)
	} else if s.Link.MTU > old {
		warn("%s keeps the MTU %d, which is less than the %d of %s", b.Name, old, s.Link.MTU, s.Name)
	}
	for _, key := range order(want.Settings) {
		if old := b.Settings[key]; old != want.Settings[key] && key != pathMTU {
			warn("%s gets %s=%s instead of %s", b.Name, key, want.Settings[key], old)
		}
	}
	for _, key := range []string{forward4, forward6, noIPv6} {
		if keeps := want.Settings[key]; s.Settings[key] != "" && keeps != s.Settings[key] {
			warn("%s keeps %s=%s, and %s has %s", b.Name, key, keeps, s.Name, s.Settings[key])
		}
	}
	if s.Link.Token != nil && !slices.Equal(s.Link.Token, want.Link.Token) {
		warn("%s keeps its token %s, and %s has %s", b.Name, addrText(b.Link.Token), s.Name, addrText(s.Link.Token))
	}
	if mode := s.Settings[genMode]; mode < "2" && mode != b.Settings[genMode] {
		warn("router advertisements will give %s another address than %s, whose own ends in its time", b.Name, s.Name)
	}
	if b.Link.Details.number(unix.IFLA_BR_VLAN_FILTERING) != 0 {
		warn("%s filters VLANs: %s is in VLAN %d only", b.Name, s.Name, b.Link.Details.number(unix.IFLA_BR_VLAN_DEFAULT_PVID))
	}
	return list
}
