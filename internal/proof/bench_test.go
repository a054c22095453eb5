package proof

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

const fleet = 200

// BenchmarkRouters brings up 200 routers with a network each from one file, against
// a shell that makes as many bare namespaces with a bridge, two veth pairs and a
// masquerade rule; then looks at them and finds nothing to do.
func BenchmarkRouters(b *testing.B) {
	for b.Loop() {
		ns := daemontest.Uplinked(b)
		m := daemontest.NewMachine(b, ns)
		m.Start(0)
		before := daemontest.Megabytes(b, "/proc/meminfo", "MemAvailable:")
		ours := daemontest.Clock(func() {
			if r := m.Apply(manyRouters(fleet)); len(r.Problems) > 0 {
				b.Fatal(r.Problems)
			}
		})
		m.Settled()
		memory := before - daemontest.Megabytes(b, "/proc/meminfo", "MemAvailable:")
		var looks []time.Duration
		for range 10 {
			looks = append(looks, daemontest.Clock(func() { m.Drift() }))
		}
		other := nstest.NS(b)
		var theirs time.Duration
		if err := other.Do(func() error { theirs = daemontest.Clock(func() { shell(b, bareRouters(fleet)) }); return nil }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(daemontest.MS(ours)/fleet, "ms/router")
		b.ReportMetric(daemontest.MS(theirs)/fleet, "ms/bare")
		b.ReportMetric(float64(ours)/float64(theirs), "x-bare")
		b.ReportMetric(daemontest.MS(daemontest.Median(looks)), "ms/pass")
		b.ReportMetric(memory/fleet, "MB/router")
		b.ReportMetric(m.Resident(), "MB-daemon")
	}
	b.ReportMetric(0, "ns/op")
}

func manyRouters(n int) string {
	var networks, routers strings.Builder
	for i := range n {
		fmt.Fprintf(&networks, "  net%d: {mode: isolated}\n", i)
		fmt.Fprintf(&routers, "  r%d:\n    uplink: {bridge: br0, address: 10.0.%d.%d/16, gateway: 10.0.0.1}\n"+
			"    interfaces: [{network: net%d, address: 10.9.0.1/24, dhcp: {}, egress: masquerade}]\n", i, 1+i/200, 1+i%200, i)
	}
	return "bridges: {br0: {addresses: [10.0.0.1/16]}}\nnetworks:\n" + networks.String() + "routers:\n" + routers.String()
}

// bareRouters is a script that makes what a router is at the least.
func bareRouters(n int) string {
	var s strings.Builder
	s.WriteString("set -e\nmount -t tmpfs none /run/netns 2>/dev/null || { mkdir -p /run/netns; mount -t tmpfs none /run/netns; }\n" +
		"ip link add br0 type bridge\nip link set br0 up\n")
	for i := range n {
		fmt.Fprintf(&s, `ip netns add r%[1]d
ip link add net%[1]d type bridge; ip link set net%[1]d up
ip link add u%[1]d type veth peer name uplink netns r%[1]d; ip link set u%[1]d master br0 up
ip link add e%[1]d type veth peer name eth0 netns r%[1]d; ip link set e%[1]d master net%[1]d up
ip -n r%[1]d addr add 10.0.1.1/16 dev uplink; ip -n r%[1]d link set uplink up
ip -n r%[1]d addr add 10.9.0.1/24 dev eth0; ip -n r%[1]d link set eth0 up
ip -n r%[1]d route add default via 10.0.0.1
ip netns exec r%[1]d sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward; nft -f -' <<X
table ip nat { chain post { type nat hook postrouting priority srcnat; oifname "uplink" masquerade; }; }
X
`, i)
	}
	return s.String()
}

// shell runs a script in a mount namespace of its own.
func shell(b *testing.B, script string) {
	b.Helper()
	cmd := exec.Command("unshare", "-m", "sh")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
}

// BenchmarkAddForward adds and deletes one forward beside many, on the host.
func BenchmarkAddForward(b *testing.B) {
	var alone time.Duration
	for _, beside := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("beside=%d", beside), func(b *testing.B) {
			m := daemontest.NewMachine(b, daemontest.Uplinked(b))
			m.Start(0)
			text := "networks: {lab: {mode: nat, subnets: [{address: 10.2.0.1/24}]}}\n"
			if beside > 0 {
				text += "forwards:\n" + manyForwards(beside)
			}
			m.Apply(text)
			m.Settled()
			web := api.Definition[spec.Forward]{Name: "web", Spec: &spec.Forward{Network: "lab", Listen: spec.Listen{Ports: spec.PortRange{From: 443, To: 443}},
				To: spec.Target{Addr: addr("10.2.0.5")}}}
			var took []time.Duration
			for b.Loop() {
				took = append(took, daemontest.Clock(func() {
					if _, err := m.Client.AddForward(b.Context(), web); err != nil {
						b.Fatal(err)
					}
				}))
				if err := m.Client.Delete(b.Context(), "forward", "web"); err != nil {
					b.Fatal(err)
				}
			}
			if beside == 0 {
				alone = daemontest.Median(took)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(daemontest.MS(daemontest.Median(took)), "ms/add")
			b.ReportMetric(float64(daemontest.Median(took))/float64(alone), "x-alone")
		})
	}
}
