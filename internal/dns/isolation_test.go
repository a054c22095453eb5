package dns

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/miekg/dns"

	"kvmnet/internal/plan"
)

// The resolver of the host knows all networks, and a guest that has a name
// outside could point it at theirs.
func TestNamesOfOtherNetworksDoNotComeByWayOfAnAlias(t *testing.T) {
	t.Parallel()
	target := "db.red.internal."
	through := func(_ int, q *dns.Msg) (*dns.Msg, time.Duration) {
		m := new(dns.Msg).SetReply(q)
		m.Answer = rrs(t, q.Question[0].Name+" 60 CNAME "+target, target+" 60 A 10.1.2.3")
		return m, 0
	}
	inBubble(t, nil, map[string]script{up1: through}, func(f *forwarder) {
		for target = range map[string]bool{"DB.red.internal.": true, "red.internal.": true, "other.internal.": true} {
			if m := f.get("x."+target+"evil.example.", "A"); m.Rcode != dns.RcodeNameError || len(m.Answer) != 1 {
				t.Errorf("%s: %v", target, m)
			}
		}
		for target = range map[string]bool{"x.sub.red.internal.": true, "www.example.": true, "vm1.lab.internal.": true} {
			if m := f.get("x."+target+"fine.example.", "A"); m.Rcode != dns.RcodeSuccess || len(m.Answer) != 2 {
				t.Errorf("%s: %v", target, m)
			}
		}
	})
}

// Nor does what comes beside the answer, or that a name has no such record.
func TestNothingOfOtherNetworksComesBesideAnAnswer(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		answer, authority, extra []string
		code                     int
		left                     int // records
	}{
		"address of a mail server": {[]string{"x.example. 60 MX 10 db.red.internal."}, nil, []string{"db.red.internal. 60 A 10.1.2.3", "a.example. 60 A 192.0.2.1"}, dns.RcodeSuccess, 2},
		"no such record":           {[]string{"x.example. 60 CNAME db.red.internal."}, []string{"red.internal. 60 SOA a. b. 1 2 3 4 5"}, nil, dns.RcodeNameError, 1},
		"another order":            {[]string{"db.red.internal. 60 A 10.1.2.3", "x.example. 60 CNAME db.red.internal."}, nil, nil, dns.RcodeNameError, 1},
		"nothing private":          {[]string{"x.example. 60 CNAME a.example.", "a.example. 60 MX 5 b."}, nil, []string{"b. 60 A 192.0.2.1"}, dns.RcodeSuccess, 3},
	} {
		through := func(_ int, q *dns.Msg) (*dns.Msg, time.Duration) {
			m := new(dns.Msg).SetReply(q)
			m.Answer, m.Ns, m.Extra = rrs(t, c.answer...), rrs(t, c.authority...), rrs(t, c.extra...)
			return m, 0
		}
		inBubble(t, nil, map[string]script{up1: through}, func(f *forwarder) {
			m := f.get("x.example.", "MX")
			if got := len(m.Answer) + len(m.Ns) + len(m.Extra); m.Rcode != c.code || got != c.left {
				t.Errorf("%s: %v", what, m)
			}
		})
	}
}

// An alias of somebody outside into a domain that two networks have may lead to
// the other one.
func TestAliasIntoASharedDomainEndsThere(t *testing.T) {
	t.Parallel()
	through := func(_ int, q *dns.Msg) (*dns.Msg, time.Duration) {
		m := new(dns.Msg).SetReply(q)
		m.Answer = rrs(t, "x.example. 60 CNAME db.lab.internal.", "db.lab.internal. 60 A 10.1.2.3")
		return m, 0
	}
	path := filepath.Join(t.TempDir(), "resolv.conf")
	must(t, os.WriteFile(path, []byte("nameserver "+up1), 0o644))
	change := func(c *plan.DNS, o *Options) { c.Shared, c.Forwarders, o.Upstream = true, nil, NewUpstreams(path) }
	inBubble(t, change, map[string]script{up1: through}, func(f *forwarder) {
		if m := f.get("x.example.", "A"); m.Rcode != dns.RcodeNameError || len(m.Answer) != 1 {
			t.Errorf("%v", m)
		}
	})
}

// A network that goes gives its domain back.
func TestDomainThatIsPrivateNoMoreIsAskedFor(t *testing.T) {
	t.Parallel()
	var gone bool
	change := func(_ *plan.DNS, o *Options) {
		o.Private = func(zone string) bool { return !gone && labPrivate(zone) }
	}
	inBubble(t, change, map[string]script{up1: good(up1, 0)}, func(f *forwarder) {
		if m := f.get("www.red.internal.", "A"); m.Rcode != dns.RcodeNameError {
			t.Errorf("private: %v", m)
		}
		gone = true
		if m := f.get("www.red.internal.", "A"); len(m.Answer) != 1 {
			t.Errorf("free again: %v", m)
		}
	})
}
