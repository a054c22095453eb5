package dhcpclient

import (
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

func random() uint64 { return rand.Uint64() }

// client runs the machine of one link: it has the link and the clock.
type client struct {
	c    *Clients
	want want
	m    machine
	link wire // nil while there is none
	up   bool // it had a carrier when it was looked at last

	watched atomic.Pointer[netip.Addr] // the address that was probed last

	inbox chan func(now time.Time) // what came in
	look  chan struct{}            // the link may be another one
	stop  chan struct{}
	once  sync.Once
	back  bool // gives the lease back when it stops
	done  chan struct{}
}

// mostWaiting bounds what came in and was not looked at yet.
const mostWaiting = 16

func (c *Clients) start(w want) *client {
	r := &client{c: c, want: w, inbox: make(chan func(time.Time), mostWaiting), look: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	r.m = machine{mac: w.mac, random: c.random, wish: w.wish}
	go r.run()
	return r
}

// poke has the link looked at.
func (r *client) poke() {
	select {
	case r.look <- struct{}{}:
	default:
	}
}

// end stops the client and waits for that.
func (r *client) end(giveBack bool) {
	r.once.Do(func() { r.back = giveBack; close(r.stop) })
	<-r.done
}

// DHCP4 implements socket.ClientHandler.
func (r *client) DHCP4(p socket.Packet) {
	if a, ok := decode(p, r.want.mac); ok {
		r.deliver(func(now time.Time) { r.m.heard(now, a) })
	}
}

// ARP implements socket.ClientHandler.
func (r *client) ARP(mac spec.MAC, a netip.Addr) {
	if w := r.watched.Load(); w == nil || *w != a {
		return
	}
	r.deliver(func(now time.Time) { r.m.claimed(now, mac, a) })
}

// deliver hands on what came in, unless there is more than anybody could need.
func (r *client) deliver(event func(time.Time)) {
	select {
	case r.inbox <- event:
	default:
	}
}

// run does what is due until it is stopped.
func (r *client) run() {
	defer close(r.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	now := time.Now()
	r.resume(now)
	r.connect(now)
	for {
		r.m.tick(now)
		r.carryOut(r.m.take())
		r.plan(timer)
		select {
		case <-r.stop:
			r.leave()
			return
		case event := <-r.inbox:
			now = time.Now()
			event(now)
		case <-r.look:
			now = time.Now()
			r.connect(now)
		case <-timer.C:
			now = time.Now()
			r.connect(now)
		}
	}
}

// resume takes up the lease from before. One that does not fit is none.
func (r *client) resume(now time.Time) {
	r.m.lease = r.c.leaseOf(r.want)
	if r.m.lease == nil {
		r.c.keep(r.want.key, nil)
	}
	r.m.begin(now, r.m.lease)
}

// lookPause is how long a link is left alone that is not there, or has no carrier.
const lookPause = 5 * time.Second

// plan sets the timer to when something is due.
func (r *client) plan(timer *time.Timer) {
	timer.Stop()
	if wait := time.Until(r.m.next); !r.up {
		timer.Reset(lookPause)
	} else if !r.m.next.IsZero() {
		timer.Reset(wait)
	}
}

// connect sees to it that there is a link. One that is new, or has a carrier again,
// may be plugged in elsewhere.
func (r *client) connect(now time.Time) {
	if r.link != nil && !r.link.Alive() {
		r.disconnect()
	}
	if r.link == nil {
		link, err := r.c.open(r.want.ns, r.want.link, r)
		if err != nil {
			r.trouble(err)
			return
		}
		r.link = link
	}
	was := r.up
	if r.up = r.link.Running(); r.up && !was {
		r.m.begin(now, r.m.lease)
	}
}

func (r *client) disconnect() {
	r.c.warn(r.want.key, r.link.Close())
	r.link, r.up = nil, false
}

// carryOut does what the machine wants. A lease is on disk before it is told.
func (r *client) carryOut(o outcome) {
	key := r.want.key
	if o.save {
		r.c.keep(key, r.m.lease)
		r.c.o.Log.Info("DHCP", "client", key, "lease", r.m.lease)
	}
	if r.link == nil {
		return
	}
	for _, q := range o.send {
		if err := r.link.Send(q.packet(r.m.mac, r.want.host)); err != nil {
			r.c.o.Log.Debug("DHCP", "client", key, "error", err)
		}
	}
	if o.probe.IsValid() {
		r.watched.Store(&o.probe)
		if err := r.link.Probe(o.probe); err != nil {
			r.c.o.Log.Debug("DHCP", "client", key, "error", err)
		}
	}
	if r.up {
		r.c.note(key, r.m.trouble())
	} else {
		r.c.note(key, "its link has no carrier")
	}
}

// trouble notes why there is no link.
func (r *client) trouble(err error) {
	if err == errGone {
		r.c.note(r.want.key, "")
		return
	}
	r.c.note(r.want.key, err.Error())
}

// leave gives the lease back when that is wanted, and closes the link.
func (r *client) leave() {
	if r.back {
		r.m.release(time.Now())
		r.carryOut(r.m.take())
		r.c.keep(r.want.key, nil)
	}
	r.c.note(r.want.key, "")
	if r.link != nil {
		r.disconnect()
	}
}
