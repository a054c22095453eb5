package dhcpclient

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/spec"
)

var (
	ownMAC    = spec.MAC{0x52, 0x54, 0, 0, 0, 1}
	serverMAC = spec.MAC{0x52, 0x54, 0, 0, 0, 0xfe}
	server    = netip.MustParseAddr("192.0.2.1")
	epoch     = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
)

// bench is a machine on a bench: time goes by from one thing it does to the next.
type bench struct {
	*machine
	t   *testing.T
	now time.Time
	log []string
}

// newBench starts a machine whose jitter is none.
func newBench(t *testing.T, lease *Lease) *bench {
	b := &bench{machine: &machine{mac: ownMAC, lease: lease}, t: t, now: epoch}
	var n uint64
	b.random = func() uint64 { n += 2001 << 20; return n + 1000 } // 1000 of 0 to 2000 ms is no jitter
	b.begin(b.now, lease)
	b.did()
	return b
}

// did notes what the machine did.
func (b *bench) did() {
	b.tick(b.now)
	o := b.take()
	at := strings.Replace(b.now.Sub(epoch).String(), "m0s", "m", 1)
	for _, r := range o.send {
		way := "all"
		if r.to.IsValid() {
			way = "server"
		}
		b.log = append(b.log, fmt.Sprintf("%s %s to %s", at, r.kind, way))
	}
	if o.probe.IsValid() {
		b.log = append(b.log, at+" probe "+o.probe.String())
	}
	if o.save && b.lease == nil {
		b.log = append(b.log, at+" no lease")
	} else if o.save {
		b.log = append(b.log, at+" lease "+b.lease.Address.String())
	}
}

// pass lets time go by and the machine act when it wants to.
func (b *bench) pass(d time.Duration) {
	end := b.now.Add(d)
	for !b.next.IsZero() && !b.next.After(end) {
		if b.next.After(b.now) {
			b.now = b.next
		}
		b.did()
	}
	b.now = end
}

// hears answers the last message.
func (b *bench) hears(k kind, change ...func(*answer)) {
	a := answer{kind: k, xid: b.xid, server: server, life: time.Hour, renew: time.Hour / 2, rebind: time.Hour / 8 * 7,
		lease: Lease{MAC: ownMAC, Server: server, ServerMAC: serverMAC, Address: netip.MustParsePrefix("192.0.2.9/24")}}
	for _, c := range change {
		c(&a)
	}
	b.heard(b.now, a)
	b.did()
}

// expect compares what was done since the last time.
func (b *bench) expect(want ...string) {
	b.t.Helper()
	if !slices.Equal(b.log, want) {
		b.t.Errorf("did\n\t%s\nwant\n\t%s", strings.Join(b.log, "\n\t"), strings.Join(want, "\n\t"))
	}
	b.log = nil
}

// leased has a lease since a second.
func leased(t *testing.T, change ...func(*answer)) *bench {
	b := newBench(t, nil)
	b.hears(offer)
	b.hears(ack, change...)
	b.pass(time.Second)
	b.log = nil
	return b
}

func TestFourMessagesAndNobodyElseHasIt(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.hears(offer)
	b.hears(ack)
	b.pass(time.Second)
	b.expect("0s DISCOVER to all", "0s REQUEST to all", "0s probe 192.0.2.9", "200ms probe 192.0.2.9", "400ms probe 192.0.2.9", "600ms lease 192.0.2.9/24")
	if b.state != bound || b.trouble() != "" || !b.lease.Ends.Equal(epoch.Add(time.Hour)) {
		t.Errorf("state %d, %q, lease %+v", b.state, b.trouble(), b.lease)
	}
}

func TestServersThatDoNotAnswerAreAskedLessAndLess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.pass(4 * time.Minute)
	b.expect("0s DISCOVER to all", "4s DISCOVER to all", "12s DISCOVER to all", "28s DISCOVER to all", "1m DISCOVER to all", "2m4s DISCOVER to all", "3m8s DISCOVER to all")
	if !strings.Contains(b.trouble(), "no DHCP server answers") {
		t.Error(b.trouble())
	}
}

func TestJitterIsASecond(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		random uint64
		want   time.Duration
	}{{0, 3 * time.Second}, {2000, 5 * time.Second}, {2001, 3 * time.Second}} {
		m := machine{random: func() uint64 { return c.random }}
		if got := m.backoff(1); got != c.want {
			t.Errorf("random %d: %s, want %s", c.random, got, c.want)
		}
	}
}

func TestAnOfferThatIsNotKeptIsGivenUp(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.hears(offer)
	b.pass(time.Minute)
	b.expect("0s DISCOVER to all", "0s REQUEST to all", "4s REQUEST to all", "12s REQUEST to all", "28s REQUEST to all", "1m DISCOVER to all")
}

func TestWhatWasNotAskedIsNotHeard(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.hears(ack)
	b.hears(offer, func(a *answer) { a.xid++ })
	b.hears(nak)
	b.expect("0s DISCOVER to all")
	b.hears(offer)
	b.hears(ack, func(a *answer) { a.server = server.Next() })
	b.hears(nak, func(a *answer) { a.server = server.Next() })
	b.hears(offer)
	b.expect("0s REQUEST to all")
}

func TestRefusalsBeginAnewLessAndLess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	for range 3 {
		b.hears(offer)
		b.hears(nak, func(a *answer) { a.message = "wrong" })
		b.pass(20 * time.Second)
	}
	b.pass(time.Second)
	var discovers []string
	for _, line := range b.log {
		if strings.Contains(line, "DISCOVER") {
			discovers = append(discovers, line)
		}
	}
	b.log = discovers
	b.expect("0s DISCOVER to all", "0s DISCOVER to all", "4s DISCOVER to all", "12s DISCOVER to all",
		"24s DISCOVER to all", "28s DISCOVER to all", "36s DISCOVER to all", "48s DISCOVER to all", "52s DISCOVER to all", "1m DISCOVER to all")
}

