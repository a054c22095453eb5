package plan

import (
	"maps"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// PortsApart names, sorted, the ports in which two specs differ; ok is false when
// they differ in anything else. Objects are compared by pointer: of equal ones that
// are not the same nothing is gained.
func PortsApart(a, b *spec.Spec) (ports []string, ok bool) {
	if !maps.Equal(a.Bridges, b.Bridges) || !maps.Equal(a.Networks, b.Networks) || !maps.Equal(a.Routers, b.Routers) ||
		!maps.Equal(a.Forwards, b.Forwards) || !maps.Equal(a.Policies, b.Policies) || !maps.Equal(a.Sets, b.Sets) {
		return nil, false
	}
	for name, p := range a.Ports {
		if b.Ports[name] != p {
			ports = append(ports, name)
		}
	}
	for name := range b.Ports {
		if _, both := a.Ports[name]; !both {
			ports = append(ports, name)
		}
	}
	slices.Sort(ports)
	return ports, true
}

// Portwise is what a change of few ports comes to, worked out without the others.
// What Build makes of a port depends on the port, on its network and on what that
// hangs together with, and not on the other ports: so what is wanted with the ports
// and without them, all others left out, tells what they bring about.
type Portwise struct {
	Live  *spec.Spec // with the changed ports only
	Facts Facts
	Want  State // with them
	was   State // the same of the ports as they were
	links map[string]bool
}

// NewPortwise works out a change from one spec to another. Of the links, the facts
// must have those that are not ports' and those of the ports that change.
func NewPortwise(before, after *spec.Spec, ports []string, facts Facts) *Portwise {
	old, live := OnlyPorts(before, ports), OnlyPorts(after, ports)
	c := &Portwise{Live: live, Facts: facts, Want: Build(live, facts), was: Build(old, facts), links: map[string]bool{}}
	for _, name := range LinksOf(ports, old, live) {
		c.links[name] = true
	}
	for _, one := range []struct{ a, b State }{{c.Want, c.was}, {c.was, c.Want}} {
		for k, o := range one.a {
			if l, ok := o.(Link); ok && one.b[k] != o {
				c.links[l.Name] = true
			}
		}
	}
	return c
}

// LinksOf names the links of ports in some specs, sorted.
func LinksOf(ports []string, specs ...*spec.Spec) []string {
	var links []string
	for _, s := range specs {
		for _, name := range ports {
			if p := s.Ports[name]; p != nil {
				links = append(links, p.Interface, p.Peer)
			}
		}
	}
	slices.Sort(links)
	return slices.DeleteFunc(slices.Compact(links), func(name string) bool { return name == "" })
}

// OnlyPorts is a spec with some of its ports, and everything else.
func OnlyPorts(s *spec.Spec, ports []string) *spec.Spec {
	few := *s
	few.Ports = map[string]*spec.Port{}
	for _, name := range ports {
		if p := s.Ports[name]; p != nil {
			few.Ports[name] = p
		}
	}
	return &few
}

// Links names the links that the change is about, sorted.
func (c *Portwise) Links() []string { return slices.Sorted(maps.Keys(c.links)) }

// Diff compares what is wanted of the ports with the host. Seen is what was observed
// of their links a moment ago; of the rest, such as rows of the program, the host has
// what was wanted before. It is false when the change is not one to be made this way:
// something stands in the way, or more hangs on the ports than their own things.
func (c *Portwise) Diff(seen State) ([]Op, bool) {
	want, have := State{}, maps.Clone(seen)
	for k, o := range c.Want {
		if c.was[k] != o || c.links[placeOf(o).link] {
			want[k] = o
		}
	}
	for k, o := range c.was {
		if !onLink(o) && (c.Want[k] != o || c.links[placeOf(o).link]) {
			have[k] = o
		}
	}
	ops, conflicts := Diff(want, have)
	return ops, len(conflicts) == 0 && !slices.ContainsFunc(ops, c.reaches)
}

// onLink reports whether an object is seen with its link.
func onLink(o Object) bool {
	switch o.(type) {
	case Link, Up, Sysctl, Isolation:
		return true
	}
	return false
}

// reaches reports whether an op is about more than the ports: another link, or rows
// that lead, permit or forbid what others send.
func (c *Portwise) reaches(op Op) bool {
	switch o := op.Object.(type) {
	case Element:
		first, _, _ := strings.Cut(o.ID, " ")
		return judges(o.Map) || !c.links[first] && !strings.HasPrefix(o.Owner(), "port/")
	case Link:
		return o.NS != "" || o.Type == "bridge" || o.crosses()
	case Up, Sysctl, Isolation, Shape, Redirect:
		return !c.links[placeOf(o).link]
	}
	return true
}

// Borrow returns the record as it must be on disk before the ops.
func (c *Portwise) Borrow() Borrowed { return c.Facts.Borrow(c.Want) }

// Return drops from the record what the ports borrowed and do not any more.
func (c *Portwise) Return(b Borrowed) Borrowed {
	kept := maps.Clone(b)
	for _, o := range c.was {
		if key, borrows, _ := lent(o); borrows {
			delete(kept, key)
		}
	}
	for _, o := range c.Want {
		if key, borrows, _ := lent(o); borrows {
			if v, there := b[key]; there {
				kept[key] = v
			}
		}
	}
	return kept
}
