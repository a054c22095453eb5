package dhcp4

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// counter is a link that counts acknowledgements and remembers the last offer.
type counter struct {
	offered netip.Addr
	acks    chan struct{}
}

func (c *counter) Send(p socket.Packet) error {
	switch kind(p.Payload[headerSize+2]) {
	case offer:
		c.offered = netip.AddrFrom4([4]byte(p.Payload[16:20]))
	case ack:
		<-c.acks
	}
	return nil
}

func (*counter) Probe(netip.Addr) error { return nil }

// BenchmarkExchange is DISCOVER and REQUEST with a book on disk. At most 512
// acknowledgements are awaited at a time.
func BenchmarkExchange(b *testing.B) {
	for name, guests := range map[string]int{"100": 100, "50000": 50000} {
		b.Run(name, func(b *testing.B) { benchmark(b, guests) })
	}
}

func benchmark(b *testing.B, guests int) {
	book, err := lease.Open(b.TempDir(), lease.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer book.Close()
	link := &counter{acks: make(chan struct{}, 512)}
	s := New(Options{Table: book.Table("lab"), Link: link})
	defer s.Close()
	s.Set(lab(func(s *plan.Scope) {
		s.Prefix, s.Server = netip.MustParsePrefix("10.0.0.0/15"), addr("10.0.0.1")
		s.Ranges = ranges("10.0.0.10", "10.0.255.255")
		s.Relays = []netip.Addr{addr("10.0.0.2")}
	}))
	common := []mod{giaddr("10.0.0.2"), params(1, 3, 6, 15, 12, 26, 28, 42, 121), text(optClientID, "\x01......"), text(optHostname, "guest")}
	hello := msg(discover, guest(0), common...).ToBytes()
	please := msg(request, guest(0), append(common, asked("0.0.0.0"), serverID("10.0.0.1"))...).ToBytes()
	at := headerSize
	for please[at] != optRequested {
		at += 2 + int(please[at+1])
	}
	from, to := netip.MustParseAddrPort("10.0.0.2:67"), netip.MustParseAddrPort("10.0.0.1:67")
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		mac := spec.MAC{0x52, 0x54}
		binary.BigEndian.PutUint32(mac[2:], uint32(n%guests))
		copy(hello[28:], mac[:])
		copy(please[28:], mac[:])
		s.Handle(socket.Packet{MAC: mac, From: from, To: to, Payload: hello})
		copy(please[at+2:], link.offered.AsSlice())
		link.acks <- struct{}{}
		s.Handle(socket.Packet{MAC: mac, From: from, To: to, Payload: please})
	}
	for range cap(link.acks) {
		link.acks <- struct{}{}
	}
	b.StopTimer()
	for len(link.acks) > 0 {
		<-link.acks
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "exchanges/s")
	if c := s.Counters(); c.Acks != uint64(b.N) {
		b.Errorf("%d acknowledgements for %d requests: %+v", c.Acks, b.N, c)
	}
}
