package peers

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

func TestProgramsSeePrivateDirectoriesAndAreGoneAfterStop(t *testing.T) {
	t.Parallel()
	h := nstest.Host(t, "vm1")
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "mark"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	p, err := start(t, h, log, program{
		// The child would live on, but for the process namespace.
		argv:    []string{"sh", "-c", "setsid sleep 600 & ls /mnt; ip -o link; exec sleep 600"},
		prepare: []string{bind(dir, "/mnt")}, alone: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, 10*time.Second, func() error {
		if said := p.said(); !strings.Contains(said, "mark") || !strings.Contains(said, "lo:") {
			return errors.New(said)
		}
		return nil
	})
	if _, err := os.Stat("/mnt/mark"); err == nil {
		t.Error("the mount is seen outside")
	}
	p.stop()
	p.stop()
	if err := p.signal(os.Interrupt); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("a stopped program took a signal: %v", err)
	}
}

func TestAProgramThatCannotStartSaysWhy(t *testing.T) {
	t.Parallel()
	h := nstest.Host(t, "vm1")
	p, err := start(t, h, filepath.Join(t.TempDir(), "log"), program{argv: []string{"no-such-program"}})
	if err != nil {
		t.Fatal(err) // the shell before it starts
	}
	if err := p.ended(t.Context()); err == nil || !strings.Contains(p.said(), "no-such-program: not found") {
		t.Errorf("got %v%s", err, p.said())
	}
}

func TestHooksWaitForTheLatestEvent(t *testing.T) {
	t.Parallel()
	h := hooks{t.TempDir()}
	script, err := h.write("")
	if err != nil {
		t.Fatal(err)
	}
	host := nstest.Host(t, "vm1")
	for _, name := range []string{"deconfig", "bound", "renew"} {
		if _, err := run(t.Context(), host, "env", "ip=10.9.0.5", script, name); err != nil {
			t.Fatal(err)
		}
	}
	e, err := h.after(t.Context(), 1, "bound", "renew")
	if err != nil || e.name != "renew" || e.env["ip"] != "10.9.0.5" {
		t.Errorf("got %+v, %v", e, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := h.after(ctx, 3, "renew"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an old event was taken for a new one: %v", err)
	}
}

func TestRequestsAreToldApart(t *testing.T) {
	t.Parallel()
	ip := net.IPv4(10, 9, 0, 5)
	server := dhcpv4.WithServerIP(net.IPv4(10, 9, 0, 1))
	identifier := dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4(10, 9, 0, 1)))
	for name, c := range map[string]struct {
		dst      string
		change   []dhcpv4.Modifier
		one, any bool
	}{
		"selecting": {"255.255.255.255", []dhcpv4.Modifier{server, identifier}, false, false},
		"reboot":    {"255.255.255.255", nil, false, true},
		"renewing":  {"10.9.0.1", []dhcpv4.Modifier{dhcpv4.WithClientIP(ip)}, true, false},
		"rebinding": {"255.255.255.255", []dhcpv4.Modifier{dhcpv4.WithClientIP(ip)}, false, true},
	} {
		v4, err := dhcpv4.New(append(c.change, dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest))...)
		if err != nil {
			t.Fatal(err)
		}
		m := Message{Type: "REQUEST", Dst: netip.MustParseAddr(c.dst), V4: v4}
		if asksOneServer(m) != c.one || asksAnyServer(m) != c.any {
			t.Errorf("%s: one %v, any %v", name, asksOneServer(m), asksAnyServer(m))
		}
	}
}

func TestTimersAreTheServersOrTheUsualOnes(t *testing.T) {
	t.Parallel()
	v4 := func(change ...dhcpv4.Modifier) Message {
		m, err := dhcpv4.New(append(change, dhcpv4.WithLeaseTime(80))...)
		if err != nil {
			t.Fatal(err)
		}
		return Message{V4: m}
	}
	v6 := func(t1, t2 time.Duration) Message {
		m, err := dhcpv6.NewMessage()
		if err != nil {
			t.Fatal(err)
		}
		m.AddOption(&dhcpv6.OptIANA{T1: t1, T2: t2, Options: dhcpv6.IdentityOptions{Options: []dhcpv6.Option{
			&dhcpv6.OptIAAddress{IPv6Addr: net.ParseIP("fd09::5"), PreferredLifetime: 50 * time.Second, ValidLifetime: 80 * time.Second}}}})
		return Message{V6: m}
	}
	for name, c := range map[string]struct {
		m                    Message
		renew, rebind, lease int // seconds
	}{
		"v4, none":  {v4(), 40, 70, 80},
		"v4, given": {v4(dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(5*time.Second)), dhcpv4.WithOption(dhcpv4.OptRebindingTimeValue(6*time.Second))), 5, 6, 80},
		"v6, none":  {v6(0, 0), 25, 40, 80},
		"v6, given": {v6(5*time.Second, 6*time.Second), 5, 6, 80},
	} {
		renew, rebind, lease := c.m.timers()
		if got := [3]int{int(renew.Seconds()), int(rebind.Seconds()), int(lease.Seconds())}; got != [3]int{c.renew, c.rebind, c.lease} {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestTraceKeepsOtherClientsOut(t *testing.T) {
	t.Parallel()
	own, other, server := spec.MAC{2, 0, 0, 0, 0, 1}, spec.MAC{2, 0, 0, 0, 0, 2}, spec.MAC{2, 0, 0, 0, 0, 9}
	reply := func(client spec.MAC) testhost.Packet {
		m, err := dhcpv4.New(dhcpv4.WithMessageType(dhcpv4.MessageTypeAck), dhcpv4.WithHwAddr(client[:]))
		if err != nil {
			t.Fatal(err)
		}
		p := testhost.ParsePacket(frame(server, spec.MAC{255, 255, 255, 255, 255, 255}, netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("255.255.255.255"), m.ToBytes()))
		p.SrcPort, p.DstPort = server4, client4
		return p
	}
	six := func(src, dst spec.MAC, port uint16) testhost.Packet {
		return testhost.Packet{Proto: testhost.UDP, SrcMAC: src, DstMAC: dst, DstPort: port, Payload: []byte{7, 0, 0, 1}}
	}
	request := testhost.ParsePacket(sample(t))
	for name, c := range map[string]struct {
		p    testhost.Packet
		want bool
	}{
		"own request":       {request, true},
		"own answer":        {reply(own), true},
		"other's answer":    {reply(other), false},
		"own, v6":           {six(own, spec.MAC{0x33, 0x33, 0, 1, 0, 2}, server6), true},
		"other's, v6":       {six(other, spec.MAC{0x33, 0x33, 0, 1, 0, 2}, server6), false},
		"own answer, v6":    {six(server, own, client6), true},
		"other answer, v6":  {six(server, other, client6), false},
		"not DHCP":          {testhost.Packet{Proto: testhost.UDP, SrcMAC: own, DstPort: 53}, false},
		"broken, to server": {testhost.Packet{Proto: testhost.UDP, SrcMAC: own, DstPort: server4, Payload: []byte{1}}, false},
	} {
		if got := concerns(c.p, own); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	request.SrcMAC = other
	if concerns(request, own) {
		t.Error("another client's request was kept")
	}
}
