package dns

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/miekg/dns"

	"kvmnet/internal/plan"
)

const up1, up2 = "10.0.0.1", "10.0.0.2"

// forwarder is a server without sockets whose upstream servers are in a fake
// network.
type forwarder struct {
	*Server
	n *network
	t *testing.T
}

// inBubble runs a test in a bubble, with a plan whose forwarder is up1.
func inBubble(t *testing.T, change func(*plan.DNS, *Options), udp map[string]script, test func(*forwarder)) {
	synctest.Test(t, func(t *testing.T) {
		c := labPlan()
		c.Forwarders = []netip.AddrPort{netip.AddrPortFrom(addr(up1), 53)}
		o := Options{Names: labNames(), Local: isLabGateway, Private: labPrivate}
		if change != nil {
			change(c, &o)
		}
		f := &forwarder{n: &network{udp: udp}, t: t}
		f.Server = offline(t, c, o)
		f.connect = func(_ *route, a netip.AddrPort, stream bool, by time.Time) (conn, error) {
			return f.n.dial(a, stream, by)
		}
		test(f)
		time.Sleep(exhausted) // answers that are under way
	})
}

// get asks as the guest.
func (f *forwarder) get(name, kind string, change ...func(*dns.Msg)) *dns.Msg {
	f.t.Helper()
	return parse(f.t, f.ask(message(f.t, name, kind, change...), guest, false))
}

func (f *forwarder) asked() int {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	return len(f.n.asked)
}

// expect fails unless so many questions were asked elsewhere so far.
func (f *forwarder) expect(what string, want int) {
	f.t.Helper()
	if got := f.asked(); got != want {
		f.t.Errorf("%s: %d questions upstream, want %d", what, got, want)
	}
}

// set applies a change of the plan.
func (f *forwarder) set(change func(*plan.DNS)) {
	c := *f.state.Load().plan
	change(&c)
	f.adopt(&c, bridge)
}

func TestForwardedAnswersAreKeptUntilTheyEnd(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, map[string]script{up1: good(up1, 0)}, func(f *forwarder) {
		for _, c := range []struct {
			wait time.Duration
			ttl  uint32
			sum  int
		}{{0, 60, 1}, {0, 60, 1}, {59 * time.Second, 1, 1}, {time.Second, 60, 2}} {
			time.Sleep(c.wait)
			m := f.get("X.example.", "A")
			if len(m.Answer) != 1 || m.Answer[0].Header().Ttl != c.ttl || m.Answer[0].Header().Name != "X.example." || m.Authoritative || !m.RecursionAvailable {
				t.Errorf("%+v: %v", c, m)
			}
			f.expect("after a while", c.sum)
		}
		if c := f.Counters(); c.Forwarded != 2 || c.Cached != 2 {
			t.Errorf("counted %+v", c)
		}
	})
}

func TestAnswersAreKeptApartByWhatTheyDependOn(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, map[string]script{up1: good(up1, 0)}, func(f *forwarder) {
		changes := []func(*dns.Msg){
			func(*dns.Msg) {}, edns(1232, true), func(m *dns.Msg) { m.CheckingDisabled = true }, func(m *dns.Msg) { m.AuthenticatedData = true },
		}
		for range 2 {
			for _, change := range changes {
				f.get("x.example.", "A", change)
			}
			f.expect("DO, CD and AD", len(changes))
		}
		f.get("x.example.", "A", edns(4096, false))
		f.expect("EDNS alone", len(changes))
		for i := range 2 {
			f.get("x.example.", "A", func(m *dns.Msg) { m.RecursionDesired = false })
			f.expect("without RD nothing is kept", len(changes)+i+1)
		}
	})
}

