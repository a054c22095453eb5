package testhost_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

func TestCaptureSeesBothDirectionsOfAProbe(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := w.client.Capture(t.Context(), "eth0", nil)
	must(t, err)
	r := expect(t, w.client, testhost.Probe{Proto: testhost.UDP, To: server6}, "")
	for _, want := range []struct {
		outgoing bool
		src, dst netip.AddrPort
	}{
		{true, netip.AddrPortFrom(client6, r.SeenPort), netip.AddrPortFrom(server6, testhost.EchoPort)},
		{false, netip.AddrPortFrom(server6, testhost.EchoPort), netip.AddrPortFrom(client6, r.SeenPort)},
	} {
		seen := c.Select(func(p testhost.Packet) bool {
			return p.Proto == testhost.UDP && p.Outgoing == want.outgoing && p.Interface == "eth0" &&
				netip.AddrPortFrom(p.Src, p.SrcPort) == want.src && netip.AddrPortFrom(p.Dst, p.DstPort) == want.dst && len(p.Payload) >= 16
		})
		if len(seen) != 1 {
			t.Errorf("saw %v of %+v in %v, want one", seen, want, c.Packets())
		}
	}
	if c.Dropped() != 0 {
		t.Errorf("%d dropped", c.Dropped())
	}
}

func TestCaptureKeepsWhatTheFilterSaysAndForgets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c, err := w.client.Capture(t.Context(), "", testhost.Packet.IsEcho)
	must(t, err)
	expect(t, w.client, testhost.Probe{Proto: testhost.TCP, To: server4}, "")
	if got := c.Packets(); len(got) != 0 {
		t.Errorf("kept %v, want nothing", got)
	}
	expect(t, w.client, testhost.Probe{Proto: testhost.ICMP, To: server4}, "")
	if got := c.Packets(); len(got) != 1 || got[0].Dst != server4 {
		t.Errorf("kept %v, want one echo request", got)
	}
	c.Forget()
	if got := c.Packets(); len(got) != 0 {
		t.Errorf("kept %v after Forget", got)
	}
}

// A packet must be there as soon as the probe is over, without a pause.
func TestCaptureNeverLagsBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 200 {
		w.echo.Forget()
		w.client.Probe(t.Context(), testhost.Probe{Proto: testhost.ICMP, To: server4})
		if got := w.echo.Select(testhost.Packet.IsEcho); len(got) == 0 {
			t.Fatalf("round %d: the request was answered but not seen", i)
		}
	}
}

func TestCaptureWaitEndsWithThePacketTheContextOrTheCapture(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	never := func(testhost.Packet) bool { return false }
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := w.echo.Wait(ctx, never); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	got := make(chan error, 2)
	go func() { _, err := w.echo.Wait(t.Context(), testhost.Packet.IsEcho); got <- err }()
	expect(t, w.client, testhost.Probe{Proto: testhost.ICMP, To: server4}, "")
	if err := <-got; err != nil {
		t.Error(err)
	}
	go func() { _, err := w.echo.Wait(t.Context(), never); got <- err }()
	must(t, w.echo.Close())
	if err := <-got; err == nil {
		t.Error("waiting on a closed capture ended without an error")
	}
	if len(w.echo.Select(testhost.Packet.IsEcho)) == 0 {
		t.Error("a closed capture forgot what it saw")
	}
}

func TestCaptureNamesTheMissingInterface(t *testing.T) {
	t.Parallel()
	h := nstest.Host(t, "h")
	if _, err := h.Capture(t.Context(), "none0", nil); err == nil {
		t.Error("captured on an interface that is not there")
	}
}

func TestSpoofSendsAnyAddressOfAnyProtocol(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mac := spec.MAC{0x52, 0x54, 0, 0xaa, 0xbb, 0xcc}
	port, err := w.router.Capture(t.Context(), nstest.PortName("client"), func(p testhost.Packet) bool { return !p.Outgoing })
	must(t, err)
	for name, c := range map[string]testhost.Packet{
		"udp4":      {Proto: testhost.UDP, Src: addr("203.0.113.9"), Dst: server4, SrcPort: 5, DstPort: testhost.EchoPort, Payload: []byte("x")},
		"udp6":      {Proto: testhost.UDP, Src: addr("2001:db8::9"), Dst: server6, SrcPort: 5, DstPort: testhost.EchoPort, Payload: []byte("xyz")},
		"tcp4":      {Proto: testhost.TCP, Src: addr("203.0.113.9"), Dst: server4, SrcPort: 6, DstPort: testhost.EchoPort, Flags: testhost.SYN},
		"tcp6":      {Proto: testhost.TCP, Src: addr("2001:db8::9"), Dst: server6, SrcPort: 6, DstPort: testhost.EchoPort, Flags: testhost.SYN},
		"icmp4":     {Proto: testhost.ICMP, Src: addr("203.0.113.9"), Dst: server4, Type: 8, Payload: []byte{0, 1, 0, 1}},
		"icmp6":     {Proto: testhost.ICMP, Src: addr("2001:db8::9"), Dst: server6, Type: 128, Payload: []byte{0, 1, 0, 1}},
		"other mac": {Proto: testhost.UDP, SrcMAC: mac, Src: client4, Dst: server4, SrcPort: 7, DstPort: testhost.EchoPort},
	} {
		must(t, w.client.Spoof(t.Context(), "eth0", c))
		// Arriving at the server, through a router that checks them, proves the
		// lengths and checksums.
		got, err := w.echo.Wait(soon(t), func(p testhost.Packet) bool { return p.Src == c.Src && p.SrcPort == c.SrcPort && p.Proto == c.Proto })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(got.Payload) != string(c.Payload) || got.TTL != 63 {
			t.Errorf("%s: arrived as %s with payload %q and TTL %d", name, got, got.Payload, got.TTL)
		}
	}
	if len(port.Select(func(p testhost.Packet) bool { return p.SrcMAC == mac })) != 1 {
		t.Errorf("no frame with the foreign source address in %v", port.Packets())
	}
}

