package kernel

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// TestWhatWaitsOnAnIfbIsSentBeforeItGoes leads what a bridge sends over an ifb that
// would take some seconds for what waits there, and counts what comes out at a port.
func TestWhatWaitsOnAnIfbIsSentBeforeItGoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ifb := plan.Link{Mark: lab, Name: "ifbin_lab", Type: "ifb", MTU: 1500, MAC: spec.MAC{2, 0, 0, 0, 0, 9}}
	w.must(plan.Add, bridge("lab0"), plan.Up{Link: "lab0"}, ifb, plan.Up{Link: "ifbin_lab"},
		plan.Shape{Mark: lab, Link: "ifbin_lab", Rate: 64e3, Burst: 100 << 10})
	run := func(command string) string { t.Helper(); return nstest.Run(t, w.ns, "sh", "-ec", command) }
	run(`ip link add port type veth peer guest
		ip link set port master lab0 up; ip link set guest up
		ip addr add 10.0.0.1/24 dev lab0
		ip neigh add 10.0.0.2 lladdr 02:00:00:00:00:02 dev lab0
		nft 'table netdev t { chain c { type filter hook egress device "lab0" priority 0; fwd to "ifbin_lab"; }; }'
		nft 'table bridge u { chain c { type filter hook postrouting priority 0; udp dport 9 counter; }; }'`)
	shows := func(command, want string) {
		t.Helper()
		nstest.Eventually(t, 10*time.Second, func() error {
			if out := run(command); !strings.Contains(out, want) {
				return fmt.Errorf("%s does not show %q:\n%s", command, want, out)
			}
			return nil
		})
	}
	shows("bridge link show dev port", "state forwarding")
	const frames = 150
	w.sendUDP("10.0.0.2:9", frames, 972)
	if n := w.waiting(w.link("ifbin_lab").Index); n < frames/5 {
		t.Fatalf("%d frames wait: not enough to lose any", n)
	}
	run("nft delete table netdev t")
	w.must(plan.Del, ifb)
	shows("nft list table bridge u", fmt.Sprintf("packets %d ", frames))
}

// sendUDP sends packets of a size.
func (w *world) sendUDP(to string, packets, size int) {
	w.Helper()
	if err := w.ns.Do(func() error {
		c, err := net.Dial("udp", to)
		if err != nil {
			return err
		}
		defer c.Close()
		for range packets {
			if _, err := c.Write(make([]byte, size)); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		w.Fatal(err)
	}
}