func TestAnAddressThatIsInUseIsDeclined(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.hears(offer)
	b.hears(ack)
	b.claimed(b.now, ownMAC, netip.MustParseAddr("192.0.2.9"))    // it hears itself
	b.claimed(b.now, serverMAC, netip.MustParseAddr("192.0.2.8")) // somebody else's
	b.pass(300 * time.Millisecond)
	b.log = nil
	b.claimed(b.now, serverMAC, netip.MustParseAddr("192.0.2.9"))
	b.did()
	b.pass(11 * time.Second)
	b.expect("300ms DECLINE to all", "10.3s DISCOVER to all")
	if !strings.Contains(b.trouble(), "in use by "+serverMAC.String()) {
		t.Error(b.trouble())
	}
}

func TestALeaseInForceIsNotDeclined(t *testing.T) {
	t.Parallel()
	b := leased(t)
	b.claimed(b.now, serverMAC, b.lease.Address.Addr())
	b.did()
	b.expect()
}

func TestRenewingThenRebindingThenTheEnd(t *testing.T) {
	t.Parallel()
	b := leased(t)
	b.pass(time.Hour)
	b.expect("30m REQUEST to server", "41m15s REQUEST to server", "46m52.5s REQUEST to server", "49m41.25s REQUEST to server",
		"51m5.625s REQUEST to server", "52m5.625s REQUEST to server",
		"52m30s REQUEST to all", "56m15s REQUEST to all", "58m7.5s REQUEST to all", "59m7.5s REQUEST to all",
		"1h0m DISCOVER to all", "1h0m no lease")
}

func TestRenewalGivesMoreTime(t *testing.T) {
	t.Parallel()
	b := leased(t)
	b.pass(30 * time.Minute)
	b.hears(ack)
	b.expect("30m REQUEST to server", "30m1s lease 192.0.2.9/24")
	if want := epoch.Add(90 * time.Minute); !b.lease.Ends.Equal(want) {
		t.Errorf("ends %s, want %s: from when it was asked for", b.lease.Ends, want)
	}
	b.pass(29*time.Minute + 58*time.Second)
	b.expect()
}

func TestRefusedRenewalEndsTheLease(t *testing.T) {
	t.Parallel()
	b := leased(t)
	b.pass(30 * time.Minute)
	b.hears(nak)
	b.expect("30m REQUEST to server", "30m1s DISCOVER to all", "30m1s no lease")
}

func TestALeaseWithoutEndIsNeverRenewed(t *testing.T) {
	t.Parallel()
	b := leased(t, func(a *answer) { a.life, a.renew, a.rebind = 0, 0, 0 })
	b.pass(1e6 * time.Hour)
	b.expect()
}

// stored is a lease from before that has half an hour left.
func stored() *Lease {
	return &Lease{MAC: ownMAC, Server: server, Address: netip.MustParsePrefix("192.0.2.9/24"),
		Renew: epoch.Add(5 * time.Minute), Rebind: epoch.Add(20 * time.Minute), Ends: epoch.Add(30 * time.Minute)}
}

func TestALeaseFromBeforeIsConfirmed(t *testing.T) {
	t.Parallel()
	b := newBench(t, stored())
	b.hears(ack, func(a *answer) { a.lease.Address = netip.MustParsePrefix("192.0.2.10/24") }) // not what was asked
	b.expect("0s REQUEST to all")
	b.hears(ack)
	b.expect("0s lease 192.0.2.9/24")
	b.pass(29 * time.Minute)
	b.expect()
}

func TestALeaseFromBeforeThatIsRefusedEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t, stored())
	b.hears(nak)
	b.expect("0s REQUEST to all", "0s DISCOVER to all", "0s no lease")
}

// Without the server's Ethernet address a renewal goes to all, from its own address.
func TestALeaseFromBeforeHoldsWhenNobodyAnswers(t *testing.T) {
	t.Parallel()
	b := newBench(t, stored())
	b.pass(10 * time.Minute)
	b.expect("0s REQUEST to all", "4s REQUEST to all", "12s REQUEST to all", "5m REQUEST to server")
	p := request{kind: dhcpv4.MessageTypeRequest, own: b.lease.Address.Addr(), to: b.lease.Server, toMAC: b.lease.ServerMAC}.packet(ownMAC, "r1")
	if p.To.Addr() != netip.MustParseAddr("255.255.255.255") || p.From.Addr() != b.lease.Address.Addr() {
		t.Errorf("renews from %s to %s", p.From, p.To)
	}
}

func TestALeaseFromBeforeThatRanOutIsNone(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.machine = &machine{mac: ownMAC, random: b.random, lease: stored()}
	b.now, b.log = epoch.Add(time.Hour), nil
	b.begin(b.now, b.lease)
	b.did()
	b.expect("1h0m DISCOVER to all", "1h0m no lease")
}

// What it got may not hold where it is plugged in now.
func TestALinkThatComesBackIsAskedAgain(t *testing.T) {
	t.Parallel()
	b := leased(t)
	b.begin(b.now, b.lease)
	b.did()
	b.expect("1s REQUEST to all")
	b.hears(ack)
	b.expect("1s lease 192.0.2.9/24")
}

func TestALeaseIsGivenBack(t *testing.T) {
	t.Parallel()
	b := leased(t)
	b.release(b.now)
	b.did()
	b.pass(time.Hour)
	b.expect("1s RELEASE to server", "1s no lease")
}
