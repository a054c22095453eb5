package announce

import (
	"log/slog"
	"sync"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// Options are what an Announcer needs.
type Options struct {
	// Namespace finds a namespace by name, "" = the daemon's own; false when it is
	// gone. It stays open until Namespace no longer returns it.
	Namespace func(name string) (*netns.NS, bool)
	Log       *slog.Logger // nil = none
}

// Announcer announces addresses. Its methods may be called from any goroutine.
type Announcer struct {
	send func(ns string, list []subject) (told []bool) // in one namespace
	wake chan struct{}
	stop chan struct{}
	once sync.Once
	work sync.WaitGroup

	mu   sync.Mutex
	todo schedule
}

// New makes an announcer, to be closed.
func New(o Options) *Announcer {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := sender{o}
	return start(s.send)
}

func start(send func(string, []subject) []bool) *Announcer {
	a := &Announcer{send: send, wake: make(chan struct{}, 1), stop: make(chan struct{}), todo: schedule{}}
	a.work.Go(a.run)
	return a
}

// Announce tells of addresses three times: at once, and after one and two seconds.
// It does not wait for any of that.
func (a *Announcer) Announce(list []plan.Addr) {
	if len(list) == 0 {
		return
	}
	now := time.Now()
	a.mu.Lock()
	for _, x := range list {
		a.todo.add(subject{x.NS, x.Link, x.Prefix.Addr()}, now)
	}
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// Close ends it. What was not told yet is not told any more.
func (a *Announcer) Close() {
	a.once.Do(func() { close(a.stop) })
	a.work.Wait()
}

// run tells what is due, until Close.
func (a *Announcer) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-a.stop:
			return
		case <-a.wake:
		case <-timer.C:
		}
		a.round()
		a.mu.Lock()
		next, some := a.todo.next()
		a.mu.Unlock()
		if timer.Stop(); some {
			timer.Reset(time.Until(next))
		}
	}
}

// round tells all that is due, in all namespaces at the same time.
func (a *Announcer) round() {
	a.mu.Lock()
	due := a.todo.due(time.Now())
	a.mu.Unlock()
	var all sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for ns, list := range due {
		room <- struct{}{}
		all.Go(func() {
			a.tell(ns, list)
			<-room
		})
	}
	all.Wait()
}

// atOnce bounds in how many namespaces there is work at the same time.
const atOnce = 32

func (a *Announcer) tell(ns string, list []subject) {
	told := a.send(ns, list)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	for i, x := range list {
		a.todo.done(x, told[i], now)
	}
}
