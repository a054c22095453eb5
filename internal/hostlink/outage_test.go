package hostlink_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// Addresses behind the gateway outside.
var (
	internet4 = netip.MustParseAddr("203.0.113.9")
	internet6 = netip.MustParseAddr("2001:db8:ffff::9")
)

const echoPort = 7777

// uplinked is a machine with default routes by eth0, and an echo behind the gateway.
func uplinked(t testing.TB) (m, outside *testhost.Host, port uint16) {
	t.Helper()
	m, outside = machine(t,
		"ip addr add 192.0.2.2/24 dev eth0", "ip route add default via 192.0.2.1 src 192.0.2.2 metric 100 proto dhcp",
		"ip -6 addr add 2001:db8::2/64 dev eth0 valid_lft 7200 preferred_lft 3600 nodad",
		"ip -6 route add default via 2001:db8::1 proto ra metric 1024 expires 1800",
	)
	configure(t, outside.NS(),
		"ip addr add 192.0.2.1/24 dev far0", "ip -6 addr add 2001:db8::1/64 dev far0 nodad",
		"ip addr add 203.0.113.9/32 dev lo", "ip -6 addr add 2001:db8:ffff::9/128 dev lo",
	)
	nstest.Serve(t, outside, echoPort)
	return m, outside, echoPort
}

// journey is there and back.
func journey(t testing.TB, ns *netns.NS) {
	t.Helper()
	before := look(t, ns, "eth0", "br0")
	convert(t, ns)
	unconvert(t, ns)
	convert(t, ns)
	revert(t, ns, before)
}

// TestConnectionsDoNotNoticeAMove measures the longest time in which nothing came back
// on connections of both families. On a busy machine the best of three turns counts.
func TestConnectionsDoNotNoticeAMove(t *testing.T) {
	m, _, port := uplinked(t)
	for name, to := range map[string]netip.Addr{"IPv4": internet4, "IPv6": internet6} {
		t.Run(name, func(t *testing.T) {
			goesOn(t, m, netip.AddrPortFrom(to, port), func() { journey(t, m.NS()) })
		})
	}
}

// goesOn fails when a connection pauses for 100 ms each time something is done.
func goesOn(t *testing.T, from *testhost.Host, to netip.AddrPort, do func()) {
	t.Helper()
	const allowed = 100 * time.Millisecond
	best := time.Hour
	for turn := 0; turn < 3 && best >= allowed; turn++ {
		stream, err := from.TCPStream(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		do()
		report := stream.Stop()
		if report.Broken != "" || report.Bytes == 0 {
			t.Fatalf("the connection broke: %+v", report)
		}
		t.Logf("longest pause %s in %d KB", report.LongestStall, report.Bytes>>10)
		best = min(best, report.LongestStall)
	}
	if best >= allowed {
		t.Errorf("the shortest of the longest pauses is %s, and %s are allowed", best, allowed)
	}
}

// TestNoPacketIsLostOnTheWay pings from both sides while the machine moves there and
// back.
func TestNoPacketIsLostOnTheWay(t *testing.T) {
	m, outside, _ := uplinked(t)
	lost := func() (total int) {
		var streams []*testhost.PingStream
		for _, p := range []struct {
			from *testhost.Host
			to   string
		}{{m, "203.0.113.9"}, {m, "2001:db8:ffff::9"}, {outside, "192.0.2.2"}, {outside, "2001:db8::2"}} {
			s, err := p.from.PingStream(t.Context(), netip.MustParseAddr(p.to), time.Millisecond)
			if err != nil {
				t.Fatal(err)
			}
			streams = append(streams, s)
		}
		journey(t, m.NS())
		for _, s := range streams {
			r := s.Stop()
			if r.Received == 0 {
				t.Fatalf("no answer at all: %+v", r)
			}
			t.Logf("%d of %d lost, longest gap %s, refused %v", r.Lost, r.Sent, r.LongestGap, r.Refusals)
			total += r.Lost
		}
		return total
	}
	least := lost()
	for turn := 0; turn < 2 && least > 0; turn++ {
		least = min(least, lost())
	}
	if least > 12 {
		t.Errorf("at least %d packets were lost in each turn", least)
	}
}

// TestGuestsOfTheBridgeGoWithItsNIC: what is plugged into the bridge reaches the outside
// at once, not while the NIC is out, and again when that was taken back.
func TestGuestsOfTheBridgeGoWithItsNIC(t *testing.T) {
	t.Parallel()
	m, _, port := uplinked(t)
	first := look(t, m.NS(), "eth0", "br0")
	convert(t, m.NS())
	guest := nstest.Host(t, "guest")
	nstest.Join(t, guest, m, "br0", netip.MustParsePrefix("192.0.2.50/24"))
	reaches := func(when string, wanted bool) {
		t.Helper()
		patience := testhost.DefaultTimeout
		if !wanted {
			patience = 200 * time.Millisecond
		}
		probe := testhost.Probe{Proto: testhost.TCP, To: netip.MustParseAddr("192.0.2.1"), Port: port, Timeout: patience}
		if r := guest.Probe(t.Context(), probe); r.OK != wanted {
			t.Errorf("%s the guest: %s", when, r)
		}
		if r := m.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: internet4, Port: port}); !r.OK {
			t.Errorf("%s the machine: %s", when, r)
		}
	}
	reaches("in the bridge", true)
	within := look(t, m.NS(), "eth0")
	ops, warnings, err := hostlink.Unconvert(within, nil)
	if err != nil || len(warnings) != 1 || !strings.Contains(string(warnings[0]), "bridge br0 stays, with [v-guest]") {
		t.Fatalf("warnings %q, error %v", warnings, err)
	}
	apply(t, m.NS(), ops)
	if b := look(t, m.NS(), "br0"); len(b.Ports) != 1 || len(b.Routes) != 0 {
		t.Errorf("the bridge of the guest has ports %v and routes %v", b.Ports, b.Routes)
	}
	reaches("out of the bridge", false)
	revert(t, m.NS(), within)
	reaches("back in the bridge", true)
	revert(t, m.NS(), first)
	reaches("as at first", false)
}
