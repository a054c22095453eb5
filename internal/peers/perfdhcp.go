package peers

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/testhost"
)

// DHCPRate is what perfdhcp measured.
type DHCPRate struct {
	PerSecond float64       // full exchanges of four messages, over the time with its final wait (-W)
	Offered   float64       // exchanges a second that were to begin, 0 is as many as it could
	Sent      int           // DISCOVER or SOLICIT
	Completed int           // full exchanges
	Dropped   int           // exchanges that did not end
	Delay     time.Duration // average of DISCOVER to OFFER
	Text      string
}

// Loss is the share of exchanges that did not end, 0 to 1.
func (r DHCPRate) Loss() float64 { return float64(r.Dropped) / float64(max(1, r.Sent)) }

// PerfDHCP runs perfdhcp on a host. For DHCPv4 give the server's address as the
// last argument: perfdhcp speaks as a relay agent at the host's own address (it
// puts that into giaddr), so the server must trust that address and know its
// subnet, and answers go there. For DHCPv6 give "-6", "-l", "eth0".
func PerfDHCP(ctx context.Context, t testing.TB, h *testhost.Host, args ...string) (DHCPRate, error) {
	t.Helper()
	Need(t, "perfdhcp", "kea-admin")
	out, err := h.Command(ctx, "perfdhcp", args...).CombinedOutput()
	// Its exit code is 3 when exchanges were dropped, which is a result.
	r, bad := parsePerfDHCP(string(out))
	if bad != nil {
		return r, fmt.Errorf("perfdhcp %q on %s: %w", args, h.Name(), errors.Join(bad, err))
	}
	return r, nil
}

var (
	perfRate  = regexp.MustCompile(`(?m)^Rate: ([0-9.]+) (?:4-way exchanges|[A-Za-z -]*)/second(?:, expected rate: ([0-9.]+))?`)
	perfPair  = regexp.MustCompile(`^\S+\s+sent packets: (\d+)\s+received packets: (\d+)\s+drops: (\d+)`)
	perfDelay = regexp.MustCompile(`avg delay: ([0-9.]+) ms`)
)

// parsePerfDHCP reads the final report. What was dropped in the second half of
// an exchange counts as the first half's loss does.
func parsePerfDHCP(text string) (DHCPRate, error) {
	r := DHCPRate{Text: text}
	rate := perfRate.FindStringSubmatch(text)
	halves := strings.Split(text, "***Statistics for: ")[1:]
	if rate == nil || len(halves) == 0 {
		return r, fmt.Errorf("it printed no report: %s", text)
	}
	r.PerSecond, _ = strconv.ParseFloat(rate[1], 64)
	r.Offered, _ = strconv.ParseFloat(rate[2], 64)
	for i, half := range halves {
		p := perfPair.FindStringSubmatch(half)
		if p == nil {
			return r, fmt.Errorf("it printed half a report: %s", text)
		}
		if i == 0 {
			r.Sent = number(p[1])
			r.Delay = averageDelay(half)
		}
		r.Completed = number(p[2])
		r.Dropped += number(p[3])
	}
	return r, nil
}

// averageDelay is zero when nothing was answered.
func averageDelay(half string) time.Duration {
	d := perfDelay.FindStringSubmatch(half)
	if d == nil {
		return 0
	}
	ms, _ := strconv.ParseFloat(d[1], 64)
	return time.Duration(ms * float64(time.Millisecond))
}

// RateSearch finds the highest rate that a server sustains: the highest offered
// rate of which less than one exchange in a hundred is lost, and which perfdhcp
// itself can offer.
type RateSearch struct {
	Clients int           // different MACs, so many leases at most
	Period  time.Duration // of one try, whole seconds; 0 is 2 s
	From    int           // the first rate that is tried, a second; 0 is 500
	Most    int           // the last one; 0 is 60,000
}

// maxLoss is the share of exchanges that may be lost, minOffer the share of the
// rate that must have been sent: a busy machine keeps perfdhcp from its pace.
const (
	maxLoss  = 0.01
	minOffer = 0.9
)

// Sustained searches: it doubles the rate until too much is lost, then halves
// the interval until the two rates are within a tenth. It returns the best good
// try, its rate over the period alone; none is a rate of 0. server is the address
// of a DHCPv4 server, see PerfDHCP.
func (s RateSearch) Sustained(ctx context.Context, t testing.TB, h *testhost.Host, server netip.Addr) (best DHCPRate, err error) {
	t.Helper()
	s = s.defaults()
	err = search(s.From, s.Most, func(rate int) (bool, error) {
		r, err := PerfDHCP(ctx, t, h, s.arguments(rate, server)...)
		good := err == nil && r.Loss() < maxLoss && float64(r.Sent) >= minOffer*float64(rate)*s.Period.Seconds()
		if good {
			r.PerSecond = float64(r.Completed) / s.Period.Seconds()
			best = r
		}
		return good, err
	})
	return best, err
}

// search tries rates from the first up to the last one until the highest good
// one is known to a tenth. try says whether a rate is good.
func search(from, most int, try func(rate int) (good bool, err error)) error {
	good, bad := 0, most+1
	for rate := from; rate > good && rate < bad && float64(bad) > 1.1*float64(good+1); {
		ok, err := try(rate)
		if err != nil {
			return err
		}
		if ok {
			good = rate
		} else {
			bad = rate
		}
		rate = (good + bad) / 2
		if bad > most {
			rate = min(2*good, most)
		}
	}
	return nil
}

func (s RateSearch) defaults() RateSearch {
	if s.Period == 0 {
		s.Period = 2 * time.Second
	}
	if s.From == 0 {
		s.From = 500
	}
	if s.Most == 0 {
		s.Most = 60_000
	}
	return s
}

// arguments: -W waits half a second for the last answers, in microseconds.
func (s RateSearch) arguments(rate int, server netip.Addr) []string {
	return []string{"-4", "-r", strconv.Itoa(rate), "-R", strconv.Itoa(s.Clients), "-p", strconv.Itoa(int(s.Period.Seconds())),
		"-W", "500000", server.String()}
}
