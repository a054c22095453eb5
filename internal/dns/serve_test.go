package dns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/miekg/dns"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/socket"
	"kvmnet/internal/testhost"
)

// needDig skips a test where dig is missing.
func needDig(t testing.TB) { need(t, "dig", "bind9-dnsutils") }

func TestDigGetsEveryKindOfRecord(t *testing.T) {
	t.Parallel()
	needDig(t)
	w := newWorld(t, crowded(300), Options{Names: labNames()})
	for _, c := range []struct{ ask, want string }{
		{"vm1.lab.internal A", "192.168.100.20"},
		{"guest A", "192.168.100.77"},
		{"GUEST.lab.internal AAAA", "fd00:100::77"},
		{"any.apps.lab.internal A", "192.168.100.40"},
		{"www.lab.internal A", "nas.lab.internal. 192.168.100.30"},
		{"vm1.lab.internal TXT", `"say \"hi\" \\o/"`},
		{"_ldap._tcp.lab.internal SRV", "1 2 389 nas.lab.internal."},
		{"lab.internal MX", "10 nas.lab.internal."},
		{"lab.internal NS", "gateway.lab.internal."},
		{"-x 192.168.100.20", "vm1.lab.internal."},
		{"-x fd00:100::77", "guest.lab.internal."},
		{"nobody.lab.internal A", ""},
		{"vm1.lab.internal ANY", "192.168.100.20"},
	} {
		for _, way := range []string{"@192.168.100.1", "@192.168.100.1 +tcp", "@fd00:100::1", "@fd00:100::1 +tcp", "@192.168.100.1 +noedns", "@fd00:100::1 +dnssec +cd"} {
			got := dig(t, w.guest, strings.Fields("+short "+way+" "+c.ask)...)
			if got = strings.Join(strings.Fields(got), " "); got != c.want {
				t.Errorf("%s %s: %q, want %q", way, c.ask, got, c.want)
			}
		}
	}
	if n := len(strings.Fields(dig(t, w.guest, "+short", "@192.168.100.1", "big300.lab.internal"))); n != 300 {
		t.Errorf("%d addresses after truncation", n)
	}
	out := dig(t, w.guest, "@fd00:100::1", "nobody.lab.internal", "+ednsopt=10:0102030405060708")
	if !strings.Contains(out, "status: NXDOMAIN") || !strings.Contains(out, "flags: qr aa rd ra") || !strings.Contains(out, "SOA\tgateway.lab.internal. hostmaster.lab.internal.") {
		t.Error(out)
	}
}

func TestHostItselfMayAsk(t *testing.T) {
	t.Parallel()
	needDig(t)
	c := labPlan()
	c.Allowed = nil
	w := newWorld(t, c, Options{})
	for _, way := range []string{"@192.168.100.1", "@192.168.100.1 +tcp", "@fd00:100::1", "@192.168.100.1 -b 127.0.0.1", "@fd00:100::1 +tcp"} {
		if got := dig(t, w.machine, strings.Fields("+short "+way+" vm1.lab.internal")...); got != "192.168.100.20" {
			t.Errorf("%s: %q", way, got)
		}
	}
}

// silentTo asks once and fails when there is an answer.
func silentTo(t *testing.T, from *testhost.Host, way string) {
	t.Helper()
	args := append(strings.Fields("+time=1 +tries=1 +short "+way), "vm1.lab.internal")
	out, err := from.Command(t.Context(), "dig", args...).Output()
	if err == nil && !strings.Contains(string(out), "timed out") && !strings.Contains(string(out), "failed") {
		t.Errorf("%s was answered: %s", way, out)
	}
}

func TestOthersAreNotAnswered(t *testing.T) {
	t.Parallel()
	needDig(t)
	w := newWorld(t, labPlan(), Options{})
	must(t, w.machine.Bridge("other0"))
	must(t, w.machine.AddAddress("other0", prefix("10.66.0.1/24"), prefix("fd00:66::1/64")))
	other := nstest.Host(t, "other")
	// It has an address of the network, too, but is not on it.
	nstest.Join(t, other, w.machine, "other0", prefix("10.66.0.2/24"), prefix("fd00:66::2/64"), prefix("192.168.100.99/32"))
	must(t, other.Gateways(addr("10.66.0.1"), addr("fd00:66::1")))
	for i, way := range []string{"@192.168.100.1", "@fd00:100::1", "@192.168.100.1 +tcp", "@192.168.100.1 -b 192.168.100.99"} {
		before := w.s.Counters().Denied
		silentTo(t, other, way)
		if after := w.s.Counters().Denied; after == before {
			t.Errorf("%d: %s was not counted", i, way)
		}
	}
	// A guest with a foreign address.
	must(t, w.guest.AddAddress("eth0", prefix("10.77.0.2/24")))
	must(t, w.machine.AddRoute(prefix("10.77.0.0/24"), addr("192.168.100.20")))
	before := w.s.Counters().Denied
	silentTo(t, w.guest, "@192.168.100.1 -b 10.77.0.2")
	if w.s.Counters().Denied == before {
		t.Error("a foreign address was not counted")
	}
}

