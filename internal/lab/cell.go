package lab

import (
	"context"
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

// parallel bounds how many promises are proven at a time: enough to wait for many
// silences at once, and few enough for a machine with two processors.
const parallel = 48

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

// ask adds a promise that one question decides.
func (s *sheet) ask(row string, n *network, f family, promise string, q question) {
	q.hope = promise != no
	if q.mute && q.hope && promise != untold {
		promise = yes
	}
	s.add(row, n, f, promise, func(ctx context.Context) verdict { return plain(promise, q.put(ctx)) })
}

// plain drops from the outcome that the source was kept, where the promise does
// not speak of it.
func plain(promise string, v verdict) verdict {
	if promise == yes && v.outcome == kept {
		v.outcome = yes
	}
	return v
}

// reach lists what the modes promise, row by row.
func (d *demo) reach() []*cell {
	s := &sheet{d: d}
	d.each(s.within)
	d.each(s.gateway)
	d.each(s.outside)
	d.each(s.inbound)
	for _, to := range d.networks {
		d.each(func(n *network, f family) { s.across(n, to, f) })
	}
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
	a, b := n.guests[0], n.guests[1]
	s.add("guest ↔ guest, same network", n, f, yes, func(ctx context.Context) verdict {
		there := question{from: a, to: b.addr.addr(f), hope: true, mute: b.host == nil}.put(ctx)
		if v := plain(yes, there); v.outcome != yes {
			return v
		}
		return plain(yes, question{from: b, to: a.addr.addr(f), hope: true, mute: a.host == nil}.put(ctx))
	})
}

// gateway adds what guests may ask of the host at their own gateway address.
func (s *sheet) gateway(n *network, f family) {
	s.ask("guest → gateway", n, f, atGateway(n.spec), question{from: n.guests[0], to: n.via().addr(f)})
}

const toOutsideRow = "guest → outside"

func (s *sheet) outside(n *network, f family) {
	s.ask(toOutsideRow, n, f, toOutside(n.spec, f), question{from: n.guests[0], to: farAddr.addr(f), at: s.d.heard(s.d.world.outside)})
}

// inbound adds what the outside may begin.
func (s *sheet) inbound(n *network, f family) {
	s.ask("outside → guest", n, f, fromOutside(n.spec), s.d.inward(n, f))
}

// inward is a question of the outside to a guest.
func (d *demo) inward(n *network, f family) question {
	from := outsideAddr
	if n.spec.Mode == spec.Bridge {
		from = lanGateway // its leg there
	}
	return d.to(n.guests[0], f, d.stranger(d.world.outside, from))
}

// across adds what guests may do with those of another network.
func (s *sheet) across(n, other *network, f family) {
	if other == n || !other.seats[0].addr.has(f) {
		return
	}
	s.ask("guest → guest of "+other.name, n, f, between(n.spec, other.spec, f), s.d.to(other.guests[0], f, n.guests[0]))
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
