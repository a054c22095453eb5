package hostlink_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/hostlink"
)

// plainBridge is a bridge that an interface can come into.
var plainBridge = []string{"ip link add br0 address " + bridgeMAC + " type bridge", "ip link set eth1 master br0", "ip link set br0 up"}

// TestJoinRefusesWithAReasonAndAWayOut, and the way out is one.
func TestJoinRefusesWithAReasonAndAWayOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines  []string
		change func(*hostlink.State)
		o      hostlink.Options
		reason string
		exit   string
	}{
		"a spanning tree":           {[]string{"ip link set br0 type bridge stp_state 1"}, nil, hostlink.Options{}, "br0 speaks the spanning tree protocol", "ip link set br0 type bridge stp_state 0"},
		"a spanning tree is wished": {nil, nil, hostlink.Options{STP: true}, "are for new bridges", "ip link set br0 type bridge stp_state 1 forward_delay 400"},
		"a delay is wished":         {nil, nil, hostlink.Options{Delay: 4}, "are for new bridges", "leave them out"},
		"a port of a VRF":           {nil, func(s *hostlink.State) { s.Bridge.Link.Master = "red" }, hostlink.Options{}, "br0 is a port of red", "ip link set br0 nomaster"},
		"down":                      {[]string{"ip link set br0 down"}, nil, hostlink.Options{}, "br0 is down", "ip link set br0 up"},
		"VLANs, none for new ports": {nil, func(s *hostlink.State) { s.Bridge.Link.Details = filtersVLANs(0) }, hostlink.Options{}, "br0 filters VLANs and has none", "ip link set br0 type bridge vlan_default_pvid 1"},
		"no MAC":                    {nil, func(s *hostlink.State) { clear(s.Bridge.Link.MAC[:]) }, hostlink.Options{}, "br0 has no MAC", "ip link set br0 address 52:54:00:00:00:81"},
		"the same address":          {[]string{"ip addr add 192.0.2.2/24 dev eth0", "ip addr add 192.0.2.2/32 dev br0"}, nil, hostlink.Options{}, "192.0.2.2 is an address of eth0 and of br0", "ip addr del 192.0.2.2/32 dev br0"},
		"the same IPv6 address":     {[]string{"ip addr add 2001:db8::2/64 dev eth0", "ip addr add 2001:db8::2/64 dev br0"}, nil, hostlink.Options{}, "2001:db8::2 is an address of eth0 and of br0", "ip addr del 2001:db8::2/64 dev br0"},
		"the same subnet":           {[]string{"ip addr add 192.0.2.2/24 dev eth0", "ip addr add 192.0.2.3/24 dev br0"}, nil, hostlink.Options{}, "192.0.2.2/24 of eth0 and 192.0.2.3/24 of br0 are of the same subnet", "ip addr del 192.0.2.3/24 dev br0"},
		"a route by both":           {[]string{"ip addr add 192.0.2.2/24 dev eth0", "ip addr add 10.55.0.1/24 dev br0", "ip route add default nexthop via 192.0.2.1 nexthop via 10.55.0.9"}, nil, hostlink.Options{}, "the route to 0.0.0.0/0 goes by eth0 and by br0", "ip route del 0.0.0.0/0"},
		"IPv6 would end":            {[]string{"ip link set eth0 mtu 1200", "ip addr add 2001:db8::2/64 dev br0"}, nil, hostlink.Options{}, "br0 would lose its IPv6", "ip link set eth0 mtu 1280"},
		"a VLAN of the NIC on it":   {nil, func(s *hostlink.State) { s.Link.Uppers = []hostlink.Upper{{Name: "eth1", Kind: "vlan"}} }, hostlink.Options{}, "eth1 is a port of br0, and on eth0", "ip link set eth1 nomaster"},
		"on one that carried nothing": {nil, func(s *hostlink.State) {
			s.Bridge.Link.Ready, s.Bridge.Link.Uppers = false, []hostlink.Upper{{Name: "br0.7"}}
		}, hostlink.Options{}, "br0 has had no carrier yet", "ip link del br0.7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, _ := machine(t, append(plainBridge[:3:3], c.lines...)...)
			s := look(t, m.NS(), "eth0", "br0")
			if c.change != nil {
				c.change(&s)
			}
			c.o.Bridge = "br0"
			ops, _, err := hostlink.Convert(s, c.o)
			if err == nil || !strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), c.exit) || ops != nil {
				t.Fatalf("got %d ops and %v, want %q and %q", len(ops), err, c.reason, c.exit)
			}
			if c.change != nil || c.o != (hostlink.Options{Bridge: "br0"}) {
				return
			}
			configure(t, m.NS(), c.exit)
			if _, _, err := hostlink.Convert(look(t, m.NS(), "eth0", "br0"), c.o); err != nil {
				t.Errorf("after the way out: %v", err)
			}
		})
	}
}

