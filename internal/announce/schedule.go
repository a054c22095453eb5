package announce

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Times of an announcement.
const (
	rounds   = 3
	apart    = time.Second
	hopeless = time.Minute // a link that has no carrier by then is not waited for any more

	firstPause = 20 * time.Millisecond // between looks at a link that is not ready; doubled up to apart
)

// subject is what is announced: an address on a link of a namespace.
type subject struct {
	ns, link string
	addr     netip.Addr
}

func (s subject) compare(o subject) int {
	return cmp.Or(cmp.Compare(s.ns, o.ns), cmp.Compare(s.link, o.link), s.addr.Compare(o.addr))
}

// duty is what is still to be done for one.
type duty struct {
	left  int
	next  time.Time
	until time.Time     // when to give up
	pause time.Duration // until the next look, while the link is not ready
}

// schedule is what is to be announced when. It knows the time by what it is told.
type schedule map[subject]*duty

// add begins anew with a subject. One that was told within a second has to wait
// for the rest of it.
func (s schedule) add(x subject, now time.Time) {
	d := s[x]
	if d == nil {
		d = &duty{next: now}
		s[x] = d
	}
	d.left, d.until, d.pause = rounds, now.Add(hopeless), firstPause
}

// due lists what is to be told now, by namespace.
func (s schedule) due(now time.Time) map[string][]subject {
	list := map[string][]subject{}
	for x, d := range s {
		if !d.next.After(now) {
			list[x.ns] = append(list[x.ns], x)
		}
	}
	for _, of := range list {
		slices.SortFunc(of, subject.compare)
	}
	return list
}

// done notes whether a subject could be told.
func (s schedule) done(x subject, told bool, now time.Time) {
	d := s[x]
	switch {
	case told:
		d.left--
		d.next, d.until, d.pause = now.Add(apart), now.Add(hopeless), firstPause
	default:
		d.next = now.Add(d.pause)
		d.pause = min(2*d.pause, apart)
	}
	if d.left == 0 || !told && d.next.After(d.until) {
		delete(s, x)
	}
}

// next is when something is due, false when nothing ever is.
func (s schedule) next() (at time.Time, ok bool) {
	for _, d := range s {
		if !ok || d.next.Before(at) {
			at, ok = d.next, true
		}
	}
	return at, ok
}
