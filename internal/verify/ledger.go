package verify

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"fmt"
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

// sighting is a marked packet, and the guest it came to or the place that sent
// it.
type sighting struct {
	at     *guest // nil: it left by an interface of a place
	by     *place
	inner  bool // by the interface of a network
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

// note reports a packet that came to a guest.
func (l *ledger) note(at *guest, p testhost.Packet) { l.add(p, sighting{at: at}) }

// add reports a packet. Those without a mark are somebody else's.
func (l *ledger) add(p testhost.Packet, s sighting) {
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
	s.packet = p
	t.mu.Lock()
	t.seen = append(t.seen, s)
	t.mu.Unlock()
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// probePort is where traceroute sends its UDP packets: who looks at the wire
// sees something familiar, and nobody serves it.
const probePort = 33434

// packet is what a trial sends: an echo request, or a datagram or the first
// segment of a connection to a port, whose data is the mark. Each has an
// identifier or source port of its own, so that NAT and conntrack keep trials
// apart.
func (t *trace) packet(k knock, src, dst netip.Addr) testhost.Packet {
	p := testhost.Packet{Proto: k.proto, Src: src, Dst: dst}
	number := binary.BigEndian.Uint64(t.mark[4:])
	if k.proto != testhost.ICMP {
		p.SrcPort, p.DstPort, p.Payload = uint16(32768+number%28000), k.dport(), t.mark[:]
		p.Flags, p.Seq = testhost.SYN, uint32(number)
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

// knock is what is asked for: an echo, or a port.
type knock struct {
	proto testhost.Proto
	port  uint16 // 0 = one that nobody serves
}

func (k knock) dport() uint16 {
	if k.port == 0 {
		return probePort
	}
	return k.port
}

// String prints it as "icmp", "udp" or "tcp 443".
func (k knock) String() string {
	if k.port == 0 {
		return string(k.proto)
	}
	return fmt.Sprintf("%s %d", k.proto, k.port)
}
