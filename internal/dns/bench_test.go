package dns

import (
	"fmt"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// benchmarkHandle asks a server without sockets the same questions again and
// again.
func benchmarkHandle(b *testing.B, s *Server, questions [][]byte) {
	st := s.state.Load()
	c, _ := s.admits(st, guest, bridge, false)
	r := request{st: st, who: c, out: make([]byte, 0, mostUDP)}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if i++; i == len(questions) {
			i = 0
		}
		if answer, _ := s.handle(&r, questions[i], false); len(answer) == 0 {
			b.Fatal("no answer")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
}

func BenchmarkLocalName(b *testing.B) {
	s := offline(b, labPlan(), Options{Names: labNames()})
	benchmarkHandle(b, s, [][]byte{
		message(b, "vm1.lab.internal.", "A"), message(b, "guest.lab.internal.", "AAAA", edns(1232, false)), message(b, "WWW.lab.internal.", "A"),
	})
}

// BenchmarkNewLocalName asks for other names all the time, more than are kept.
func BenchmarkNewLocalName(b *testing.B) {
	s := offline(b, labPlan(), Options{Names: labNames()})
	var list [][]byte
	for i := range 4 * ownAnswers {
		list = append(list, message(b, fmt.Sprintf("n%d.apps.lab.internal.", i), "A"))
	}
	benchmarkHandle(b, s, list)
}

func BenchmarkCachedForward(b *testing.B) {
	s := offline(b, labPlan(), Options{Names: labNames()})
	st := s.state.Load()
	question := message(b, "www.example.com.", "A")
	var q query
	q.read(question, false)
	m := &dns.Msg{Answer: []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "www.example.com.", Rrtype: dns.TypeA, Class: 1, Ttl: 3600}, A: []byte{1, 2, 3, 4}}}}
	m.SetQuestion("www.example.com.", dns.TypeA)
	e, _, _ := packForwarded(m, q.full())
	e.made, e.key, e.until = s.now(), string(q.full()), s.now()+int64(time.Hour)
	st.forward.shelf.keep(e)
	benchmarkHandle(b, s, [][]byte{question})
}
