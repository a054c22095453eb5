package testhost

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"
)

// PingReport is the balance of a PingStream.
type PingReport struct {
	Sent, Received int
	Lost           int           // Sent - Received
	LongestGap     time.Duration // the longest time without an answer, from the first request to the end
	Refusals       []Reason      // what came back instead of answers, without repetition
}

// PingStream pings without pause, to show that a change cost no packet.
type PingStream struct {
	host     *Host
	ping     *pinger
	interval time.Duration
	cancel   context.CancelFunc
	sending  chan struct{} // closed when the last request is out
	hearing  chan struct{} // closed when no answer is awaited any more
	once     sync.Once

	mu       sync.Mutex
	report   PingReport
	waiting  map[uint16]bool
	lastSeen time.Time
	stopped  bool
}

// grace is how long answers may still come in after the last request.
const grace = 500 * time.Millisecond

// PingStream begins to ping dst every interval, until the context is done or Stop.
func (h *Host) PingStream(ctx context.Context, dst netip.Addr, interval time.Duration) (*PingStream, error) {
	g, err := newPinger(h.ns, Probe{Proto: ICMP, To: dst.Unmap()})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &PingStream{
		host: h, ping: g, interval: interval, cancel: cancel, waiting: map[uint16]bool{}, lastSeen: time.Now(),
		sending: make(chan struct{}), hearing: make(chan struct{}),
	}
	go s.send(ctx)
	go s.hear()
	if err := h.own(s); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *PingStream) send(ctx context.Context) {
	defer close(s.sending)
	tick := time.NewTicker(s.interval)
	defer tick.Stop()
	for seq := uint16(1); ; seq++ {
		s.mu.Lock()
		s.waiting[seq] = true
		s.report.Sent++
		s.mu.Unlock()
		if err := s.ping.ask(seq); err != nil {
			s.note(errnoReason(err))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// hear counts answers until Stop closes the socket or gives it a deadline.
func (s *PingStream) hear() {
	defer close(s.hearing)
	for {
		r, seq, err := s.ping.hear()
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, os.ErrClosed):
			return
		case err != nil:
			s.note(errnoReason(err))
		case r.OK:
			if s.answered(seq) {
				return
			}
		case r.Reason != "":
			s.note(r.Reason)
		}
	}
}

// answered counts an answer once, and says whether it was the last one awaited.
func (s *PingStream) answered(seq uint16) (last bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting[seq] {
		delete(s.waiting, seq)
		s.report.Received++
		now := time.Now()
		s.report.LongestGap = max(s.report.LongestGap, now.Sub(s.lastSeen))
		s.lastSeen = now
	}
	return s.stopped && len(s.waiting) == 0
}

func (s *PingStream) note(r Reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.report.Refusals, r) {
		s.report.Refusals = append(s.report.Refusals, r)
	}
}

// Report is the balance so far; what is under way counts as lost.
func (s *PingStream) Report() PingReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Lost = r.Sent - r.Received
	r.LongestGap = max(r.LongestGap, time.Since(s.lastSeen))
	r.Refusals = slices.Clone(r.Refusals)
	return r
}

// Stop ends the stream and returns its balance. Answers under way have half a
// second to come in.
func (s *PingStream) Stop() PingReport {
	s.once.Do(s.stop)
	return s.report
}

func (s *PingStream) stop() {
	s.cancel()
	<-s.sending
	end := time.Now()
	s.mu.Lock()
	s.stopped = true
	if len(s.waiting) == 0 {
		s.ping.file.SetDeadline(time.Unix(1, 0))
	} else {
		s.ping.file.SetDeadline(end.Add(grace))
	}
	s.mu.Unlock()
	<-s.hearing
	s.ping.Close()
	s.host.disown(s)
	s.mu.Lock()
	defer s.mu.Unlock()
	// The gap at the end counts up to Stop, not through the grace.
	s.report.LongestGap = max(s.report.LongestGap, end.Sub(s.lastSeen))
	s.report.Lost = s.report.Sent - s.report.Received
}

// Close is Stop for those who do not ask.
func (s *PingStream) Close() error { s.Stop(); return nil }
