package testhost_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

func TestPingStreamLosesNothingOnAQuietPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, to := range both {
		s, err := w.client.PingStream(t.Context(), to, time.Millisecond)
		must(t, err)
		nstest.Eventually(t, 10*time.Second, func() error { return atLeast(s.Report().Received, 100) })
		if r := s.Stop(); r.Lost != 0 || r.Sent != r.Received || r.Sent < 100 || len(r.Refusals) != 0 {
			t.Errorf("%s: %+v, want 100 or more and none lost", name, r)
		}
	}
}

func TestPingStreamCountsALossAndItsLength(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.warm(t)
	s, err := w.client.PingStream(t.Context(), server4, time.Millisecond)
	must(t, err)
	nstest.Eventually(t, 5*time.Second, func() error { return atLeast(s.Report().Received, 10) })
	w.rules(t, "drop")
	nstest.Eventually(t, 5*time.Second, func() error { return atLeast(int(s.Report().LongestGap), int(300*time.Millisecond)) })
	w.rules(t, "accept")
	before := s.Report().Received
	nstest.Eventually(t, 5*time.Second, func() error { return atLeast(s.Report().Received, before+10) })
	if r := s.Stop(); r.Lost < 10 || r.LongestGap < 300*time.Millisecond || r.Received < 20 || r.Sent != r.Received+r.Lost {
		t.Errorf("%+v, want a gap of 300 ms and 10 or more lost", r)
	}
}

func TestPingStreamTellsRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rules(t, "reject with icmpx type admin-prohibited")
	s, err := w.client.PingStream(t.Context(), server6, time.Millisecond)
	must(t, err)
	nstest.Eventually(t, 5*time.Second, func() error { return atLeast(len(s.Report().Refusals), 1) })
	if r := s.Stop(); r.Received != 0 || !slices.Equal(r.Refusals, []testhost.Reason{testhost.AdminProhibited}) {
		t.Errorf("%+v, want nothing received and %s", r, testhost.AdminProhibited)
	}
}

func TestTCPStreamIsWholeOnAQuietPath(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, to := range both {
		s, err := w.client.TCPStream(t.Context(), netip.AddrPortFrom(to, testhost.EchoPort))
		must(t, err)
		nstest.Eventually(t, 10*time.Second, func() error { return atLeast(int(s.Report().Bytes), 100_000) })
		if r := s.Stop(); r.Broken != "" || r.Bytes < 100_000 {
			t.Errorf("%s: %+v, want 100 kB and no break", name, r)
		}
		if s.Seen().Addr() != client4 && s.Seen().Addr() != client6 {
			t.Errorf("%s: seen as %s", name, s.Seen())
		}
	}
}

func TestTCPStreamTellsAStallAndLivesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, err := w.client.TCPStream(t.Context(), netip.AddrPortFrom(server4, testhost.EchoPort))
	must(t, err)
	nstest.Eventually(t, 5*time.Second, func() error { return atLeast(int(s.Report().Bytes), 1000) })
	w.rules(t, "drop")
	nstest.Eventually(t, 10*time.Second, func() error { return atLeast(s.Report().Stalls, 1) })
	w.rules(t, "accept")
	before := s.Report().Bytes
	nstest.Eventually(t, 20*time.Second, func() error { return atLeast(int(s.Report().Bytes), int(before)+10_000) })
	if r := s.Stop(); r.Stalls < 1 || r.LongestStall < testhost.StallAfter || r.Broken != "" {
		t.Errorf("%+v, want a stall and no break", r)
	}
}

func TestTCPStreamTellsABreak(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, err := w.client.TCPStream(t.Context(), netip.AddrPortFrom(server6, testhost.EchoPort))
	must(t, err)
	must(t, w.echo.Close())
	nstest.Eventually(t, 5*time.Second, func() error { return atLeast(len(s.Report().Broken), 1) })
	if r := s.Stop(); r.Broken == "" {
		t.Errorf("%+v, want a break", r)
	}
	if _, err := w.client.TCPStream(t.Context(), netip.AddrPortFrom(server6, testhost.EchoPort)); err == nil || !strings.Contains(err.Error(), string(testhost.Refused)) {
		t.Errorf("got %v, want %s", err, testhost.Refused)
	}
}

func TestStreamsEndWithTheirHost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ping, err := w.client.PingStream(t.Context(), server4, time.Millisecond)
	must(t, err)
	tcp, err := w.client.TCPStream(t.Context(), netip.AddrPortFrom(server4, testhost.EchoPort))
	must(t, err)
	must(t, w.client.Close())
	if p, c := ping.Stop(), tcp.Stop(); p.Sent == 0 || c.Broken != "" {
		t.Errorf("ping %+v, tcp %+v: want some pings and no break", p, c)
	}
}

func atLeast(have, want int) error {
	if have < want {
		return tooFew{have, want}
	}
	return nil
}

type tooFew struct{ have, want int }

func (e tooFew) Error() string { return fmt.Sprintf("%d, want %d or more", e.have, e.want) }
