package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/examples"
	"kvmnet/internal/nstest"
	"kvmnet/internal/verify/client"
)

func TestExampleServicesTellsGuestsWhatItPromises(t *testing.T) {
	t.Parallel()
	d := start(t, "06-services.yaml", io.Discard)
	n := d.networks[0]
	ask := func(server netip.Addr, name string, kind dnsmessage.Type) string {
		return n.guests[0].named(t.Context(), client.Name{Name: name, Type: kind}, n.guests[0].addr.addr(familyOf(server)), server)
	}
	gateway := n.gateways()
	for name := range n.spec.DNS.Hosts {
		if strings.HasPrefix(name, "*") || strings.Contains(name, ".") {
			continue
		}
		if got := ask(gateway.addr(v4), name+"."+n.spec.DNS.Domain+".", dnsmessage.TypeA); !strings.HasPrefix(got, "192.168.") {
			t.Errorf("%s: %s", name, got)
		}
	}
	if got := ask(gateway.addr(v4), "nobody."+n.spec.DNS.Domain+".", dnsmessage.TypeA); got != "NameError" {
		t.Errorf("a name that is not there: %s", got)
	}
	cells := d.served()
	must(t, prove(t.Context(), cells))
	var rows []string
	for _, c := range cells {
		if !c.held() || !c.service {
			t.Errorf("%s, %s, %s: promised %q, seen %q (%s)", c.column, c.row, c.family, c.promise, c.outcome, c.detail)
		}
		rows = append(rows, c.row+" "+c.family.String())
	}
	want := []string{"address offered IPv4", "address offered IPv6", "router advertised IPv6", "name answered IPv4", "name answered IPv6"}
	for _, w := range want {
		if !slices.Contains(rows, w) {
			t.Errorf("%q is missing in %q", w, rows)
		}
	}
}