func TestPortOfOneAddressTakenByAnotherProcess(t *testing.T) {
	t.Parallel()
	needDig(t)
	w := newWorld(t, nil, Options{})
	var holder net.PacketConn
	must(t, w.machine.NS().Do(func() (err error) {
		holder, err = net.ListenPacket("udp", "192.168.100.1:53")
		return err
	}))
	defer holder.Close()
	for range 2 {
		err := w.s.Set(labPlan(), w.bridge)
		taken, ok := errors.AsType[*socket.TakenError](err)
		if !ok || taken.Address != "192.168.100.1" || taken.Port != 53 {
			t.Fatalf("error %v", err)
		}
		if !strings.Contains(err.Error(), "stop it, or have it listen on other addresses") {
			t.Errorf("no way out: %v", err)
		}
		for _, way := range []string{"@fd00:100::1", "@192.168.100.1 +tcp"} {
			if got := dig(t, w.guest, strings.Fields("+short "+way+" vm1")...); got != "192.168.100.20" {
				t.Errorf("%s: %q", way, got)
			}
		}
	}
	holder.Close()
	must(t, w.s.Set(labPlan(), w.bridge))
	if got := dig(t, w.guest, "+short", "@192.168.100.1", "vm1"); got != "192.168.100.20" {
		t.Errorf("after it was freed: %q", got)
	}
}

// TestLiveChangesLoseNoQuery asks one question after the other, by UDP without a
// second try and on one TCP connection, while the configuration changes.
func TestLiveChangesLoseNoQuery(t *testing.T) {
	t.Parallel()
	w := newWorld(t, labPlan(), Options{Names: labNames()})
	var asked [2]atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	var clients sync.WaitGroup
	for i, network := range []string{"udp", "tcp"} {
		c := w.connect(t, network, "192.168.100.1:53")
		clients.Go(func() {
			for ctx.Err() == nil {
				n := asked[i].Add(1)
				if m, err := exchangeOn(c, fmt.Sprintf("x%d.apps.lab.internal.", n%7)); err != nil || len(m.Answer) != 1 {
					t.Errorf("query %d over %s: %v %v", n, network, err, m)
					stop()
				}
			}
		})
	}
	for i := 0; ctx.Err() == nil && (i < 100 || min(asked[0].Load(), asked[1].Load()) < 200); i++ {
		c := labPlan()
		c.Names[fmt.Sprintf("n%d", i)] = addrs("192.168.100.99")
		c.Rate = i % 2 * 1000000
		if i%3 == 0 {
			c.Listen = c.Listen[:1]
		}
		if err := w.s.Set(c, w.bridge); err != nil {
			t.Error(err)
		}
	}
	stop()
	clients.Wait()
}

// connect opens a connection from the guest.
func (w *world) connect(t testing.TB, network, to string) *dns.Conn {
	t.Helper()
	var c net.Conn
	must(t, w.guest.NS().Do(func() (err error) {
		c, err = net.DialTimeout(network, to, ample)
		return err
	}))
	t.Cleanup(func() { c.Close() })
	return &dns.Conn{Conn: c}
}

// exchangeOn asks a question on a connection and waits for its answer.
func exchangeOn(c *dns.Conn, name string) (*dns.Msg, error) {
	m, _, err := (&dns.Client{Timeout: ample}).ExchangeWithConn(new(dns.Msg).SetQuestion(name, dns.TypeA), c)
	return m, err
}

