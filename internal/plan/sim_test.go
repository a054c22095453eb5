package plan_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// machine is a kernel in memory: it does what Linux does with the ops of a plan,
// side effects and refusals included, and shows itself as an observed state.
type machine struct {
	state   plan.State
	learned map[plan.Key]bool // routes from router advertisements
	born    map[plan.Key]int  // order of addresses: the first of a subnet is the primary
	clock   int
	record  plan.Borrowed // the loop's record of what was borrowed
	program string        // fingerprint of the loop's program
	uids    map[string]string
}

func newMachine() *machine {
	return &machine{state: plan.State{}, learned: map[plan.Key]bool{}, born: map[plan.Key]int{},
		record: plan.Borrowed{}, program: "p1", uids: map[string]string{"qemu": "64055"}}
}

func (m *machine) clone() *machine {
	c := *m
	c.state, c.learned, c.born, c.record = maps.Clone(m.state), maps.Clone(m.learned), maps.Clone(m.born), maps.Clone(m.record)
	return &c
}

func (m *machine) facts() plan.Facts {
	return plan.Facts{HostID: "host-1", Program: m.program, Borrowed: m.record, UIDs: m.uids}.Learn(m.state)
}

// look is the pure half of a pass.
func (m *machine) look(s *spec.Spec) (want plan.State, ops []plan.Op, conflicts []plan.Conflict) {
	want = plan.Build(s, m.facts())
	ops, conflicts = plan.Diff(want, m.state)
	return want, ops, conflicts
}

// pass is one turn of the loop. It stops after the first stop ops as if killed,
// when stop is not negative.
func (m *machine) pass(s *spec.Spec, stop int, after func(plan.Op) error) ([]plan.Op, error) {
	want, ops, _ := m.look(s)
	m.record = m.facts().Borrow(want)
	for i, op := range ops {
		if i == stop {
			return ops, nil
		}
		if err := m.apply(op); err != nil {
			return ops, fmt.Errorf("%s: %w\nin\n%s", op, err, strings.Join(plan.Lines(ops), "\n"))
		}
		if after == nil {
			continue
		}
		if err := after(op); err != nil {
			return ops, fmt.Errorf("after %s: %w\nin\n%s", op, err, strings.Join(plan.Lines(ops), "\n"))
		}
	}
	m.record = m.record.Return(want)
	return ops, nil
}

// converge makes passes until one has nothing to do; more than three that do
// something are an error.
func (m *machine) converge(s *spec.Spec, after func(plan.Op) error) error {
	var ops []plan.Op
	for range 4 {
		var err error
		if ops, err = m.pass(s, -1, after); err != nil || len(ops) == 0 {
			return err
		}
	}
	return fmt.Errorf("does not converge, still:\n%s", strings.Join(plan.Lines(ops), "\n"))
}

func (m *machine) apply(op plan.Op) error {
	switch o := op.Object.(type) {
	case plan.Program:
		return m.setProgram(op.Verb, o)
	case plan.Element:
		return m.setElement(op.Verb, o)
	case plan.Link:
		return m.setLink(op.Verb, o)
	case plan.Sysctl:
		if op.Verb == plan.Del {
			return errors.New("a setting cannot be deleted")
		}
		return m.setSysctl(o)
	case plan.Up:
		return m.setUp(op.Verb, o)
	case plan.Addr:
		return m.setAddr(op.Verb, o)
	case plan.Route:
		return m.setRoute(op.Verb, o)
	}
	return fmt.Errorf("unknown object %T", op.Object)
}

// setProgram loads or removes the table; either empties its maps.
func (m *machine) setProgram(v plan.Verb, p plan.Program) error {
	for e := range plan.Of[plan.Element](m.state) {
		delete(m.state, e.Key())
	}
	delete(m.state, p.Key())
	if v != plan.Del {
		m.state.Add(p)
	}
	return nil
}

func (m *machine) setElement(v plan.Verb, e plan.Element) error {
	if _, there := m.state[plan.Program{}.Key()]; !there && v != plan.Del {
		return errors.New("no such table")
	}
	delete(m.state, e.Key())
	if v != plan.Del {
		e.Mark = "host" // nft keeps no owner
		m.state.Add(e)
	}
	return nil
}

