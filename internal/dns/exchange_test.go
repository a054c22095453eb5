package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"
)

// script is what a server in a fake network does with the n-th datagram: it
// returns what it answers and when.
type script func(n int, q *dns.Msg) (*dns.Msg, time.Duration)

// network is a fake network inside a synctest bubble.
type network struct {
	udp, tcp map[string]script // by address; of those that are missing the port is closed
	mu       sync.Mutex
	asked    []string
}

func (n *network) dial(to netip.AddrPort, stream bool, _ time.Time) (conn, error) {
	scripts := n.udp
	if stream {
		scripts = n.tcp
	}
	run := scripts[to.Addr().String()]
	if run == nil {
		return nil, errors.New("connection refused")
	}
	near, far := net.Pipe()
	go n.serve(to.Addr().String(), far, run, stream)
	return near, nil
}

func (n *network) serve(name string, c net.Conn, run script, stream bool) {
	b := make([]byte, 4096)
	for i := 0; ; i++ {
		size, err := c.Read(b)
		if err != nil {
			c.Close()
			return
		}
		q := &dns.Msg{}
		if q.Unpack(b[:size]) != nil && q.Unpack(b[2:size]) != nil {
			panic("not a query")
		}
		n.mu.Lock()
		n.asked = append(n.asked, name)
		n.mu.Unlock()
		m, after := run(i, q)
		if m == nil {
			continue
		}
		go func() {
			time.Sleep(after)
			out, _ := m.Pack()
			if stream {
				out = append(binary.BigEndian.AppendUint16(nil, uint16(len(out))), out...)
			}
			c.Write(out)
		}()
	}
}

// Scripts. Every answer tells by its address who gave it.
func good(a string, after time.Duration, change ...func(*dns.Msg)) script {
	return func(_ int, q *dns.Msg) (*dns.Msg, time.Duration) {
		m := answering(60, a)(q, false)
		for _, fn := range change {
			fn(m)
		}
		return m, after
	}
}

func code(c int) func(*dns.Msg) { return func(m *dns.Msg) { m.Rcode, m.Answer = c, nil } }

func silent(int, *dns.Msg) (*dns.Msg, time.Duration) { return nil, 0 }

func truncated(_ int, q *dns.Msg) (*dns.Msg, time.Duration) {
	m := new(dns.Msg).SetReply(q)
	m.Truncated = true
	return m, 0
}