func TestAbsenceIsKeptAsLongAsItsSOASays(t *testing.T) {
	t.Parallel()
	absent := good(up1, 0, code(dns.RcodeNameError), func(m *dns.Msg) {
		m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "example.", Rrtype: dns.TypeSOA, Class: 1, Ttl: 900}, Ns: "a.", Mbox: "b.", Minttl: 30}}
	})
	inBubble(t, nil, map[string]script{up1: absent}, func(f *forwarder) {
		for i, wait := range []time.Duration{0, 29 * time.Second, time.Second} {
			time.Sleep(wait)
			if m := f.get("x.example.", "A"); m.Rcode != dns.RcodeNameError || len(m.Ns) != 1 || m.Ns[0].Header().Ttl > 30 {
				t.Errorf("%v", m)
			}
			f.expect("after "+wait.String(), 1+i/2)
		}
	})
}

func TestNothingIsKeptWithoutACache(t *testing.T) {
	t.Parallel()
	inBubble(t, func(c *plan.DNS, _ *Options) { c.Cache = 0 }, map[string]script{up1: good(up1, 0)}, func(f *forwarder) {
		f.get("x.example.", "A")
		f.get("x.example.", "A")
		f.expect("without cache", 2)
	})
}

func TestSameQuestionsAreAskedOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, map[string]script{up1: good(up1, time.Second)}, func(f *forwarder) {
		answers := make(chan *dns.Msg, 20)
		for i := range 20 {
			go func() {
				from := netip.AddrPortFrom(guest.Addr(), uint16(5000+i))
				b := message(t, "x.example.", "A", func(m *dns.Msg) { m.Id = uint16(i) })
				answers <- parse(t, f.ask(b, from, i%2 == 0))
			}()
		}
		ids := map[uint16]bool{}
		for range 20 {
			m := <-answers
			ids[m.Id] = len(m.Answer) == 1
		}
		if len(ids) != 20 || !ids[0] || !ids[19] {
			t.Errorf("answers to %v", ids)
		}
		f.expect("20 clients", 2) // the second is our retry after 800 ms
		if c := f.Counters(); c.Forwarded != 1 || c.Joined != 19 {
			t.Errorf("counted %+v", c)
		}
	})
}

// The race detector sees whether who joins and who keeps the answer meet.
func TestClientJoinsWhileTheAnswerComes(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, map[string]script{up1: good(up1, 500*time.Millisecond)}, func(f *forwarder) {
		go f.get("x.example.", "A")
		time.Sleep(100 * time.Millisecond)
		f.later("x.example.", netip.AddrPortFrom(guest.Addr(), 9), 9)
		time.Sleep(time.Second)
		f.get("x.example.", "A")
		f.expect("together", 1)
	})
}

// later hands a query to a server that will not answer it for a while, and
// returns what it says at once.
func (f *forwarder) later(name string, from netip.AddrPort, id uint16) []byte {
	st := f.state.Load()
	c, _ := f.admits(st, from, bridge, true)
	b := message(f.t, name, "A", func(m *dns.Msg) { m.Id = id })
	r := request{st: st, who: c, later: func() func([]byte) { return func([]byte) {} }}
	out, _ := f.handle(&r, b, false)
	return out
}

// underWay counts the queries that wait, the questions and the clients.
func (f *forwarder) underWay() (waiting, flights, clients int) {
	fw := f.state.Load().forward
	fw.mu.Lock()
	defer fw.mu.Unlock()
	return fw.waiting, len(fw.flights), len(fw.byClient)
}

func TestClientThatAsksAgainIsCountedOnce(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, map[string]script{up1: silent}, func(f *forwarder) {
		for range 3 {
			if out := f.later("x.example.", guest, 7); out != nil {
				t.Errorf("answered % x", out)
			}
		}
		if waiting, _, _ := f.underWay(); waiting != 1 {
			t.Errorf("%d wait", waiting)
		}
	})
}

