package nft

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/plan"
)

func TestNSPinnedNetworksLeaveByTheirUplinkOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}}, network{"route0", "route", []string{"route"}})
	outside, other := l.machines["outside"], l.machines["other"]
	var pins []plan.Object
	for _, bridge := range []string{"nat0", "route0"} {
		pins = append(pins, plan.Element{Map: "pinned", ID: bridge}, plan.Element{Map: "egress", ID: bridge + " . eth0"})
	}
	check := func(pinned bool) {
		t.Helper()
		for _, name := range []string{"nat", "route"} {
			guest := l.machines[name]
			for _, to := range []netip.Addr{outside.v4, outside.v6, other.v4, other.v6} {
				want := !pinned || to == outside.v4 || to == outside.v6
				wait := no
				if want {
					wait = yes
				}
				if _, err := guest.reach("tcp", to, wait); (err == nil) != want {
					t.Errorf("pinned %v: %s to %s: error %v, want reached %v", pinned, name, to, err, want)
				}
			}
		}
	}
	check(false)
	l.apply(plan.Add, pins...)
	check(true)
	if l.packets("pinned") == 0 {
		t.Error("no packet counted as pinned")
	}
	l.apply(plan.Del, pins...)
	check(false)
}

func TestNSPinnedNetworkGoesSilentWhenTheRouteMoves(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"guest"}})
	l.apply(plan.Add, plan.Element{Map: "pinned", ID: "nat0"}, plan.Element{Map: "egress", ID: "nat0 . eth0"})
	guest, other := l.machines["guest"], l.machines["other"]
	far := netip.MustParseAddr("192.0.2.7")
	for _, name := range []string{"outside", "other"} {
		l.machines[name].assume(far)
	}
	l.host.ip("route add 192.0.2.7 via 203.0.113.2")
	conn, err := guest.dial("tcp", netip.Addr{}, far, yes)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	exchange(t, conn)
	tap := listenRaw(t, other.ns, "ip4:tcp")
	l.host.ip("route replace 192.0.2.7 via 198.51.100.2")
	if _, err := conn.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the packet is refused", func() bool { return l.packets("pinned") > 0 })
	tap.SetReadDeadline(time.Now().Add(no))
	if n, from, err := tap.ReadFrom(make([]byte, 256)); err == nil {
		t.Errorf("an established connection of %s left by the other uplink, %d bytes", from, n)
	}
}

func TestNSHeldUplinksForwardForOurNetworksOnly(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"nat0", "nat", []string{"nat"}}, network{"route0", "route", []string{"route"}},
		network{"open0", "open", []string{"open"}})
	outside, other := l.machines["outside"], l.machines["other"]
	held := []plan.Object{plan.Element{Map: "held4", ID: "eth0"}, plan.Element{Map: "held6", ID: "eth0"}}
	for _, to := range []netip.Addr{other.v4, other.v6} {
		if _, err := outside.reach("tcp", to, yes); err != nil {
			t.Fatalf("before: outside to other: %v", err)
		}
	}
	l.apply(plan.Add, held...)
	for _, protocol := range []string{"tcp", "udp", "icmp"} {
		for _, to := range []netip.Addr{other.v4, other.v6} {
			if _, err := outside.reach(protocol, to, no); err == nil {
				t.Errorf("outside reached other by %s to %s over a held uplink", protocol, to)
			}
			if other.heard("outside to " + to.String()) {
				t.Errorf("a datagram from outside reached %s", to)
			}
		}
	}
	for _, want := range []struct {
		from *machine
		to   [2]netip.Addr
	}{
		{l.machines["nat"], [2]netip.Addr{outside.v4, outside.v6}},
		{l.machines["route"], [2]netip.Addr{outside.v4, outside.v6}},
		{outside, [2]netip.Addr{l.machines["route"].v4, l.machines["route"].v6}},
		{outside, [2]netip.Addr{l.machines["open"].v4, l.machines["open"].v6}},
		{outside, [2]netip.Addr{netip.MustParseAddr("203.0.113.1"), netip.MustParseAddr("2001:db8:1::1")}},
	} {
		for _, to := range want.to {
			if _, err := want.from.reach("tcp", to, yes); err != nil {
				t.Errorf("%s to %s: %v", want.from.name, to, err)
			}
		}
	}
	if l.packets("held") == 0 {
		t.Error("no packet counted as held")
	}
}

func TestNSHeldHostBridgeStillBridges(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.host.ip("link add br0 type bridge forward_delay 0 mcast_snooping 0", "link set br0 up")
	var lan []*machine
	for i, name := range []string{"lan-a", "lan-b"} {
		m := newMachine(t, name)
		m.v4 = netip.AddrFrom4([4]byte{192, 168, 7, byte(i + 1)})
		port := fmt.Sprintf("lan%d", i)
		l.host.ip("link add "+port+" type veth peer name eth0 netns "+m.path(), "link set "+port+" master br0", "link set "+port+" up")
		m.ip("link set eth0 up", "addr add "+m.v4.String()+"/24 dev eth0")
		m.serve()
		lan = append(lan, m)
	}
	held, segment := el("held4", "br0", ""), el("segments", "br0 . br0", "")
	for _, c := range []struct {
		rows []plan.Object
		want bool
	}{{nil, true}, {[]plan.Object{held}, false}, {[]plan.Object{held, segment, l.router("br0")}, true}} {
		if len(c.rows) > 0 {
			l.apply(plan.Add, c.rows...)
		}
		wait := no
		if c.want {
			wait = yes
		}
		// Without its segment row a held bridge would judge the frames of its LAN:
		// the row is needed.
		if _, err := lan[0].reach("tcp", lan[1].v4, wait); (err == nil) != c.want {
			t.Errorf("with %v: error %v, want reached %v", c.rows, err, c.want)
		}
	}
	// But the host is no router for that LAN: what is sent to its own address to be
	// turned around is dropped.
	l.host.ip("addr add 192.168.7.254/24 dev br0")
	l.host.sysctl("net/ipv4/conf/br0/forwarding", "1")
	l.host.sysctl("net/ipv4/conf/br0/send_redirects", "0")
	l.host.sysctl("net/ipv4/conf/all/send_redirects", "0")
	lan[1].ip("addr add 198.51.100.9/32 dev lo")
	l.host.ip("route add 198.51.100.9 via " + lan[1].v4.String())
	lan[0].ip("route add 198.51.100.9 via 192.168.7.254")
	before := l.packets("held")
	if _, err := lan[0].reach("icmp", netip.MustParseAddr("198.51.100.9"), no); err == nil || l.packets("held") == before {
		t.Errorf("a held bridge routes for its LAN: %v, %d packets held", err, l.packets("held")-before)
	}
	l.apply(plan.Del, held)
	if _, err := lan[0].reach("icmp", netip.MustParseAddr("198.51.100.9"), yes); err != nil {
		t.Errorf("the route does not work without the hold either: %v", err)
	}
}

// router is the row for a held bridge: its own address.
func (l *lab) router(bridge string) plan.Object {
	out, err := l.host.run("", "ip", "-br", "link", "show", bridge)
	fields := strings.Fields(out)
	if err != nil || len(fields) < 3 {
		l.t.Fatal(out, err)
	}
	return el("routers", bridge+" . "+fields[2], "")
}
