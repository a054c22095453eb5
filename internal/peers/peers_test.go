package peers_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/testhost"
)

// The tests run in a namespace without a way out, so what has to be fetched is
// fetched before. An error shows again when a test asks for the files.
func TestMain(m *testing.M) {
	nstest.Main(m, func() { peers.FetchKernel(context.Background(), slog.Default()) })
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a server with a bridge, and a client's host on it.
func world(t *testing.T) (server, client *testhost.Host) {
	t.Helper()
	server, client = nstest.Host(t, "server"), nstest.Host(t, "vm1")
	must(t, server.Bridge("br0"))
	must(t, server.AddAddress("br0", netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("fd09::1/64")))
	nstest.Join(t, client, server, "br0")
	return server, client
}

// The clients do all that they are for against another server, so what they do
// not do against ours is not their fault.
func TestClientsAgainstDnsmasq(t *testing.T) {
	t.Parallel()
	for name, join := range peers.All() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, _ := world(t)
			fillChecksums(t, server, "br0") // for the strict one
			c := join(t, server, "br0")
			want, conf := peers.Want{
				Domain: "lab.internal", Time: 2 * time.Minute, MTU: 1400, Bits: 24,
				Router: addr("10.9.0.1"), DNS: []netip.Addr{addr("10.9.0.1")}, Prefix: netip.MustParsePrefix("10.9.0.0/24"),
			}, peers.DnsmasqConfig{
				Device: "br0", From: addr("10.9.0.10"), To: addr("10.9.0.99"), Lease: 120, Domain: "lab.internal",
				// Networkd renews on the server's timers only.
				Options: []string{"--dhcp-option=option:mtu,1400", "--dhcp-option-force=option:T1,2", "--dhcp-option-force=option:T2,4"},
			}
			if c.Family() == 6 {
				want = peers.Want{Bits: 128, Domain: "lab.internal", Time: 2 * time.Minute,
					DNS: []netip.Addr{addr("fd09::1")}, Prefix: netip.MustParsePrefix("fd09::/64")}
				conf.From, conf.To, conf.Options = addr("fd09::10"), addr("fd09::ff"), []string{"--dhcp-option=option6:domain-search,lab.internal"}
			}
			peers.Dnsmasq(t, server, conf)
			peers.Exercise(t, c, want)
		})
	}
}

// fillChecksums has the kernel fill in checksums itself on an interface, rather
// than leave that to the card (SIOCETHTOOL, ETHTOOL_STXCSUM).
func fillChecksums(t testing.TB, h *testhost.Host, ifname string) {
	t.Helper()
	value := struct{ command, data uint32 }{unix.ETHTOOL_STXCSUM, 0}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: unsafe.Pointer(&value)}
	copy(request.name[:], ifname)
	err := h.NS().Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request))); errno != 0 {
			return errno
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Dnsmasq leaves checksums to the card: over a bridge the client sees none.
func TestStrictClientRefusesAnAnswerWithoutChecksum(t *testing.T) {
	t.Parallel()
	server, host := world(t)
	c := peers.Strict(t, host)
	peers.Dnsmasq(t, server, peers.DnsmasqConfig{Device: "br0", From: addr("10.9.0.10"), To: addr("10.9.0.99"), Lease: 120, Domain: "lab.internal"})
	if l, err := c.Take(t.Context()); !errors.Is(err, peers.ErrChecksum) {
		t.Errorf("took %+v, %v, want %v", l, err, peers.ErrChecksum)
	}
}

func TestDigReadsEveryWay(t *testing.T) {
	t.Parallel()
	server, host := world(t)
	must(t, host.AddAddress("eth0", netip.MustParsePrefix("10.9.0.2/24"), netip.MustParsePrefix("fd09::2/64")))
	peers.Dnsmasq(t, server, peers.DnsmasqConfig{Device: "br0", From: addr("10.9.0.10"), To: addr("10.9.0.99"), Lease: 120, Domain: "lab.internal",
		Options: []string{"--host-record=vm7.lab.internal,10.9.0.7,fd09::7", "--txt-record=t.lab.internal,one two"}})
	for _, at := range []string{"10.9.0.1", "fd09::1"} {
		for _, flag := range []string{"+notcp", "+tcp"} {
			a, err := peers.Dig(t.Context(), t, host, addr(at), "vm7.lab.internal", "A", flag)
			must(t, err)
			if got := a.Values("A"); a.Status != "NOERROR" || len(got) != 1 || got[0] != "10.9.0.7" || a.TCP != (flag == "+tcp") {
				t.Errorf("%s %s: %s %v tcp %v", at, flag, a.Status, got, a.TCP)
			}
		}
	}
	a, err := peers.Dig(t.Context(), t, host, addr("10.9.0.1"), "none.lab.internal", "TXT")
	must(t, err)
	if a.Status != "NXDOMAIN" || len(a.Answer) > 0 {
		t.Errorf("got %s %v, want NXDOMAIN", a.Status, a.Answer)
	}
	if a, err := peers.Dig(t.Context(), t, host, addr("10.9.0.1"), "t.lab.internal", "TXT"); err != nil || a.Answer[0].String() != `t.lab.internal. TXT "one two"` {
		t.Errorf("got %v, %v", a.Answer, err)
	}
}

func TestLoadGeneratorsReport(t *testing.T) {
	t.Parallel()
	server, host := world(t)
	must(t, host.AddAddress("eth0", netip.MustParsePrefix("10.9.0.2/24")))
	peers.Dnsmasq(t, server, peers.DnsmasqConfig{Device: "br0", From: addr("10.9.0.10"), To: addr("10.9.0.99"), Lease: 120, Domain: "lab.internal"})
	best, err := peers.RateSearch{Clients: 20, Period: time.Second, From: 20, Most: 20}.Sustained(t.Context(), t, host, addr("10.9.0.1"))
	if err != nil || best.Completed == 0 || best.PerSecond > 21 {
		t.Errorf("perfdhcp: %+v, %v", best, err)
	}
	rate, err := peers.DNSPerf(t.Context(), t, host, addr("10.9.0.1"), []string{"vm1.lab.internal A"}, time.Second)
	if err != nil || rate.Sent == 0 || rate.PerSecond < 10 {
		t.Errorf("dnsperf: %+v, %v", rate, err)
	}
}