func (m *machine) setLink(v plan.Verb, w plan.Link) error {
	have, there := m.state.Link("", w.Name)
	_, master := m.state[plan.Key{Kind: plan.KindBridge, ID: w.Master}]
	switch {
	case v == plan.Add && w.Foreign:
		return errors.New("a foreign link cannot be made")
	case v == plan.Add && there:
		return errors.New("file exists")
	case v != plan.Add && !there:
		return errors.New("no such device")
	case v != plan.Add && !w.Foreign && have.Owner() == "":
		return errors.New("not ours")
	case v != plan.Del && w.Master != "" && !master:
		return errors.New("no such master")
	}
	switch {
	case v == plan.Del:
		return m.delLink(have)
	case w.Foreign:
		have.Master = w.Master
		m.state.Add(have)
	case v == plan.Set:
		have.Mark, have.Master = w.Mark, w.Master
		have.MTU = cmpOr(w.MTU, have.MTU)
		if w.Type == "bridge" {
			have.STP, have.ForwardDelay = w.STP, w.ForwardDelay
			if !w.MAC.IsZero() {
				have.MAC = w.MAC
			}
		}
		m.state.Add(have)
		m.remark(have)
	default:
		return m.addLink(w)
	}
	return nil
}

// remark lets what is ours on a link follow its owner, which is written on the
// link alone.
func (m *machine) remark(l plan.Link) {
	for _, o := range m.state.Sorted() {
		if on(o) != l.Name || o.Owner() == "" {
			continue
		}
		switch o := o.(type) {
		case plan.Up:
			o.Mark = l.Mark
			m.state.Add(o)
		case plan.Addr:
			o.Mark = l.Mark
			m.state.Add(o)
		case plan.Route:
			o.Mark = l.Mark
			m.state.Add(o)
		case plan.Sysctl:
			o.Mark = l.Mark
			m.state.Add(o)
		}
	}
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func (m *machine) addLink(w plan.Link) error {
	if _, taken := m.state.Link("", w.Peer); taken {
		return errors.New("peer: file exists")
	}
	have := plan.Link{Mark: w.Mark, Name: w.Name, Type: w.Type, MTU: cmpOr(w.MTU, 1500), Master: w.Master}
	if w.Type == "bridge" {
		have.STP, have.ForwardDelay, have.MAC = w.STP, w.ForwardDelay, w.MAC
		if have.MAC.IsZero() {
			have.MAC = spec.GenerateMAC("kernel's choice")
		}
	}
	m.plug(have)
	if w.Type == "veth" {
		m.plug(plan.Link{Name: w.Peer, Type: "veth", MTU: 1500, Parent: w.Name})
	}
	return nil
}

// plug adds a device with the kernel's settings for a new one.
func (m *machine) plug(l plan.Link) {
	m.state.Add(l)
	for _, s := range []string{"forwarding=0", "arp_ignore=0", "arp_announce=0", "promote_secondaries=0"} {
		m.setting(l.Mark, "ipv4", l.Name, s)
	}
	all6, has := m.state[plan.Sysctl{Family: "ipv6", Link: "all", Name: "forwarding"}.Key()].(plan.Sysctl)
	if !has {
		return
	}
	for _, s := range []string{"forwarding=" + all6.Value, "accept_ra=1", "autoconf=1", "accept_dad=1", "disable_ipv6=0"} {
		m.setting(l.Mark, "ipv6", l.Name, s)
	}
	if m.forces() {
		m.setting(l.Mark, "ipv6", l.Name, "force_forwarding=0")
	}
}

func (m *machine) forces() bool {
	_, ok := m.state[plan.Sysctl{Family: "ipv6", Link: "lo", Name: "force_forwarding"}.Key()]
	return ok
}

func (m *machine) setting(mark plan.Mark, family, link, text string) {
	name, value, _ := strings.Cut(text, "=")
	m.state.Add(plan.Sysctl{Mark: mark, Family: family, Link: link, Name: name, Value: value})
}

func (m *machine) value(family, link, name string) string {
	s, _ := m.state[plan.Sysctl{Family: family, Link: link, Name: name}.Key()].(plan.Sysctl)
	return s.Value
}

// delLink removes a device with all that hangs on it; its ports lose their
// master and stay up, and the other end of a veth goes, too.
func (m *machine) delLink(gone plan.Link) error {
	for k, o := range maps.Clone(m.state) {
		switch o := o.(type) {
		case plan.Link:
			if o.Master == gone.Name {
				o.Master = ""
				m.state.Add(o)
			}
			if o.Parent == gone.Name {
				delete(m.state, k)
				m.strip(o.Name)
			}
		}
	}
	delete(m.state, gone.Key())
	m.strip(gone.Name)
	return nil
}

func (m *machine) strip(link string) {
	maps.DeleteFunc(m.state, func(_ plan.Key, o plan.Object) bool { return on(o) == link })
}

// on is the link an object hangs on.
func on(o plan.Object) string {
	switch o := o.(type) {
	case plan.Up:
		return o.Link
	case plan.Addr:
		return o.Link
	case plan.Route:
		return o.Link
	case plan.Sysctl:
		return o.Link
	}
	return ""
}

func (m *machine) setSysctl(w plan.Sysctl) error {
	have, there := m.state[w.Key()].(plan.Sysctl)
	if !there {
		return errors.New("no such file")
	}
	have.Value = w.Value
	m.state.Add(have)
	switch {
	case w.Name == "forwarding" && w.Link == "all":
		for s := range plan.Of[plan.Sysctl](maps.Clone(m.state)) {
			if s.Family == w.Family && s.Name == "forwarding" {
				s.Value = w.Value
				m.state.Add(s)
			}
		}
	case w.Name == "disable_ipv6" && w.Value == "1":
		m.drop(func(o plan.Object) bool { return on(o) == w.Link && is6(o) })
	}
	if w.Family == "ipv6" && w.Name == "forwarding" && w.Value == "1" { // rt6_purge_dflt_routers
		m.drop(func(o plan.Object) bool { return m.learned[o.Key()] && m.value("ipv6", on(o), "accept_ra") != "2" })
	}
	return nil
}

func is6(o plan.Object) bool {
	switch o := o.(type) {
	case plan.Addr:
		return o.Prefix.Addr().Is6()
	case plan.Route:
		return o.Dst.Addr().Is6()
	}
	return false
}

func (m *machine) drop(doomed func(plan.Object) bool) {
	maps.DeleteFunc(m.state, func(_ plan.Key, o plan.Object) bool { return doomed(o) })
}

// setUp raises a link or takes it down, and then its routes and IPv6 addresses.
func (m *machine) setUp(v plan.Verb, u plan.Up) error {
	l, there := m.state.Link("", u.Link)
	switch {
	case v != plan.Del && !there:
		return errors.New("no such device")
	case v != plan.Del:
		m.state.Add(plan.Up{Mark: l.Mark, Link: u.Link})
		return nil
	}
	delete(m.state, u.Key())
	m.drop(func(o plan.Object) bool {
		_, route := o.(plan.Route)
		return on(o) == u.Link && (route || is6(o))
	})
	return nil
}

func (m *machine) setAddr(v plan.Verb, a plan.Addr) error {
	l, there := m.state.Link("", a.Link)
	if v == plan.Del {
		if _, there := m.state[a.Key()]; there {
			m.delAddr(a)
		}
		return nil
	}
	switch {
	case !there:
		return errors.New("no such device")
	case a.Prefix.Addr().Is6() && m.value("ipv6", a.Link, "disable_ipv6") != "0":
		return errors.New("IPv6 is disabled on this device")
	}
	a.Mark = l.Mark
	m.clock++
	m.state.Add(a)
	m.born[a.Key()] = m.clock
	return nil
}

// delAddr removes an address; of IPv4 with its secondaries unless they are
// promoted, and with the last one goes every IPv4 route of the link.
func (m *machine) delAddr(a plan.Addr) {
	delete(m.state, a.Key())
	if a.Prefix.Addr().Is6() {
		return
	}
	left := false
	for o := range plan.Of[plan.Addr](maps.Clone(m.state)) {
		switch {
		case o.Link != a.Link || is6(o):
		case o.Prefix.Masked() == a.Prefix.Masked() && m.born[o.Key()] > m.born[a.Key()] &&
			m.value("ipv4", a.Link, "promote_secondaries") == "0":
			delete(m.state, o.Key())
		default:
			left = true
		}
	}
	if !left {
		m.drop(func(o plan.Object) bool {
			_, route := o.(plan.Route)
			return route && on(o) == a.Link && !is6(o)
		})
	}
}

func (m *machine) setRoute(v plan.Verb, r plan.Route) error {
	if v == plan.Del {
		delete(m.state, r.Key())
		return nil
	}
	if r.Dst.Addr().Is6() && r.Metric == 1024 {
		r.Metric = 0 // observed as none
	}
	l, there := m.state.Link("", r.Link)
	_, up := m.state[plan.Up{Link: r.Link}.Key()]
	switch {
	case !there:
		return errors.New("no such device")
	case !up:
		return errors.New("network is down")
	case r.Via.IsValid() && !m.reaches(r.Link, r.Via):
		return errors.New("nexthop has invalid gateway")
	}
	r.Mark = l.Mark
	m.state.Add(r)
	return nil
}

func (m *machine) reaches(link string, via netip.Addr) bool {
	if via.IsLinkLocalUnicast() {
		return m.value("ipv6", link, "disable_ipv6") == "0"
	}
	for a := range plan.Of[plan.Addr](m.state) {
		if a.Link == link && a.Prefix.Contains(via) {
			return true
		}
	}
	return false
}

// dump prints everything the machine shows, and whose it is.
func (m *machine) dump() string {
	var lines []string
	for _, o := range m.state.Sorted() {
		lines = append(lines, fmt.Sprintf("%s [%s]", o, o.Owner()))
	}
	for _, k := range slices.Sorted(maps.Keys(m.record)) {
		lines = append(lines, fmt.Sprintf("borrowed %s = %s", k, m.record[k]))
	}
	return strings.Join(lines, "\n") + "\n"
}
