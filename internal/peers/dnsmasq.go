package peers

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"kvmnet/internal/testhost"
)

// DnsmasqConfig says what dnsmasq serves.
type DnsmasqConfig struct {
	Device   string // interface of the host
	From, To netip.Addr
	Lease    int // seconds, 120 or more: dnsmasq gives no less
	Domain   string
	Most     int      // leases, 0 is dnsmasq's 1000
	Quiet    bool     // does not log each message
	Leases   string   // its lease file as it finds it
	Options  []string // more arguments, each as --dhcp-option=…
}

// Dnsmasq starts a dnsmasq on a host, to compare with and to test clients
// against; it ends with the test. It returns when it serves.
func Dnsmasq(t testing.TB, h *testhost.Host, c DnsmasqConfig) {
	t.Helper()
	Need(t, "dnsmasq", "dnsmasq-base")
	needRoot(t, "dnsmasq") // even with --user=root
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/leases", []byte(c.Leases), 0o600); err != nil {
		t.Fatal(err)
	}
	argv := []string{"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--log-facility=-", "--user=root", "--group=root",
		"--pid-file=" + dir + "/pid", "--dhcp-leasefile=" + dir + "/leases", "--interface=" + c.Device, "--bind-interfaces",
		"--except-interface=lo", "--no-resolv", "--no-hosts", "--no-ping", "--dhcp-authoritative",
		"--domain=" + c.Domain, "--local=/" + c.Domain + "/"}
	if !c.Quiet {
		argv = append(argv, "--log-dhcp")
	}
	if c.Most > 0 {
		argv = append(argv, fmt.Sprintf("--dhcp-lease-max=%d", c.Most))
	}
	if bits := 64; c.From.Is6() {
		argv = append(argv, fmt.Sprintf("--dhcp-range=%s,%s,%d,%ds", c.From, c.To, bits, c.Lease), "--enable-ra")
	} else {
		argv = append(argv, fmt.Sprintf("--dhcp-range=%s,%s,%ds", c.From, c.To, c.Lease))
	}
	p, err := start(t, h, dir+"/log", program{argv: append(argv, c.Options...)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := until(ctx, func() error { _, err := os.Stat(dir + "/pid"); return err }); err != nil {
		t.Fatalf("start dnsmasq: %v%s", err, p.said())
	}
}
