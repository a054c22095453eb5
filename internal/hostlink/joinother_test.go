package hostlink_test

import (
	"strings"
	"testing"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/nstest"
)

// TestRevertLeavesAnotherBridgeAlone: the NIC gets its own back, and what is called as
// its bridge was keeps what it has.
func TestRevertLeavesAnotherBridgeAlone(t *testing.T) {
	t.Parallel()
	for name, remake := range map[string][]string{
		"gone":    {"ip link del br0"},
		"another": {"ip link del br0", "ip link add br0 address 52:54:00:00:00:b1 type bridge", "ip link set br0 up", "ip addr add 10.99.0.1/24 dev br0", "ip route add 10.98.0.0/16 via 10.99.0.9"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := inhabited(t, configurations["IPv4"], bridges["guests and addresses"], false)
			nic := ownOf(t, m.NS(), "eth0")
			before, ops := toJoin(t, m.NS())
			apply(t, m.NS(), ops)
			configure(t, m.NS(), remake...)
			other := func() string {
				return nstest.Run(t, m.NS(), "sh", "-c", "ip addr show br0 | grep -v state; ip route show dev br0; true")
			}
			is := other()
			rejoin(t, m.NS(), before)
			same(t, "of the NIC", nic, ownOf(t, m.NS(), "eth0"))
			same(t, "of the other bridge", is, other())
		})
	}
}

// TestWhatCameMeanwhileGoesWithARevert: what a router or somebody gave the bridge after
// the NIC came is taken, and a guest that came stays.
func TestWhatCameMeanwhileGoesWithARevert(t *testing.T) {
	t.Parallel()
	m := inhabited(t, configurations["router advertisements"], bridges["guests and addresses"], true)
	before := bothDumped(t, m.NS())
	state, ops := toJoin(t, m.NS())
	apply(t, m.NS(), ops)
	configure(t, m.NS(),
		"ip -6 addr add 2001:db8:99::1/64 dev br0 valid_lft 9000 preferred_lft 9000 mngtmpaddr", "ip addr add 10.99.0.1/24 dev br0", "ip addr del 10.55.0.2/24 dev br0",
		"ip -6 route add default via fe80::99 dev br0 metric 1025", "ip neigh add 10.55.0.99 lladdr 52:54:00:00:55:99 dev br0", "ip neigh del 10.55.0.77 dev br0",
		"ip rule add pref 99 iif br0 lookup 199", "ip maddr add 01:00:5e:09:09:09 dev br0", "ip link set br0 mtu 1300", "ip route del 10.56.0.0/16",
		"sysctl -qw net.ipv4.conf.br0.rp_filter=2", "ip link set eth4 master br0",
	)
	rejoin(t, m.NS(), state)
	if ports := look(t, m.NS(), "br0").Ports; strings.Join(ports, " ") != "eth2 eth3 eth4" {
		t.Errorf("the ports are %v", ports)
	}
	configure(t, m.NS(), "ip link set eth4 nomaster")
	settled(t, m.NS())
	same(t, "after the revert", before, bothDumped(t, m.NS()))
}

// A guest that came to the bridge while the change waited keeps its carrier and IPv6,
// which the bridge did not have before.
func TestRevertLeavesGuestsThatCameMeanwhileAlone(t *testing.T) {
	t.Parallel()
	m := inhabited(t, []string{"ip addr add 192.0.2.2/24 dev eth0"}, bridges["without a port ever"], true)
	before := look(t, m.NS(), "eth0", "br0")
	ops, _, err := hostlink.Convert(before, hostlink.Options{Bridge: "br0"})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, m.NS(), ops)
	nstest.Run(t, m.NS(), "ip", "link", "set", "eth2", "master", "br0")
	settled(t, m.NS())
	for range 2 {
		ops, err = hostlink.Revert(look(t, m.NS(), "eth0", "br0"), before)
		if err != nil || strings.Contains(text(ops), "br0 down") {
			t.Fatalf("%v\n%s", err, text(ops))
		}
		apply(t, m.NS(), ops)
	}
	if len(ops) > 0 {
		t.Errorf("never done:\n%s", text(ops))
	}
	if local := nstest.Run(t, m.NS(), "ip", "-6", "-o", "addr", "show", "dev", "br0"); strings.Count(local, "fe80::") != 1 {
		t.Errorf("br0 has %q", local)
	}
	if routes := nstest.Run(t, m.NS(), "ip", "-6", "route", "show", "table", "local"); !strings.Contains(routes, "multicast ff00::/8 dev br0") {
		t.Errorf("no multicast:\n%s", routes)
	}
	if links := nstest.Run(t, m.NS(), "ip", "-o", "link", "show", "master", "br0"); strings.Contains(links, "eth0") || !strings.Contains(links, "eth2") {
		t.Errorf("ports %s", links)
	}
}