func TestQuestionsUnderWayAreBounded(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, map[string]script{up1: silent}, func(f *forwarder) {
		fill := func(client string, n int) (refused int) {
			for i := range n {
				if out := f.later(fmt.Sprintf("x%d.%s.example.", i, client), netip.AddrPortFrom(addr(client), 5), uint16(i)); out != nil {
					if m := parse(t, out); m.Rcode != dns.RcodeServerFailure {
						t.Errorf("%v", m)
					}
					refused++
				}
			}
			return refused
		}
		if n := fill("192.168.100.20", mostPerClient+10); n != 10 {
			t.Errorf("one client: %d refused", n)
		}
		if n := fill("192.168.100.21", mostPerClient); n != 0 {
			t.Errorf("another client: %d refused", n)
		}
		if n := fill("192.168.100.22", 10); n != 10 {
			t.Errorf("a third client: %d refused", n)
		}
		if c := f.Counters(); c.Full != 20 || c.Failed != 20 {
			t.Errorf("counted %+v", c)
		}
		time.Sleep(exhausted + time.Second)
		if waiting, flights, clients := f.underWay(); waiting != 0 || flights != 0 || clients != 0 {
			t.Errorf("%d wait for %d questions of %d clients", waiting, flights, clients)
		}
	})
}

func TestOtherForwardersHaveTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, map[string]script{up1: good(up1, 0), up2: good(up2, 0)}, func(f *forwarder) {
		f.get("x.example.", "A")
		f.set(func(c *plan.DNS) {
			c.Rate, c.TTL, c.Allowed = 100, 5, append(c.Allowed, prefix("10.0.0.0/8"))
		})
		f.get("x.example.", "A")
		f.expect("nothing of it changes where to ask", 1)
		f.set(func(c *plan.DNS) { c.Forwarders = []netip.AddrPort{netip.AddrPortFrom(addr(up2), 53)} })
		if m := f.get("x.example.", "A"); m.Answer[0].(*dns.A).A.String() != up2 {
			t.Errorf("%v", m)
		}
		f.set(func(c *plan.DNS) { c.Names = map[string][]netip.Addr{"x.example": addrs("10.3.3.3")} })
		if m := f.get("x.example.", "A"); m.Answer[0].(*dns.A).A.String() != "10.3.3.3" {
			t.Errorf("%v", m)
		}
	})
}

func TestOtherResolversOfTheHostHaveTheirOwnAnswers(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "resolv.conf")
	write := func(text string) { must(t, os.WriteFile(path, []byte(text), 0o644)) }
	write("nameserver " + up1)
	change := func(c *plan.DNS, o *Options) { c.Forwarders, o.Upstream = nil, NewUpstreams(path) }
	inBubble(t, change, map[string]script{up1: good(up1, 0), up2: good(up2, 0)}, func(f *forwarder) {
		f.get("x.example.", "A")
		write("nameserver " + up2 + "\n")
		time.Sleep(time.Second)
		if m := f.get("x.example.", "A"); m.Answer[0].(*dns.A).A.String() != up2 {
			t.Errorf("%v", m)
		}
		write("")
		time.Sleep(time.Second)
		if m := f.get("x.example.", "A"); m.Rcode != dns.RcodeServerFailure {
			t.Errorf("without resolvers: %v", m)
		}
	})
}

func TestServerThatAnsweredLastIsAskedFirst(t *testing.T) {
	t.Parallel()
	change := func(c *plan.DNS, _ *Options) {
		c.Forwarders = append(c.Forwarders, netip.AddrPortFrom(addr(up2), 53))
	}
	inBubble(t, change, map[string]script{up1: silent, up2: good(up2, 0)}, func(f *forwarder) {
		f.get("x.example.", "A")
		f.expect("first", 2)
		f.get("y.example.", "A")
		f.expect("then", 3)
	})
}

func TestAliasesToNamesOutsideAreFollowed(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, map[string]script{up1: good(up1, 0)}, func(f *forwarder) {
		for i := range 3 {
			m := f.get("Far.lab.internal.", "A")
			if len(m.Answer) != 2 || m.Answer[0].Header().Name != "Far.lab.internal." || m.Answer[1].Header().Name != "www.example.com." || !m.Authoritative {
				t.Errorf("%v", m)
			}
			if want := uint32(60 - i*20); m.Answer[1].Header().Ttl != want || m.Answer[0].Header().Ttl != 60 {
				t.Errorf("TTLs of %v", m)
			}
			time.Sleep(20 * time.Second)
		}
		f.expect("the target is kept", 1)
	})
}

