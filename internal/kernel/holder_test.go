package kernel

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// held makes a namespace with a socket of this process.
func held(t *testing.T, network, address string) *netns.NS {
	t.Helper()
	w := newWorld(t)
	w.loopbackUp()
	err := w.ns.Do(func() error {
		if strings.HasPrefix(network, "tcp") {
			l, err := net.Listen(network, address)
			if err == nil {
				t.Cleanup(func() { l.Close() })
			}
			return err
		}
		c, err := net.ListenPacket(network, address)
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return w.ns
}

func (w *world) loopbackUp() {
	w.Helper()
	if err := w.ns.Do(func() error { return exec.Command("ip", "link", "set", "lo", "up").Run() }); err != nil {
		w.Fatal(err)
	}
}

func holder(t *testing.T, ns *netns.NS, protocol, addr, ports string) string {
	t.Helper()
	var a netip.Addr
	if addr != "" {
		a = ip(addr)
	}
	r, err := spec.ParsePortRange(ports)
	if err != nil {
		t.Fatal(err)
	}
	list, err := FindListeners(ns, protocol)
	if err != nil {
		t.Fatal(err)
	}
	return list.Holder(a, r)
}

func TestHolderIsNamed(t *testing.T) {
	t.Parallel()
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	me := fmt.Sprintf("%s (pid %d) on ", strings.TrimSpace(string(comm)), os.Getpid())
	for _, c := range []struct {
		network, address string
		yes, no          []string // asked: protocol, address, ports
		at               string
	}{
		{"tcp4", "0.0.0.0:8080", []string{"tcp  8080", "tcp 0.0.0.0 8080", "tcp 192.0.2.1 8000-9000", "tcp  1-65535"},
			[]string{"tcp :: 8080", "tcp fd01::1 8080", "udp  8080", "tcp  8081", "tcp  1-8079", "sctp  8080"}, "0.0.0.0:8080"},
		{"tcp4", "127.0.0.1:8080", []string{"tcp  8080", "tcp 0.0.0.0 8080", "tcp 127.0.0.1 8080"},
			[]string{"tcp 127.0.0.2 8080", "tcp :: 8080"}, "127.0.0.1:8080"},
		{"tcp", "[::]:8080", []string{"tcp  8080", "tcp 0.0.0.0 8080", "tcp 192.0.2.1 8080", "tcp fd01::1 8080"}, []string{"tcp  80"}, "[::]:8080"},
		{"tcp6", "[::]:8080", []string{"tcp  8080", "tcp :: 8080", "tcp fd01::1 8080"}, []string{"tcp 0.0.0.0 8080", "tcp 192.0.2.1 8080"}, "[::]:8080"},
		{"tcp6", "[::1]:8080", []string{"tcp  8080", "tcp ::1 8080", "tcp :: 8080"}, []string{"tcp ::2 8080", "tcp 127.0.0.1 8080"}, "[::1]:8080"},
		{"udp4", "0.0.0.0:53", []string{"udp  53", "udp 192.0.2.1 50-60"}, []string{"tcp  53", "udp fd01::1 53"}, "0.0.0.0:53"},
		{"udp", "[::]:53", []string{"udp  53", "udp 192.0.2.1 53", "udp fd01::1 53"}, []string{"udp  54"}, "[::]:53"},
	} {
		t.Run(c.network+" "+c.address, func(t *testing.T) {
			t.Parallel()
			ns := held(t, c.network, c.address)
			for _, asked := range c.yes {
				f := strings.Split(asked, " ")
				if got := holder(t, ns, f[0], f[1], f[2]); got != me+c.at {
					t.Errorf("%s: %q, want %q", asked, got, me+c.at)
				}
			}
			for _, asked := range c.no {
				f := strings.Split(asked, " ")
				if got := holder(t, ns, f[0], f[1], f[2]); got != "" {
					t.Errorf("%s: %q", asked, got)
				}
			}
		})
	}
}

func TestHolderIsOfTheAskedNamespace(t *testing.T) {
	t.Parallel()
	held(t, "tcp4", "0.0.0.0:8080")
	if got := holder(t, newWorld(t).ns, "tcp", "", "8080"); got != "" {
		t.Errorf("got %q", got)
	}
}

func TestHolderIsNobodyWhoOnlyAsks(t *testing.T) {
	t.Parallel()
	ns := held(t, "tcp4", "127.0.0.1:8080")
	err := ns.Do(func() error {
		c, err := net.Dial("tcp4", "127.0.0.1:8080")
		if err != nil {
			return err
		}
		t.Cleanup(func() { c.Close() })
		u, err := net.Dial("udp4", "127.0.0.1:9")
		if err == nil {
			t.Cleanup(func() { u.Close() })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, asked := range []string{"tcp", "udp"} {
		if got := holder(t, ns, asked, "", "10000-65535"); got != "" {
			t.Errorf("%s: %q", asked, got)
		}
	}
}

func TestHolderNamesTheLowestPort(t *testing.T) {
	t.Parallel()
	ns := held(t, "tcp4", "0.0.0.0:2222")
	err := ns.Do(func() error {
		l, err := net.Listen("tcp4", "0.0.0.0:2221")
		if err == nil {
			t.Cleanup(func() { l.Close() })
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := holder(t, ns, "tcp", "", "2000-2999"); !strings.HasSuffix(got, " on 0.0.0.0:2221") {
		t.Errorf("got %q", got)
	}
}

// TestHolderOfSCTP runs where the kernel has SCTP; where it has not, nobody can
// hold a port of it.
func TestHolderOfSCTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	fd := -1
	err := w.ns.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
		return err
	})
	want := ""
	if err == nil {
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Port: 8080}); err != nil {
			t.Fatal(err)
		}
		if err := unix.Listen(fd, 1); err != nil {
			t.Fatal(err)
		}
		want = " on 0.0.0.0:8080"
	}
	if got := holder(t, w.ns, "sctp", "", "8080"); !strings.HasSuffix(got, want) || want == "" && got != "" {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestListenersOfOtherProtocolsAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := FindListeners(newWorld(t).ns, "icmp"); err == nil || !strings.Contains(err.Error(), `"icmp"`) {
		t.Errorf("got %v", err)
	}
}

func TestProcessOfASocketNobodyShows(t *testing.T) {
	t.Parallel()
	if got := processOf(0); got != "another process" {
		t.Errorf("got %q", got)
	}
}

func TestTrafficCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.loopbackUp()
	before, err := w.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = w.ns.Do(func() error {
		c, err := net.Dial("udp4", "127.0.0.1:9")
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Write(make([]byte, 100))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	after, err := w.Traffic(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lo, was := after["lo"], before["lo"]
	if lo.TxPackets <= was.TxPackets || lo.RxBytes < was.RxBytes+100 || lo.TxBytes < was.TxBytes+100 || lo.RxPackets <= was.RxPackets {
		t.Errorf("before %+v, after %+v", was, lo)
	}
}
