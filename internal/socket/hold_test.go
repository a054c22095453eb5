package socket

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
)

// comm is our own name as the kernel has it.
func comm(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/comm")
	must(t, err)
	return strings.TrimSpace(string(b))
}

func TestHeldPortIsSilentAndNotRefused(t *testing.T) {
	t.Parallel()
	machine, guest := newWorld(t)
	for _, c := range []struct {
		network, from, to string
		port              uint16
	}{{"udp4", "10.7.0.2:68", "10.7.0.1:67", 67}, {"udp6", "[fd00:7::2]:546", "[fd00:7::1]:547", 547}} {
		conn := listenAt(t, guest.NS(), c.from)
		raw, err := conn.SyscallConn()
		must(t, err)
		ask := func() (err error) { // the ICMP error, without waiting for one
			must(t, raw.Control(func(fd uintptr) {
				v, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR)
				if v != 0 {
					err = unix.Errno(v)
				}
			}))
			return err
		}
		connectTo(t, conn, c.to)
		nstest.Eventually(t, patience, func() error {
			conn.Write([]byte("anybody?"))
			if ask() != unix.ECONNREFUSED {
				return errors.New("no refusal from the free port")
			}
			return nil
		})
		h, err := HoldPort(machine.NS(), "lab0", c.network, c.port)
		must(t, err)
		for range 20 {
			if _, err := conn.Write([]byte("anybody?")); err != nil {
				t.Fatal(err)
			}
		}
		if err := ask(); err != nil {
			t.Errorf("%s: %v from the held port", c.network, err)
		}
		must(t, h.Close())
	}
}

func TestHoldJoinsTheGroupsOfClientsAndRouters(t *testing.T) {
	t.Parallel()
	machine, _ := newWorld(t)
	h, err := HoldPort(machine.NS(), "lab0", "udp6", 547)
	must(t, err)
	defer h.Close()
	out := nstest.Run(t, machine.NS(), "ip", "-6", "maddr", "show", "dev", "lab0")
	for _, g := range groups {
		if !strings.Contains(out, "inet6 "+g.String()+"\n") {
			t.Errorf("%s is not joined: %s", g, out)
		}
	}
}

func TestTakenPortNamesTheProcess(t *testing.T) {
	t.Parallel()
	machine, _ := newWorld(t)
	must(t, machine.Bridge("lab1"))
	other, err := HoldPort(machine.NS(), "lab1", "udp4", 67)
	must(t, err)
	defer other.Close()
	// The socket on the other bridge is not in the way, and not to be named.
	server := machine.Command(t.Context(), "python3", "-c", `
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lab0")
s.bind(("0.0.0.0", 67))
print("ready", flush=True)
time.sleep(100)`)
	out, err := server.StdoutPipe()
	must(t, err)
	must(t, server.Start())
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Skipf("needs python3: %v", err)
	}
	_, err = HoldPort(machine.NS(), "lab0", "udp4", 67)
	var taken *TakenError
	if !errors.As(err, &taken) || !errors.Is(err, unix.EADDRINUSE) {
		t.Fatalf("got %v, want a TakenError", err)
	}
	if taken.PID != server.Process.Pid || !strings.HasPrefix(taken.Command, "python3") || taken.Port != 67 || taken.Address != "lab0" || taken.Protocol != "udp" {
		t.Errorf("%+v, want pid %d", taken, server.Process.Pid)
	}
	if !strings.Contains(err.Error(), "port 67 on lab0 is taken by python3") {
		t.Errorf("%q", err)
	}
}

func TestHolderIsFoundByAddress(t *testing.T) {
	t.Parallel()
	machine, _ := newWorld(t)
	at := netip.MustParseAddrPort
	u, err := ListenUDP(machine.NS(), at("10.7.0.1:53"))
	must(t, err)
	defer u.Close()
	l, err := ListenTCP(machine.NS(), at("[::]:53"))
	must(t, err)
	defer l.Close()
	for _, c := range []struct {
		protocol, addr string
		want           bool
	}{
		{"udp", "10.7.0.1:53", true},
		{"udp", "0.0.0.0:53", true},
		{"udp", "10.7.0.9:53", false},
		{"udp", "10.7.0.1:54", false},
		{"udp", "[fd00:7::1]:53", false},
		{"tcp", "[fd00:7::1]:53", true},
		{"tcp", "10.7.0.1:53", true}, // a socket for all of IPv6 takes IPv4, too
	} {
		pid, command, ok := holder(machine.NS(), c.protocol, at(c.addr), 0)
		if ok != c.want || ok && (pid != os.Getpid() || command != comm(t)) {
			t.Errorf("%s %s: %d %q %t", c.protocol, c.addr, pid, command, ok)
		}
	}
	if _, err := ListenUDP(machine.NS(), at("0.0.0.0:53")); !errors.As(err, new(*TakenError)) {
		t.Errorf("got %v, want a TakenError", err)
	}
	if _, err := ListenTCP(machine.NS(), at("[fd00:7::1]:53")); !errors.As(err, new(*TakenError)) {
		t.Errorf("got %v, want a TakenError", err)
	}
}

// TestHolderIsRemembered: a thousand networks that one server keeps from their port
// do not look through all processes a thousand times.
func TestHolderIsRemembered(t *testing.T) {
	var s [2]unix.Stat_t
	for i := range s {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Fstat(fd, &s[i]); err != nil {
			t.Fatal(err)
		}
	}
	for _, socket := range []unix.Stat_t{s[0], s[0], s[1], s[0]} {
		pid, _, ok := owner(uint32(socket.Ino))
		if !ok || pid != os.Getpid() {
			t.Errorf("it is held by %d, %v", pid, ok)
		}
		if target, _ := os.Readlink(found.file); target != fmt.Sprintf("socket:[%d]", socket.Ino) {
			t.Errorf("%s is remembered", target)
		}
	}
	if _, _, ok := owner(1<<32 - 1); ok {
		t.Error("a socket that is not there has a holder")
	}
}

func TestUnknownHolderLeavesAWayToFindOut(t *testing.T) {
	t.Parallel()
	err := error(&TakenError{Address: "lab0", Port: 67, Protocol: "udp"})
	if text := err.Error(); !strings.HasPrefix(text, "port 67 on lab0 is taken by another process") {
		t.Errorf("%q", text)
	}
}

func FuzzSocketDiagnosis(f *testing.F) {
	f.Add(diagRequest(unix.AF_INET, unix.IPPROTO_UDP, 67))
	f.Add([]byte{16, 0, 0, 0, unix.NLMSG_DONE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) { diagAnswers(b) })
}
