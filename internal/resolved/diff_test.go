package resolved

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	lab = register(Link{
		Index: 7, Name: "lab0", Servers: []netip.Addr{netip.MustParseAddr("192.168.100.1")},
		Domain: "lab.internal", Reverse: []string{"100.168.192.in-addr.arpa"},
	})
	red   = register(Link{Index: 9, Name: "red0", Servers: []netip.Addr{netip.MustParseAddr("fd00::1")}, Domain: "red.internal"})
	plain = register(Link{Index: 7, Name: "lab0", Servers: []netip.Addr{netip.MustParseAddr("192.168.100.1")}})
)

const (
	labManners = "SetLinkDefaultRoute(7, false); SetLinkDNSSEC(7, no); SetLinkDNSOverTLS(7, no); SetLinkLLMNR(7, no); SetLinkMulticastDNS(7, no); "
	redManners = "SetLinkDefaultRoute(9, false); SetLinkDNSSEC(9, no); SetLinkDNSOverTLS(9, no); SetLinkLLMNR(9, no); SetLinkMulticastDNS(9, no); "
	labAll     = labManners + "SetLinkDomains(7, [{lab.internal false} {100.168.192.in-addr.arpa true}]); SetLinkDNS(7, [{2 [192 168 100 1]}]); "
)

func TestDiffSendsOnlyDifferences(t *testing.T) {
	t.Parallel()
	type links = map[int]registration
	type sent = map[int]bool
	moved := lab
	moved.servers = []netip.Addr{netip.MustParseAddr("192.168.100.2")}
	renamed := lab
	renamed.domains = red.domains
	for name, c := range map[string]struct {
		shown links
		sent  sent
		want  links
		calls string
	}{
		"nothing":                            {},
		"new link":                           {want: links{7: lab}, calls: labAll + "FlushCaches()"},
		"registered":                         {links{7: lab}, sent{7: true}, links{7: lab}, ""},
		"by the daemon before, all in place": {links{7: lab}, nil, links{7: lab}, strings.TrimSuffix(labManners, "; ")},
		"half sent":                          {links{7: {domains: lab.domains}}, sent{7: false}, links{7: lab}, labManners + "SetLinkDNS(7, [{2 [192 168 100 1]}]); FlushCaches()"},
		"other domain":                       {links{7: renamed}, sent{7: true}, links{7: lab}, "SetLinkDomains(7, [{lab.internal false} {100.168.192.in-addr.arpa true}]); FlushCaches()"},
		"other server":                       {links{7: moved}, sent{7: true}, links{7: lab}, "SetLinkDNS(7, [{2 [192 168 100 1]}]); FlushCaches()"},
		"reverted by somebody":               {nil, sent{7: true}, links{7: lab}, labAll + "FlushCaches()"},
		"gone":                               {links{7: lab}, sent{7: true}, nil, "RevertLink(7); FlushCaches()"},
		"gone, and one more":                 {links{7: lab}, sent{7: true}, links{9: red}, "RevertLink(7); " + redManners + "SetLinkDomains(9, [{red.internal false}]); SetLinkDNS(9, [{10 [253 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1]}]); FlushCaches()"},
		"domain taken away":                  {links{7: lab}, sent{7: true}, links{7: plain}, "RevertLink(7); FlushCaches()"},
		"taken away while we were down":      {links{7: lab}, nil, links{7: plain}, "RevertLink(7); FlushCaches()"},
		"never had a domain":                 {nil, nil, links{7: plain}, ""},
		"set by a person":                    {links{7: moved}, nil, links{7: plain}, ""},
		"links of others":                    {links{2: red, 3: lab}, nil, links{}, ""},
	} {
		var words []string
		for _, call := range diff(view{c.shown, c.sent}, c.want) {
			words = append(words, call.String())
		}
		if got := strings.Join(words, "; "); got != c.calls {
			t.Errorf("%s:\nwant %s\ngot  %s", name, c.calls, got)
		}
	}
}

// TestDiffConverges: whatever there was, after the calls there is nothing left
// to do, and links of others are as they were.
func TestDiffConverges(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		have := view{drawLinks(t, "shown"), drawSent(t)}
		want := drawLinks(t, "want")
		before := maps.Clone(have.shown)
		play(have, diff(have, want), want)
		if again := diff(have, want); len(again) > 0 {
			t.Fatalf("after the calls: %v", again)
		}
		for index, r := range want {
			if !r.empty() && !same(have.shown[index], r) {
				t.Fatalf("link %d: want %v, got %v", index, r, have.shown[index])
			}
		}
		for index, r := range before {
			_, wanted := want[index]
			if _, touched := have.sent[index]; !wanted && !touched && index > 6 && !same(have.shown[index], r) {
				t.Fatalf("link %d of others: was %v, is %v", index, r, have.shown[index])
			}
		}
	})
}

// drawLinks gives links 1 to 6 any registration; links above are of others.
func drawLinks(t *rapid.T, label string) map[int]registration {
	most := map[string]int{"shown": 9, "want": 6}[label]
	links := rapid.MapOf(rapid.IntRange(1, most), rapid.Custom(func(t *rapid.T) registration {
		var l Link
		for _, n := range rapid.SliceOfN(rapid.IntRange(1, 3), 0, 2).Draw(t, "servers") {
			l.Servers = append(l.Servers, netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", n)))
		}
		l.Domain = rapid.SampledFrom([]string{"", "a.test", "B.test.", "c"}).Draw(t, "domain")
		l.Reverse = rapid.SliceOfN(rapid.SampledFrom([]string{"10.in-addr.arpa", "d.f.ip6.arpa"}), 0, 2).Draw(t, "reverse")
		return register(l)
	})).Draw(t, label)
	return links
}

func drawSent(t *rapid.T) map[int]bool {
	return rapid.MapOf(rapid.IntRange(1, 6), rapid.Bool()).Draw(t, "sent")
}

// play does to a view what systemd-resolved and send would.
func play(have view, calls []call, want map[int]registration) {
	for _, c := range calls {
		r := have.shown[c.index]
		switch c.method {
		case "RevertLink":
			delete(have.shown, c.index)
			delete(have.sent, c.index)
			continue
		case "SetLinkDomains":
			r.domains = slices.Clone(c.args[0].([]domain))
			have.shown[c.index] = r
		case "SetLinkDNS":
			r.servers = want[c.index].servers
			have.shown[c.index] = r
		}
		if c.index != 0 {
			have.sent[c.index] = true
		}
	}
}

func TestRegistrationIsWrittenAsItIsShown(t *testing.T) {
	t.Parallel()
	r := register(Link{
		Index:   4,
		Servers: []netip.Addr{netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("10.0.0.1"), {}},
		Domain:  "Lab.Internal.", Reverse: []string{"0.0.10.in-addr.arpa.", "lab.internal"},
	})
	want := "link 4 [10.0.0.1 fe80::1] [{lab.internal false} {0.0.10.in-addr.arpa true}]"
	if got := fmt.Sprint(r.name, " ", r.servers, " ", r.domains); got != want {
		t.Errorf("want %s, got %s", want, got)
	}
}
