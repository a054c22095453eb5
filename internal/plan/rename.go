package plan

import "strings"

// rename finds the bridges of networks that are there under another name. They get
// the new one in place: ports stay plugged in, addresses, routes and settings stay
// on them, and the program has rows for either name meanwhile. From here on the
// observed state is looked at as if that were done.
func (d *differ) rename() {
	names := d.newNames()
	if len(names) == 0 {
		return
	}
	d.renamed = map[Key]Link{}
	have := make(State, len(d.have))
	for k, o := range d.have {
		if k.NS == "" && k.Kind > KindElement {
			now := moved(o, names)
			if l, ok := o.(Link); ok && now.Key() != k {
				d.renamed[now.Key()] = l
			}
			o = now
		}
		have.Add(o)
	}
	d.have = have
}

// newNames are the names that bridges get, by those they have. One that somebody
// has is not given, whoever it is.
func (d *differ) newNames() map[string]string {
	missing := map[string]string{} // owner → name
	for w := range Of[Link](d.want) {
		_, taken := d.have.Link("", w.Name)
		if w.NS == "" && networkBridge(w) && !taken && !d.waits[w.Owner()] {
			missing[w.Owner()] = w.Name
		}
	}
	names := map[string]string{}
	if len(missing) == 0 {
		return names
	}
	for h := range Of[Link](d.have) {
		_, wanted := d.want.Link("", h.Name)
		if now := missing[h.Owner()]; h.NS == "" && networkBridge(h) && now != "" && !wanted && !d.replaced[h.Key()] {
			names[h.Name] = now
			delete(missing, h.Owner())
		}
	}
	return names
}

func networkBridge(l Link) bool {
	return l.Type == "bridge" && !l.Foreign && strings.HasPrefix(l.Owner(), "network/")
}

// moved is an observed object as it is after links got other names.
func moved(o Object, names map[string]string) Object {
	now := func(name *string) {
		if n, ok := names[*name]; ok {
			*name = n
		}
	}
	switch o := o.(type) {
	case Link:
		now(&o.Name)
		now(&o.Master)
		return o
	case Up:
		now(&o.Link)
		return o
	case Addr:
		now(&o.Link)
		return o
	case Route:
		now(&o.Link)
		return o
	case Sysctl:
		now(&o.Link)
		return o
	case Shape:
		now(&o.Link)
		return o
	}
	return o
}

// Renames tells the name that a link had; ok is false when the op changes none.
func (o Op) Renames() (from string, ok bool) {
	l, is := o.Object.(Link)
	old, was := o.Old.(Link)
	return old.Name, is && was && o.Verb == Set && old.Name != l.Name
}
