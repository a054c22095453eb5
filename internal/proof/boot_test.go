package proof

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// TestUplinkMayComeAfterTheBoot boots a machine whose NIC is not there yet: its
// networks are ready and serve their guests, and reach the outside as soon as the NIC
// has come, and again when it came back.
func TestUplinkMayComeAfterTheBoot(t *testing.T) {
	t.Parallel()
	l := nstest.NewLab(t)
	nstest.Run(t, l.Machine.NS(), "ip", "link", "del", "eth0")
	w := &world{daemontest.NewMachine(t, l.Machine.NS()), l, t}
	dir := filepath.Join(daemontest.Options(w.Dir).ConfigDir, "networks")
	os.MkdirAll(dir, 0o755)
	text := "networks: {lab: {mode: nat, autostart: true, subnets: [{address: 10.2.0.1/24}]}}\n"
	if err := os.WriteFile(filepath.Join(dir, "lab.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	w.Start(0)
	w.Settled()
	g := w.guest("guest", "lab", "10.2.0.5/24", "10.2.0.1")
	ask(t, []question{{g, testhost.Probe{Proto: testhost.ICMP, To: addr("10.2.0.1")}, "yes"}})
	reaches(t, g, "no")
	for range 2 {
		nstest.Join(t, l.Machine, l.LAN, "lan0", netip.PrefixFrom(nstest.Machine4, 24))
		nstest.Run(t, w.NS, "ip", "route", "add", "default", "via", nstest.Outside4.String())
		reaches(t, g, nstest.Machine4.String())
		if v := nstest.Run(t, w.NS, "cat", "/proc/sys/net/ipv4/ip_forward"); strings.TrimSpace(v) != "0" {
			t.Errorf("the whole host forwards: ip_forward is %s", v)
		}
		nstest.Run(t, w.NS, "ip", "link", "del", "eth0")
		reaches(t, g, "no")
	}
}
