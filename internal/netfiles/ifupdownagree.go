package netfiles

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// judge finds what keeps the NIC from being a port of the bridge.
func (j *joiner) judge() {
	j.ports()
	for _, key := range []string{"vlan_raw_device", "bond_slaves", "bond_mode"} {
		if b, s, ok := said(j.mine, key); ok {
			j.noBridge(b.file.at(s))
		}
	}
	if b, s, ok := said(j.mine, "mtu"); ok {
		mine, _ := strconv.Atoi(s.value())
		theirs, _ := strconv.Atoi(j.mover.userMTU())
		j.tooLong(mine, theirs, b.file.at(s))
	}
	for _, theirs := range j.theirs {
		for _, mine := range j.mine {
			j.gateways(mine, theirs)
			j.addresses(mine, theirs)
			j.asked(mine, theirs)
			j.routes(mine, theirs)
		}
	}
}

// ports finds whom the NIC is a port of already, and what chooses between its stanzas.
func (j *joiner) ports() {
	for _, f := range j.mover.files {
		for _, s := range f.statements {
			rest := s.words[min(1, len(s.words)):]
			switch k := s.keyword(); {
			case k == "mapping" && slices.ContainsFunc(rest, func(w string) bool { return isAlias(w, j.NIC) || w == j.Bridge }):
				j.add("%s: a mapping chooses what an interface is: write the stanza that is meant without it", f.at(s))
			case slices.Contains(portKeys, k) && slices.Contains(rest, j.NIC):
				j.portOf(f.at(s), s.iface)
			case (k == "bond-master" || k == "bond_master") && s.iface == j.NIC:
				j.portOf(f.at(s), strings.Join(rest, " "))
			}
		}
	}
}

// gateways are added, not replaced: the second of one metric fails.
func (j *joiner) gateways(mine, theirs block) {
	a, ok := mine.option("gateway")
	b, also := theirs.option("gateway")
	if ok && also && mine.family() == theirs.family() && cmp.Or(mine.value("metric"), "0") == cmp.Or(theirs.value("metric"), "0") {
		j.contradict("gateway", mine.file.at(a), j.place(theirs, b))
	}
}

// addresses: the second of one address fails as well.
func (j *joiner) addresses(mine, theirs block) {
	a, ok := prefixOf(mine.value("address"))
	b, also := prefixOf(theirs.value("address"))
	if ok && also && a.Addr() == b.Addr() {
		s, _ := mine.option("address")
		other, _ := theirs.option("address")
		j.contradict("address "+a.Addr().String(), mine.file.at(s), j.place(theirs, other))
	}
}

// double reports whether the bridge asks already what a stanza of the NIC asks.
func (j *joiner) double(b block) bool {
	return (b.method() == "dhcp" || b.method() == "auto") &&
		slices.ContainsFunc(j.mine, func(mine block) bool { return mine.method() == b.method() && mine.family() == b.family() })
}

// ofMethod reports whether an option says how a method asks.
func ofMethod(key string) bool {
	return slices.Contains([]string{"hostname", "metric", "leasetime", "leasehours", "vendor", "client", "accept_ra", "autoconf", "dhcp", "privext", "request_prefix", "ll-attempts", "ll-interval"}, key)
}

// asked: of two stanzas that ask one is left, so both have to ask in the same way.
func (j *joiner) asked(mine, theirs block) {
	if mine.family() != theirs.family() {
		return
	}
	if mine.method() == theirs.method() && j.double(theirs) {
		for _, s := range slices.Concat(mine.options(), theirs.options()) {
			if k := strings.ReplaceAll(s.keyword(), "-", "_"); ofMethod(s.keyword()) && mine.value(k) != theirs.value(k) {
				j.contradict(s.keyword(), mine.at(), j.place(theirs, theirs.statements[0]))
			}
		}
	}
	for _, key := range []string{"autoconf", "accept_ra"} {
		if s, ok := theirs.option(key); ok && s.value() == "0" && mine.method() == "auto" {
			j.contradict(key, mine.at(), j.place(theirs, s))
		}
	}
}

// autoconf reports whether a stanza has to be told that the bridge has automatic
// addresses: static without a word switches them off (inet6.defn).
func (j *joiner) autoconf(b block) bool {
	_, said := b.option("autoconf")
	return !said && b.family() == "inet6" && b.method() == "static" &&
		slices.ContainsFunc(j.mine, func(mine block) bool { return mine.family() == "inet6" && mine.method() == "auto" })
}

// twice reports whether a line of the NIC adds a route that the bridge adds, too.
func (j *joiner) twice(b block, s statement) bool {
	route, table, ok := routeOf(s)
	if !ok {
		return false
	}
	for _, mine := range j.mine {
		for _, o := range mine.options() {
			if other, of, ok := routeOf(o); ok && other == route && of == table {
				return true
			}
		}
	}
	return false
}

// routes finds two routes to one destination that differ.
func (j *joiner) routes(mine, theirs block) {
	for _, s := range theirs.options() {
		b, table, ok := routeOf(s)
		for _, o := range mine.options() {
			if a, of, also := routeOf(o); ok && also && a != b && a.To == b.To && a.Metric == b.Metric && of == table {
				j.contradict("route to "+a.To.String(), mine.file.at(o), j.place(theirs, s))
			}
		}
	}
}

// routeOf is the route that a command adds, and its table.
func routeOf(s statement) (r spec.InterfaceRoute, table string, ok bool) {
	if k := s.keyword(); k != "up" && k != "post-up" {
		return r, "", false
	}
	var f spec.InterfaceIP
	(&ifupdownReader{}).route(func(netip.Addr) *spec.InterfaceIP { return &f }, s.words[1:])
	if len(f.Routes) == 0 {
		return r, "", false
	}
	if at := slices.Index(s.words, "table"); at > 0 && at+1 < len(s.words) {
		table = s.words[at+1]
	}
	return f.Routes[0], table, true
}
