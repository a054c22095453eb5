package qemuguest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/qemuguest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// The tests run in a namespace without a way out, so what has to be fetched is
// fetched before. An error shows again when a test asks for the files.
func TestMain(m *testing.M) {
	nstest.Main(m, func() { qemuguest.Prepare(context.Background(), slog.Default()) })
}

func assets(t *testing.T) *qemuguest.Assets {
	t.Helper()
	nstest.Need(t)
	if err := tunWorks(); err != nil {
		t.Skipf("needs /dev/net/tun: %v: type: modprobe tun", err)
	}
	a, err := qemuguest.Prepare(t.Context(), nil)
	if err != nil {
		t.Skipf("needs guest files: %v", err)
	}
	return a
}

func tunWorks() error {
	f, err := os.OpenFile("/dev/net/tun", os.O_RDWR, 0)
	if err == nil {
		f.Close()
	}
	return err
}

// tap adds a persistent tap to a bridge of the host. The ioctl behind it works in
// the namespace of the calling thread.
func tap(t *testing.T, h *testhost.Host, name, bridge string) {
	t.Helper()
	must(t, h.NS().Do(func() error {
		return netlink.LinkAdd(&netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: name}, Mode: unix.IFF_TAP})
	}))
	nstest.Run(t, h.NS(), "ip", "link", "set", name, "master", bridge, "up")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, c qemuguest.Config) *qemuguest.Guest {
	t.Helper()
	g, err := qemuguest.Start(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { g.Close() })
	t.Logf("%s took commands after %s", c.Name, g.Boot().Round(time.Millisecond))
	return g
}

