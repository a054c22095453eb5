package testhost_test

import (
	"net/netip"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// world is client ── router ── server, each in a namespace of its own; the
// router forwards and its rules are what the tests vary.
type world struct {
	client, router, server *testhost.Host
	echo                   *testhost.Echo
}

var (
	client4, client6 = addr("10.1.0.2"), addr("fd00:1::2")
	server4, server6 = addr("10.2.0.2"), addr("fd00:2::2")
	both             = map[string]netip.Addr{"ipv4": server4, "ipv6": server6}
)

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{nstest.Host(t, "client"), nstest.Host(t, "router"), nstest.Host(t, "server"), nil}
	for bridge, side := range map[string]struct {
		host *testhost.Host
		net  string
	}{"br1": {w.client, "1"}, "br2": {w.server, "2"}} {
		must(t, w.router.Bridge(bridge))
		must(t, w.router.AddAddress(bridge, prefix("10."+side.net+".0.1/24"), prefix("fd00:"+side.net+"::1/64")))
		nstest.Join(t, side.host, w.router, bridge, prefix("10."+side.net+".0.2/24"), prefix("fd00:"+side.net+"::2/64"))
		must(t, side.host.Gateways(addr("10."+side.net+".0.1"), addr("fd00:"+side.net+"::1")))
	}
	must(t, w.router.Forward(true))
	w.echo = nstest.Serve(t, w.server)
	return w
}

// rules gives the router a forward chain.
func (w *world) rules(t *testing.T, rule string) {
	t.Helper()
	nstest.Run(t, w.router.NS(), "nft", "add table inet t; add chain inet t forward { type filter hook forward priority 0; }; flush chain inet t forward; add rule inet t forward "+rule)
}

// warm makes the neighbours known, so that a short timeout is enough afterwards.
func (w *world) warm(t *testing.T) {
	t.Helper()
	for _, to := range both {
		expect(t, w.client, testhost.Probe{Proto: testhost.ICMP, To: to, Timeout: 5 * time.Second}, "")
	}
}

// expect probes and compares the reason, "" being an answer.
func expect(t *testing.T, h *testhost.Host, p testhost.Probe, want testhost.Reason) testhost.Result {
	t.Helper()
	r := h.Probe(t.Context(), p)
	if r.Reason != want || r.OK != (want == "") {
		t.Errorf("%s: %s: got %q (%s), want %q", h.Name(), p, r.Reason, r, want)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// short is the timeout of probes that must not be answered.
const short = 300 * time.Millisecond
