package reconcile

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// A quick pass is for ports that come and go on a host that is known to be as
// wanted: it looks at the links of those ports, works out what they alone bring
// about, and does that. What it takes does not grow with the number of ports.
//
// It goes by memory in everything else, so it is followed by a pass that looks at
// the whole host. It never decides what that one would decide otherwise: where
// anything is in the way, or an op fails, the whole host is looked at at once.

// Times of quick passes.
const (
	confirm   = 100 * time.Millisecond // after a quick pass, for more of them to come, before the whole host is looked at
	unlooked  = 500 * time.Millisecond // at most without such a look, however many come
	fewPorts  = 16                     // in one quick pass
	portOwner = "port/"
)

// known is what the last look at the whole host found. There is one only when that
// look found all as wanted and nothing in the way.
type known struct {
	live  *spec.Spec // the quick passes since included
	facts plan.Facts // their links are those that are no ports'
	first time.Time  // quick pass since; zero = none
}

// knownBy keeps of a look what quick passes need; nil when they must not go by it.
func knownBy(r *Report) *known {
	if r.Failed || r.Degraded || len(r.blocked) > 0 {
		return nil
	}
	k := &known{live: r.all, facts: r.Facts}
	k.facts.Links = map[string]plan.Link{}
	for name, l := range r.Facts.Links {
		if !strings.HasPrefix(l.Owner(), portOwner) {
			k.facts.Links[name] = l
		}
	}
	return k
}

func (k *known) unconfirmed() bool { return k != nil && !k.first.IsZero() }

// confirmIn is how long to wait for the pass that looks at the whole host.
func (k *known) confirmIn() time.Duration {
	return max(0, min(confirm, unlooked-time.Since(k.first)))
}

// asked makes a pass that somebody asked for.
func (e *Engine) asked(ctx context.Context) (Report, error) {
	begin := time.Now()
	r, ok := e.quick(ctx)
	if ok {
		e.note(&r, begin)
		return r, nil
	}
	full, err := e.pass(ctx)
	full.Ops = append(r.Ops, full.Ops...)
	return full, err
}

// quick makes a quick pass. When it is false the whole host is to be looked at; the
// report tells what was done before that came out.
func (e *Engine) quick(ctx context.Context) (r Report, ok bool) {
	k := e.known
	e.known = nil // unless all goes well
	if k == nil || e.paused {
		return r, false
	}
	live, err := e.o.Live()
	if live == nil || err != nil {
		return r, false
	}
	ports, only := plan.PortsApart(k.live, live)
	if !only || len(ports) == 0 || len(ports) > fewPorts || someMacvtap(k.live, live, ports) {
		return r, false
	}
	c, ops, ok := e.portwise(ctx, k, live, ports)
	if !ok {
		return r, false
	}
	r = Report{Want: c.Want, Facts: c.Facts, Ops: ops, live: live, all: live}
	services := e.services(r.live, r.Facts, networksOf(k.live, live, ports))
	if !e.applyPorts(ctx, &r, c) || !e.serveNetworks(&r, services()) {
		return r, false
	}
	if r.Have, err = e.o.Host.Glance(ctx, c.Links()); err != nil {
		return r, false
	}
	for _, w := range plan.Warnings(c.Live, c.Facts) {
		if strings.HasPrefix(w.Owner, portOwner) {
			r.Note(w.Owner, w.Message)
		}
	}
	r.ports = ports
	k.live = live
	if k.first.IsZero() {
		k.first = time.Now()
	}
	e.known = k
	return r, true
}

// Glance returns some links of the host as they are now, as Host does. It does not wait
// for a pass that is being made.
func (e *Engine) Glance(ctx context.Context, links ...string) (plan.State, error) {
	return e.o.Host.Glance(ctx, links)
}

