package dns

import (
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"kvmnet/internal/plan"
)

const bridge = 7 // index of the bridge of servers without sockets

// offline makes a server without sockets.
func offline(t testing.TB, c *plan.DNS, o Options) *Server {
	t.Helper()
	if o.Private == nil {
		o.Private = labPrivate
	}
	s := New(o)
	t.Cleanup(s.Close)
	s.adopt(c, bridge)
	return s
}

var guest = netip.MustParseAddrPort("192.168.100.20:4000")

// ask hands a message to a server as one that came from there, and returns the
// answer, nil when there is none.
func (s *Server) ask(b []byte, from netip.AddrPort, stream bool) []byte {
	st := s.state.Load()
	index := bridge
	if isLabGateway(from.Addr()) {
		index = loIndex
	}
	c, ok := s.admits(st, from, index, stream)
	if !ok {
		return nil
	}
	late := make(chan []byte, 1)
	r := request{st: st, who: c, out: make([]byte, 0, mostUDP), later: func() func([]byte) { return func(b []byte) { late <- b } }}
	out, waits := s.handle(&r, b, stream)
	if waits {
		out = <-late
	}
	return out
}

// message makes the bytes of a query.
func message(t testing.TB, name, kind string, change ...func(*dns.Msg)) []byte {
	t.Helper()
	m := &dns.Msg{}
	m.SetQuestion(name, dns.StringToType[kind])
	m.Id = 4711
	for _, fn := range change {
		fn(m)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func edns(size uint16, do bool) func(*dns.Msg) { return func(m *dns.Msg) { m.SetEdns0(size, do) } }

// parse reads an answer.
func parse(t testing.TB, b []byte) *dns.Msg {
	t.Helper()
	m := &dns.Msg{}
	if err := m.Unpack(b); err != nil {
		t.Fatalf("answer % x: %v", b, err)
	}
	return m
}

func TestWhoMayAsk(t *testing.T) {
	t.Parallel()
	s := offline(t, labPlan(), Options{Local: isLabGateway})
	for _, c := range []struct {
		from             string
		index            int
		stream           bool
		host, free, want bool
	}{
		{"192.168.100.20:5", bridge, false, false, false, true},
		{"192.168.100.20:5", bridge + 1, false, false, false, false},
		{"192.168.100.20:5", 0, true, false, false, true},
		{"192.168.101.20:5", bridge, false, false, false, false},
		{"192.168.101.20:5", 0, true, false, false, false},
		{"[fd00:100::20]:5", bridge, false, false, false, true},
		{"[fd00:101::20]:5", bridge, false, false, false, false},
		{"[fe80::1%lab0]:5", bridge, false, false, false, false},
		{"192.168.100.1:5", loIndex, false, true, true, true},
		{"127.0.0.1:5", loIndex, false, true, true, true},
		{"[fd00:100::1]:5", loIndex, false, true, true, true},
		{"[fd00:100::1]:5", 0, true, true, true, true},
		{"[fd00:100::1]:5", bridge, false, true, false, true}, // or a guest that lies
		{"127.0.0.1:5", bridge, false, true, true, true},
		{"192.168.100.20:5", loIndex, false, false, false, false},
	} {
		who, ok := s.admits(s.state.Load(), server(c.from), c.index, c.stream)
		if ok != c.want || who.host != c.host || who.free != c.free {
			t.Errorf("%+v: %v, %+v", c, ok, who)
		}
	}
}
