package plan

import "slices"

// Keep tells the facts what owners have now, for Build to want just that. It is for
// objects that are defined, but not in words that can be read at the moment:
// somebody is in the middle of an edit, and a slip must not take a host its bridge
// or a guest its NIC.
func (f Facts) Keep(have State, owners []string) Facts {
	f.Kept = State{}
	for k, o := range have {
		if slices.Contains(owners, o.Owner()) {
			f.Kept[k] = o
		}
	}
	return f
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
