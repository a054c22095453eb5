package plan

import (
	"slices"
	"strings"
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
	d.rename()
	have = d.have
	calm := len(d.waits)+len(d.replaced)+len(d.late) == 0
	for k, w := range want {
		if calm || !d.waits[w.Owner()] && !d.late[placeOf(w)] {
			d.need(k, w)
		}
	}
	for k, h := range have {
		if _, wanted := want[k]; wanted && calm {
			continue // most objects, mostly
		}
		d.surplus(h)
		d.keep(h)
	}
	slices.SortFunc(d.ops, compareOps)
	return d.ops, d.conflicts
}

type differ struct {
	want, have State
	waits      map[string]bool // owners in conflict
	replaced   map[Key]bool    // links of ours that stand in the way of others
	late       map[place]bool  // links that come in a later pass, with all that is on them
	renamed    map[Key]Link    // bridges that get another name, as they are now, by what they will be
	ops        []Op
	conflicts  []Conflict
}

// need adds the op, if any, that gives the host a wanted object.
func (d *differ) need(k Key, w Object) {
	h, there := d.have[k]
	there = there && !d.lost(w)
	if u, ok := w.(Up); ok && there && (u.Down || d.moves(u)) {
		d.lower(h)
		there = false
	}
	old, renamed := d.renamed[k]
	switch {
	case renamed:
		d.ops = append(d.ops, Op{Set, w, old})
	case d.reloads(w):
		d.ops = append(d.ops, Op{Add, w, nil})
	case !there && mustExist(w):
	case !there:
		d.ops = append(d.ops, Op{Add, w, nil})
	case !same(w, h):
		d.ops = append(d.ops, Op{Set, w, h})
	}
}

// lost reports whether a port loses what is wanted of it when it is plugged into
// another bridge.
func (d *differ) lost(w Object) bool {
	i, ok := w.(Isolation)
	if !ok {
		return false
	}
	now, wanted := d.want[Key{i.NS, KindPort, i.Link}].(Link)
	before, _ := d.have.Link(i.NS, i.Link)
	return wanted && now.Master != before.Master
}

// reloads reports whether the object belongs to a program that is to be loaded
// anew: the load empties the maps, so every element comes with it, and every chain.
func (d *differ) reloads(w Object) bool {
	switch w.(type) {
	case Element, Chain:
	default:
		return false
	}
	key := Program{NS: w.Key().NS}.Key()
	p, wanted := d.want[key]
	h, there := d.have[key]
	return wanted && there && !same(p, h)
}

// surplus adds the op, if any, that removes an object of ours nobody wants.
func (d *differ) surplus(h Object) {
	if d.stranded(h) {
		d.lower(h)
		return
	}
	if h.Owner() == "" || builtin(h) || d.wanted(h) || d.dies(h) {
		return
	}
	if _, ok := h.(Up); ok {
		d.lower(h)
		return
	}
	d.ops = append(d.ops, Op{Del, h, nil})
}

// lower adds the op that takes a link down.
func (d *differ) lower(h Object) {
	u := h.(Up)
	l, _ := d.have.Link(u.NS, u.Link)
	d.ops = append(d.ops, Op{Del, u, l})
}

// moves reports whether the port of a guest goes from one bridge to another. It is
// down the while: on the way it is no bridge's, and the guest is to see that its cable
// was out.
func (d *differ) moves(u Up) bool {
	now, wanted := d.want[Key{u.NS, KindPort, u.Link}].(Link)
	before, _ := d.have.Link(u.NS, u.Link)
	return wanted && strings.HasPrefix(u.Owner(), "port/") && now.Master != "" && before.Master != "" && now.Master != before.Master
}

// keep adds the op, if any, that saves the element of a waiting owner from a
// program that is loaded anew.
func (d *differ) keep(h Object) {
	if _, chain := h.(Chain); chain {
		return // its rules are not known
	}
	if _, ok := d.want[h.Key()]; !ok && d.stays(h) && d.reloads(h) {
		d.ops = append(d.ops, Op{Add, h, nil})
	}
}

// wanted reports whether an observed object is to remain.
func (d *differ) wanted(h Object) bool {
	w, ok := d.want[h.Key()]
	if l, _ := d.have.Link(h.Key().NS, linkOf(h)); d.late[placeOf(h)] && d.unplugged(h, l) {
		return false // its new bridge comes in a later pass
	}
	return !d.replaced[h.Key()] && (ok && !d.waits[w.Owner()] || d.stays(h))
}

// dies reports whether the kernel removes the object by itself: with its link, its
// namespace, or the other end of a pair.
func (d *differ) dies(h Object) bool {
	if _, ok := h.(Sysctl); ok {
		return true
	}
	ns := h.Key().NS
	if n, ok := d.have[Netns{Name: ns}.Key()]; ok && n.Owner() != "" && !d.wanted(n) {
		return true
	}
	if l, ok := h.(Link); ok {
		return d.goes("", hostEndOf(l))
	}
	return d.goes(ns, linkOf(h))
}

// goes reports whether a link is ours and is deleted in this pass.
func (d *differ) goes(ns, name string) bool {
	l, there := d.have.Link(ns, name)
	return there && l.Owner() != "" && !d.wanted(l)
}

// builtin reports whether a namespace has the object from the beginning: its
// loopback interface, which carries our mark, and the addresses of that.
func builtin(h Object) bool {
	switch h := h.(type) {
	case Link:
		return h.Name == loopback
	case Addr:
		return h.Link == loopback
	case Up:
		return h.Link == loopback
	}
	return false
}

const loopback = "lo"

// linkOf names the link on which an object is that goes with it; "" for other
// objects.
func linkOf(o Object) string {
	switch o := o.(type) {
	case Addr:
		return o.Link
	case Route:
		return o.Link
	case Up:
		return o.Link
	case Shape:
		return o.Link
	case Isolation:
		return o.Link
	}
	return ""
}

// place is a link of a namespace.
type place struct{ ns, link string }

// placeOf is the link that an object is, or is on.
func placeOf(o Object) place {
	p := place{o.Key().NS, linkOf(o)}
	switch o := o.(type) {
	case Link:
		p.link = o.Name
	case Sysctl:
		p.link = o.Link
	}
	return p
}

// mustExist reports whether a wanted object can only be changed, never made.
func mustExist(w Object) bool {
	switch w := w.(type) {
	case Link:
		return w.Foreign
	case Sysctl:
		return w.Foreign
	case Isolation:
		return !w.On
	case Up:
		return w.Down
	}
	return false
}