func TestDemoTellsWhichServicesAreBroken(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	d := start(t, "all-modes.yaml", &out)
	routed, err := d.world.machine.MAC("routed0")
	must(t, err)
	must(t, d.nft(t.Context(), fmt.Sprintf(`table bridge away {
	chain out {
		type filter hook output priority 0; policy accept;
		ip saddr 192.168.100.1 udp dport 68 drop
		ether saddr %s icmpv6 type nd-router-advert drop
		ip saddr 10.10.102.1 tcp sport 53 drop
		ip6 saddr 2001:db8:40::1 tcp sport 53 drop
	}
}`, routed)))
	cells := d.served()
	must(t, prove(t.Context(), cells))
	told := []string{
		tells(t, cells, "shared", addressRow, v4, "192.168.100.20", "no answer"),
		tells(t, cells, "routed", routerRow, v6, "2001:db8:30::/64, router", "no answer"),
		tells(t, cells, "open", nameRow, v4, "10.10.102.20", "no answer over tcp: silence"),
		tells(t, cells, "open", nameRow, v6, "2001:db8:40::14", "no answer over tcp: silence"),
	}
	nstest.Eventually(t, time.Minute, func() error { return onlyBroken(t, cells, len(told)) })
	must(t, d.nft(t.Context(), "delete table bridge away"))
	var broken *Broken
	if err := d.report(cells); !errors.As(err, &broken) || broken.Broken != len(told) {
		t.Errorf("got %v", err)
	}
	for _, want := range told {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}

// onlyBroken fails when more promises are broken than should be. Those are asked
// again: a busy machine breaks none for good.
func onlyBroken(t *testing.T, cells []*cell, want int) error {
	var broken []string
	for _, c := range cells {
		if !c.held() {
			broken = append(broken, fmt.Sprintf("%s, %s, %s: promised %q, seen %q (%s)", c.column, c.row, c.family, c.promise, c.outcome, c.detail))
		}
	}
	if len(broken) == want {
		return nil
	}
	for _, c := range cells {
		if !c.held() {
			c.verdict = c.put(t.Context())
		}
	}
	return fmt.Errorf("%d promises are broken, want %d:\n%s", len(broken), want, strings.Join(broken, "\n"))
}

// A resolver that listens everywhere would answer strangers; kvmnet's does not.
func TestStrangersWhoAreAnsweredAreTold(t *testing.T) {
	t.Parallel()
	d := start(t, "all-modes.yaml", io.Discard)
	must(t, d.prepareAttacks())
	s := &sheet{d: d}
	d.each(s.outsideName)
	d.each(s.foreignNames)
	must(t, prove(t.Context(), s.cells))
	if len(s.cells) != 26 {
		t.Errorf("%d promises, want 6 networks' of the LAN host and 7 of guests, each twice", len(s.cells))
	}
	for _, c := range s.cells {
		if !c.held() {
			t.Errorf("%s, %s, %s: %s (%s)", c.column, c.row, c.family, c.outcome, c.detail)
		}
	}
	own := d.networks[slices.IndexFunc(d.networks, func(n *network) bool { return n.name == "shared" })]
	if v := own.guests[0].inquires(t.Context(), v4, own); v.outcome != "answered by shared" {
		t.Errorf("who is no stranger: %+v", v)
	}
}

func TestServicesThatAreOffArePromisedToNobody(t *testing.T) {
	t.Parallel()
	top, err := parseTopology("f.yaml", examples.Text(defaultTopology))
	must(t, err)
	top.spec.Routers, top.spec.Forwards, top.spec.Policies = nil, nil, nil
	for _, n := range top.spec.Networks {
		off := false
		n.Mode = "isolated"
		if n.DNS = nil; n.Subnets != nil {
			n.Subnets = n.Subnets[:1]
			n.Subnets[0].DHCP.Enabled = &off
		}
	}
	d := newDemo(Options{}, top)
	for name, spec := range top.spec.Networks {
		must(t, d.settle(name, spec, 0))
		d.networks[len(d.networks)-1].guests = [2]*party{{host: nil}, {}}
	}
	for _, c := range d.served() {
		if c.row != nameRow || c.family != v4 {
			t.Errorf("promised: %s, %s, %s", c.column, c.row, c.family)
		}
	}
}

func TestServicesHaveATableOfTheirOwn(t *testing.T) {
	t.Parallel()
	a, b := &cell{row: "guest → outside", column: "quiet"}, &cell{row: nameRow, column: "shared", service: true}
	who, served := split([]*cell{a, b})
	if len(who) != 1 || who[0] != a || len(served) != 1 || served[0] != b {
		t.Errorf("split into %v and %v", who, served)
	}
	got := servedColumns([]column{{"quiet", "isolated", ""}, {"shared", "nat", "10.0.0.1/24"}}, served)
	if !slices.Equal(got, []column{{name: "shared"}}) {
		t.Errorf("columns %v", got)
	}
}

func TestWhatAVirtualMachineTells(t *testing.T) {
	t.Parallel()
	const zero, via = "00000000000000000000000000000000", "fe800000000000005054000000000001"
	line := func(dest, bits, flags string) string {
		return dest + " " + bits + " " + zero + " 00 " + zero + " 00000400 00000001 00000000 " + flags + "     eth0\n"
	}
	lab, local := "fd000010"+zero[:24], "fe80"+zero[:28]
	for _, c := range []struct{ routes, want string }{
		{line(lab, "40", "00000001") + line(zero, "00", "00000003"), "no router"}, // given by hand
		{line(lab, "40", "004c0001") + line(lab, "40", "000c0001") + line(local, "40", "000c0001"), "fd00:10::/64, no router"},
		{line(lab, "40", "004c0001") + line(zero, "00", "00450003") + "noise\n", "fd00:10::/64, router"},
	} {
		prefixes, router := learnt(c.routes)
		if got := client.Advertised(prefixes, router); got != c.want {
			t.Errorf("got %q, want %q of\n%s", got, c.want, c.routes)
		}
	}
	for out, want := range map[string]string{
		"Server:\t\t10.0.0.1\nAddress:\t10.0.0.1:53\n\nName:\tlab-1\nAddress: 10.0.0.20\n\n":     "10.0.0.20",
		"Server:\t\t10.0.0.1\nAddress:\t10.0.0.1:53\n\n** server can't find lab-1: NXDOMAIN\n\n": "no answer: ** server can't find lab-1: NXDOMAIN",
		";; connection timed out; no servers could be reached\n":                                 "no answer: ;; connection timed out; no servers could be reached",
	} {
		if got := looked(out); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The first guest asks; a question of nobody's ends with its context.
func TestQuestionsEnd(t *testing.T) {
	t.Parallel()
	d := start(t, "01-isolated.yaml", io.Discard)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := d.networks[0].guests[0]
	if got := g.offered(ctx, netip.MustParsePrefix("10.0.0.1/24")); got != context.Canceled.Error() {
		t.Errorf("DHCP: %s", got)
	}
	if got := g.advertised(ctx); got != context.Canceled.Error() {
		t.Errorf("router: %s", got)
	}
}
