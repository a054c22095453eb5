package tftp

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	client "github.com/pin/tftp/v3"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
)

var listen = netip.MustParseAddr("10.9.0.1")

// world is a namespace with an address to serve at, and a directory in another
// one with a secret beside it.
func world(t *testing.T) (ns *netns.NS, dir string) {
	t.Helper()
	ns = nstest.NS(t)
	nstest.Run(t, ns, "ip", "link", "set", "lo", "up")
	nstest.Run(t, ns, "ip", "address", "add", "10.9.0.1/24", "dev", "lo")
	dir = filepath.Join(t.TempDir(), "tftp")
	for _, err := range []error{
		os.MkdirAll(filepath.Join(dir, "boot"), 0o755),
		os.WriteFile(filepath.Join(dir, "..", "secret"), []byte("secret"), 0o644),
		os.WriteFile(filepath.Join(dir, "boot", "pxe"), []byte("loader"), 0o644),
		os.WriteFile(filepath.Join(dir, "text"), []byte("a\nb\r\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "big"), bytes.Repeat([]byte("0123456789"), 300000), 0o644),
		os.Symlink("boot/pxe", filepath.Join(dir, "inside")),
		os.Symlink("../secret", filepath.Join(dir, "outside")),
		os.Symlink("/etc/hostname", filepath.Join(dir, "absolute")),
		syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return ns, dir
}

func serve(t *testing.T, ns *netns.NS, dir string) *Server {
	t.Helper()
	s, err := start(ns, "lo", plan.TFTP{Listen: listen, Dir: dir}, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// get fetches a file with a client that is not ours.
func get(ns *netns.NS, name, mode string, block int) (string, error) {
	var b bytes.Buffer
	err := ns.Do(func() error {
		c, err := client.NewClient("10.9.0.1:69")
		if err != nil {
			return err
		}
		c.SetTimeout(2 * time.Second)
		c.SetBlockSize(block)
		c.RequestTSize(block > 0)
		w, err := c.Receive(name, mode)
		if err == nil {
			_, err = w.WriteTo(&b)
		}
		return err
	})
	return b.String(), err
}

func TestFilesAreServed(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	serve(t, ns, dir)
	big, err := os.ReadFile(filepath.Join(dir, "big"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, mode string
		block      int
		want       string
	}{
		{"boot/pxe", "octet", 0, "loader"}, {"/boot/pxe", "octet", 1468, "loader"}, {`\boot\pxe`, "octet", 0, "loader"}, {"inside", "octet", 0, "loader"},
		{"boot/../text", "octet", 0, "a\nb\r\n"}, {"../text", "octet", 0, "a\nb\r\n"}, {"big", "octet", 0, string(big)}, {"big", "octet", 1468, string(big)}, {"big", "octet", 65464, string(big)},
	} {
		got, err := get(ns, c.name, c.mode, c.block)
		if err != nil || got != c.want {
			t.Errorf("%s, blocks of %d: %d bytes, %v", c.name, c.block, len(got), err)
		}
	}
}

func TestOnlyGuestsOfTheBridgeAreServed(t *testing.T) {
	t.Parallel()
	_, dir := world(t)
	machine, guest, lan := nstest.Host(t, "machine"), nstest.Host(t, "guest"), nstest.Host(t, "lan")
	for _, bridge := range []string{"lab0", "lan0"} {
		if err := machine.Bridge(bridge); err != nil {
			t.Fatal(err)
		}
	}
	nstest.Join(t, guest, machine, "lab0", netip.MustParsePrefix("10.9.0.2/24"))
	nstest.Join(t, lan, machine, "lan0", netip.MustParsePrefix("192.0.2.2/24"))
	if err := errors.Join(machine.AddAddress("lab0", netip.MustParsePrefix("10.9.0.1/24")), machine.AddAddress("lan0", netip.MustParsePrefix("192.0.2.1/24")),
		lan.Gateways(netip.MustParseAddr("192.0.2.1"))); err != nil {
		t.Fatal(err)
	}
	s, err := Open(machine.NS(), "lab0", plan.TFTP{Listen: listen, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if got, err := get(guest.NS(), "boot/pxe", "octet", 0); got != "loader" || err != nil {
		t.Errorf("a guest got %q, %v", got, err)
	}
	err = lan.NS().Do(func() error {
		c, err := net.Dial("udp", "10.9.0.1:69")
		if err != nil {
			return err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err = c.Write([]byte("\x00\x01boot/pxe\x00octet\x00")); err == nil {
			_, err = c.Read(make([]byte, 600))
		}
		return err
	})
	if !errors.Is(err, syscall.ECONNREFUSED) { // by the kernel: nobody listens there
		t.Errorf("a host of the LAN got %v", err)
	}
}

func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	serve(t, ns, dir)
	for name, want := range map[string]string{
		"missing": "code: 1, message: file not found", "boot/pxe/x": "code: 2", "": "code: 4", "boot": "code: 2, message: not a regular file", "/": "code: 2", "pipe": "code: 2",
		"outside": "code: 2, message: access denied", "absolute": "code: 2", "../secret": "code: 1", "boot/../../secret": "code: 1", `..\secret`: "code: 1", "secret": "code: 1",
	} {
		got, err := get(ns, name, "octet", 0)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), dir) {
			t.Errorf("%q: got %q, %v, want %s", name, got, err, want)
		}
	}
}

func TestWritesAreRefused(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	serve(t, ns, dir)
	err := ns.Do(func() error {
		c, err := client.NewClient("10.9.0.1:69")
		if err == nil {
			_, err = c.Send("new", "octet")
		}
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "code=2, error: the server is read only") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "new")); err == nil {
		t.Error("the file is there")
	}
}

// raw is a client that does what it is told.
func raw(t *testing.T, ns *netns.NS) *net.UDPConn {
	t.Helper()
	var conn *net.UDPConn
	if err := ns.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 9, 0, 1)})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func ask(t *testing.T, conn *net.UDPConn, b []byte) {
	t.Helper()
	if _, err := conn.WriteToUDPAddrPort(b, netip.AddrPortFrom(listen, port)); err != nil {
		t.Fatal(err)
	}
}

// hear returns the next packet.
func hear(t *testing.T, conn *net.UDPConn) []byte {
	t.Helper()
	b := make([]byte, 2000)
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func TestOptionsAreAcknowledged(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	serve(t, ns, dir)
	c := raw(t, ns)
	ask(t, c, rrq("big", "octet", "TSize", "0", "blksize", "1024", "windowsize", "4", "timeout", "1"))
	if got := hear(t, c); string(got) != "\x00\x06tsize\x003000000\x00blksize\x001024\x00windowsize\x004\x00timeout\x001\x00" {
		t.Errorf("got %q", got)
	}
}

func TestTextIsTranslated(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	serve(t, ns, dir)
	c := raw(t, ns)
	ask(t, c, rrq("text", "netascii"))
	if got := hear(t, c); string(got) != "\x00\x03\x00\x01a\r\nb\r\x00\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestOneClientCannotTakeAllTransfers(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	nstest.Run(t, ns, "ip", "address", "add", "10.9.0.2/24", "dev", "lo")
	s := serve(t, ns, dir)
	c := raw(t, ns)
	seen := map[byte]int{}
	for range mostOfOne + 3 {
		ask(t, c, rrq("big", "octet"))
	}
	for seen[opError] < 3 || seen[opData] < mostOfOne {
		seen[hear(t, c)[1]]++
	}
	// Each transfer ends when nobody answers.
	nstest.Eventually(t, 10*time.Second, func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.total != 0 || len(s.busy) != 0 || len(s.conns) != 0 {
			return fmt.Errorf("%d transfers, %v, %d sockets", s.total, s.busy, len(s.conns))
		}
		return nil
	})
}

func TestGarbageIsNotAnswered(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	serve(t, ns, dir)
	c := raw(t, ns)
	for _, b := range [][]byte{{}, {0}, {0, opAck, 0, 1}, failure(codeOther, "x"), {0, opData, 0, 1, 'x'}, {9, 9, 9, 9}} {
		ask(t, c, b)
	}
	ask(t, c, rrq("boot/pxe", "octet"))
	if got := hear(t, c); string(got) != "\x00\x03\x00\x01loader" {
		t.Errorf("got %q", got)
	}
}

func TestCloseEndsTransfersAndGivesThePortBack(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	t.Run("closed in the middle", func(t *testing.T) {
		s := serve(t, ns, dir)
		c := raw(t, ns)
		ask(t, c, rrq("big", "octet", "timeout", "10"))
		hear(t, c)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s := serve(t, ns, dir)
	if got, err := get(ns, "boot/pxe", "octet", 0); err != nil || got != "loader" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := Open(ns, "lo", plan.TFTP{Listen: listen, Dir: dir}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the port is in use: %v", err)
	}
	s.Close()
}

func TestOpenTellsWhatIsMissing(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	if _, err := Open(ns, "lo", plan.TFTP{Listen: listen, Dir: dir + "/none"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no directory: %v", err)
	}
	if _, err := Open(ns, "lo", plan.TFTP{Listen: netip.MustParseAddr("192.0.2.9"), Dir: dir}); !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("no such address: %v", err)
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	ns, dir := world(t)
	s, err := Open(ns, "lo", plan.TFTP{Listen: netip.MustParseAddr("::1"), Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b bytes.Buffer
	err = ns.Do(func() error {
		c, err := client.NewClient("[::1]:69")
		if err != nil {
			return err
		}
		w, err := c.Receive("boot/pxe", "octet")
		if err == nil {
			_, err = w.WriteTo(&b)
		}
		return err
	})
	if err != nil || b.String() != "loader" {
		t.Errorf("got %q, %v", b.String(), err)
	}
}
