package plan

import (
	"cmp"
	"slices"
)

// Conflict is a wanted object that cannot be had because something that is not
// ours stands in its place. Nothing of its owner is touched until it is gone.
type Conflict struct {
	Owner   string // the spec object that has to wait
	Message string
}

// Diff compares the wanted with the observed state and returns the ops that lead
// from one to the other, in the order in which they are to be applied. Only what
// we manage is compared, and only what is ours is deleted.
func Diff(want, have State) ([]Op, []Conflict) {
	d := differ{want: want, have: have}
	d.withhold()
	for _, w := range want {
		if !d.waits[w.Owner()] {
			d.need(w)
		}
	}
	for _, h := range have {
		d.surplus(h)
		d.keep(h)
	}
	slices.SortFunc(d.ops, func(a, b Op) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), compareKeys(a.Object.Key(), b.Object.Key()))
	})
	return d.ops, d.conflicts
}

type differ struct {
	want, have State
	waits      map[string]bool // owners in conflict
	replaced   map[Key]bool    // links of ours that stand in the way of others
	ops        []Op
	conflicts  []Conflict
}

// withhold finds the owners whose link's name is taken.
func (d *differ) withhold() {
	d.waits, d.replaced = map[string]bool{}, map[Key]bool{}
	for w := range Of[Link](d.want) {
		h, there := d.have.Link(w.NS, w.Name)
		switch {
		case w.Foreign:
		case there && h.Owner() == "":
			d.refuse(w.Owner(), h)
		case there && h.Type != w.Type:
			// Ours, of another type: it is deleted in this pass and made anew in the next.
			d.waits[w.Owner()], d.replaced[h.Key()] = true, true
		case !there && w.Peer != "":
			if p, taken := d.have.Link(w.NS, w.Peer); taken {
				d.refuse(w.Owner(), p)
			}
		}
	}
	for w := range Of[Link](d.want) {
		if bridge, ok := d.want[Key{w.NS, KindBridge, w.Master}]; ok && d.waits[bridge.Owner()] && !d.waits[w.Owner()] {
			d.waits[w.Owner()] = true
			d.conflicts = append(d.conflicts, Conflict{w.Owner(), "interface " + w.Name + " waits for bridge " + w.Master})
		}
	}
	slices.SortFunc(d.conflicts, func(a, b Conflict) int { return cmp.Compare(a.Owner, b.Owner) })
}

// refuse makes an owner wait for a name. One of ours becomes free in this pass.
func (d *differ) refuse(owner string, h Link) {
	d.waits[owner] = true
	if h.Owner() != "" {
		return
	}
	d.conflicts = append(d.conflicts, Conflict{owner,
		"interface " + h.Name + " exists (type " + h.Type + ") and is not kvmnet's; remove it or choose another name"})
}

// need adds the op, if any, that gives the host a wanted object.
func (d *differ) need(w Object) {
	h, there := d.have[w.Key()]
	switch {
	case d.reloads(w):
		d.ops = append(d.ops, Op{Add, w, nil})
	case !there && mustExist(w):
	case !there:
		d.ops = append(d.ops, Op{Add, w, nil})
	case !same(w, h):
		d.ops = append(d.ops, Op{Set, w, h})
	}
}

// reloads reports whether the object is an element of a program that is to be
// loaded anew: the load empties the maps, so every element comes with it.
func (d *differ) reloads(w Object) bool {
	e, ok := w.(Element)
	if !ok {
		return false
	}
	key := Program{NS: e.NS}.Key()
	p, wanted := d.want[key]
	h, there := d.have[key]
	return wanted && there && !same(p, h)
}

// surplus adds the op, if any, that removes an object of ours nobody wants.
func (d *differ) surplus(h Object) {
	if h.Owner() == "" || d.wanted(h) || d.dies(h) {
		return
	}
	op := Op{Del, h, nil}
	if u, ok := h.(Up); ok {
		op.Old, _ = d.have.Link(u.NS, u.Link)
	}
	d.ops = append(d.ops, op)
}

// keep adds the op, if any, that saves the element of a waiting owner from a
// program that is loaded anew.
func (d *differ) keep(h Object) {
	if _, ok := d.want[h.Key()]; !ok && d.stays(h) && d.reloads(h) {
		d.ops = append(d.ops, Op{Add, h, nil})
	}
}

// wanted reports whether an observed object is to remain.
func (d *differ) wanted(h Object) bool {
	w, ok := d.want[h.Key()]
	return ok && !d.waits[w.Owner()] || d.stays(h)
}

// dies reports whether the kernel removes the object by itself, with its link.
func (d *differ) dies(h Object) bool {
	if _, ok := h.(Sysctl); ok {
		return true
	}
	l, there := d.have.Link(h.Key().NS, linkOf(h))
	return there && l.Owner() != "" && !d.wanted(l)
}

// linkOf names the link on which an address, a route or the up state is; "" for
// other objects.
func linkOf(o Object) string {
	switch o := o.(type) {
	case Addr:
		return o.Link
	case Route:
		return o.Link
	case Up:
		return o.Link
	}
	return ""
}

// mustExist reports whether a wanted object can only be changed, never made.
func mustExist(w Object) bool {
	switch w := w.(type) {
	case Link:
		return w.Foreign
	case Sysctl:
		return w.Foreign
	}
	return false
}

// same reports whether the observed object has every field we manage as wanted.
func same(want, have Object) bool {
	switch w := want.(type) {
	case Link:
		h, ok := have.(Link)
		return ok && sameLink(w, h)
	case Sysctl:
		h, ok := have.(Sysctl)
		return ok && h.Value == w.Value
	case Element:
		h, ok := have.(Element)
		return ok && h.Value == w.Value
	case Program:
		h, ok := have.(Program)
		return ok && h.Fingerprint == w.Fingerprint
	}
	return true // addresses, routes and the up state are their own keys
}

func sameLink(w, h Link) bool {
	if w.Foreign {
		return w.Master == h.Master
	}
	bridge := w.Type != "bridge" || w.STP == h.STP && (!w.STP || w.ForwardDelay == 0 || w.ForwardDelay == h.ForwardDelay) &&
		(w.MAC.IsZero() || w.MAC == h.MAC)
	return bridge && w.Owner() == h.Owner() && w.Master == h.Master && (w.MTU == 0 || w.MTU == h.MTU)
}
