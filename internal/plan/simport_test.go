package plan_test

import (
	"errors"
	"maps"

	"kvmnet/internal/plan"
)

// rename gives a link another name, and with it all that is on it.
func (m *machine) rename(from, to string) error {
	l, there := m.state.Link("", from)
	_, taken := m.state.Link("", to)
	switch {
	case !there:
		return errors.New("no such device")
	case taken:
		return errors.New("file exists")
	}
	for _, o := range m.state.Sorted() {
		if at(o) != (where{"", from}) {
			continue
		}
		delete(m.state, o.Key())
		old := o.Key()
		o = onLink(o, to)
		m.state.Add(o)
		m.born[o.Key()] = m.born[old]
	}
	delete(m.state, l.Key())
	l.Name = to
	m.state.Add(l)
	for port := range plan.Of[plan.Link](maps.Clone(m.state)) {
		if port.NS == "" && port.Master == from {
			port.Master = to
			m.state.Add(port)
		}
	}
	return nil
}

// onLink is what is on a link on another one.
func onLink(o plan.Object, link string) plan.Object {
	switch o := o.(type) {
	case plan.Up:
		o.Link = link
		return o
	case plan.Addr:
		o.Link = link
		return o
	case plan.Route:
		o.Link = link
		return o
	case plan.Sysctl:
		o.Link = link
		return o
	case plan.Shape:
		o.Link = link
		return o
	}
	return o
}

// leaves forgets the isolation of a port that changes its bridge.
func (m *machine) leaves(port plan.Link, master string) {
	if port.Master != master {
		delete(m.state, plan.Isolation{NS: port.NS, Link: port.Name}.Key())
	}
}

func (m *machine) setIsolation(v plan.Verb, i plan.Isolation) error {
	l, there := m.state.Link(i.NS, i.Link)
	delete(m.state, i.Key())
	switch {
	case v == plan.Del || there && !i.On:
	case !there:
		return errors.New("no such device")
	case l.Master == "":
		return errors.New("not a port")
	default:
		m.state.Add(plan.Isolation{Mark: l.Mark, NS: i.NS, Link: i.Link, On: true})
	}
	return nil
}

func (m *machine) setRedirect(v plan.Verb, r plan.Redirect) error {
	_, from := m.state.Link(r.NS, r.Link)
	_, to := m.state.Link(r.NS, r.To)
	if v == plan.Del {
		delete(m.state, r.Key())
		return nil
	}
	if !from || !to {
		return errors.New("no such device")
	}
	r.Mark = "host" // nft keeps no owner
	m.state.Add(r)
	return nil
}