// The kernel itself answers what we build, so it accepted our checksums.
func TestSpoofedPacketsAreAnsweredByTheKernel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	answers, err := w.client.Capture(t.Context(), "eth0", func(p testhost.Packet) bool { return !p.Outgoing })
	must(t, err)
	for name, c := range map[string]struct {
		send testhost.Packet
		want func(testhost.Packet) bool
	}{
		"echo4": {testhost.Packet{Proto: testhost.ICMP, Src: client4, Dst: server4, Type: 8, Payload: []byte{1, 2, 3, 4}},
			func(p testhost.Packet) bool { return p.Src == server4 && p.Proto == testhost.ICMP && p.Type == 0 }},
		"echo6": {testhost.Packet{Proto: testhost.ICMP, Src: client6, Dst: server6, Type: 128, Payload: []byte{1, 2, 3, 4, 5}},
			func(p testhost.Packet) bool { return p.Src == server6 && p.Proto == testhost.ICMP && p.Type == 129 }},
		"udp4": {testhost.Packet{Proto: testhost.UDP, Src: client4, Dst: server4, SrcPort: 999, DstPort: testhost.EchoPort, Payload: []byte("odd")},
			func(p testhost.Packet) bool { return p.DstPort == 999 && string(p.Payload) == "10.1.0.2 999\nodd" }},
		"udp6": {testhost.Packet{Proto: testhost.UDP, Src: client6, Dst: server6, SrcPort: 999, DstPort: testhost.EchoPort},
			func(p testhost.Packet) bool { return p.DstPort == 999 && string(p.Payload) == "fd00:1::2 999\n" }},
		"syn4": {testhost.Packet{Proto: testhost.TCP, Src: client4, Dst: server4, SrcPort: 998, DstPort: testhost.EchoPort, Flags: testhost.SYN, Seq: 7},
			func(p testhost.Packet) bool { return p.DstPort == 998 && p.Flags == testhost.SYN|testhost.ACK }},
		"syn6": {testhost.Packet{Proto: testhost.TCP, Src: client6, Dst: server6, SrcPort: 998, DstPort: testhost.EchoPort, Flags: testhost.SYN, Seq: 7},
			func(p testhost.Packet) bool { return p.DstPort == 998 && p.Flags == testhost.SYN|testhost.ACK }},
		"arp": {testhost.Packet{Proto: testhost.ARP, Op: 1, Src: client4, Dst: addr("10.1.0.1")},
			func(p testhost.Packet) bool { return p.Proto == testhost.ARP && p.Op == 2 && p.Src == addr("10.1.0.1") }},
	} {
		must(t, w.client.Spoof(t.Context(), "eth0", c.send))
		if _, err := answers.Wait(soon(t), c.want); err != nil {
			t.Errorf("%s: %v: %v", name, err, answers.Packets())
		}
	}
}

func TestResolveFindsNeighboursAndTellsWhenThereAreNone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want, err := w.router.MAC("br1")
	must(t, err)
	for _, a := range []string{"10.1.0.1", "fd00:1::1"} {
		if got, err := w.client.Resolve(soon(t), "eth0", addr(a)); err != nil || got != want {
			t.Errorf("%s: got %s, %v; want %s", a, got, err, want)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if got, err := w.client.Resolve(ctx, "eth0", addr("10.1.0.99")); err == nil {
		t.Errorf("got %s for an address nobody holds", got)
	}
	if got, err := w.client.Resolve(t.Context(), "eth0", addr("10.1.0.98")); err == nil {
		t.Errorf("got %s for an address nobody holds, want an end without a deadline", got)
	}
	if err := w.client.Spoof(ctx, "none0", testhost.Packet{}); err == nil {
		t.Error("sent from an interface that is not there")
	}
}