func TestNameOfTheDomainThatWasForwardedMayBecomeALease(t *testing.T) {
	t.Parallel()
	names := labNames()
	change := func(c *plan.DNS, o *Options) { c.LocalOnly, o.Names = false, names }
	inBubble(t, change, map[string]script{up1: good(up1, 0)}, func(f *forwarder) {
		for range 2 {
			f.get("late.lab.internal.", "A")
		}
		f.expect("before the lease", 1)
		names.set("late", addr("192.168.100.91"))
		if m := f.get("late.lab.internal.", "A"); m.Answer[0].(*dns.A).A.String() != "192.168.100.91" {
			t.Errorf("%v", m)
		}
	})
}

func TestFailedExchangeIsServerFailure(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, nil, func(f *forwarder) {
		if m := f.get("x.example.", "A", edns(1232, false)); m.Rcode != dns.RcodeServerFailure || m.IsEdns0() == nil {
			t.Errorf("%v", m)
		}
		if c := f.Counters(); c.Failed != 1 {
			t.Errorf("counted %+v", c)
		}
	})
}

// warnings collects what a server warns of.
func warnings(list *[]string) func(*plan.DNS, *Options) {
	return func(c *plan.DNS, o *Options) {
		c.LocalOnly = false
		c.Forwarders = nil
		o.Warn = func(s string) { *list = append(*list, s) }
	}
}

func TestOwnAddressIsNotAskedAsAForwarder(t *testing.T) {
	t.Parallel()
	var warned []string
	change := func(c *plan.DNS, o *Options) {
		warnings(&warned)(c, o)
		c.Forwarders = []netip.AddrPort{server("192.168.100.1:53"), server("10.0.0.1:53")}
	}
	inBubble(t, change, map[string]script{up1: good(up1, 0), "192.168.100.1": silent}, func(f *forwarder) {
		f.get("x.example.", "A")
		f.get("y.example.", "A")
		f.expect("the other one", 2)
		if len(warned) != 1 {
			t.Errorf("warned %q", warned)
		}
	})
}

// A resolver on the host that sends what it does not know to us: our question
// comes back from an address of the host while it is under way.
func TestLoopsEndAtOnce(t *testing.T) {
	t.Parallel()
	var warned []string
	var f *forwarder
	back := func(_ int, q *dns.Msg) (*dns.Msg, time.Duration) {
		b, _ := q.Pack()
		m := &dns.Msg{}
		m.Unpack(f.ask(b, server("192.168.100.1:9"), false))
		m.Id = q.Id
		return m, 0
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(path, []byte("nameserver 127.0.0.53"), 0o644))
	change := func(c *plan.DNS, o *Options) {
		warnings(&warned)(c, o)
		o.Upstream = NewUpstreams(path)
	}
	inBubble(t, change, map[string]script{"127.0.0.53": back}, func(bubble *forwarder) {
		f = bubble
		begin := time.Now()
		for range 2 {
			if m := f.get("www.example.com.", "A"); m.Rcode != dns.RcodeRefused {
				t.Errorf("%v", m)
			}
		}
		if c := f.Counters(); c.Loops != 2 || len(warned) != 1 {
			t.Errorf("counted %+v, warned %q", c, warned)
		}
		// Of our domain it asks us rightly: there is no such name, and no warning.
		if m := f.get("nobody.lab.internal.", "A"); m.Rcode != dns.RcodeNameError || len(m.Ns) != 1 {
			t.Errorf("%v", m)
		}
		if m := parse(t, f.ask(message(t, "nobody2.lab.internal.", "A"), server("192.168.100.1:9"), false)); m.Rcode != dns.RcodeNameError {
			t.Errorf("asked by the host: %v", m)
		}
		if took := time.Since(begin); took > time.Millisecond || len(warned) != 1 {
			t.Errorf("took %s, warned %q", took, warned)
		}
	})
}

