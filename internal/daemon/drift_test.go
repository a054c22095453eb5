package daemon_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
)

// damage is something a hand, a script or another program did to our objects.
type damage struct {
	name string
	do   [][]string // commands
	want []string   // what diff lists: all of it, in order
}

var damages = []damage{
	{"address removed", [][]string{{"ip", "addr", "del", "10.2.0.1/24", "dev", "lab"}},
		[]string{"add addr 10.2.0.1/24 dev lab", "add route 10.20.0.0/16 via 10.2.0.7 dev lab"}},
	{"port detached", [][]string{{"ip", "link", "set", "vm1", "nomaster"}},
		[]string{"set link vm1 type veth"}},
	{"link down", [][]string{{"ip", "link", "set", "red", "down"}},
		[]string{"add addr fd00:1::1/64 dev red", "add link red up"}},
	{"mtu turned", [][]string{{"ip", "link", "set", "lab", "mtu", "1300"}},
		[]string{"set link lab type bridge"}},
	{"element deleted", [][]string{{"nft", "delete element inet kvmnet masquerade4 { lab }"}},
		[]string{"add element masquerade4 { lab }"}},
	{"element added", [][]string{{"nft", "add element inet kvmnet bridges { eth0 }"}},
		[]string{"del element bridges { eth0 }"}},
	{"verdict changed", [][]string{{"nft", "delete element inet kvmnet from { red }; add element inet kvmnet from { red : jump from_open }"}},
		[]string{"set element from { red : jump from_isolated }"}},
	{"sysctl turned", [][]string{{"sysctl", "-qw", "net.ipv4.conf.lab.forwarding=0"}},
		[]string{"set sysctl net/ipv4/conf/lab/forwarding = 1"}},
	{"sysctl of the uplink turned", [][]string{{"sysctl", "-qw", "net.ipv4.conf.eth0.forwarding=0"}},
		[]string{"set sysctl net/ipv4/conf/eth0/forwarding = 1"}},
	{"isolation opened", [][]string{{"sysctl", "-qw", "net.ipv4.conf.red.forwarding=1"}},
		[]string{"set sysctl net/ipv4/conf/red/forwarding = 0"}},
	{"route deleted", [][]string{{"ip", "route", "del", "10.20.0.0/16"}},
		[]string{"add route 10.20.0.0/16 via 10.2.0.7 dev lab"}},
	{"foreign things added", [][]string{
		{"ip", "addr", "add", "10.77.0.1/24", "dev", "lab"}, {"nft", "add table inet stranger"}}, nil},
}

// TestDriftIsListedAndRepaired damages a lab by hand. While the daemon is paused,
// diff lists exactly the damage; when it goes on, it repairs it unasked.
func TestDriftIsListedAndRepaired(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	m.Apply(allModes)
	m.Settled()
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			if err := m.Client.Pause(t.Context(), true); err != nil {
				t.Fatal(err)
			}
			for _, c := range d.do {
				nstest.Run(t, m.NS, c[0], c[1:]...)
			}
			got := m.Drift()
			if !slices.EqualFunc(d.want, got, func(w, g string) bool { return strings.HasPrefix(g, w) }) {
				t.Errorf("diff lists\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(d.want, "\n  "))
			}
			if err := m.Client.Pause(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			m.Settled()
		})
	}
	for _, foreign := range []string{"addr show dev lab to 10.77.0.1"} {
		if nstest.Run(t, m.NS, "ip", strings.Fields(foreign)...) == "" {
			t.Errorf("ip %s: gone", foreign)
		}
	}
}

// TestBridgeDeletedByHandComesBackWithItsPorts is the worst a hand can do short
// of the whole table.
func TestBridgeDeletedByHandComesBackWithItsPorts(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	m.Apply(allModes)
	m.Settled()
	before := nstest.Run(t, m.NS, "ip", "-br", "addr", "show", "dev", "lab")
	nstest.Run(t, m.NS, "ip", "link", "del", "lab")
	m.repaired(func() bool {
		return strings.Contains(nstest.Run(t, m.NS, "ip", "link", "show", "vm1"), "master lab")
	})
	m.Settled()
	if after := nstest.Run(t, m.NS, "ip", "-br", "addr", "show", "dev", "lab"); after != before {
		t.Errorf("lab has %s, want %s", after, before)
	}
}

// TestRulesComeBackAfterFlush flushes the whole ruleset, which every restart of
// nftables.service does.
func TestRulesComeBackAfterFlush(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	m.Apply(allModes)
	m.Settled()
	before := nstest.Run(t, m.NS, "nft", "-s", "list", "ruleset")
	for range 3 {
		nstest.Run(t, m.NS, "nft", "flush", "ruleset")
		m.repaired(func() bool { return nstest.Run(t, m.NS, "nft", "-s", "list", "ruleset") == before })
	}
}

// repaired waits for the daemon to see and repair a damage; the time is no
// measurement, only the end of patience.
func (m *machine) repaired(ok func() bool) {
	m.T.Helper()
	nstest.Eventually(m.T, time.Minute, func() error {
		if !ok() {
			return errNotYet
		}
		return nil
	})
}

// TestHostThatBeginsToForward switches forwarding on for the whole host while we
// hold an uplink, as Docker does when it starts: the uplink is held no more, and
// forwarding is the host's from then on, also when our networks are gone.
func TestHostThatBeginsToForward(t *testing.T) {
	t.Parallel()
	m := newMachine(t, daemontest.Uplinked(t))
	m.Start(0)
	m.Apply("networks: {lab: {mode: nat, subnets: [{address: 10.2.0.1/24}]}}")
	held := func() bool {
		return strings.Contains(nstest.Run(t, m.NS, "nft", "list", "set", "inet", "kvmnet", "held4"), "eth0")
	}
	if !held() {
		t.Fatal("the uplink is not held")
	}
	nstest.Run(t, m.NS, "sysctl", "-qw", "net.ipv4.ip_forward=1")
	m.repaired(func() bool { return !held() })
	m.Settled()
	m.remove("lab")
	m.Settled()
	if v := nstest.Run(t, m.NS, "cat", "/proc/sys/net/ipv4/conf/eth0/forwarding"); v != "1\n" {
		t.Errorf("forwarding of eth0 is %s after our networks went, the host wants 1", v)
	}
}
