package hostlink_test

import (
	"errors"
	"strings"
	"testing"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/nstest"
)

// TestConvertRefusesWithAReasonAndAWayOut: nothing is done, and people learn what to do.
func TestConvertRefusesWithAReasonAndAWayOut(t *testing.T) {
	t.Parallel()
	plain, _ := machine(t)
	for name, c := range map[string]struct {
		lines        []string
		nic, bridge  string
		change       func(*hostlink.State)
		reason, exit string
	}{
		"loopback":               {nil, "lo", "br0", nil, "is the loopback", "name the interface with the cable"},
		"wireless":               {nil, "eth0", "br0", func(s *hostlink.State) { s.Link.Wireless = true }, "eth0 is wireless", "use nat or route"},
		"a port already":         {[]string{"ip link add sw0 type bridge", "ip link set eth0 master sw0"}, "eth0", "br0", nil, "eth0 is a port of sw0 already", "ip link set eth0 nomaster"},
		"a port of a bond":       {nil, "eth0", "br0", func(s *hostlink.State) { s.Link.Master = "bond0" }, "eth0 is a port of bond0 already", "let the guests use bond0 if that is a bridge"},
		"a bridge":               {[]string{"ip link add sw0 up type bridge"}, "sw0", "br0", nil, "sw0 is a bridge", "use it as it is"},
		"no Ethernet":            {[]string{"ip tuntap add tun0 mode tun", "ip link set tun0 up"}, "tun0", "br0", nil, "tun0 carries no Ethernet", "use nat or route"},
		"down":                   {[]string{"ip link set eth0 down"}, "eth0", "br0", nil, "eth0 is down", "ip link set eth0 up"},
		"a macvlan on it":        {[]string{"ip link add mv0 link eth0 type macvlan"}, "eth0", "br0", nil, "mv0 is a macvlan on eth0", "ip link del mv0"},
		"an ipvlan on it":        {nil, "eth0", "br0", func(s *hostlink.State) { s.Link.Uppers = []hostlink.Upper{{Name: "iv0", Kind: "ipvlan"}} }, "iv0 is a ipvlan on eth0", "ip link del iv0"},
		"the name of another":    {nil, "eth0", "eth1", nil, "eth1 is there already, and no bridge", "choose another name"},
		"its own name":           {nil, "eth0", "eth0", nil, "eth0 cannot be the name of its own bridge", "such as br0"},
		"a name too long":        {nil, "eth0", "br0123456789abcde", nil, "cannot be the name of an interface", "at most 15 bytes"},
		"a name with a slash":    {nil, "eth0", "br/0", nil, "cannot be the name of an interface", "no slash"},
		"no name":                {nil, "eth0", "", nil, "cannot be the name of an interface", "at most 15 bytes"},
		"a name that is a place": {nil, "eth0", "..", nil, "cannot be the name of an interface", "at most 15 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := plain
			if c.lines != nil {
				m, _ = machine(t, c.lines...)
			}
			s := look(t, m.NS(), c.nic, c.bridge)
			if c.change != nil {
				c.change(&s)
			}
			ops, _, err := hostlink.Convert(s, hostlink.Options{Bridge: c.bridge})
			if err == nil || !strings.Contains(err.Error(), c.reason) || !strings.Contains(err.Error(), c.exit) || ops != nil {
				t.Errorf("got %d ops and %v, want %q and %q", len(ops), err, c.reason, c.exit)
			}
		})
	}
}

func TestConvertTellsAllReasonsAtOnce(t *testing.T) {
	t.Parallel()
	m, _ := machine(t, "ip link add mv0 link eth0 type macvlan", "ip link set eth0 down")
	_, _, err := hostlink.Convert(look(t, m.NS(), "eth0", "eth1"), hostlink.Options{Bridge: "eth1"})
	for _, reason := range []string{"mv0", "is down", "eth1 is there"} {
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%q is missing: %v", reason, err)
		}
	}
}

func TestLookTellsThatAnInterfaceIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := hostlink.Look(nstest.NS(t), "eth7")
	if !errors.Is(err, hostlink.ErrNoInterface) || !strings.Contains(err.Error(), "eth7") {
		t.Errorf("got %v", err)
	}
}

