package peers

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/testhost"
)

// DNSRate is what dnsperf measured.
type DNSRate struct {
	PerSecond float64 // queries answered
	Sent      int
	Lost      int
	Text      string
}

// DNSPerf asks a server from a host for the names, over and over ("vm1.lab A"
// each), for a time in whole seconds.
func DNSPerf(ctx context.Context, t testing.TB, h *testhost.Host, server netip.Addr, names []string, period time.Duration, args ...string) (DNSRate, error) {
	t.Helper()
	Need(t, "dnsperf", "dnsperf")
	file := filepath.Join(t.TempDir(), "queries")
	if err := os.WriteFile(file, []byte(strings.Join(names, "\n")+"\n"), 0o644); err != nil {
		return DNSRate{}, err
	}
	argv := append([]string{"dnsperf", "-s", server.String(), "-d", file, "-l", strconv.Itoa(int(period.Seconds()))}, args...)
	out, err := run(ctx, h, argv...)
	if err != nil {
		return DNSRate{Text: out}, err
	}
	return parseDNSPerf(out)
}

func parseDNSPerf(text string) (DNSRate, error) {
	r := DNSRate{Text: text}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch word, _, _ := strings.Cut(strings.TrimSpace(value), " "); key {
		case "Queries sent":
			r.Sent = number(word)
		case "Queries lost":
			r.Lost = number(word)
		case "Queries per second":
			r.PerSecond, _ = strconv.ParseFloat(word, 64)
		}
	}
	if r.PerSecond == 0 {
		return r, fmt.Errorf("read dnsperf's report: it has no rate:\n%s", text)
	}
	return r, nil
}
