package dns

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"kvmnet/internal/plan"
)

// show prints a reply as the tables below have it: code, answers, then after |
// the owner of the SOA, after + the additional records, after → who is asked.
func show(r reply) string {
	var b strings.Builder
	b.WriteString(dns.RcodeToString[r.code])
	for _, rr := range r.answer {
		fmt.Fprintf(&b, " %s=%s", dns.TypeToString[rr.Header().Rrtype], strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	for _, rr := range r.authority {
		fmt.Fprintf(&b, " | %s", rr.Header().Name)
	}
	for _, rr := range r.extra {
		fmt.Fprintf(&b, " + %s", strings.TrimPrefix(rr.String(), rr.Header().String()))
	}
	if r.ask != nil {
		who := "host"
		if !r.ask.host {
			who = fmt.Sprint(r.ask.servers)
		}
		fmt.Fprintf(&b, " → %s %s", who, r.target)
	}
	return b.String()
}

type ask struct{ name, kind, want string }

func (q ask) check(t *testing.T, c *plan.DNS, names Names) {
	t.Helper()
	q.checkBeside(t, c, names, labPrivate)
}

// checkBeside checks it where other networks have these zones.
func (q ask) checkBeside(t *testing.T, c *plan.DNS, names Names, private func(string) bool) {
	t.Helper()
	r := compile(c, 1, private).answer(names, q.name, dns.StringToType[q.kind])
	if got := show(r); got != q.want {
		t.Errorf("%s %s:\n got %s\nwant %s", q.name, q.kind, got, q.want)
	}
	for _, rr := range r.answer {
		if rr.Header().Ttl != uint32(c.TTL) {
			t.Errorf("%s %s: TTL %d", q.name, q.kind, rr.Header().Ttl)
		}
	}
}

const (
	zone4 = "100.168.192.in-addr.arpa."
	zone6 = "0.0.0.0.0.0.0.0.0.0.1.0.0.0.d.f.ip6.arpa."
)

func rev(s string) string { name, _ := dns.ReverseAddr(s); return name }

var questions = []ask{
	// Fixed names.
	{"vm1.lab.internal.", "A", "NOERROR A=192.168.100.20"},
	{"nas.lab.internal.", "AAAA", "NOERROR AAAA=fd00:100::30"},
	{"vm1.lab.internal.", "TXT", `NOERROR TXT="say \"hi\" \\o/"`},
	{"vm1.lab.internal.", "MX", "NOERROR | lab.internal."},
	{"vm1.lab.internal.", "HTTPS", "NOERROR | lab.internal."},
	{"x.vm1.lab.internal.", "A", "NXDOMAIN | lab.internal."},
	{"nobody.lab.internal.", "A", "NXDOMAIN | lab.internal."},
	{"nobody.lab.internal.", "TYPE65280", "NXDOMAIN | lab.internal."},
	{"long.lab.internal.", "TXT", "NOERROR TXT=\"" + long[:255] + "\" \"" + long[255:] + "\""},

	// Leases. The guest that says nas is not it.
	{"guest.lab.internal.", "A", "NOERROR A=192.168.100.77"},
	{"guest.lab.internal.", "AAAA", "NOERROR AAAA=fd00:100::77"},
	{"guest.lab.internal.", "TXT", "NOERROR | lab.internal."},
	{"vm1.lab.internal.", "AAAA", "NOERROR AAAA=fd00:100::20"},
	{"nas.lab.internal.", "A", "NOERROR A=192.168.100.30"},
	{"wpad.lab.internal.", "A", "NXDOMAIN | lab.internal."},
	{"wpad.", "A", "NXDOMAIN | ."},
	{"long.lab.internal.", "A", "NOERROR | lab.internal."},

	// Plain names.
	{"vm1.", "A", "NOERROR A=192.168.100.20"},
	{"guest.", "AAAA", "NOERROR AAAA=fd00:100::77"},
	{"guest.", "MX", "NOERROR | ."},
	{"www.", "AAAA", "NOERROR CNAME=nas.lab.internal. AAAA=fd00:100::30"},
	{"nobody.", "A", "NXDOMAIN | ."},
	{"com.", "A", "NOERROR A=192.168.100.69"},
	{"com.", "DS", "NOERROR → host com."},
	{"org.", "NS", "NOERROR → host org."},
	{".", "DNSKEY", "NOERROR → host ."},
	{".", "NS", "NOERROR → host ."},

	// The domain itself and what is only there because of names below.
	{"lab.internal.", "SOA", "NOERROR SOA=gateway.lab.internal. hostmaster.lab.internal. 1 3600 600 86400 60"},
	{"lab.internal.", "NS", "NOERROR NS=gateway.lab.internal. + 192.168.100.1 + fd00:100::1"},
	{"lab.internal.", "A", "NOERROR | lab.internal."},
	{"lab.internal.", "DS", "NOERROR | lab.internal."},
	{"gateway.lab.internal.", "A", "NOERROR A=192.168.100.1"},
	{"vm1.lab.internal.", "SOA", "NOERROR | lab.internal."},
	{"_tcp.lab.internal.", "A", "NOERROR | lab.internal."},
	{"apps.lab.internal.", "A", "NOERROR | lab.internal."},
	{"wild.lab.internal.", "A", "NOERROR | lab.internal."},

	// Wildcards (RFC 4592).
	{"any.apps.lab.internal.", "A", "NOERROR A=192.168.100.40"},
	{"a.b.apps.lab.internal.", "A", "NOERROR A=192.168.100.40"},
	{"any.apps.lab.internal.", "AAAA", "NOERROR | lab.internal."},
	{"one.apps.lab.internal.", "A", "NOERROR A=192.168.100.41"},
	{"x.one.apps.lab.internal.", "A", "NXDOMAIN | lab.internal."},
	{"*.apps.lab.internal.", "A", "NOERROR A=192.168.100.40"},
	{"any.apps.", "A", "NOERROR → host any.apps."},
	{"x.alias.lab.internal.", "A", "NOERROR CNAME=vm1.lab.internal. A=192.168.100.20"},
	{"void.pool.example.org.", "A", "NXDOMAIN | void.pool.example.org."}, // somebody else's, or nobody's
	{"a.void.pool.example.org.", "A", "NXDOMAIN | void.pool.example.org."},
	{"a.b.pool.example.org.", "A", "NOERROR A=10.99.0.6"},

	// Aliases.
	{"www.lab.internal.", "A", "NOERROR CNAME=nas.lab.internal. A=192.168.100.30"},
	{"www.lab.internal.", "CNAME", "NOERROR CNAME=nas.lab.internal."},
	{"www.lab.internal.", "MX", "NOERROR CNAME=nas.lab.internal. | lab.internal."},
	{"twice.lab.internal.", "AAAA", "NOERROR CNAME=www.lab.internal. CNAME=nas.lab.internal. AAAA=fd00:100::30"},
	{"far.lab.internal.", "A", "NOERROR CNAME=www.example.com. → host www.example.com."},
	{"far.lab.internal.", "ANY", "NOERROR CNAME=www.example.com."},
	{"dead.lab.internal.", "A", "NXDOMAIN CNAME=nobody.lab.internal. | lab.internal."},
	{"ring1.lab.internal.", "A", "SERVFAIL"},
	{"away.example.org.", "A", "NOERROR CNAME=nas.lab.internal. A=192.168.100.30"},

	// Services.
	{"_ldap._tcp.lab.internal.", "SRV", "NOERROR SRV=1 2 389 nas.lab.internal. + 192.168.100.30 + fd00:100::30"},
	{"_none._udp.lab.internal.", "SRV", "NOERROR SRV=0 0 0 ."},
	{"lab.internal.", "MX", "NOERROR MX=10 nas.lab.internal. + 192.168.100.30 + fd00:100::30"},

	// ANY is answered with one set (RFC 8482).
	{"nas.lab.internal.", "ANY", "NOERROR A=192.168.100.30"},
	{"long.lab.internal.", "ANY", "NOERROR TXT=\"" + long[:255] + "\" \"" + long[255:] + "\""},
	{"apps.lab.internal.", "ANY", "NOERROR | lab.internal."},

	// Names outside of the domain, and nothing else there.
	{"host.example.org.", "A", "NOERROR A=10.99.0.5"},
	{"host.example.org.", "AAAA", "NOERROR | host.example.org."},
	{"example.org.", "A", "NOERROR → host example.org."},
	{"x.host.example.org.", "A", "NOERROR → host x.host.example.org."},
	{"a.pool.example.org.", "A", "NOERROR A=10.99.0.6"},
	{"a.pool.example.org.", "TXT", "NOERROR | pool.example.org."},
	{"pool.example.org.", "A", "NOERROR → host pool.example.org."},
	{"ads.example.net.", "A", "NOERROR A=0.0.0.0"},

	// Reverse names.
	{rev("192.168.100.20"), "PTR", "NOERROR PTR=vm1.lab.internal."},
	{rev("192.168.100.77"), "PTR", "NOERROR PTR=guest.lab.internal."},
	{rev("fd00:100::77"), "PTR", "NOERROR PTR=guest.lab.internal."},
	{rev("fd00:100::20"), "PTR", "NOERROR PTR=vm1.lab.internal."},
	{rev("192.168.100.1"), "PTR", "NOERROR PTR=gateway.lab.internal."},
	{rev("192.168.100.66"), "PTR", "NXDOMAIN | " + zone4},
	{rev("192.168.100.67"), "PTR", "NXDOMAIN | " + zone4},
	{rev("192.168.100.99"), "PTR", "NXDOMAIN | " + zone4},
	{rev("192.168.100.20"), "A", "NOERROR | " + zone4},
	{rev("fd00:100::99"), "PTR", "NXDOMAIN | " + zone6},
	{"a." + rev("192.168.100.20"), "PTR", "NXDOMAIN | " + zone4},
	{"x." + zone4, "PTR", "NXDOMAIN | " + zone4},
	{"020." + zone4, "PTR", "NXDOMAIN | " + zone4},
	{zone4, "SOA", "NOERROR SOA=gateway.lab.internal. hostmaster." + zone4 + " 1 3600 600 86400 60"},
	{zone6, "NS", "NOERROR NS=gateway.lab.internal. + 192.168.100.1 + fd00:100::1"},
	{zone4, "PTR", "NOERROR | " + zone4},
	{"0." + zone6, "PTR", "NOERROR | " + zone6},
	{rev("10.99.0.5"), "PTR", "NOERROR PTR=host.example.org."},
	{rev("0.0.0.0"), "PTR", "NXDOMAIN | 0.in-addr.arpa."},

	// Prefixes that end inside a label answer for what is inside only.
	{rev("10.8.0.127"), "PTR", "NXDOMAIN | 0.8.10.in-addr.arpa."},
	{rev("10.8.0.128"), "PTR", "NOERROR → [10.1.1.3:53] 128.0.8.10.in-addr.arpa."},
	{rev("172.23.1.1"), "PTR", "NXDOMAIN | 172.in-addr.arpa."},
	{rev("172.24.1.1"), "PTR", "NXDOMAIN | 172.in-addr.arpa."},

	// Private address space goes to servers that are told, or nowhere.
	{rev("10.1.2.3"), "PTR", "NOERROR → [10.1.1.3:53] 3.2.1.10.in-addr.arpa."},
	{rev("192.168.7.7"), "PTR", "NXDOMAIN | 168.192.in-addr.arpa."},
	{"168.192.in-addr.arpa.", "NS", "NOERROR | 168.192.in-addr.arpa."},
	{rev("169.254.1.1"), "PTR", "NXDOMAIN | 254.169.in-addr.arpa."},
	{rev("fe80::1"), "PTR", "NXDOMAIN | e.f.ip6.arpa."},
	{rev("fc01::1"), "PTR", "NXDOMAIN | f.ip6.arpa."},
	{rev("8.8.8.8"), "PTR", "NOERROR → host 8.8.8.8.in-addr.arpa."},
	{rev("2001:4860::8"), "PTR", "NOERROR → host " + rev("2001:4860::8")},
	{"in-addr.arpa.", "NS", "NOERROR → host in-addr.arpa."},

	// Names of other networks, and servers of single domains.
	{"db.red.internal.", "A", "NXDOMAIN | red.internal."},
	{"red.internal.", "A", "NXDOMAIN | red.internal."},
	{"db.blue.internal.", "A", "NXDOMAIN | internal."},
	{"db.sub.red.internal.", "A", "NOERROR → [10.1.1.2:53] db.sub.red.internal."},
	{"infrared.internal.", "A", "NXDOMAIN | internal."},
	{"international.", "A", "NXDOMAIN | ."},
	{rev("192.168.200.7"), "PTR", "NXDOMAIN | 200.168.192.in-addr.arpa."},
	{"git.corp.example.", "A", "NOERROR → [10.1.1.1:53] git.corp.example."},
	{"x.void.example.", "A", "NXDOMAIN | void.example."},
	{"www.example.com.", "A", "NOERROR → host www.example.com."},

	// Special names.
	{"localhost.", "A", "NOERROR A=127.0.0.1"},
	{"a.localhost.", "AAAA", "NOERROR AAAA=::1"},
	{"localhost.", "MX", "NOERROR | localhost."},
	{rev("127.0.0.1"), "PTR", "NXDOMAIN | 127.in-addr.arpa."}, // though names are blocked with it
	{"x.invalid.", "A", "NXDOMAIN | invalid."},
	{"abc.onion.", "A", "NXDOMAIN | onion."},
	{"use-application-dns.net.", "A", "NXDOMAIN | use-application-dns.net."},
	{"_dns.resolver.arpa.", "SVCB", "NOERROR | resolver.arpa."},
}

func TestQuestionsOfALocalDomain(t *testing.T) {
	t.Parallel()
	for _, q := range questions {
		q.check(t, labPlan(), labNames())
	}
}

func TestUnknownNamesOfADomainThatIsNotLocalAreForwarded(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.LocalOnly = false
	c.Forwarders = []netip.AddrPort{server("9.9.9.9:53")}
	for _, q := range []ask{
		{"nobody.lab.internal.", "A", "NOERROR → [9.9.9.9:53] nobody.lab.internal."},
		{"x.one.apps.lab.internal.", "A", "NOERROR → [9.9.9.9:53] x.one.apps.lab.internal."},
		{"vm1.lab.internal.", "MX", "NOERROR | lab.internal."},
		{"dead.lab.internal.", "A", "NOERROR CNAME=nobody.lab.internal. → [9.9.9.9:53] nobody.lab.internal."},
		{"nobody.", "A", "NXDOMAIN | ."},
		{rev("192.168.7.7"), "PTR", "NOERROR → [9.9.9.9:53] 7.7.168.192.in-addr.arpa."}, // told to whom
		{rev("192.168.200.7"), "PTR", "NXDOMAIN | 200.168.192.in-addr.arpa."},
		{rev("192.168.100.99"), "PTR", "NXDOMAIN | " + zone4},
	} {
		q.check(t, c, labNames())
	}
}

func TestPlainNamesAreForwardedWhenAsked(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.ForwardPlain = true
	ask{"nobody.", "A", "NOERROR → host nobody."}.check(t, c, labNames())
	ask{"vm1.", "A", "NOERROR A=192.168.100.20"}.check(t, c, labNames())
}

func TestNetworkWithoutDomainHasPlainNames(t *testing.T) {
	t.Parallel()
	c := &plan.DNS{Listen: addrs("10.5.0.1"), Names: map[string][]netip.Addr{"vm1": addrs("10.5.0.2")}, Reverse: []netip.Prefix{prefix("10.5.0.0/16")}, TTL: 5}
	names := &leases{hosts: map[string][]netip.Addr{"guest": addrs("10.5.0.3")}}
	for _, q := range []ask{
		{"vm1.", "A", "NOERROR A=10.5.0.2"},
		{"guest.", "A", "NOERROR A=10.5.0.3"},
		{"guest.", "AAAA", "NOERROR | ."},
		{"nobody.", "A", "NXDOMAIN | ."},
		{"guest.example.", "A", "NOERROR → host guest.example."},
		{rev("10.5.0.3"), "PTR", "NOERROR PTR=guest."},
		{rev("10.5.0.2"), "PTR", "NOERROR PTR=vm1."},
		{"5.10.in-addr.arpa.", "NS", "NOERROR NS=gateway. + 10.5.0.1"},
	} {
		q.check(t, c, names)
	}
}

func TestOwnDomainIsOursEvenBelowAPrivateOne(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.LocalOnly = false
	same := zones("lab.internal.", "internal.") // another network has the same domain
	ask{"vm1.lab.internal.", "A", "NOERROR A=192.168.100.20"}.checkBeside(t, c, nil, same)
	ask{"x.lab.internal.", "A", "NOERROR → host x.lab.internal."}.checkBeside(t, c, nil, same)
	below := zones("x.lab.internal.")
	ask{"x.lab.internal.", "A", "NXDOMAIN | x.lab.internal."}.checkBeside(t, c, nil, below)
	c.Domains = map[string][]netip.AddrPort{"x.lab.internal": {server("10.1.1.1:53")}}
	ask{"x.lab.internal.", "A", "NOERROR → [10.1.1.1:53] x.lab.internal."}.checkBeside(t, c, nil, below)
}

// The resolver of the host asks all networks that have the domain, so what is not
// known here must not be asked there. Servers that are named are another matter.
func TestNamesOfADomainThatTwoNetworksHaveStayOnEach(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.LocalOnly, c.Shared = false, true
	ask{"vm1.lab.internal.", "A", "NOERROR A=192.168.100.20"}.check(t, c, nil)
	ask{"x.lab.internal.", "A", "NXDOMAIN | lab.internal."}.check(t, c, nil)
	c.Domains = map[string][]netip.AddrPort{"lab.internal": {server("10.1.1.1:53")}}
	ask{"x.lab.internal.", "A", "NOERROR → [10.1.1.1:53] x.lab.internal."}.check(t, c, nil)
	c.Domains, c.Forwarders = nil, []netip.AddrPort{server("9.9.9.9:53")}
	ask{"x.lab.internal.", "A", "NOERROR → [9.9.9.9:53] x.lab.internal."}.check(t, c, nil)
}

// An isolated network does not ask for its guests: that would be a way out. What it
// does not know it refuses, and a guest that is on other networks, too, asks there.
func TestAloneNobodyIsAskedButForSingleDomains(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.LocalOnly, c.Alone = false, true
	for _, q := range []ask{
		{"vm1.lab.internal.", "A", "NOERROR A=192.168.100.20"},
		{"guest.", "A", "NOERROR A=192.168.100.77"},
		{rev("192.168.100.20"), "PTR", "NOERROR PTR=vm1.lab.internal."},
		{"nobody.lab.internal.", "A", "NXDOMAIN | lab.internal."},
		{"nobody.", "A", "NXDOMAIN | ."},
		{"www.example.com.", "A", "REFUSED"},
		{"www.example.com.", "TXT", "REFUSED"},
		{rev("8.8.8.8"), "PTR", "REFUSED"},
		{"org.", "NS", "REFUSED"},
		{"far.lab.internal.", "A", "REFUSED CNAME=www.example.com."},
		{"git.corp.example.", "A", "NOERROR → [10.1.1.1:53] git.corp.example."},
		{"x.void.example.", "A", "NXDOMAIN | void.example."},
	} {
		q.check(t, c, labNames())
	}
}

func TestDomainIsAskedAsOthersBelowOneThatIsNot(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.Domains["www.corp.example"] = []netip.AddrPort{plan.DefaultServers}
	ask{"git.corp.example.", "A", "NOERROR → [10.1.1.1:53] git.corp.example."}.check(t, c, nil)
	ask{"a.www.corp.example.", "A", "NOERROR → host a.www.corp.example."}.check(t, c, nil)
	c.Forwarders = []netip.AddrPort{server("9.9.9.9:53")}
	ask{"www.corp.example.", "A", "NOERROR → [9.9.9.9:53] www.corp.example."}.check(t, c, nil)
	c.Forwarders, c.Alone = nil, true
	ask{"www.corp.example.", "A", "REFUSED"}.check(t, c, nil)
}

func TestNamesOfAddressesAreForwardedWhenAsked(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.ForwardBack = true
	ask{rev("192.168.100.20"), "PTR", "NOERROR PTR=vm1.lab.internal."}.check(t, c, labNames())
	ask{rev("192.168.100.99"), "PTR", "NXDOMAIN | 168.192.in-addr.arpa."}.check(t, c, labNames()) // the host's resolvers cannot know
	c.Forwarders = []netip.AddrPort{server("9.9.9.9:53")}
	ask{rev("192.168.100.99"), "PTR", "NOERROR → [9.9.9.9:53] 99.100.168.192.in-addr.arpa."}.check(t, c, labNames())
	ask{rev("192.168.100.77"), "PTR", "NOERROR PTR=guest.lab.internal."}.check(t, c, labNames())
	ask{zone4, "SOA", "NOERROR SOA=gateway.lab.internal. hostmaster." + zone4 + " 1 3600 600 86400 60"}.check(t, c, labNames())
}

func TestDomainOfTheRootIsADefault(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.Domains["."] = []netip.AddrPort{server("10.1.1.9:53")}
	ask{"www.example.com.", "A", "NOERROR → [10.1.1.9:53] www.example.com."}.check(t, c, nil)
	ask{"nobody.", "A", "NXDOMAIN | ."}.check(t, c, nil)
	ask{"x.red.internal.", "A", "NXDOMAIN | red.internal."}.check(t, c, nil)
}

func TestReverseNamesReadBackAsTheirPrefix(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"0.0.0.0/0", "10.0.0.0/8", "192.168.100.0/24", "1.2.3.4/32", "::/0", "f000::/4", "fd00:100::/64", "2001:db8::1/128"} {
		p := placeOf(reverseZone(prefix(s)))
		if !p.exact || p.prefix != prefix(s) {
			t.Errorf("%s → %s → %v", s, reverseZone(prefix(s)), p)
		}
	}
}
