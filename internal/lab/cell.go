package lab

import (
	"context"
	"strings"
	"sync"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// cell is one promise: what a network is promised in one row of the table, and
// what was seen of it.
type cell struct {
	row     string
	column  string // network
	family  family
	promise string
	service bool // it is about what guests are served, and in a table of its own
	verdict
	put func(ctx context.Context) verdict
}

func (c *cell) held() bool { return c.outcome == c.promise }

// parallel bounds how many promises are proven at a time: enough to wait for most
// silences at once, and few enough for a machine with two processors.
const parallel = 64

// prove puts the questions of all cells.
func prove(ctx context.Context, cells []*cell) error {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, c := range cells {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() == nil {
				c.verdict = c.put(ctx)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// sheet collects cells.
type sheet struct {
	d       *demo
	service bool // its cells are
	cells   []*cell
}

// add adds a promise of a network; untold ones are left out.
func (s *sheet) add(row string, n *network, f family, promise string, put func(context.Context) verdict) {
	if promise != untold {
		s.cells = append(s.cells, &cell{row: row, column: n.name, family: f, promise: promise, service: s.service, put: put})
	}
}

// put adds a promise that one question decides.
func (s *sheet) put(row string, n *network, f family, promise string, q question) {
	if len(q.kinds()) == 0 {
		return
	}
	q.hope = promise != no
	if (q.mute || q.blind()) && q.hope && promise != untold {
		promise = yes
	}
	s.add(row, n, f, promise, func(ctx context.Context) verdict { return plain(promise, q.put(ctx)) })
}

// ask adds what is promised of several kinds of connections, in one row for those
// that are promised the same.
func (s *sheet) ask(row string, n *network, f family, kinds []traffic, q question, promise func(traffic) string) {
	groups := map[string][]traffic{}
	var order []string
	for _, t := range kinds {
		p := promise(t)
		if groups[p] == nil {
			order = append(order, p)
		}
		groups[p] = append(groups[p], t)
	}
	for i, p := range order {
		q.traffics = groups[p]
		name := row
		if i > 0 {
			name += " by " + protos(groups[p])
		}
		s.put(name, n, f, p, q)
	}
}

func protos(kinds []traffic) string {
	var names []string
	for _, t := range kinds {
		names = append(names, string(t.proto))
	}
	return strings.Join(names, ", ")
}

// plain drops from the outcome what the promise does not speak of: the source, or
// which one of several it was.
func plain(promise string, v verdict) verdict {
	if promise == yes && strings.HasPrefix(v.outcome, yes) && v.outcome != severalSources {
		v.outcome = yes
	}
	if several, ok := strings.CutPrefix(promise, as); ok && v.source.IsValid() && v.outcome != severalSources {
		if r, err := spec.ParseAddrRange(several); err == nil && r.Contains(v.source) {
			v.outcome = promise
		}
	}
	return v
}

// reach lists what is promised, row by row: by the modes and routers, the forwards
// and the policies.
func (d *demo) reach() []*cell {
	s := &sheet{d: d}
	d.each(s.within)
	d.each(s.gateway)
	d.each(s.outside)
	d.each(s.permitted)
	d.each(s.inbound)
	for _, to := range d.networks {
		d.each(func(n *network, f family) { s.across(n, to, f) })
	}
	s.forwarded()
	s.policed()
	return s.cells
}

// each calls add for every network and family that its guests speak.
func (d *demo) each(add func(*network, family)) {
	for _, n := range d.networks {
		for _, f := range families {
			if n.seats[0].addr.has(f) {
				add(n, f)
			}
		}
	}
}

// within adds what guests may do on their own network.
func (s *sheet) within(n *network, f family) {
	a, b, promise := n.guests[0], n.guests[1], yes
	if n.spec.Isolated && !n.lan() { // on a LAN only ports of kvmnet are kept apart
		promise = no
	}
	hope := promise == yes
	s.add("guest ↔ guest, same network", n, f, promise, func(ctx context.Context) verdict {
		there := question{from: a, to: b.addr.addr(f), hope: hope, mute: b.host == nil}.put(ctx)
		if v := plain(promise, there); v.outcome != promise {
			return v
		}
		return plain(promise, question{from: b, to: a.addr.addr(f), hope: hope, mute: a.host == nil}.put(ctx))
	})
}

// gateway adds what guests may ask of the host, or router, at their own gateway
// address.
func (s *sheet) gateway(n *network, f family) {
	s.put("guest → gateway", n, f, atGateway(n), question{from: n.guests[0], to: n.via().addr(f), traffics: s.d.answered(n)})
}

// answered is what somebody answers at the gateway of a network: routers of ours
// run nothing.
func (d *demo) answered(n *network) []traffic {
	if n.face != nil {
		return everything[:1]
	}
	return everything
}

const toOutsideRow = "guest → outside"

func (s *sheet) outside(n *network, f family) {
	s.ask(toOutsideRow, n, f, everything, s.d.outbound(n, f), func(t traffic) string { return s.d.toOutside(n, n.seats[0], f, t) })
}

// outbound is a question of a guest to the outside.
func (d *demo) outbound(n *network, f family) question {
	return question{from: n.guests[0], to: farAddr.addr(f), at: d.heard(d.world.outside)}
}

// inbound adds what the outside may begin.
func (s *sheet) inbound(n *network, f family) {
	q := s.d.inward(n, f)
	s.ask("outside → guest", n, f, everything, q, func(t traffic) string { return s.d.fromOutside(q.from.addr.addr(f), n, n.seats[0], t) })
}

// inward is a question of the outside to a guest.
func (d *demo) inward(n *network, f family) question {
	from := outsideAddr
	if n.lan() {
		from = lanGateway // its leg there
	} else if u := d.outward(n, f); u != nil {
		from = d.world.leg(u)
	}
	return d.to(n.guests[0], f, d.stranger(d.world.outside, from))
}

// across adds what guests may do with those of another network.
func (s *sheet) across(n, other *network, f family) {
	if other == n || !other.seats[0].addr.has(f) {
		return
	}
	s.ask("guest → guest of "+other.name, n, f, everything, s.d.to(other.guests[0], f, n.guests[0]),
		func(t traffic) string { return s.d.between(n, other, f, t) })
}

// to is a question to a guest.
func (d *demo) to(g *party, f family, from *party) question {
	return question{from: from, to: g.addr.addr(f), at: d.heard(g.host), mute: g.host == nil}
}

// heard is what a host hears; nil for a virtual machine.
func (d *demo) heard(h *testhost.Host) *testhost.Echo { return d.world.echoes[h] }

// stranger is a host that is nobody's guest.
func (d *demo) stranger(h *testhost.Host, addr duo) *party {
	return &party{name: h.Name(), addr: addr, asker: hostAsker{h}, host: h}
}
