package plan

import (
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// Build returns the state the kernel should have: live holds the networks that
// run, all host bridges and all ports, with defaults filled in. It is pure and
// total: what the host cannot have at the moment (an uplink that is not there)
// is left out, and comes with the facts of a later pass.
func Build(live *spec.Spec, facts Facts) State {
	b := builder{live: live, facts: facts, lay: newLayout(live, facts), want: State{}}
	b.kept()
	for name, hb := range sorted(live.Bridges) {
		b.hostBridge(name, hb)
	}
	for name, n := range sorted(live.Networks) {
		if n.Mode != spec.Bridge {
			b.network(name, n)
		}
	}
	for name, p := range sorted(live.Ports) {
		b.port(name, p)
	}
	b.adopted()
	b.portLimits()
	b.isolate()
	for name, r := range sorted(live.Routers) {
		b.router(name, r)
	}
	b.routesToRouters()
	b.peers()
	b.forwards()
	b.passing()
	b.claims()
	b.guards()
	b.former()
	b.uplinks()
	b.release()
	return b.want
}

// builder collects the wanted objects of one Build.
type builder struct {
	live  *spec.Spec
	facts Facts
	lay   *layout
	want  State
}

// sorted yields the objects of a map in the order of their names, so that the
// outcome does not depend on the map even where two objects claim one thing.
func sorted[T any](m map[string]*T) iter.Seq2[string, *T] {
	return func(yield func(string, *T) bool) {
		for _, name := range slices.Sorted(maps.Keys(m)) {
			if m[name] != nil && !yield(name, m[name]) {
				return
			}
		}
	}
}

// has reports whether the kernel knows the address's family.
func (b *builder) has(a netip.Addr) bool { return b.lay.has(a) }

// hostBridge wants a bridge that carries NICs of the host.
func (b *builder) hostBridge(name string, hb *spec.HostBridge) {
	owner := Mark("bridge/" + name)
	b.want.Add(
		Link{Mark: owner, Name: name, Type: "bridge", MAC: b.bridgeMAC(name, hb), MTU: hb.MTU, STP: hb.STP, ForwardDelay: hb.ForwardDelay},
		Up{Mark: owner, Link: name})
	for _, port := range hb.Ports {
		if l, ok := b.facts.Links[port]; ok {
			b.want.Add(Link{Mark: owner, Name: port, Type: l.Type, Master: name, Foreign: true}, Up{Mark: owner, Link: port})
		}
	}
	if b.facts.IPv6 && slices.ContainsFunc(hb.Addresses, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		// Hardened hosts have it off for new links.
		b.want.Add(Sysctl{Mark: owner, Family: "ipv6", Link: name, Name: "disable_ipv6", Value: "0"})
	}
	for _, p := range hb.Addresses {
		if b.has(p.Addr()) {
			b.want.Add(Addr{Mark: owner, Link: name, Prefix: p})
		}
	}
	for _, via := range hb.Gateway {
		if b.has(via) {
			b.want.Add(Route{Mark: owner, Dst: defaultOf(via), Via: via, Link: name})
		}
	}
}

// bridgeMAC is the address a host bridge was given, else its first NIC's, which
// the LAN knows and the guests' ports cannot change, else one made from its name.
func (b *builder) bridgeMAC(name string, hb *spec.HostBridge) spec.MAC {
	if !hb.MAC.IsZero() {
		return hb.MAC
	}
	for _, port := range hb.Ports {
		if mac := b.facts.Links[port].MAC; !mac.IsZero() {
			return mac
		}
	}
	return spec.GenerateMAC(b.facts.HostID + "/bridge/" + name)
}

// mtu is the MTU of a network's bridge and the ports of guests. On a host bridge it is 0, not
// managed, unless declared: the kernel lets such a bridge follow its NICs. Our own
// is always set, lest a bridge follow the smallest port that somebody plugs in, or
// keep an MTU that the spec does not ask for any more.
func (b *builder) mtu(n *spec.Network) int {
	hb := b.live.Bridges[n.Bridge.Name]
	switch {
	case n.Mode == spec.Bridge && hb != nil:
		return hb.MTU
	case n.Mode != spec.Bridge && n.Bridge.MTU == 0:
		return 1500
	}
	return n.Bridge.MTU
}

// adopted keeps foreign ports, such as a tap made by a VMM itself, on their
// network when its bridge gets another name.
func (b *builder) adopted() {
	for name, l := range b.facts.Links {
		network, found := strings.CutPrefix(b.facts.Links[l.Master].Owner(), "network/")
		n, runs := b.live.Networks[network]
		if l.Owner() != "" || !found || !runs || n.Bridge.Name == l.Master || !b.lay.bridge(n.Bridge.Name) || b.want[Key{"", KindPort, name}] != nil || b.leaves(l) {
			continue
		}
		b.want.Add(Link{Mark: Mark("network/" + network), Name: name, Type: l.Type, Master: n.Bridge.Name, Foreign: true})
	}
}

// release gives back what was borrowed and is not wanted any more.
func (b *builder) release() {
	for key, value := range b.facts.Borrowed {
		if link, ok := strings.CutPrefix(key, "master/"); ok {
			b.releaseLink(link, value)
		} else if link, ok := strings.CutPrefix(key, pluggedKey("")); ok {
			b.releasePort(link, value)
		} else if link, ok := strings.CutPrefix(key, isolationKey("")); ok {
			b.releaseIsolation(link, value)
		} else {
			b.releaseSysctl(key, value)
		}
	}
}

func (b *builder) releaseLink(name, master string) {
	l, there := b.facts.Links[name]
	ours := strings.HasPrefix(b.facts.Links[l.Master].Owner(), "bridge/")
	if !b.lay.bridge(master) {
		master = "" // gone meanwhile
	}
	if _, wanted := b.want[Key{"", KindPort, name}]; there && ours && !wanted {
		b.want.Add(Link{Mark: "host", Name: name, Type: l.Type, Master: master, Foreign: true, Release: true})
	}
}

func (b *builder) releaseSysctl(path, value string) {
	s, ok := parseSysctl(path)
	_, there := b.facts.Settings[path]
	hostForwards := s.Family == "ipv4" && b.facts.Forwards4 || s.Family == "ipv6" && b.facts.Forwards6
	// A network that waits for the name of a foreign link wants settings, too.
	w, wanted := b.want[s.Key()].(Sysctl)
	wanted = wanted && (w.Foreign || b.facts.Links[s.Link].Owner() != "")
	switch {
	case !ok || !there || wanted || b.goes(s.Link):
	case s.Name == "forwarding" && s.Link != "all" && hostForwards:
		// Somebody switched forwarding on for the whole host meanwhile: the value
		// is theirs now.
	default:
		s.Mark, s.Value, s.Foreign, s.Release = "host", value, true, true
		b.want.Add(s)
	}
}

// goes reports whether a link is ours and nobody wants it: its settings go with
// it. A host bridge of ours lends its settings while it is an uplink.
func (b *builder) goes(link string) bool {
	l, there := b.facts.Links[link]
	return there && l.Owner() != "" && b.want[l.Key()] == nil
}

func parseSysctl(path string) (Sysctl, bool) {
	f := strings.Split(path, "/")
	if len(f) != 5 {
		return Sysctl{}, false
	}
	return Sysctl{Family: f[1], Link: f[3], Name: f[4]}, true
}
