package radv

import "time"

// Times of RFC 4861 section 10.
const (
	minDelay        = 3 * time.Second        // MIN_DELAY_BETWEEN_RAS, of multicasts
	maxAnswerDelay  = 500 * time.Millisecond // MAX_RA_DELAY_TIME
	initialInterval = 16 * time.Second       // MAX_INITIAL_RTR_ADVERT_INTERVAL
	maxInitial      = 3                      // MAX_INITIAL_RTR_ADVERTISEMENTS
)

// interval draws the time until the next unsolicited advertisement: between a
// third of the longest and the longest, so that routers of one link do not fall
// into step; the first ones follow each other sooner.
func (s *Server) interval() time.Duration {
	longest := max(time.Duration(s.ra.Interval)*time.Second, minDelay)
	shortest := max(longest/3, minDelay)
	d := shortest + time.Duration(s.o.Rand()*float64(longest-shortest))
	if s.initial > 0 {
		d = min(d, initialInterval)
	}
	return d
}

// soon brings the next multicast near, for who cannot be answered by unicast.
func (s *Server) soon(now time.Time) {
	at := latest(now.Add(time.Duration(s.o.Rand()*float64(maxAnswerDelay))), s.last.Add(minDelay))
	if at.Before(s.due) {
		s.schedule(at)
	}
}

// schedule sets the one timer.
func (s *Server) schedule(at time.Time) {
	s.due = at
	if s.timer == nil {
		s.timer = time.AfterFunc(time.Until(at), s.tick)
		return
	}
	s.timer.Reset(time.Until(at))
}

// tick is the timer's. It may come late, after the time was put off or all was
// stopped: then it does nothing.
func (s *Server) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ra != nil && !s.due.After(time.Now()) {
		s.multicast()
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
