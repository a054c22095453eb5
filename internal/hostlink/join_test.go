package hostlink_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/hostlink"
	"kvmnet/internal/netns"
)

// usual are the pairs that are tried by default, each bridge and each kind of what a NIC
// has among them; all are with -every-op.
var usual = map[string][]string{
	"empty": {"IPv4"}, "empty, with addresses": {"IPv6"}, "without a port ever": {"tables and rules"}, "guests": {"privacy"}, "a secret": {"nothing"},
	"guests and addresses": {"neighbours, groups and settings", "router advertisements"}, "settings and a token": {"IPv6"}, "no IPv6": {"two gateways"},
	"a small MTU": {"multipath"}, "a large MTU, and a macvlan": {"nexthop objects"}, "as the NIC": {"secondary, labels and a peer"},
}

// TestJoinComesBack moves each configuration of a NIC into each bridge that is there,
// and back, from the end and from where it was stopped. The host is then as it was.
func TestJoinComesBack(t *testing.T) {
	t.Parallel()
	for of, bridge := range bridges {
		for name, nic := range configurations {
			if !*everyOp && !slices.Contains(usual[of], name) || slices.Contains(against[of], name) {
				continue
			}
			t.Run(of+"/"+name, func(t *testing.T) {
				t.Parallel()
				m := inhabited(t, nic, bridge, name < "o")
				joined(t, m.NS(), of != "as the NIC")
			})
		}
	}
}

// against are configurations of the NIC that cannot be beside those of a bridge, or
// have three routes of one destination, the order of which is not kept, or have lost one
// that comes back with its address.
var against = map[string][]string{"as the NIC": {"the same subnet on two", "two gateways", "a route the kernel made is gone"}}

// shared are what both had, the NIC and the bridge that was as the NIC: it stays with the
// bridge.
var shared = regexp.MustCompile(`(?m)^.*(110:\tfrom all .if eth0|2001:db8:8::/48 dev eth0 .* metric 5|192.0.2.77 dev br0|default via 192.0.2.1 dev eth0 table main proto boot scope global $|10.0.0.0/8 via 192.0.2.1 dev eth0 table main).*\n`)

func joined(t *testing.T, ns *netns.NS, comesBack bool) {
	t.Helper()
	state, ops := toJoin(t, ns)
	bothDumped := func(t testing.TB, ns *netns.NS) string {
		if text := bothDumped(t, ns); !strings.Contains(t.Name(), "without_a_port_ever/") {
			return text
		} else {
			return untouched.ReplaceAllString(text, "")
		}
	}
	before := bothDumped(t, ns)
	rejoin(t, ns, state)
	same(t, "after a revert of nothing", before, bothDumped(t, ns))
	stops{ops, 40, bothDumped, rejoin}.comeBack(t, ns, "after the revert", before, state)
	apply(t, ns, ops)
	parted(t, ns, *state.Bridge)
	after := bothDumped(t, ns)
	if !comesBack {
		before, after = shared.ReplaceAllString(before, ""), shared.ReplaceAllString(after, "")
	}
	if after != before {
		t.Logf("joined by\n%s", text(ops))
		same(t, "after convert and unconvert", before, after)
	}
}

// parted moves the NIC out of the bridge, which had something before, and into it again
// from wherever that was stopped.
func parted(t *testing.T, ns *netns.NS, own hostlink.State) {
	t.Helper()
	settled(t, ns)
	before, state := bothDumped(t, ns), look(t, ns, "eth0")
	own = kept(t, own)
	ops, _, err := hostlink.Unconvert(state, &own)
	if err != nil {
		t.Fatal(err)
	}
	stops{ops, 40, bothDumped, rejoin}.comeBack(t, ns, "after the revert of unconvert", before, state)
	apply(t, ns, ops)
}

// TestOpsOfAJoinAreWhatIPWouldBeTold: a shell that runs the printed ops comes to the same.
func TestOpsOfAJoinAreWhatIPWouldBeTold(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tables and rules", "neighbours, groups and settings"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours := inhabited(t, configurations[name], bridges["guests and addresses"], true)
			theirs := inhabited(t, configurations[name], bridges["guests and addresses"], true)
			before := look(t, ours.NS(), "eth0", "br0")
			for _, step := range []func(hostlink.State) ([]hostlink.Op, []hostlink.Warning, error){
				func(s hostlink.State) ([]hostlink.Op, []hostlink.Warning, error) {
					return hostlink.Convert(s, hostlink.Options{Bridge: "br0"})
				},
				func(s hostlink.State) ([]hostlink.Op, []hostlink.Warning, error) {
					return hostlink.Unconvert(s, before.Bridge)
				},
			} {
				ops, _, err := step(look(t, ours.NS(), "eth0", "br0"))
				if err != nil {
					t.Fatal(err)
				}
				apply(t, ours.NS(), ops)
				configure(t, theirs.NS(), origin.ReplaceAllString(script(ops), "$1"))
				same(t, "done by us, and by ip", bothDumped(t, ours.NS()), bothDumped(t, theirs.NS()))
			}
		})
	}
}
