package testhost_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

func TestProbeIsAnsweredAndTellsTheSourceSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, to := range both {
		source := map[bool]netip.Addr{true: client4, false: client6}[to.Is4()]
		for _, proto := range []testhost.Proto{testhost.ICMP, testhost.TCP, testhost.UDP} {
			r := expect(t, w.client, testhost.Probe{Proto: proto, To: to}, "")
			if r.By != to || r.RTT <= 0 || r.RTT > testhost.DefaultTimeout {
				t.Errorf("%s %s: answered by %s after %s, want %s", name, proto, r.By, r.RTT, to)
			}
			if proto != testhost.ICMP && (r.Seen != source || r.SeenPort == 0) {
				t.Errorf("%s %s: seen as %s port %d, want %s", name, proto, r.Seen, r.SeenPort, source)
			}
		}
	}
}

func TestProbeSeesTheAddressThatNATGives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nstest.Run(t, w.router.NS(), "nft", "add table inet n; add chain inet n post { type nat hook postrouting priority 100; }; add rule inet n post oifname br2 masquerade")
	for want, to := range map[string]netip.Addr{"10.2.0.1": server4, "fd00:2::1": server6} {
		for _, proto := range []testhost.Proto{testhost.TCP, testhost.UDP} {
			if r := expect(t, w.client, testhost.Probe{Proto: proto, To: to}, ""); r.Seen != addr(want) {
				t.Errorf("%s: seen as %s, want %s", proto, r.Seen, want)
			}
		}
		expect(t, w.client, testhost.Probe{Proto: testhost.ICMP, To: to}, "")
	}
}

// What a router does to a packet, and what each kind of probe says about it.
func TestProbeSaysWhyItWasNotAnswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rule string
		protos     []testhost.Proto
		four, six  testhost.Reason
	}{
		{"dropped", "drop", all, testhost.Timeout, testhost.Timeout},
		{"rejected", "reject", all, testhost.Refused, testhost.Refused},
		{"reset", "meta l4proto tcp reject with tcp reset", []testhost.Proto{testhost.TCP}, testhost.Refused, testhost.Refused},
		{"prohibited", "reject with icmpx type admin-prohibited", all, testhost.AdminProhibited, testhost.AdminProhibited},
		{"no route", "reject with icmpx type no-route", all, testhost.NetworkUnreachable, testhost.NetworkUnreachable},
		{"host unreachable", "reject with icmpx type host-unreachable", all, testhost.HostUnreachable, testhost.HostUnreachable},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.warm(t)
			w.rules(t, c.rule)
			w.echo.Forget()
			for _, proto := range c.protos {
				four := expect(t, w.client, testhost.Probe{Proto: proto, To: server4, Timeout: patience(c.four)}, c.four)
				expect(t, w.client, testhost.Probe{Proto: proto, To: server6, Timeout: patience(c.six)}, c.six)
				if silent := c.four == testhost.Timeout; silent == four.By.IsValid() {
					t.Errorf("%s: said by %s, although silent is %v", proto, four.By, silent)
				}
				if c.four != testhost.Timeout && c.four != testhost.Refused && four.By != addr("10.1.0.1") {
					t.Errorf("%s: said by %s, want the router", proto, four.By)
				}
			}
			if seen := w.echo.Select(testhost.Packet.IsProbe); len(seen) != 0 {
				t.Errorf("the server got %v, want nothing", seen)
			}
		})
	}
}

var all = []testhost.Proto{testhost.ICMP, testhost.TCP, testhost.UDP}

// patience is short only where silence is expected.
func patience(r testhost.Reason) time.Duration {
	if r == testhost.Timeout {
		return short
	}
	return 5 * time.Second
}

func TestProbeToAClosedPortIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, to := range both {
		for _, proto := range []testhost.Proto{testhost.TCP, testhost.UDP} {
			if r := expect(t, w.client, testhost.Probe{Proto: proto, To: to, Port: 9}, testhost.Refused); r.By != to {
				t.Errorf("%s: refused by %s, want %s", proto, r.By, to)
			}
		}
	}
}

