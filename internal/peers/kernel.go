package peers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/qemuguest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// kernelModule is a Go module whose content is a Linux kernel (7.1) for amd64 that
// configures itself at boot: CONFIG_IP_PNP, which Debian's kernels are built
// without. The go command checks it against the sum below and keeps it in its
// cache; kvmnet does not import it.
const (
	kernelModule = "github.com/gokrazy/kernel.amd64@v0.0.0-20260705070735-de680abf072b"
	kernelSum    = "h1:H9m4mwDqTyQG0AKVviBQp09T3OrY1X3tHNyrJCbqJfY="
)

// FetchKernel downloads the kernel that configures itself and the files of real
// guests, unless they are there. It belongs before the tests, which have no way
// out: nstest.Main(m, func() { peers.FetchKernel(…) }).
func FetchKernel(ctx context.Context, log *slog.Logger) error {
	_, err := qemuguest.Prepare(ctx, log)
	_, fetch := selfConfiguring(ctx, "")
	return errors.Join(err, fetch)
}

// selfConfiguring is the path of the kernel; proxy "off" allows no download.
func selfConfiguring(ctx context.Context, proxy string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", kernelModule)
	cmd.Dir = os.TempDir() // outside of any module
	cmd.Env = append(os.Environ(), "GOFLAGS=")
	if proxy != "" {
		cmd.Env = append(cmd.Env, "GOPROXY="+proxy, "GONOSUMDB=*")
	}
	out, err := cmd.Output()
	var m struct{ Dir, Sum, Error string }
	if bad := json.Unmarshal(out, &m); bad != nil || m.Error != "" {
		return "", fmt.Errorf("fetch kernel %s: %w: %s", kernelModule, errors.Join(err, bad), m.Error)
	}
	if m.Sum != kernelSum {
		return "", fmt.Errorf("fetch kernel %s: its sum is %s, want %s", kernelModule, m.Sum, kernelSum)
	}
	return filepath.Join(m.Dir, "vmlinuz"), nil
}

// guestNIC is where a virtual machine is plugged in, in place of a host's eth0.
type guestNIC struct {
	t      testing.TB
	host   *testhost.Host // has the bridge
	tap    string
	name   string
	trace  *Trace
	guest  *qemuguest.Guest
	silent []Field
}

// plugGuest adds a tap to a bridge of the host.
func plugGuest(t testing.TB, h *testhost.Host, bridge, name, guest string, silent ...Field) *guestNIC {
	t.Helper()
	if _, err := qemuguest.Prepare(t.Context(), nil); err != nil {
		t.Skipf("needs guest files: %v", err)
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		t.Skipf("needs taps: %v: type: modprobe tun", err)
	}
	for _, argv := range [][]string{
		{"ip", "tuntap", "add", guest, "mode", "tap"},
		{"ip", "link", "set", guest, "master", bridge, "up"},
	} {
		if _, err := run(t.Context(), h, argv...); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { run(context.Background(), h, "ip", "link", "del", guest) }) // it may be gone with its bridge
	return &guestNIC{t: t, host: h, tap: guest, name: name, trace: NewTrace(t, h, guest, 4, spec.GenerateMAC(guest)), silent: silent}
}

func (g *guestNIC) Name() string    { return g.name }
func (g *guestNIC) Family() int     { return 4 }
func (g *guestNIC) Silent() []Field { return g.silent }
func (g *guestNIC) Trace() *Trace   { return g.trace }

func (g *guestNIC) HostName() string { return g.tap }

// boot starts the machine. Start and its tap live until Stop.
func (g *guestNIC) boot(ctx context.Context, kernel string, words ...string) (err error) {
	assets, err := qemuguest.Prepare(ctx, nil)
	if err != nil {
		return err
	}
	a := *assets
	if kernel != "" {
		a.Kernel = kernel
	}
	started, err := qemuguest.Start(ctx, qemuguest.Config{Assets: &a, Name: g.tap, MAC: spec.GenerateMAC(g.tap), NS: g.host.NS(), Tap: g.tap, Kernel: words})
	if err != nil {
		return err
	}
	g.guest = started
	g.t.Cleanup(func() { started.Close() })
	return nil
}

// sh runs a command in the guest that must succeed.
func (g *guestNIC) sh(ctx context.Context, command string) (string, error) {
	out, exit, err := g.guest.Run(ctx, command)
	if err == nil && exit != 0 {
		err = fmt.Errorf("%s: %s: exit code %d: %s", g.name, command, exit, out)
	}
	return out, err
}

// Stop switches the machine off.
func (g *guestNIC) Stop() error {
	if g.guest == nil {
		return nil
	}
	defer func() { g.guest = nil }()
	return g.guest.Close()
}

// Addresses lists the IPv4 addresses of the guest's eth0.
func (g *guestNIC) Addresses(ctx context.Context) (list []netip.Prefix, err error) {
	out, err := g.sh(ctx, "ip -4 address show dev eth0")
	fields := strings.Fields(out)
	for i, word := range fields[:max(0, len(fields)-1)] {
		if p, bad := netip.ParsePrefix(fields[i+1]); word == "inet" && bad == nil {
			list = append(list, p)
		}
	}
	return list, err
}