// run asks the servers in that order for x.example. A.
func (n *network) run(ctx context.Context, servers ...string) (*dns.Msg, netip.AddrPort, error) {
	q := new(dns.Msg).SetQuestion("x.example.", dns.TypeA).SetEdns0(udpSize, false)
	x := exchange{dial: n.dial, question: q, sent: func(netip.AddrPort) {}}
	for _, s := range servers {
		x.servers = append(x.servers, netip.AddrPortFrom(addr(s), 53))
	}
	return x.run(ctx)
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	const a, b, c = "10.0.0.1", "10.0.0.2", "10.0.0.3"
	both := []string{a, b}
	for _, test := range []struct {
		what     string
		udp, tcp map[string]script
		servers  []string
		want     string        // address in the answer, response code, or part of the error
		took     time.Duration // at most a millisecond more
		asked    string
	}{
		{"a good server", map[string]script{a: good(a, 0)}, nil, both, a, 0, a},
		{"no server there", nil, nil, both, "connection refused", 0, ""},
		{"the second one", map[string]script{b: good(b, 0)}, nil, both, b, 0, b},
		{"a silent one", map[string]script{a: silent, b: good(b, 0)}, nil, both, b, patience, a + " " + b},
		{"a slow one is still heard", map[string]script{a: good(a, 1200*time.Millisecond), b: silent}, nil, both, a, 1200 * time.Millisecond, a + " " + b},
		{"a slow one alone", map[string]script{a: good(a, 2*time.Second)}, nil, []string{a}, a, 2 * time.Second, strings.TrimSpace(strings.Repeat(a+" ", 3))},
		{"all silent", map[string]script{a: silent, b: silent}, nil, both, "no answer within 5s", exhausted, strings.TrimSpace(strings.Repeat(a+" "+b+" ", 4)[:7*9])},
		{"lost datagrams", map[string]script{a: func(n int, q *dns.Msg) (*dns.Msg, time.Duration) {
			if n < 2 {
				return nil, 0
			}
			return good(a, 0)(n, q)
		}}, nil, []string{a}, a, 2 * patience, a + " " + a + " " + a},
		{"a lying id", map[string]script{a: good(a, 0, func(m *dns.Msg) { m.Id++ }), b: good(b, 0)}, nil, both, b, patience, a + " " + b},
		{"another name", map[string]script{a: good(a, 0, func(m *dns.Msg) { m.Question[0].Name = "y.example." }), b: good(b, 0)}, nil, both, b, patience, a + " " + b},
		{"another type", map[string]script{a: good(a, 0, func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeNS }), b: good(b, 0)}, nil, both, b, patience, a + " " + b},
		{"not an answer", map[string]script{a: good(a, 0, func(m *dns.Msg) { m.Response = false }), b: good(b, 0)}, nil, both, b, patience, a + " " + b},
		{"the name spelt otherwise", map[string]script{a: good(a, 0, func(m *dns.Msg) { m.Question[0].Name = "X.Example." })}, nil, both, a, 0, a},
		{"a failing one", map[string]script{a: good(a, 0, code(dns.RcodeServerFailure)), b: good(b, 0)}, nil, both, b, 0, a + " " + b},
		{"refusing ones", map[string]script{a: good(a, 0, code(dns.RcodeRefused)), b: good(b, 0, code(dns.RcodeRefused))}, nil, both, "REFUSED", 0, a + " " + b},
		{"an error without question", map[string]script{a: good(a, 0, code(dns.RcodeRefused), func(m *dns.Msg) { m.Question = nil })}, nil, []string{a}, "REFUSED", 0, a},
		{"an error beside silence", map[string]script{a: good(a, 0, code(dns.RcodeServerFailure)), b: silent}, nil, both, "SERVFAIL", exhausted, strings.TrimSpace(a + strings.Repeat(" "+b, 7))},
		{"no such name", map[string]script{a: good(a, 0, code(dns.RcodeNameError))}, nil, both, "NXDOMAIN", 0, a},
		{"one that knows no EDNS", map[string]script{a: func(n int, q *dns.Msg) (*dns.Msg, time.Duration) {
			if q.IsEdns0() != nil {
				return good(a, 0, code(dns.RcodeFormatError))(n, q)
			}
			return good(a, 0)(n, q)
		}}, nil, both, a, 0, a + " " + a},
		{"cut short", map[string]script{a: truncated}, map[string]script{a: good(c, 0)}, both, c, 0, a + " " + a},
		{"cut short, without TCP", map[string]script{a: truncated, b: good(b, 0)}, nil, both, b, 0, a + " " + b},
		{"cut short, TCP silent", map[string]script{a: truncated, b: good(b, 0)}, map[string]script{a: silent}, both, b, streaming, a + " " + a + " " + b},
	} {
		t.Run(test.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				defer time.Sleep(exhausted) // answers that are under way
				n := &network{udp: test.udp, tcp: test.tcp}
				begin := time.Now()
				m, _, err := n.run(t.Context(), test.servers...)
				if took := time.Since(begin); took < test.took || took > test.took+time.Millisecond {
					t.Errorf("took %s, want %s", took, test.took)
				}
				var got string
				switch {
				case err != nil:
					got = err.Error()
				case m.Rcode != 0:
					got = dns.RcodeToString[m.Rcode]
				default:
					got = m.Answer[0].(*dns.A).A.String()
				}
				if !strings.Contains(got, test.want) {
					t.Errorf("got %s, want %s", got, test.want)
				}
				n.mu.Lock()
				defer n.mu.Unlock()
				if asked := strings.Join(n.asked, " "); asked != test.asked {
					t.Errorf("asked %s, want %s", asked, test.asked)
				}
			})
		})
	}
}

func TestExchangeEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		n := &network{udp: map[string]script{"10.0.0.1": silent}}
		if _, _, err := n.run(ctx, "10.0.0.1"); err == nil || time.Since(begin) != time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
	})
}

func TestIdsOfQuestionsDiffer(t *testing.T) {
	t.Parallel()
	ids := map[uint16]bool{}
	var mu sync.Mutex
	n := &network{udp: map[string]script{"10.0.0.1": func(i int, q *dns.Msg) (*dns.Msg, time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		ids[q.Id] = true
		return good("10.0.0.1", 0)(i, q)
	}}}
	for range 50 {
		if _, _, err := n.run(t.Context(), "10.0.0.1"); err != nil {
			t.Fatal(err)
		}
	}
	if len(ids) < 45 {
		t.Errorf("%d ids of 50 questions", len(ids))
	}
}
