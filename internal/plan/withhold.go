package plan

import (
	"cmp"
	"slices"
)

// withhold finds the owners whose namespace or a link's name is taken, and the
// links that have to come later.
func (d *differ) withhold() {
	d.waits, d.replaced, d.late = map[string]bool{}, map[Key]bool{}, map[place]bool{}
	for w := range Of[Netns](d.want) {
		if h, there := d.have[w.Key()]; there && h.Owner() == "" {
			d.refuseNetns(w)
		}
	}
	for w := range Of[Link](d.want) {
		d.withholdLink(w)
	}
	for w := range Of[Link](d.want) {
		d.withholdPort(w)
	}
	for w := range Of[Link](d.want) {
		if w.NS != "" && w.crosses() {
			d.halves(w)
		}
	}
	slices.SortFunc(d.conflicts, func(a, b Conflict) int {
		return cmp.Or(cmp.Compare(a.Owner, b.Owner), cmp.Compare(a.Message, b.Message))
	})
}

func (d *differ) withholdLink(w Link) {
	h, there := d.have.Link(w.NS, w.Name)
	switch {
	case w.Foreign:
	case there && h.Owner() == "":
		d.refuse(w.Owner(), h)
	case there && h.Type != w.Type:
		// Ours, of another type: it is deleted in this pass and made anew in the next.
		d.waits[w.Owner()], d.replaced[h.Key()] = true, true
	case !there && w.Peer != "" && !w.crosses():
		if p, taken := d.have.Link(w.NS, w.Peer); taken {
			d.refuse(w.Owner(), p)
		}
	}
}

// withholdPort makes what is to be a port of a bridge wait for a bridge that
// waits: a guest's NIC with all its owner has, a router's interface alone.
func (d *differ) withholdPort(w Link) {
	bridge, ok := d.want[Key{w.NS, KindBridge, w.Master}]
	if !ok || !d.waits[bridge.Owner()] || d.waits[w.Owner()] {
		return
	}
	if w.crosses() {
		d.late[place{w.NS, w.Name}], d.late[place{w.PeerNS, w.Peer}] = true, true
	} else {
		d.waits[w.Owner()] = true
	}
	d.conflicts = append(d.conflicts, Conflict{w.Owner(), "interface " + w.Name + " waits for bridge " + w.Master})
}

// halves replaces a pair of which one end is lost, for instance with a namespace
// that somebody deleted: what is left is deleted in this pass, and the pair is made
// anew in the next.
func (d *differ) halves(inside Link) {
	in, there := d.have.Link(inside.NS, inside.Name)
	out, outThere := d.have.Link(inside.PeerNS, inside.Peer)
	if there == outThere {
		return
	}
	half := in
	if outThere {
		half = out
	}
	if half.Owner() == "" {
		return // a stranger's, for which the router waits
	}
	d.replaced[half.Key()] = true
	d.late[place{inside.NS, inside.Name}], d.late[place{inside.PeerNS, inside.Peer}] = true, true
}

// crosses reports whether the link is an end of a pair between two namespaces.
func (l Link) crosses() bool { return l.Type == "veth" && l.Peer != "" && l.NS != l.PeerNS }

// refuse makes an owner wait for a name. One of ours becomes free in this pass.
func (d *differ) refuse(owner string, h Link) {
	d.waits[owner] = true
	if h.Owner() != "" {
		return
	}
	where, way := "", "remove it or choose another name"
	if h.NS != "" {
		where, way = " in namespace "+h.NS, "remove it"
	}
	d.conflicts = append(d.conflicts, Conflict{owner,
		"interface " + h.Name + where + " exists (type " + h.Type + ") and is not kvmnet's; " + way})
}

func (d *differ) refuseNetns(w Netns) {
	d.waits[w.Owner()] = true
	d.conflicts = append(d.conflicts, Conflict{w.Owner(),
		"network namespace " + w.Name + " exists and is not kvmnet's; remove it (ip netns delete " + w.Name + ") or give the router another name"})
}