func addr(s string) netip.Addr     { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

// Two guests on one bridge, and a host with an Echo: one boot serves all checks.
func TestGuestsReachEachOther(t *testing.T) {
	a := assets(t)
	h := nstest.Host(t, "machine")
	must(t, h.Bridge("br0"))
	must(t, h.AddAddress("br0", prefix("10.7.0.1/24"), prefix("fd07::1/64")))
	echo := nstest.Serve(t, h)
	guests := make([]*qemuguest.Guest, 2)
	done := make(chan struct{})
	for i := range guests {
		name := fmt.Sprintf("vm%d", i+1)
		tap(t, h, name, "br0")
		go func() {
			defer func() { done <- struct{}{} }()
			g, err := qemuguest.Start(t.Context(), qemuguest.Config{
				Assets: a, Name: name, Tap: name, NS: h.NS(), MAC: spec.MAC{0x52, 0x54, 0, 7, 0, byte(i + 1)},
				Addresses: []netip.Prefix{prefix(fmt.Sprintf("10.7.0.1%d/24", i+1)), prefix(fmt.Sprintf("fd07::1%d/64", i+1))},
				Gateways:  []netip.Addr{addr("10.7.0.1"), addr("fd07::1")},
			})
			if err != nil {
				t.Error(err)
				return
			}
			guests[i] = g
			t.Cleanup(func() { g.Close() })
			t.Logf("%s took commands after %s", name, g.Boot().Round(time.Millisecond))
		}()
	}
	for range guests {
		<-done
	}
	if t.Failed() {
		return
	}
	one, two := guests[0], guests[1]

	t.Run("ping", func(t *testing.T) {
		for g, to := range map[*qemuguest.Guest][]string{one: {"10.7.0.12", "fd07::12", "10.7.0.1"}, two: {"10.7.0.11", "fd07::11", "fd07::1"}} {
			for _, a := range to {
				if err := g.Ping(t.Context(), addr(a)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	t.Run("ping to nobody fails", func(t *testing.T) {
		if err := one.Ping(t.Context(), addr("10.7.0.99")); err == nil || !strings.Contains(err.Error(), "100% packet loss") {
			t.Errorf("got %v, want a loss", err)
		}
	})
	t.Run("tcp tells the source seen", func(t *testing.T) {
		for to, want := range map[string]string{"10.7.0.1": "10.7.0.11", "fd07::1": "fd07::11"} {
			seen, err := one.Seen(t.Context(), netip.AddrPortFrom(addr(to), testhost.EchoPort))
			if err != nil || seen.Addr() != addr(want) {
				t.Errorf("seen as %s, %v; want %s", seen, err, want)
			}
		}
		if seen, err := one.Seen(t.Context(), netip.MustParseAddrPort("10.7.0.1:9")); err == nil {
			t.Errorf("a closed port answered %s", seen)
		}
		if len(echo.Select(func(p testhost.Packet) bool { return p.SrcMAC == spec.MAC{0x52, 0x54, 0, 7, 0, 1} })) == 0 {
			t.Error("no frame with the guest's address arrived")
		}
	})
	t.Run("commands", func(t *testing.T) { checkCommands(t, one, a) })
	t.Run("host reaches guest", func(t *testing.T) {
		for _, to := range []string{"10.7.0.11", "fd07::12"} {
			if r := h.Probe(t.Context(), testhost.Probe{Proto: testhost.ICMP, To: addr(to), Timeout: 5 * time.Second}); !r.OK {
				t.Errorf("%s: %s", to, r)
			}
		}
	})
	t.Run("close", func(t *testing.T) { checkClose(t, one, two) })
}

func checkCommands(t *testing.T, g *qemuguest.Guest, a *qemuguest.Assets) {
	for command, want := range map[string]struct {
		output string
		exit   int
	}{
		"hostname":                      {"vm1\n", 0},
		"uname -r":                      {a.Version + "\n", 0},
		"exit 3":                        {"", 3},
		"echo out; echo err >&2; false": {"out\nerr\n", 1},
		"printf 'a\\r\\n@reply 1 2 3\\n\\000\\377'": {"a\r\n@reply 1 2 3\n\x00\xff", 0},
		"no-such-program":                       {"sh: no-such-program: not found\n", 127},
		"cat":                                   {"", 0},
		"head -c 100000 /dev/zero | tr '\\0' x": {strings.Repeat("x", 100000), 0},
		"echo '" + strings.Repeat("y", 9000) + "'": {strings.Repeat("y", 9000) + "\n", 0},
	} {
		out, exit, err := g.Run(t.Context(), command)
		out = strings.TrimPrefix(out, "/tmp/command: line 1: ")
		if want.exit == 127 && strings.Contains(out, "not found") {
			out = want.output
		}
		if err != nil || out != want.output || exit != want.exit {
			t.Errorf("%.40q: got %.80q, exit code %d, %v; want %.80q, %d", command, out, exit, err, want.output, want.exit)
		}
	}
	checkOrphans(t, g)
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if _, exit, err := g.Run(ctx, "sleep 60"); !errors.Is(err, context.DeadlineExceeded) && exit != 137 {
		t.Errorf("a slow command ended with exit code %d, %v", exit, err)
	}
	if out, _, err := g.Run(t.Context(), "echo next"); out != "next\n" || err != nil {
		t.Errorf("after a slow command: got %q, %v", out, err)
	}
}

// checkOrphans has processes that nobody waits for end while the guest reads long
// commands.
func checkOrphans(t *testing.T, g *qemuguest.Guest) {
	long := strings.Repeat("y", 9000)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for range 3 {
		_, _, err := g.Run(ctx, "for i in $(seq 200); do (true &); usleep 1000; done &")
		must(t, err)
		if out, exit, err := g.Run(ctx, "echo "+long); out != long+"\n" || exit != 0 || err != nil {
			t.Errorf("while orphans end: got %.80q, exit code %d, %.200v", out, exit, err)
		}
	}
}

func checkClose(t *testing.T, one, two *qemuguest.Guest) {
	must(t, one.Close())
	must(t, one.Close())
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", one.PID())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("QEMU %d is still there after Close: %v", one.PID(), err)
	}
	if _, _, err := one.Run(t.Context(), "true"); err == nil {
		t.Error("a closed guest ran a command")
	}
	// One that ends by itself says so instead of hanging.
	if _, _, err := two.Run(t.Context(), "poweroff -f"); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("poweroff: got %v, want an end", err)
	}
}

func TestStartSaysWhyItFailed(t *testing.T) {
	t.Parallel()
	a := assets(t)
	h := nstest.Host(t, "machine")
	must(t, h.Bridge("br0"))
	tap(t, h, "tap1", "br0")
	broken := *a
	broken.Kernel = filepath.Join(t.TempDir(), "none")
	for want, c := range map[string]qemuguest.Config{
		"no assets":    {Name: "vm1", Tap: "tap1"},
		"tap name":     {Name: "vm1", Assets: a},
		"name \"a b\"": {Name: "a b", Tap: "tap1", Assets: a},
		"none":         {Name: "vm1", Tap: "tap1", Assets: &broken, NS: h.NS()},
		"br0":          {Name: "vm1", Tap: "br0", Assets: a, NS: h.NS()}, // not a tap
	} {
		g, err := qemuguest.Start(t.Context(), c)
		if err == nil {
			g.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := qemuguest.Start(ctx, qemuguest.Config{Name: "vm1", Tap: "tap1", Assets: a, NS: h.NS()}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
}

// The guest asks; busybox's own server answers from another namespace.
func TestGuestTakesALease(t *testing.T) {
	t.Parallel()
	a := assets(t)
	h := nstest.Host(t, "machine")
	must(t, h.Bridge("br0"))
	must(t, h.AddAddress("br0", prefix("10.8.0.1/24")))
	tap(t, h, "tap1", "br0")
	dir := t.TempDir()
	conf := filepath.Join(dir, "conf")
	must(t, os.WriteFile(conf, []byte("interface br0\nstart 10.8.0.50\nend 10.8.0.50\nlease_file "+dir+"/leases\npidfile "+dir+"/pid\n"+
		"option subnet 255.255.255.0\noption router 10.8.0.1\noption dns 10.8.0.1\noption domain lab.internal\n"), 0o644))
	must(t, os.WriteFile(dir+"/leases", nil, 0o644))
	must(t, h.Command(t.Context(), "busybox", "udhcpd", "-f", conf).Start())
	g := start(t, qemuguest.Config{Assets: a, Name: "leaser", Tap: "tap1", NS: h.NS(), DHCP: true})
	nstest.Eventually(t, 30*time.Second, func() error {
		out, _, err := g.Run(t.Context(), "ip -4 address show eth0; ip route; cat /etc/resolv.conf")
		for _, want := range []string{"10.8.0.50/24", "default via 10.8.0.1", "search lab.internal", "nameserver 10.8.0.1"} {
			if err == nil && !strings.Contains(out, want) {
				err = fmt.Errorf("%q lacks %q", out, want)
			}
		}
		return err
	})
	if err := g.Ping(t.Context(), addr("10.8.0.1")); err != nil {
		t.Error(err)
	}
}