// filtersVLANs are details of a bridge as a kernel tells them that knows VLANs.
func filtersVLANs(pvid uint16) hostlink.Attrs {
	return hostlink.Attrs{{Type: unix.IFLA_BR_VLAN_FILTERING, Data: []byte{1}}, {Type: unix.IFLA_BR_VLAN_DEFAULT_PVID, Data: binary.NativeEndian.AppendUint16(nil, pvid)}}
}

func TestJoinTellsAllReasonsAtOnce(t *testing.T) {
	t.Parallel()
	m, _ := machine(t, append(plainBridge[:3:3], "ip link add mv0 link eth0 type macvlan", "ip link set br0 type bridge stp_state 1",
		"ip addr add 192.0.2.2/24 dev eth0", "ip addr add 192.0.2.3/24 dev br0", "ip addr add 2001:db8::2/64 dev eth0", "ip addr add 2001:db8::2/64 dev br0")...)
	_, _, err := hostlink.Convert(look(t, m.NS(), "eth0", "br0"), hostlink.Options{Bridge: "br0", Delay: 3})
	for _, reason := range []string{"mv0", "spanning tree protocol", "for new bridges", "same subnet", "2001:db8::2 is an address"} {
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q is missing: %v", reason, err)
		}
	}
}

// TestJoinWarnsOfWhatBecomesAnother on the bridge, and of what does not.
func TestJoinWarnsOfWhatBecomesAnother(t *testing.T) {
	t.Parallel()
	m, _ := machine(t, append(plainBridge[:3:3],
		"ip link set eth0 mtu 1400", "sysctl -qw net.ipv4.conf.eth0.rp_filter=2 net.ipv4.conf.br0.forwarding=1", "ip token set ::7 dev br0", "ip token set ::8 dev eth0")...)
	s := look(t, m.NS(), "eth0", "br0")
	s.Bridge.Cables = []string{"eth1"}
	s.Bridge.Link.Details = filtersVLANs(1)
	_, warnings, err := hostlink.Convert(s, hostlink.Options{Bridge: "br0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{
		"eth1 is a port of br0, too: two cables", "br0 gets the MAC of eth0, 52:54:00:00:00:01 instead of " + bridgeMAC, "br0 gets the MTU 1400 instead of 1500",
		"br0 gets ipv4/conf/rp_filter=2 instead of", "br0 keeps ipv4/conf/forwarding=1, and eth0 has 0", "br0 keeps its token ::7", "in VLAN 1 only",
	} {
		if !strings.Contains(join(warnings), part) {
			t.Errorf("no word of %q in:\n%s", part, join(warnings))
		}
	}
	m, _ = machine(t, append(plainBridge[:3:3], "ip link set br0 address 52:54:00:00:00:01")...)
	if _, warnings, err = hostlink.Convert(look(t, m.NS(), "eth0", "br0"), hostlink.Options{Bridge: "br0"}); err != nil || len(warnings) != 0 {
		t.Errorf("nothing changes, and there are warnings (error %v):\n%s", err, join(warnings))
	}
}