// The gateway of another network answers the host, so everything: also names
// outside its domain and plain ones.
func TestGatewayOfAnotherNetworkIsNoResolverOfTheHost(t *testing.T) {
	t.Parallel()
	var warned []string
	path := filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(path, []byte("nameserver 192.168.200.1\nnameserver 192.168.200.2\nnameserver "+up1), 0o644))
	change := func(c *plan.DNS, o *Options) {
		warnings(&warned)(c, o)
		o.Upstream = NewUpstreams(path)
		o.Local = func(a netip.Addr) bool { return isLabGateway(a) || a == addr("192.168.200.1") }
	}
	inBubble(t, change, map[string]script{"192.168.200.1": good("10.6.6.6", 0), "192.168.200.2": silent, up1: good(up1, 0)}, func(f *forwarder) {
		if m := f.get("nas.example.net.", "A"); m.Answer[0].(*dns.A).A.String() != up1 {
			t.Errorf("%v", m)
		}
		if f.asked() != 2 || len(warned) != 1 { // a guest of the other network may be a resolver
			t.Errorf("asked %d, warned %q", f.asked(), warned)
		}
	})
}

func TestHostWithoutResolversIsToldOf(t *testing.T) {
	t.Parallel()
	var warned []string
	inBubble(t, warnings(&warned), nil, func(f *forwarder) {
		for range 2 {
			if m := f.get("x.example.", "A"); m.Rcode != dns.RcodeServerFailure {
				t.Errorf("%v", m)
			}
		}
		if len(warned) != 1 || !strings.Contains(warned[0], "forwarders") {
			t.Errorf("warned %q", warned)
		}
	})
}

func TestSameConfigurationKeepsWhatIsKept(t *testing.T) {
	t.Parallel()
	s := offline(t, labPlan(), Options{})
	before := s.state.Load()
	s.adopt(labPlan(), bridge)
	if s.state.Load() != before {
		t.Error("the same plan made another state")
	}
	s.adopt(labPlan(), bridge+1)
	if s.state.Load() == before {
		t.Error("another bridge made no other state")
	}
}

// FuzzUpstream throws bytes at what reads the answers of upstream servers. What
// is taken as an answer can be parsed by the client.
func FuzzUpstream(f *testing.F) {
	question := new(dns.Msg).SetQuestion("x.example.", dns.TypeA).SetEdns0(udpSize, true)
	question.Id = 0x1267
	x := exchange{question: question}
	for _, lines := range [][]string{nil, {"x.example. 60 A 1.2.3.4"}, {"x.example. 60 CNAME y.", "y. 5 A 1.2.3.4", "y. 5 TXT a b"}, {"x.example. 60 RRSIG A 8 2 60 20300101000000 20200101000000 4711 example. AAAA"}} {
		m := new(dns.Msg).SetReply(question)
		m.Answer, m.Extra = rrs(f, lines...), question.Extra
		b, err := m.Pack()
		must(f, err)
		f.Add(b)
	}
	key, _ := keyOf("x.example.", dns.TypeA, traitDO)
	z := compile(labPlan(), 1, labPrivate)
	f.Fuzz(func(t *testing.T, b []byte) {
		m := x.match(b, question.Id)
		if m == nil {
			return
		}
		z.hide(m)
		e, life, ok := packForwarded(m, key)
		if !ok {
			return
		}
		if life > longestTTL {
			t.Errorf("kept for %d seconds", life)
		}
		for _, ask := range [][]byte{message(t, "X.example.", "A"), message(t, "x.example.", "A", edns(4096, true))} {
			var q query
			q.read(ask, false)
			checkAnswer(t, ask, q.write(nil, e, 5e9), false)
		}
	})
}
