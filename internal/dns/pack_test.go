package dns

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/miekg/dns"
)

// rrs reads records.
func rrs(t testing.TB, lines ...string) (out []dns.RR) {
	t.Helper()
	for _, line := range lines {
		r, err := dns.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func TestLifetimeOfForwardedAnswers(t *testing.T) {
	t.Parallel()
	soa := "example. %s IN SOA a. b. 1 2 3 4 %m"
	negative := func(ttl, minimum string) []string {
		return []string{strings.NewReplacer("%s", ttl, "%m", minimum).Replace(soa)}
	}
	for _, c := range []struct {
		what              string
		code              int
		tc                bool
		answer, authority []string
		want              uint32
	}{
		{"an address", 0, false, []string{"x.example. 300 A 1.2.3.4"}, nil, 300},
		{"the first to end counts", 0, false, []string{"x.example. 300 CNAME y.", "y. 20 A 1.2.3.4"}, []string{"y. 10 NS z."}, 10},
		{"at most a day", 0, false, []string{"x.example. 999999 A 1.2.3.4"}, nil, longestTTL},
		{"not at all", 0, false, []string{"x.example. 0 A 1.2.3.4"}, nil, 0},
		{"cut short", 0, true, []string{"x.example. 300 A 1.2.3.4"}, nil, 0},
		{"an error", dns.RcodeServerFailure, false, nil, negative("60", "60"), 0},
		{"no such name", dns.RcodeNameError, false, nil, negative("60", "90"), 60},
		{"no such name, by its minimum", dns.RcodeNameError, false, nil, negative("90", "60"), 60},
		{"no such name, an hour at most", dns.RcodeNameError, false, nil, negative("86400", "86400"), longestNegative},
		{"no such name without SOA", dns.RcodeNameError, false, nil, nil, 0},
		{"no data", 0, false, nil, negative("60", "60"), 60},
		{"no data at the end of an alias", 0, false, []string{"x.example. 30 CNAME y."}, negative("60", "60"), 30},
		{"a referral", 0, false, nil, []string{"example. 60 NS z."}, 0},
	} {
		m := new(dns.Msg).SetQuestion("x.example.", dns.TypeA)
		m.Rcode, m.Truncated = c.code, c.tc
		m.Answer, m.Ns = rrs(t, c.answer...), rrs(t, c.authority...)
		key, _ := keyOf("x.example.", dns.TypeA, 0)
		e, life, ok := packForwarded(m, key)
		if !ok || life != c.want {
			t.Errorf("%s: %d seconds, want %d", c.what, life, c.want)
		}
		for _, r := range append(parse(t, e.wire).Answer, parse(t, e.wire).Ns...) {
			if r.Header().Ttl > longestTTL {
				t.Errorf("%s: TTL of %v", c.what, r)
			}
		}
	}
}

func TestTTLsCountDown(t *testing.T) {
	t.Parallel()
	m := new(dns.Msg).SetQuestion("x.example.", dns.TypeA)
	m.Answer = rrs(t, "x.example. 300 CNAME y.", "y. 20 A 1.2.3.4")
	m.Extra = append(rrs(t, "z. 600 AAAA ::1"), m.SetEdns0(4096, true).Extra...)
	key, _ := keyOf("x.example.", dns.TypeA, 0)
	e, _, _ := packForwarded(m, key)
	e.made = 5e9
	var q query
	q.read(message(t, "X.example.", "A"), false)
	for now, want := range map[int64][3]uint32{5e9: {300, 20, 600}, 59e8: {300, 20, 600}, 6e9: {299, 19, 599}, 45e9: {260, 0, 560}} {
		got := parse(t, q.write(nil, e, now))
		if got.Answer[0].Header().Ttl != want[0] || got.Answer[1].Header().Ttl != want[1] || got.Extra[0].Header().Ttl != want[2] || got.IsEdns0() != nil {
			t.Errorf("at %d: %v", now, got)
		}
	}
}

func TestRecordsPassThroughAsTheyAre(t *testing.T) {
	t.Parallel()
	m := new(dns.Msg).SetQuestion("x.example.", dns.TypeANY)
	m.Answer = rrs(t,
		"x.example. 60 RRSIG A 8 2 60 20300101000000 20200101000000 4711 example. AAAA", "x.example. 60 TYPE65280 \\# 3 010203",
		"x.example. 60 HTTPS 1 . alpn=h2 key65000=abc", "x.example. 60 DNSKEY 257 3 8 AAAA", "x.example. 60 CAA 0 issue \"a\"",
		"x.example. 60 LOC 52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m",
	)
	key, _ := keyOf("x.example.", dns.TypeANY, traitDO)
	e, _, ok := packForwarded(m, key)
	if !ok {
		t.Fatal("not packed")
	}
	for i, r := range parse(t, e.wire).Answer {
		if r.String() != m.Answer[i].String() {
			t.Errorf("%v became %v", m.Answer[i], r)
		}
	}
}

func TestADIsForThoseWhoAskForIt(t *testing.T) {
	t.Parallel()
	for traits, want := range map[byte]bool{0: false, flagCD: false, flagAD: true, traitDO: true} {
		m := new(dns.Msg).SetQuestion("x.example.", dns.TypeA)
		m.AuthenticatedData, m.Authoritative = true, true
		key, _ := keyOf("x.example.", dns.TypeA, traits)
		e, _, _ := packForwarded(m, key)
		if flags := binary.BigEndian.Uint16(e.wire[2:]); flags&flagAD != 0 != want || flags&flagAA != 0 {
			t.Errorf("traits %x: flags %x", traits, flags)
		}
	}
}
