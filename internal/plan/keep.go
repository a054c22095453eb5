package plan

import (
	"slices"
	"strings"
)

// Keep tells the facts what owners have now, for Build to want just that. It is for
// objects that are defined, but not in words that can be read at the moment:
// somebody is in the middle of an edit, and a slip must not take a host its bridge
// or a guest its NIC.
func (f Facts) Keep(have State, owners []string) Facts {
	f.Kept = State{}
	for k, o := range have {
		if slices.Contains(owners, o.Owner()) || slices.Contains(owners, routerOwner(k.NS)) {
			f.Kept[k] = o
		}
	}
	for e := range Of[Element](have) {
		if e.NS == "" && f.Kept.routerRow(e) {
			f.Kept[e.Key()] = e
		}
	}
	for r := range Of[Redirect](have) {
		if _, kept := f.Kept.Link(r.NS, r.To); kept { // nor does it of a detour
			f.Kept[r.Key()] = r
		}
	}
	return f
}

// routerRow reports whether a row is about the host's end of a router. The kernel
// does not tell, but such a row begins with the end, or is its address.
func (s State) routerRow(e Element) bool {
	first, _, _ := strings.Cut(e.ID, " . ")
	if l, there := s.Link("", first); there {
		return strings.HasPrefix(l.Owner(), "router/")
	}
	for a := range Of[Addr](s) {
		if a.NS == "" && strings.HasPrefix(a.Owner(), "router/") && a.Prefix.Addr().String() == e.ID {
			return true
		}
	}
	return false
}

// kept wants what is to be kept, and the NICs that the spec once put into a bridge
// of it.
func (b *builder) kept() {
	for _, o := range b.facts.Kept {
		b.want.Add(o)
	}
	for name, nic := range b.facts.Links {
		bridge, ok := b.facts.Kept.Link("", nic.Master)
		if _, borrowed := b.facts.Borrowed[masterKey(name)]; ok && borrowed {
			b.want.Add(Link{Mark: bridge.Mark, Name: name, Type: nic.Type, Master: nic.Master, Foreign: true})
		}
	}
}