// portwise works out what the ports want of the host, and the ops that lead there.
func (e *Engine) portwise(ctx context.Context, k *known, live *spec.Spec, ports []string) (*plan.Portwise, []plan.Op, bool) {
	facts := k.facts
	borrowed, err := e.o.Record.Borrowed()
	if err != nil {
		return nil, nil, false
	}
	facts.Borrowed, facts.Links = borrowed, maps.Clone(k.facts.Links)
	links := plan.LinksOf(ports, k.live, live)
	seen, err := e.o.Host.Glance(ctx, links)
	if err != nil {
		return nil, nil, false
	}
	for _, name := range links {
		if l, there := seen.Link("", name); there {
			facts.Links[name] = l
		} else {
			delete(facts.Links, name)
		}
	}
	facts.Settings = maps.Clone(k.facts.Settings) // those of what others made are borrowed
	for s := range plan.Of[plan.Sysctl](seen) {
		if s.Owner() == "" {
			facts.Settings[s.Path()] = s.Value
		}
	}
	if e.o.UIDs != nil {
		facts.UIDs = map[string]string{}
		for _, s := range []*spec.Spec{k.live, live} {
			maps.Copy(facts.UIDs, e.o.UIDs(plan.OnlyPorts(s, ports)))
		}
	}
	c := plan.NewPortwise(k.live, live, ports, facts)
	if more := c.Links(); len(more) > len(links) { // limits of ports are on links of their own
		if seen, err = e.o.Host.Glance(ctx, more); err != nil {
			return nil, nil, false
		}
	}
	ops, ok := c.Diff(seen)
	return c, ops, ok
}

// applyPorts does the ops, with the record around them as in apply.
func (e *Engine) applyPorts(ctx context.Context, r *Report, c *plan.Portwise) bool {
	record := c.Borrow()
	if e.record(r.Facts.Borrowed, record) != nil {
		r.Ops = nil
		return false
	}
	e.run(ctx, r)
	return !r.Failed && e.record(record, c.Return(record)) == nil
}

// services works out what is to be served on networks. That takes longer with all the
// ports of a network, so it is done beside the ops: the kernel takes its time for them.
func (e *Engine) services(live *spec.Spec, facts plan.Facts, networks map[string]bool) (wait func() []plan.Service) {
	if e.o.Servers == nil {
		return func() []plan.Service { return nil }
	}
	done := make(chan []plan.Service, 1)
	go func() { done <- plan.ServicesOf(live, facts, func(n string) bool { return networks[n] }) }()
	return func() []plan.Service { return <-done }
}

// serveNetworks tells the servers of the networks whose ports have changed.
func (e *Engine) serveNetworks(r *Report, services []plan.Service) bool {
	if e.o.Servers == nil {
		return true
	}
	r.served, r.Services = e.served, slices.Clone(e.served)
	for _, s := range services {
		i := slices.IndexFunc(r.Services, func(had plan.Service) bool { return had.Network == s.Network && had.NS == s.NS })
		if i < 0 || len(e.o.Servers.Update(s)) > 0 {
			return false
		}
		r.Services[i] = s
	}
	e.served = r.Services
	return true
}

// networksOf are the networks that ports were or are on.
func networksOf(before, after *spec.Spec, ports []string) map[string]bool {
	networks := map[string]bool{}
	for _, s := range []*spec.Spec{before, after} {
		for _, name := range ports {
			if p := s.Ports[name]; p != nil {
				networks[p.Network] = true
			}
		}
	}
	return networks
}

// someMacvtap reports whether a port is on a NIC: which one depends on the others.
func someMacvtap(before, after *spec.Spec, ports []string) bool {
	return slices.ContainsFunc(ports, func(name string) bool {
		old, now := before.Ports[name], after.Ports[name]
		return old != nil && old.Type == spec.Macvtap || now != nil && now.Type == spec.Macvtap
	})
}

// note keeps the outcome of a quick pass: of other objects nothing has changed.
func (e *Engine) note(r *Report, begin time.Time) {
	r.At, r.Took = time.Now(), time.Since(begin)
	problems := maps.Clone(e.last.Problems)
	for _, name := range r.ports {
		delete(problems, portOwner+name)
	}
	if problems == nil {
		problems = map[string][]string{}
	}
	maps.Copy(problems, r.Problems)
	e.last.Problems, e.last.At, e.last.Took = problems, r.At, r.Took
}
