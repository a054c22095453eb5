package plan_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
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
	pairs   map[where]where // ends of veths that lie in two namespaces
	record  plan.Borrowed   // the loop's record of what was borrowed
	program string          // fingerprint of the loop's program
	uids    map[string]string

	guests   map[string]map[string][]netip.Addr // what guests have got by DHCP
	acquired map[string]plan.Acquired           // what uplinks have got
}

// where is a link of a namespace.
type where struct{ ns, link string }

func newMachine() *machine {
	return &machine{state: plan.State{}, learned: map[plan.Key]bool{}, born: map[plan.Key]int{},
		pairs: map[where]where{}, guests: map[string]map[string][]netip.Addr{}, acquired: map[string]plan.Acquired{},
		record: plan.Borrowed{}, program: "p1", uids: map[string]string{"qemu": "64055"}}
}

func (m *machine) clone() *machine {
	c := *m
	c.state, c.learned, c.born, c.record = maps.Clone(m.state), maps.Clone(m.learned), maps.Clone(m.born), maps.Clone(m.record)
	c.pairs = maps.Clone(m.pairs)
	return &c
}

func (m *machine) facts() plan.Facts {
	return plan.Facts{HostID: "host-1", Program: m.program, Routers: m.program, Borrowed: m.record, UIDs: m.uids, Guests: m.guests, Acquired: m.acquired}.Learn(m.state)
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
	if ns := op.Object.Key().NS; ns != "" && !m.hasNetns(ns) {
		if op.Verb == plan.Del {
			return nil
		}
		return errors.New("no such namespace")
	}
	switch o := op.Object.(type) {
	case plan.Netns:
		return m.setNetns(op.Verb, o)
	case plan.Chain:
		return m.setChain(op.Verb, o)
	case plan.Rule:
		return m.setPlain(op.Verb, o)
	case plan.Shape:
		return m.setShape(op.Verb, o)
	case plan.Program:
		return m.setProgram(op.Verb, o)
	case plan.Element:
		return m.setElement(op.Verb, o)
	case plan.Link:
		return m.setLink(op, o)
	case plan.Isolation:
		return m.setIsolation(op.Verb, o)
	case plan.Redirect:
		return m.setRedirect(op.Verb, o)
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
