package verify

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"net/netip"
	"sync"

	"kvmnet/internal/testhost"
)

// mark is the payload that tells the packets of one trial from all others: four
// random bytes of the run, then the number of the trial.
type mark [12]byte

// ledger is where everything that listens reports marked packets.
type ledger struct {
	run [4]byte

	mu   sync.Mutex
	last uint64
	open map[mark]*trace
}

func newLedger() *ledger {
	l := &ledger{open: map[mark]*trace{}}
	rand.Read(l.run[:])
	return l
}

// sighting is a marked packet and the guest it came to; nil is the host's door.
type sighting struct {
	at     *guest
	packet testhost.Packet
}

// trace is what was seen of one trial.
type trace struct {
	mark    mark
	changed chan struct{} // tells of news

	mu   sync.Mutex
	seen []sighting
}

// begin starts a trace with a mark of its own.
func (l *ledger) begin() *trace {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	t := &trace{changed: make(chan struct{}, 1)}
	copy(t.mark[:], l.run[:])
	binary.BigEndian.PutUint64(t.mark[len(l.run):], l.last)
	l.open[t.mark] = t
	return t
}

// end forgets a trace; what comes late is dropped.
func (l *ledger) end(t *trace) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, t.mark)
}

// note reports a packet. Those without a mark are somebody else's.
func (l *ledger) note(at *guest, p testhost.Packet) {
	i := bytes.Index(p.Payload, l.run[:])
	if i < 0 || len(p.Payload) < i+len(mark{}) {
		return
	}
	l.mu.Lock()
	t := l.open[mark(p.Payload[i:i+len(mark{})])]
	l.mu.Unlock()
	if t == nil {
		return
	}
	t.mu.Lock()
	t.seen = append(t.seen, sighting{at, p})
	t.mu.Unlock()
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// probePort is where traceroute sends its UDP packets: who looks at the wire
// sees something familiar, and nobody serves it.
const probePort = 33434

// packet is what a trial sends: an echo request or a datagram whose data is the
// mark, with an identifier or source port of its own, so that NAT and conntrack
// keep trials apart.
func (t *trace) packet(proto testhost.Proto, src, dst netip.Addr) testhost.Packet {
	p := testhost.Packet{Proto: proto, Src: src, Dst: dst}
	number := binary.BigEndian.Uint64(t.mark[4:])
	if proto == testhost.UDP {
		p.SrcPort, p.DstPort, p.Payload = uint16(32768+number%28000), probePort, t.mark[:]
		return p
	}
	p.Type = 8
	if src.Is6() {
		p.Type = 128
	}
	id := uint16(number)
	p.Payload = append([]byte{byte(id >> 8), byte(id), 0, 1}, t.mark[:]...) // identifier, sequence number
	return p
}
