package proof

import (
	"fmt"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// soon is how long a port may stay unplugged by somebody else's hand, and slack what a
// machine that is busy with other tests may take besides.
const soon, slack = time.Second, 4 * time.Second

const replugText = `
networks:
  lab: {mode: nat, bridge: {name: lab0}, subnets: [{address: 10.9.0.1/24}]}
ports:
  vm1: {network: lab, type: tap, interface: vm1, mac: "52:54:00:00:00:01"}
  vm2: {network: lab, type: veth, interface: vm2, peer: vm2-p, mac: "52:54:00:00:00:02"}
`

// TestPortsThatSomebodyUnplugsComeBack within a second, on their bridge and up, with
// what they carried: a connection goes on, and pings are lost while the cable is out
// and not a moment longer.
func TestPortsThatSomebodyUnplugsComeBack(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]string{
		"bridge deleted":     "ip link del lab0",
		"bridge down":        "ip link set lab0 down",
		"unplugged":          "ip link set vm1 nomaster; ip link set vm2 nomaster",
		"down":               "ip link set vm1 down; ip link set vm2 down",
		"plugged into other": "ip link add other type bridge; ip link set vm1 master other; ip link set vm2 master other",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, replugText)
			before := map[*testhost.Host]*flows{
				w.tap("vm1", "10.9.0.5/24", "10.9.0.1"):  nil,
				w.port("vm2", "10.9.0.6/24", "10.9.0.1"): nil,
			}
			for g := range before {
				reaches(t, g, nstest.Machine4.String())
				before[g] = steady(t, g, nstest.Outside4)
			}
			begin := time.Now()
			nstest.Run(t, w.NS, "sh", "-ec", damage)
			nstest.Eventually(t, soon+slack, w.plugged)
			took := time.Since(begin)
			t.Logf("back after %s", took)
			for g, f := range before {
				reaches(t, g, nstest.Machine4.String())
				if r := goesOn(t, f.tcp); r.Broken != "" {
					t.Errorf("%s: the connection: %+v", f.name, r)
				}
				r := f.pings.Stop()
				if r.LongestGap > soon+slack {
					t.Errorf("%s: the pings: %+v", f.name, r)
				}
				t.Logf("%s: silent for %s", f.name, r.LongestGap)
			}
			w.Settled()
		})
	}
}

// plugged wants both ports on their bridge, and all of it up.
func (w *world) plugged() error {
	for _, name := range []string{"lab0", "vm1", "vm2"} {
		l, err := w.Lab.Machine.Netlink().LinkByName(name)
		if err != nil {
			return fmt.Errorf("find link %s: %w", name, err)
		}
		bridge, err := w.Lab.Machine.Netlink().LinkByName("lab0")
		if err != nil {
			return fmt.Errorf("find the bridge: %w", err)
		}
		if a := l.Attrs(); name != "lab0" && a.MasterIndex != bridge.Attrs().Index || a.RawFlags&1 == 0 {
			return fmt.Errorf("link %s has the master %d and the flags %s", name, a.MasterIndex, a.Flags)
		}
	}
	return nil
}