func TestProbeTellsLocalObstacles(t *testing.T) {
	t.Parallel()
	h := nstest.Host(t, "alone")
	expect(t, h, testhost.Probe{Proto: testhost.ICMP, To: server4}, testhost.NetworkUnreachable)
	expect(t, h, testhost.Probe{Proto: testhost.TCP, To: server4}, testhost.NetworkUnreachable)
	expect(t, h, testhost.Probe{Proto: testhost.UDP, To: server6}, testhost.NetworkUnreachable)
	nstest.Run(t, h.NS(), "nft", "add table inet t; add chain inet t out { type filter hook output priority 0; policy drop; }")
	expect(t, h, testhost.Probe{Proto: testhost.ICMP, To: addr("127.0.0.1")}, testhost.NotPermitted)
	expect(t, h, testhost.Probe{Proto: testhost.UDP, To: addr("::1")}, testhost.NotPermitted)
	for _, p := range []testhost.Probe{{Proto: "sctp", To: server4}, {Proto: testhost.TCP}, {Proto: testhost.ICMP, To: addr("fe80::1%none0")}} {
		if r := expect(t, h, p, testhost.Failed); r.Err == "" {
			t.Errorf("%s: failed without saying why", p)
		}
	}
}

func TestProbeToAnAddressNobodyHolds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, proto := range all {
		expect(t, w.client, testhost.Probe{Proto: proto, To: addr("10.1.0.99"), Timeout: short}, testhost.Timeout)
	}
	// The router asks for a neighbour of its own for three seconds, then says so.
	if r := w.client.Probe(t.Context(), testhost.Probe{Proto: testhost.ICMP, To: addr("10.2.0.99"), Timeout: 20 * time.Second}); r.Reason != testhost.HostUnreachable || r.By != addr("10.1.0.1") {
		t.Errorf("got %s by %s, want %s by the router", r.Reason, r.By, testhost.HostUnreachable)
	}
}

func TestProbeFromAChosenSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.client.AddAddress("eth0", prefix("10.1.0.7/24"), prefix("fd00:1::7/64")))
	for _, c := range []struct{ from, to netip.Addr }{{addr("10.1.0.7"), server4}, {addr("fd00:1::7"), server6}} {
		for _, proto := range all {
			r := expect(t, w.client, testhost.Probe{Proto: proto, To: c.to, From: c.from, FromPort: 4000}, "")
			if proto != testhost.ICMP && (r.Seen != c.from || r.SeenPort != 4000) {
				t.Errorf("%s: seen as %s port %d, want %s port 4000", proto, r.Seen, r.SeenPort, c.from)
			}
		}
	}
}

func TestProbeFromAForeignSourceLeavesAndGetsNoAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct{ from, to netip.Addr }{{addr("203.0.113.5"), server4}, {addr("2001:db8::5"), server6}} {
		for _, proto := range all {
			expect(t, w.client, testhost.Probe{Proto: proto, To: c.to, From: c.from, Timeout: short}, testhost.Timeout)
			if _, err := w.echo.Wait(soon(t), func(p testhost.Packet) bool {
				return p.IsProbe() && p.Src == c.from && p.Proto == proto
			}); err != nil {
				t.Errorf("%s from %s did not arrive: %v", proto, c.from, err)
			}
		}
	}
}

