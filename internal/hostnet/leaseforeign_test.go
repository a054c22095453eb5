package hostnet

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
)

// TestADHCPClientOfSomebodyElseIsFound: by its arguments or by its sockets, on this
// interface in this namespace.
func TestADHCPClientOfSomebodyElseIsFound(t *testing.T) {
	t.Parallel()
	for name, argv := range map[string][]string{
		"udhcpc":   {"busybox", "udhcpc", "-f", "-i", "eth0", "-s", "/bin/true"},
		"dhclient": {"dhclient", "-4", "-d", "-sf", "/bin/true", "-lf", "/dev/null", "-pf", "/dev/null"}, // on all that there are
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(argv[0]); err != nil {
				t.Skipf("there is no %s", argv[0])
			}
			m := newMachine(t, nil)
			m.ip("addr", "change", "192.0.2.7/24", "dev", "eth0", "valid_lft", "600", "preferred_lft", "600")
			none := func(of *machine, nic string) {
				t.Helper()
				if p, err := foreignClient(of.ns, "/proc", nic); err != nil || p != nil {
					t.Errorf("on %s: %+v, %v", nic, p, err)
				}
			}
			none(m, "eth0")
			if err := m.mayMoveLease("eth0"); err != nil {
				t.Error(err)
			}
			elsewhere := newMachine(t, nil)
			ctx, cancel := context.WithCancel(t.Context())
			cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
			if err := m.ns.Do(cmd.Start); err != nil {
				t.Fatal(err)
			}
			defer func() { cancel(); cmd.Wait() }()
			nstest.Eventually(t, 10*time.Second, func() error {
				p, err := foreignClient(m.ns, "/proc", "eth0")
				if err != nil || p == nil || p.pid != cmd.Process.Pid || p.name != name {
					return fmt.Errorf("found %+v, %v", p, err)
				}
				return nil
			})
			none(elsewhere, "eth0")
			if name == "udhcpc" {
				none(m, "eth1")
			}
			want := fmt.Sprintf("%s (pid %d) renews it there", name, cmd.Process.Pid)
			if err := m.mayMoveLease("eth0"); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v", err)
			}
			m.write("/etc/network/interfaces", "auto eth0\niface eth0 inet dhcp\n") // its manager's
			m.write("/sbin/ifup", "")
			if err := m.mayMoveLease("eth0"); err != nil {
				t.Errorf("a manager has it: %v", err)
			}
		})
	}
}
