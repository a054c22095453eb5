package verify

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

const (
	// patience is how long something that is promised may take.
	patience = 2 * time.Second
	// quiet is how long something that must not happen gets to happen.
	quiet = 400 * time.Millisecond
	// bonus is how long an answer may take after what counts was seen.
	bonus = 200 * time.Millisecond
	// attempts is how often the packet of a trial is sent, evenly spread: a bridge
	// that has just learnt a port, or a neighbour entry that has just failed,
	// swallows one.
	attempts = 3
)

// trial is a packet that a guest sends, past its own IP stack and so with any
// source.
type trial struct {
	from     *guest
	to       *guest // who may hear it; nil if it goes to the host or outside
	home     *place // that forwards it
	hop      spec.MAC
	knock    knock
	src, dst netip.Addr
	wait     time.Duration
}

// sight is what was seen of a trial's packet.
type sight struct {
	left    testhost.Packet // by a door of the place that forwards it; zero if it did not
	leaked  testhost.Packet // by a door of another place
	replied testhost.Packet // the place's own answer, by a door
	answer  testhost.Packet // that came back to the sender: a reply or an error
	arrived map[*guest]testhost.Packet
	inside  []testhost.Packet // by that place's interfaces on networks
}

// seen reports whether there is a packet at all.
func seen(p testhost.Packet) bool { return p.Src.IsValid() }

// sight sorts what was seen of a packet that a guest sent to a place.
func (t *trace) sight(from *guest, home *place) sight {
	s := sight{arrived: map[*guest]testhost.Packet{}}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := len(t.seen) - 1; i >= 0; i-- { // so that the first of each kind stays
		switch e := t.seen[i]; {
		case e.at == from:
			s.answer = e.packet
		case e.inner && e.by != home:
		case e.inner:
			s.inside = append(s.inside, e.packet)
		case e.at == nil && e.packet.IsProbe() && e.by == home:
			s.left = e.packet
		case e.at == nil && e.packet.IsProbe():
			s.leaked = e.packet
		case e.at == nil:
			s.replied = e.packet
		case e.packet.IsProbe():
			s.arrived[e.at] = e.packet
		}
	}
	return s
}

// try sends the packet until there is an answer, or what counts was seen and an
// answer had its time, or the time is over. The error tells why nothing is
// proved.
func (r *run) try(ctx context.Context, t trial, counts func(sight) bool) (sight, error) {
	tr := r.ledger.begin()
	defer r.ledger.end(tr)
	p := tr.packet(t.knock, t.src, t.dst)
	p.SrcMAC, p.DstMAC = t.from.mac, t.hop
	end, again := time.NewTimer(t.wait), time.NewTicker(t.wait/attempts)
	defer end.Stop()
	defer again.Stop()
	send := func() error { return t.from.send(p) }
	satisfied, err := false, send()
	for sent := 1; err == nil; {
		select {
		case <-tr.changed:
			s := tr.sight(t.from, t.home)
			if seen(s.answer) {
				r.flush(t) // what left or arrived did so before the answer
				return tr.sight(t.from, t.home), nil
			}
			if !satisfied && counts(s) {
				satisfied = true
				end.Reset(bonus)
			}
		case <-again.C:
			if sent < attempts && !satisfied {
				sent++
				err = send()
			}
		case <-end.C:
			r.flush(t)
			return tr.sight(t.from, t.home), nil
		case <-ctx.Done():
			return sight{}, ctx.Err()
		}
	}
	return sight{}, err
}

// flush has everything reported that was heard of a trial.
func (r *run) flush(t trial) {
	for _, p := range r.opened() {
		p.exit.flush()
	}
	t.from.heard.Packets()
	if t.to != nil {
		t.to.heard.Packets()
	}
}

// words tells about the answer a sender got, "" without one.
func words(s sight, asked netip.Addr) string {
	a := s.answer
	if !seen(a) {
		return ""
	}
	if a.Proto != testhost.ICMP || !isError(a) {
		return "answered"
	}
	v6 := a.EtherType == testhost.EtherIPv6
	switch {
	case a.Src == asked && (!v6 && a.Type == 3 && a.Code == 3 || v6 && a.Type == 1 && a.Code == 4):
		return "answered" // nobody serves the port, says the one asked
	case !v6 && a.Type == 3 && (a.Code == 9 || a.Code == 10 || a.Code == 13), v6 && a.Type == 1 && a.Code == 1:
		return fmt.Sprintf("%s says admin-prohibited", a.Src)
	case !v6 && a.Type == 3, v6 && a.Type == 1:
		return fmt.Sprintf("%s says unreachable", a.Src)
	}
	return fmt.Sprintf("%s says icmp type %d code %d", a.Src, a.Type, a.Code)
}

// isError reports an ICMP error message (RFC 792; RFC 4443, section 2.1).
func isError(p testhost.Packet) bool {
	if p.EtherType == testhost.EtherIPv6 {
		return p.Type < 128
	}
	return p.Type == 3 || p.Type == 4 || p.Type == 5 || p.Type == 11 || p.Type == 12
}