func TestForwardsToRealServers(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.Forwarders = []netip.AddrPort{server("127.0.0.1:5300")}
	c.Domains = map[string][]netip.AddrPort{
		"six.example":  {server("[::1]:5300")},
		"cut.example":  {server("127.0.0.1:5301")},
		"dead.example": {server("127.0.0.1:5399"), server("127.0.0.1:5300")},
		"gone.example": {server("127.0.0.1:5399")},
	}
	w := newWorld(t, nil, Options{})
	ns := w.machine.NS()
	four := upstreamAt(t, ns, "127.0.0.1:5300", answering(60, "10.4.4.4"))
	upstreamAt(t, ns, "[::1]:5300", answering(60, "10.6.6.6"))
	cut := upstreamAt(t, ns, "127.0.0.1:5301", func(q *dns.Msg, stream bool) *dns.Msg {
		m := answering(60, "10.5.5.5")(q, stream)
		if m.Truncated = !stream; m.Truncated {
			m.Answer = nil
		}
		return m
	})
	must(t, w.s.Set(c, w.bridge))
	udp, tcp := w.connect(t, "udp", "192.168.100.1:53"), w.connect(t, "tcp", "[fd00:100::1]:53")
	for name, want := range map[string]string{
		"www.example.": "10.4.4.4", "x.six.example.": "10.6.6.6", "x.cut.example.": "10.5.5.5", "x.dead.example.": "10.4.4.4", "far.lab.internal.": "10.4.4.4", "x.gone.example.": "",
	} {
		for _, conn := range []*dns.Conn{udp, tcp} {
			m, err := exchangeOn(conn, name)
			must(t, err)
			got := ""
			if n := len(m.Answer); n > 0 {
				got = m.Answer[n-1].(*dns.A).A.String()
			}
			if got != want || (want == "") != (m.Rcode == dns.RcodeServerFailure) {
				t.Errorf("%s: %v", name, m)
			}
		}
	}
	if cut.tcp.Load() != 1 || four.asked.Load() != 3 {
		t.Errorf("%d questions over TCP, %d to the forwarder", cut.tcp.Load(), four.asked.Load())
	}
}

// TestResolversOnTheHostsLoopbackAreReached has a network in a namespace other
// than the daemon's, where the stub of the host's resolver is not.
func TestResolversOnTheHostsLoopbackAreReached(t *testing.T) {
	nstest.Need(t)
	here, err := netns.Current()
	must(t, err)
	defer here.Close()
	upstreamAt(t, here, "127.0.0.53:53", answering(60, "10.53.53.53"))
	path := t.TempDir() + "/resolv.conf"
	writeFile(t, path, "nameserver 127.0.0.53\n")
	w := newWorld(t, labPlan(), Options{Upstream: NewUpstreams(path)})
	m, err := exchangeOn(w.connect(t, "udp", "192.168.100.1:53"), "www.example.")
	must(t, err)
	if len(m.Answer) != 1 {
		t.Errorf("%v", m)
	}
}

func TestServerWithoutConfigurationServesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, labPlan(), Options{})
	must(t, w.s.Set(nil, 0))
	for _, network := range []string{"udp", "tcp"} {
		nstest.Eventually(t, ample, func() error {
			return w.machine.NS().Do(func() error { return listenOnce(network, "192.168.100.1:53") })
		})
	}
	must(t, w.s.Set(labPlan(), w.bridge))
	if m, err := exchangeOn(w.connect(t, "udp", "192.168.100.1:53"), "vm1.lab.internal."); err != nil || len(m.Answer) != 1 {
		t.Errorf("served again: %v %v", m, err)
	}
}

// listenOnce fails when the port is taken.
func listenOnce(network, at string) error {
	var c io.Closer
	var err error
	if network == "udp" {
		c, err = net.ListenPacket(network, at)
	} else {
		c, err = net.Listen(network, at)
	}
	if err == nil {
		c.Close()
	}
	return err
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	c := labPlan()
	c.Forwarders = []netip.AddrPort{server("127.0.0.1:5300")}
	w := newWorld(t, c, Options{})
	upstreamAt(t, w.machine.NS(), "127.0.0.1:5300", func(*dns.Msg, bool) *dns.Msg { return nil })
	udp, tcp := w.connect(t, "udp", "192.168.100.1:53"), w.connect(t, "tcp", "192.168.100.1:53")
	must(t, udp.WriteMsg(new(dns.Msg).SetQuestion("x.example.", dns.TypeA)))
	must(t, tcp.WriteMsg(new(dns.Msg).SetQuestion("y.example.", dns.TypeA)))
	nstest.Eventually(t, ample, func() error {
		if n := w.s.Counters().Forwarded; n != 2 {
			return fmt.Errorf("%d under way", n)
		}
		return nil
	})
	w.s.Close() // returns when nothing runs any more
	if _, err := tcp.Read(make([]byte, 1)); err == nil {
		t.Error("the connection is still open")
	}
	if err := w.s.Set(c, w.bridge); err == nil {
		t.Error("a closed server can be set")
	}
	nstest.Eventually(t, ample, func() error { // a child of another test may still have it
		return w.machine.NS().Do(func() error { return listenOnce("udp", "192.168.100.1:53") })
	})
}
