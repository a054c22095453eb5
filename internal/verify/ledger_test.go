package verify

import (
	"net/netip"
	"testing"

	"kvmnet/internal/testhost"
)

func TestLedgerKeepsTrialsApart(t *testing.T) {
	t.Parallel()
	l, other := newLedger(), newLedger()
	a, b, gone := l.begin(), l.begin(), l.begin()
	l.end(gone)
	from, to := netip.MustParseAddr("10.1.0.9"), netip.MustParseAddr("192.0.2.1")
	sender, target, home := &guest{}, &guest{}, &place{}
	ask := func(tr *trace) testhost.Packet { return parse(t, tr.packet(knock{proto: testhost.ICMP}, from, to)) }

	l.note(target, ask(a))
	l.add(ask(a), sighting{by: home})
	l.note(nil, ask(other.begin()))
	l.note(target, ask(gone))
	l.note(target, testhost.Packet{Src: from, Payload: append([]byte("short"), l.run[:]...)})

	if s := a.sight(sender, home); !seen(s.left) || !seen(s.arrived[target]) || seen(s.answer) || seen(s.replied) {
		t.Errorf("of the first trial: %+v", s)
	}
	if s := b.sight(sender, home); seen(s.left) || len(s.arrived) != 0 {
		t.Errorf("of the second trial, which nobody saw: %+v", s)
	}
	if s := gone.sight(sender, home); len(s.arrived) != 0 {
		t.Errorf("of a trial that has ended: %+v", s)
	}
	if len(a.changed) != 1 || len(b.changed) != 0 {
		t.Errorf("news: %d and %d, want 1 and 0", len(a.changed), len(b.changed))
	}
}

// parse sends a packet over an imaginary wire.
func parse(t *testing.T, p testhost.Packet) testhost.Packet {
	t.Helper()
	frame, err := p.Frame()
	try(t, err)
	return testhost.ParsePacket(frame)
}

func TestSightTellsRepliesFromRequests(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		proto     testhost.Proto
		src, dst  string
		replyKind uint8
		errorKind uint8
	}{
		{testhost.ICMP, "10.1.0.9", "192.0.2.1", 0, 3},
		{testhost.ICMP, "fd00:1::9", "2001:db8::1", 129, 1},
		{testhost.UDP, "10.1.0.9", "192.0.2.1", 0, 3},
		{testhost.UDP, "fd00:1::9", "2001:db8::1", 129, 1},
	} {
		l, sender, home := newLedger(), &guest{}, &place{}
		src, dst := netip.MustParseAddr(c.src), netip.MustParseAddr(c.dst)
		tr := l.begin()
		request := tr.packet(knock{proto: c.proto}, src, dst)
		reply := request
		reply.Src, reply.Dst, reply.Type = dst, src, c.replyKind
		l.note(sender, parse(t, reply))
		if s := tr.sight(sender, home); words(s, dst) != "answered" || seen(s.left) {
			t.Errorf("%s %s: a reply is taken for %+v", c.proto, c.src, s)
		}

		tr = l.begin()
		request = tr.packet(knock{proto: c.proto}, src, dst)
		frame, err := request.Frame()
		try(t, err)
		quoting := testhost.Packet{Proto: testhost.ICMP, Type: c.errorKind, Src: dst, Dst: src, Payload: append(make([]byte, 4), frame[14:]...)}
		l.note(sender, parse(t, quoting))
		if s := tr.sight(sender, home); !seen(s.answer) || !isError(s.answer) {
			t.Errorf("%s %s: an error is taken for %+v", c.proto, c.src, s)
		}
	}
}

func TestHostsOwnRepliesByADoorAreNotWhatLeft(t *testing.T) {
	t.Parallel()
	l := newLedger()
	tr := l.begin()
	p := tr.packet(knock{proto: testhost.ICMP}, netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("198.18.0.9"))
	p.Type = 0
	home := &place{}
	l.add(parse(t, p), sighting{by: home})
	if s := tr.sight(&guest{}, home); seen(s.left) || !seen(s.replied) {
		t.Errorf("an echo reply is taken for %+v", s)
	}
}
