package dns

import (
	"testing"

	"github.com/miekg/dns"

	"kvmnet/internal/captured"
)

// TestCapturedQueriesAreAnswered: what the zone knows is told. Nobody is asked
// here about what it does not know.
func TestCapturedQueriesAreAnswered(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.Names["vm7"] = addrs("10.9.0.7", "fd09::7")
	c.Reverse = append(c.Reverse, prefix("10.9.0.0/24"), prefix("fd09::/64"))
	s := offline(t, c, Options{Names: labNames()})
	codes := map[string]int{"dig-chaos-query-txt": dns.RcodeRefused, "dig-root-query-ns": dns.RcodeServerFailure, "delv-query-ds": dns.RcodeNameError}
	for name, c := range captured.Read(t) {
		b := c.Payload
		var m dns.Msg
		if err := m.Unpack(s.ask(b, guest, false)); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if m.Rcode != codes[name] {
			t.Errorf("%s: answered\n%s", name, &m)
		}
		kind := m.Question[0].Qtype
		told := kind == dns.TypeA || kind == dns.TypeAAAA || kind == dns.TypePTR || kind == dns.TypeSRV || kind == dns.TypeANY
		if told != (len(m.Answer) > 0) {
			t.Errorf("%s: answered\n%s", name, &m)
		}
		checkAnswer(t, b, s.ask(b, guest, false), false)
	}
	if n := s.Counters(); n.Malformed+n.Denied+n.Limited != 0 {
		t.Errorf("counted %+v", n)
	}
}