// soon is a context for what must happen within a few seconds.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestProbeSizeFindsThePathMTU(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nstest.Run(t, w.router.NS(), "ip", "link", "set", nstest.PortName("server"), "mtu", "1400")
	nstest.Run(t, w.router.NS(), "ip", "link", "set", "br2", "mtu", "1400")
	nstest.Run(t, w.server.NS(), "ip", "link", "set", "eth0", "mtu", "1400")
	for _, proto := range []testhost.Proto{testhost.ICMP, testhost.UDP} {
		expect(t, w.client, testhost.Probe{Proto: proto, To: server4, Size: 1400 - 28, DontFrag: true}, "")
		expect(t, w.client, testhost.Probe{Proto: proto, To: server4, Size: 1400 - 27, DontFrag: true}, testhost.TooBig)
		expect(t, w.client, testhost.Probe{Proto: proto, To: server6, Size: 1400 - 47, DontFrag: true}, testhost.TooBig)
		expect(t, w.client, testhost.Probe{Proto: proto, To: server4, Size: 1400 - 27}, "")
		expect(t, w.client, testhost.Probe{Proto: proto, To: server4, Size: 1600, DontFrag: true}, testhost.TooBig)
	}
}

func TestProbeReturnsWhenTheContextEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rules(t, "drop")
	for _, proto := range all {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		start := time.Now()
		r := w.client.Probe(ctx, testhost.Probe{Proto: proto, To: server4, Timeout: time.Minute})
		cancel()
		if r.Reason != testhost.Timeout || time.Since(start) > 10*time.Second {
			t.Errorf("%s: %s after %s, want a timeout at once", proto, r, time.Since(start))
		}
	}
}

// The first packets are lost, as they are on a bridge that has just learnt a port.
func TestProbeAsksAgainWithinItsTimeout(t *testing.T) {
	t.Parallel()
	for _, proto := range all {
		t.Run(string(proto), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.warm(t)
			w.rules(t, "limit rate 1/day burst 1 packets drop") // which is the first packet only
			expect(t, w.client, testhost.Probe{Proto: proto, To: server4, Timeout: 3 * time.Second}, "")
		})
	}
}

func TestProbeTCPWithoutAnEchoNeedsOnlyTheHandshake(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var mute net.Listener // whose kernel shakes hands and which never speaks
	must(t, w.server.NS().Do(func() (err error) {
		mute, err = net.Listen("tcp4", ":81")
		return err
	}))
	defer mute.Close()
	expect(t, w.client, testhost.Probe{Proto: testhost.TCP, To: server4, Port: 81, Connect: true}, "")
	expect(t, w.client, testhost.Probe{Proto: testhost.TCP, To: server4, Port: 81, Timeout: short}, testhost.Timeout)
}

func TestProbeToALinkLocalAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	addrs, err := w.router.Addresses("br1")
	must(t, err)
	for _, a := range addrs {
		if a.Addr().IsLinkLocalUnicast() {
			for _, proto := range []testhost.Proto{testhost.ICMP} {
				expect(t, w.client, testhost.Probe{Proto: proto, To: a.Addr().WithZone("eth0")}, "")
			}
			nstest.Serve(t, w.router)
			expect(t, w.client, testhost.Probe{Proto: testhost.UDP, To: a.Addr().WithZone("eth0")}, "")
			expect(t, w.client, testhost.Probe{Proto: testhost.TCP, To: a.Addr().WithZone("eth0")}, "")
			return
		}
	}
	t.Errorf("the bridge has no link-local address: %v", addrs)
}

func TestResultPrintsForPeople(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]testhost.Result{
		"answered by 10.2.0.2, seen as 10.1.0.2:4000": {OK: true, By: server4, Seen: client4, SeenPort: 4000},
		"answered by 10.2.0.2":                        {OK: true, By: server4},
		"admin-prohibited, says 10.1.0.1":             {Reason: testhost.AdminProhibited, By: addr("10.1.0.1"), Err: "x"},
		"failed (no address)":                         {Reason: testhost.Failed, Err: "no address"},
		"timeout":                                     {Reason: testhost.Timeout},
	} {
		if got := r.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (testhost.Probe{Proto: testhost.TCP, To: server6, Port: 80, From: client6}).String(); !strings.Contains(got, "tcp [fd00:2::2]:80 from fd00:1::2") {
		t.Errorf("got %q", got)
	}
}