func TestConvertWarnsOfWhatDoesNotComeAlong(t *testing.T) {
	t.Parallel()
	m, _ := machine(t,
		"tc qdisc add dev eth0 root tbf rate 100mbit burst 100k latency 50ms",
		"sysctl -qw net.ipv6.conf.eth0.addr_gen_mode=3",
	)
	s := look(t, m.NS(), "eth0", "br0")
	s.Link.Uppers, s.Link.LRO = []hostlink.Upper{{Name: "eth0.5", Kind: "vlan"}}, true
	s.Groups = []hostlink.Group{{Address: "239.1.2.3"}, {Address: "01:00:5e:01:02:03", Static: true}}
	_, warnings, err := hostlink.Convert(s, hostlink.Options{Bridge: "br0", STP: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"tbf stays on eth0", "eth0.5 stays on eth0", "239.1.2.3", "router advertisements", "spanning tree", "large receive offload"} {
		if !strings.Contains(join(warnings), part) {
			t.Errorf("no word of %q in:\n%s", part, join(warnings))
		}
	}
	if strings.Contains(join(warnings), "01:00:5e") {
		t.Errorf("a warning of what comes along:\n%s", join(warnings))
	}
}

func join(list []hostlink.Warning) string {
	var lines []string
	for _, w := range list {
		lines = append(lines, string(w))
	}
	return strings.Join(lines, "\n")
}

func TestRevertRefusesAnotherInterface(t *testing.T) {
	t.Parallel()
	m, _ := machine(t)
	before, other := look(t, m.NS(), "eth0", "br0"), look(t, m.NS(), "eth1")
	if _, err := hostlink.Revert(other, before); err == nil {
		t.Error("eth1 was reverted to eth0")
	}
	replaced := before
	replaced.Index++
	if _, err := hostlink.Revert(replaced, before); err == nil || !strings.Contains(err.Error(), "another interface") {
		t.Errorf("an interface of the same name: %v", err)
	}
	taken := before
	taken.Bridge = &other
	if _, err := hostlink.Revert(taken, before); err == nil || !strings.Contains(err.Error(), "rename it") {
		t.Errorf("the name of the bridge has another device: %v", err)
	}
	if _, _, err := hostlink.Unconvert(before, nil); err == nil {
		t.Error("what is in no bridge was moved out of one")
	}
}

// TestConvertWithASpanningTreeForwardsAtOnce: the tree begins when the port forwards.
func TestConvertWithASpanningTreeForwardsAtOnce(t *testing.T) {
	t.Parallel()
	m, _ := machine(t)
	before, state := dump(t, m.NS()), look(t, m.NS(), "eth0", "br0")
	ops, _, err := hostlink.Convert(state, hostlink.Options{Bridge: "br0", STP: true, Delay: 4})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, m.NS(), ops)
	out := nstest.Run(t, m.NS(), "sh", "-ec", "ip -d link show br0; ip -d link show eth0")
	for _, part := range []string{"forward_delay 400 ", "stp_state 1", "state forwarding"} {
		if !strings.Contains(out, part) {
			t.Errorf("no %q in:\n%s", part, out)
		}
	}
	revert(t, m.NS(), state)
	same(t, "after the revert", before, dump(t, m.NS()))
}

// TestRevertSwitchesLargeReceiveOffloadOn, which the kernel switches off on a port.
func TestRevertSwitchesLargeReceiveOffloadOn(t *testing.T) {
	t.Parallel()
	m, _ := machine(t)
	now := look(t, m.NS(), "eth0", "br0")
	before := now
	before.Link.LRO = true
	ops, err := hostlink.Revert(now, before)
	if err != nil || len(ops) != 1 || ops[0].String() != "ethtool -K eth0 lro on" {
		t.Fatalf("got %v and %v", ops, err)
	}
	// A veth takes the request, and has nothing to switch on.
	if err := hostlink.Apply(t.Context(), m.NS(), ops, nil); err != nil && !strings.Contains(err.Error(), "ethtool -K eth0 lro on") {
		t.Error(err)
	}
}
