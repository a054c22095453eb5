package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"kvmnet/internal/testhost"
)

// Ipconfig is klibc's ipconfig, which configures the network in Debian's
// initramfs: the kernel's configuration at boot, as a program. It takes an
// address, leaves a file, and ends.
func Ipconfig(t testing.TB, h *testhost.Host) Client {
	t.Helper()
	Need(t, ipconfigPath, "klibc-utils")
	return &ipconfig{newStation(t, h, "ipconfig", 4, MTU, Time)}
}

// ipconfigPath is where Debian has it; it is not in the PATH.
const ipconfigPath = "/usr/lib/klibc/bin/ipconfig"

type ipconfig struct{ *station }

// HostName is none: it sends no name.
func (c *ipconfig) HostName() string { return "" }

func (c *ipconfig) Take(ctx context.Context) (Lease, error) {
	err := os.MkdirAll(c.path("run"), 0o755)
	if err == nil {
		err = c.start(program{argv: []string{ipconfigPath, "-c", "dhcp", "-d", device, "-t", "10"}, prepare: []string{bind(c.path("run"), "/run")}})
	}
	if err == nil {
		err = c.proc.ended(ctx)
	}
	text, bad := os.ReadFile(c.path("run", "net-"+device+".conf"))
	return ipconfigLease(assignments(string(text))), c.explain("take", errors.Join(err, bad))
}

func (c *ipconfig) never(verb string) error {
	return fmt.Errorf("ipconfig: %s: %w: it has ended", verb, ErrCannot)
}

func (c *ipconfig) Renew(context.Context) (Lease, error)  { return Lease{}, c.never("renew") }
func (c *ipconfig) Rebind(context.Context) (Lease, error) { return Lease{}, c.never("rebind") }
func (c *ipconfig) Release(context.Context) error         { return c.never("release") }