// TestUnconvertKnowsTheBridgeOfAnEarlierBoot, by what it had: numbers and lifetimes are
// others. A bridge that had another MAC then has that again.
func TestUnconvertKnowsTheBridgeOfAnEarlierBoot(t *testing.T) {
	t.Parallel()
	m := inhabited(t, configurations["IPv4 with source"], bridges["guests and addresses"], true)
	before := bothDumped(t, m.NS())
	state, ops := toJoin(t, m.NS())
	apply(t, m.NS(), ops)
	own := kept(t, *state.Bridge)
	own.Index, own.Taken = 4711, 1<<60
	for i, a := range own.Addresses {
		for j, attr := range a.Attrs {
			if attr.Type == 6 && attr.Data[4] != 0xff { // IFA_CACHEINFO with an end
				own.Addresses[i].Attrs[j].Data = append(make([]byte, 8), attr.Data[8:]...)
			}
		}
	}
	own.Routes[0].Rank = 7
	parting, warnings, err := hostlink.Unconvert(look(t, m.NS(), "eth0"), &own)
	if err != nil {
		t.Fatal(err)
	}
	if all := join(warnings); !strings.Contains(all, "bridge br0 stays, with [eth2 eth3]: they do not reach the outside by eth0") || len(warnings) != 1 {
		t.Errorf("warnings:\n%s", all)
	}
	apply(t, m.NS(), parting)
	same(t, "after unconvert", before, bothDumped(t, m.NS()))
}

// TestWhatBothHadStaysWithTheBridge in an unconvert, which knows only what that had.
func TestWhatBothHadStaysWithTheBridge(t *testing.T) {
	t.Parallel()
	m := inhabited(t, configurations["tables and rules"], bridges["as the NIC"], false)
	bridge := ownOf(t, m.NS(), "br0")
	state, ops := toJoin(t, m.NS())
	apply(t, m.NS(), ops)
	parting, _, err := hostlink.Unconvert(look(t, m.NS(), "eth0"), state.Bridge)
	if err != nil {
		t.Fatal(err)
	}
	apply(t, m.NS(), parting)
	same(t, "of the bridge", bridge, ownOf(t, m.NS(), "br0"))
	if nic := look(t, m.NS(), "eth0"); len(nic.Addresses) != len(state.Addresses) || nic.Link.Master != "" {
		t.Errorf("the NIC has %d addresses, not %d, and is in %q", len(nic.Addresses), len(state.Addresses), nic.Link.Master)
	}
}

// TestWhatIsOnABridgeFollowsItsMAC, as VLANs do, and then needs its neighbours again.
func TestWhatIsOnABridgeFollowsItsMAC(t *testing.T) {
	t.Parallel()
	m := inhabited(t, nil, append(bridges["guests and addresses"][:4:4], "ip link add link br0 name mv0 type macvlan", "ip link set mv0 up",
		"ip addr add 10.67.0.1/24 dev mv0", "ip neigh add 10.67.0.77 lladdr 52:54:00:00:67:77 dev mv0 nud permanent",
		"ip neigh add proxy 10.67.0.88 dev mv0"), false)
	s := look(t, m.NS(), "eth0", "br0")
	s.Bridge.Link.Uppers[0].MAC = s.Bridge.Link.MAC // as that of a VLAN is
	ops, _, err := hostlink.Convert(s, hostlink.Options{Bridge: "br0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := hostlink.Apply(t.Context(), m.NS(), ops, nil); err != nil {
		t.Fatal(err)
	}
	all, at := text(ops), 0
	for _, part := range []string{
		"net.ipv4.conf.mv0.arp_notify=1", "net.ipv6.conf.mv0.ndisc_notify=1", "ip link set br0 address " + s.Link.MAC.String(),
		"net.ipv4.conf.mv0.arp_notify=0", "net.ipv6.conf.mv0.ndisc_notify=0", "ip neigh replace 10.67.0.77 lladdr 52:54:00:00:67:77 dev mv0",
	} {
		i := strings.Index(all[at:], part)
		if i < 0 {
			t.Fatalf("no %q, or not in order, in\n%s", part, all)
		}
		at += i
	}
	if strings.Contains(all, "10.67.0.88") {
		t.Errorf("a proxy, which the kernel keeps, is given again:\n%s", all)
	}
}
