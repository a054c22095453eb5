package dns

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/miekg/dns"

	"kvmnet/internal/plan"
)

func TestAnswerKeepsTheSpellingOfTheQuestion(t *testing.T) {
	t.Parallel()
	s := offline(t, labPlan(), Options{Names: labNames()})
	for _, name := range []string{"VM1.Lab.INTERNAL.", "vm1.lab.internal.", "Vm1.lab.internal."} {
		m := parse(t, s.ask(message(t, name, "A"), guest, false))
		if m.Question[0].Name != name || m.Answer[0].Header().Name != name {
			t.Errorf("asked for %s, answered %v", name, m)
		}
	}
	if c := s.Counters(); c.Own != 3 {
		t.Errorf("counted %+v", c)
	}
}

func TestFlagsOfAnswers(t *testing.T) {
	t.Parallel()
	s := offline(t, labPlan(), Options{Names: labNames()})
	for range 2 { // slow, then fast
		m := parse(t, s.ask(message(t, "vm1.lab.internal.", "A", func(m *dns.Msg) { m.CheckingDisabled, m.AuthenticatedData = true, true }), guest, false))
		if !m.Authoritative || !m.RecursionAvailable || !m.RecursionDesired || !m.CheckingDisabled || m.AuthenticatedData || m.Truncated || m.Zero {
			t.Errorf("flags of %v", m)
		}
		m = parse(t, s.ask(message(t, "vm1.lab.internal.", "A", func(m *dns.Msg) { m.RecursionDesired = false }), guest, false))
		if m.RecursionDesired || m.IsEdns0() != nil {
			t.Errorf("flags of %v", m)
		}
	}
}

func TestEDNSIsAnsweredWithEDNS(t *testing.T) {
	t.Parallel()
	s := offline(t, labPlan(), Options{Names: labNames()})
	for _, do := range []bool{false, true, false} {
		o := parse(t, s.ask(message(t, "vm1.lab.internal.", "A", edns(4096, do)), guest, false)).IsEdns0()
		if o == nil || o.Do() != do || o.UDPSize() != udpSize || o.Version() != 0 {
			t.Errorf("OPT %v", o)
		}
	}
}

func TestClassAnyIsAnsweredAsSuch(t *testing.T) {
	t.Parallel()
	s := offline(t, labPlan(), Options{})
	for _, class := range []uint16{dns.ClassINET, dns.ClassANY, dns.ClassINET} {
		m := parse(t, s.ask(message(t, "vm1.lab.internal.", "A", func(m *dns.Msg) { m.Question[0].Qclass = class }), guest, false))
		if m.Question[0].Qclass != class || m.Answer[0].Header().Class != dns.ClassINET {
			t.Errorf("%v", m)
		}
	}
}

// crowded has names with so many addresses that an answer takes about so many
// bytes.
func crowded(counts ...int) *plan.DNS {
	c := labPlan()
	for _, n := range counts {
		var list []netip.Addr
		for i := range n {
			list = append(list, netip.AddrFrom4([4]byte{10, 1, byte(i / 256), byte(i)}))
		}
		c.Names[fmt.Sprintf("big%d", n)] = list
	}
	return c
}

func TestAnswersThatAreTooLongAreCutShort(t *testing.T) {
	t.Parallel()
	s := offline(t, crowded(40, 100, 300), Options{})
	for _, c := range []struct {
		name   string
		size   uint16 // 0 = no EDNS
		stream bool
		want   int // answers, 0 = truncated
	}{
		{"big40", 0, false, 0}, {"big40", 100, false, 0}, {"big40", 1232, false, 40}, {"big40", 0, true, 40},
		{"big100", 1232, false, 0}, {"big100", 4096, false, 100}, {"big300", 4096, false, 0}, {"big300", 65000, false, 0},
		{"big300", 512, true, 300}, {"vm1", 0, false, 1},
	} {
		var change []func(*dns.Msg)
		if c.size != 0 {
			change = append(change, edns(c.size, false))
		}
		m := parse(t, s.ask(message(t, c.name+".lab.internal.", "A", change...), guest, c.stream))
		if len(m.Answer) != c.want || m.Truncated != (c.want == 0) || (m.IsEdns0() != nil) != (c.size != 0) {
			t.Errorf("%v: TC %v, %d answers", c, m.Truncated, len(m.Answer))
		}
	}
}

func TestAdditionalRecordsGoBeforeTheAnswerIsCut(t *testing.T) {
	t.Parallel()
	c := crowded(100)
	c.MX[0].Host = "big100.lab.internal."
	s := offline(t, c, Options{})
	m := parse(t, s.ask(message(t, "lab.internal.", "MX"), guest, false))
	if m.Truncated || len(m.Answer) != 1 || len(m.Extra) != 0 {
		t.Errorf("%v", m)
	}
	m = parse(t, s.ask(message(t, "lab.internal.", "MX"), guest, true))
	if len(m.Extra) != 100 {
		t.Errorf("%d additional records over TCP", len(m.Extra))
	}
}

func TestKeptAnswersAreNotChangedByClients(t *testing.T) {
	t.Parallel()
	s := offline(t, labPlan(), Options{})
	plain := message(t, "vm1.lab.internal.", "A")
	first := bytes.Clone(s.ask(plain, guest, false))
	out := s.ask(message(t, "VM1.LAB.internal.", "A", edns(1232, true)), guest, false)
	clear(out)
	if again := s.ask(plain, guest, false); !bytes.Equal(first, again) {
		t.Errorf("% x, then % x", first, again)
	}
}

func TestFastPathDoesNotAllocate(t *testing.T) {
	s := offline(t, labPlan(), Options{Names: labNames()})
	b := message(t, "vm1.lab.internal.", "A", edns(1232, false))
	r := request{st: s.state.Load(), who: client{from: guest}, out: make([]byte, 0, mostUDP)}
	if n := testing.AllocsPerRun(100, func() { s.handle(&r, b, false) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLeasesAreAnsweredAsTheyAreNow(t *testing.T) {
	t.Parallel()
	names := &leases{}
	s := offline(t, labPlan(), Options{Names: names})
	b := message(t, "new.lab.internal.", "A")
	if m := parse(t, s.ask(b, guest, false)); m.Rcode != dns.RcodeNameError {
		t.Errorf("before the lease: %v", m)
	}
	names.set("new", addr("192.168.100.90"))
	if m := parse(t, s.ask(b, guest, false)); len(m.Answer) != 1 {
		t.Errorf("with the lease: %v", m)
	}
	names.set("new")
	if m := parse(t, s.ask(b, guest, false)); m.Rcode != dns.RcodeNameError {
		t.Errorf("after the lease: %v", m)
	}
}
