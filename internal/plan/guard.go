package plan

import (
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// guards wants the rows by which the program knows what each guest may send: of our
// ports, and on a bridge of ours of what others plugged in, since it is the network
// that promises. What routers, NICs and tunnels send is not a guest's. What each map
// means is told in docs/guards.md.
//
// The rows of a port do not depend on other ports, so that one can come and go
// without a look at the rest.
func (b *builder) guards() {
	g := newGuarding(b.live, b.facts)
	for name, p := range sorted(b.live.Ports) {
		n := b.live.Networks[p.Network]
		l, _ := b.want[Key{"", KindPort, p.Interface}].(Link)
		if n != nil && l.Master != "" && p.Type != spec.Macvtap {
			b.guard(g, ward{owner: Mark("port/" + name), network: p.Network, link: l.Name, name: name, mac: p.MAC, port: p})
		}
	}
	for name, n := range sorted(b.live.Networks) {
		if n.GuardOf(nil).Words() == nil {
			continue
		}
		b.keepForOthers(g, name, n)
		for link, l := range b.facts.Links {
			if n.Mode.Managed() && l.Owner() == "" && g.ours[link] == "" && guestly(l.Type) && b.facts.Links[l.Master].Owner() == "network/"+name {
				b.guard(g, ward{owner: Mark("network/" + name), network: name, link: link, name: link})
			}
		}
	}
}

// ward is a port whose guest is guarded.
type ward struct {
	owner   Mark
	network string
	link    string
	name    string     // by which leases know it
	mac     spec.MAC   // zero = not known
	port    *spec.Port // nil = plugged in by others
}

// guard wants the rows of one port.
func (b *builder) guard(g *guarding, w ward) {
	guard := b.live.Networks[w.network].GuardOf(w.port)
	words := guard.Words()
	if words == nil {
		return
	}
	b.want.Add(Program{Fingerprint: b.facts.Program}) // networks of mode bridge have none otherwise
	row := func(set, value string) { b.want.Add(Element{Mark: w.owner, Map: set, ID: w.link, Value: value}) }
	if len(words) == len(spec.GuardWords) {
		row("guarded", "jump strict")
	} else {
		row("guarded", "jump some")
		for _, word := range words {
			row("guard_"+word, "")
		}
	}
	s := g.segment(w.network)
	if guard.Has(spec.GuardAddress) || guard.Has(spec.GuardMAC) && w.mac.IsZero() {
		row("segment", s.number)
	}
	if guard.Has(spec.GuardMAC) {
		b.guardMAC(s, w)
	}
	if guard.Has(spec.GuardAddress) {
		b.guardAddresses(g, s, w)
	}
	if guard.Has(spec.GuardStorm) {
		storm := s.n.StormOf(w.port)
		row("storm_broadcast", strconv.Itoa(storm.Broadcast))
		row("storm_multicast", strconv.Itoa(storm.Multicast))
	}
}

func (b *builder) guardMAC(s *segment, w ward) {
	if w.mac.IsZero() {
		b.want.Add(Element{Mark: w.owner, Map: "anymac", ID: w.link})
		return
	}
	b.want.Add(
		Element{Mark: w.owner, Map: "macs", ID: w.link + " . " + w.mac.String()},
		Element{Mark: w.owner, Map: "kept_macs", ID: s.number + " . " + w.mac.String()})
}

// guardAddresses wants the addresses that a guest may use: those it is known to
// have, and where it chooses, all but those of others.
func (b *builder) guardAddresses(g *guarding, s *segment, w ward) {
	own := g.addresses(s, w)
	for _, a := range own {
		for _, e := range s.permit(w, a) {
			b.want.Add(e)
		}
	}
	for _, r := range s.n.Routes {
		if slices.Contains(own, r.Via) {
			to := r.To.Masked()
			b.want.Add(Element{Mark: w.owner, Map: "behind" + family(to.Addr()), ID: w.link + " . " + to.String()})
		}
	}
	at := func(set, what string) { b.want.Add(Element{Mark: w.owner, Map: set, ID: w.link + " . " + what}) }
	for _, prefix := range s.chosen {
		at("prefixes6", prefix.String())
	}
	free4, free6 := s.frees(w)
	if free4 {
		b.want.Add(Element{Mark: w.owner, Map: "free4", ID: w.link})
	}
	if free6 {
		b.want.Add(Element{Mark: w.owner, Map: "free6", ID: w.link})
	}
	for _, a := range s.barred(w) {
		if s.chooses(a) && !slices.Contains(own, a) {
			at("barred"+family(a), a.String())
		}
	}
}

// keepForOthers wants the rows that keep guests from what is nobody's they are
// plugged in with: the addresses that are reserved or leased, and those of routers.
func (b *builder) keepForOthers(g *guarding, name string, n *spec.Network) {
	s := g.segment(name)
	if n.Guard.Has(spec.GuardAddress) {
		for _, a := range slices.Concat(s.reserved, s.leased) {
			if s.chooses(a) {
				b.want.Add(s.keep(Mark("network/"+name), a))
			}
		}
	}
	if n.Guard.Has(spec.GuardMAC) {
		for _, mac := range s.routers {
			b.want.Add(Element{Mark: Mark("network/" + name), Map: "kept_macs", ID: s.number + " . " + mac.String()})
		}
	}
}

// guarding works out rows of guards for one set of live networks.
type guarding struct {
	live     *spec.Spec
	facts    Facts
	holders  spec.Holders
	segments map[string]*segment
	ours     map[string]string              // port by its interface
	byMAC    map[string]map[spec.MAC]string // network → MAC → interface of the port
}

func newGuarding(live *spec.Spec, facts Facts) *guarding {
	g := &guarding{live: live, facts: facts, segments: map[string]*segment{}, ours: map[string]string{}, byMAC: map[string]map[spec.MAC]string{}}
	for name, p := range sorted(live.Ports) {
		g.ours[p.Interface] = name
		if !p.MAC.IsZero() {
			if g.byMAC[p.Network] == nil {
				g.byMAC[p.Network] = map[spec.MAC]string{}
			}
			g.byMAC[p.Network][p.MAC] = p.Interface
		}
	}
	return g
}

// addresses are those that a guest is known to have, sorted: fixed ones, what is
// reserved for it, what it has leased, and what IPv6 makes of its MAC.
func (g *guarding) addresses(s *segment, w ward) []netip.Addr {
	own := map[netip.Addr]bool{}
	if w.port != nil {
		for _, a := range w.port.Addresses {
			own[a] = true
		}
	}
	for _, list := range [][]netip.Addr{s.byName[w.name], s.byLink[w.link]} {
		for _, a := range list {
			own[a] = true
		}
	}
	if !w.mac.IsZero() {
		for _, a := range s.byMAC[w.mac] {
			own[a] = true
		}
		for _, prefix := range s.chosen {
			own[madeOf(prefix, w.mac)] = true
		}
	}
	return slices.SortedFunc(maps.Keys(own), netip.Addr.Compare)
}

// linkOf is the interface of the guest that has a lease. The MAC of a port is its
// guest's, wherever somebody was seen with it.
func (g *guarding) linkOf(network string, l Leased) string {
	if link, ours := g.byMAC[network][l.MAC]; ours {
		return link
	}
	if p := g.live.Ports[l.Port]; p != nil && p.Network == network {
		return p.Interface
	}
	if strings.Contains(l.Port, " ") {
		return "" // behind a relay agent
	}
	return l.Port
}

// Guestly reports whether what others plugged into a bridge of ours is taken for a
// guest's, by the type of the link.
func Guestly(linkType string) bool { return guestly(linkType) }
