package nft

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// liar is a guest that speaks in the name of its gateway.
type liar struct {
	*machine
	mac     [6]byte
	gateway [2]netip.Addr
}

func newLiar(t *testing.T, l *lab, guest, bridge string) liar {
	t.Helper()
	lie := liar{machine: l.machines[guest], gateway: l.gateways[bridge]}
	err := lie.ns.Do(func() error {
		dev, err := net.InterfaceByName("eth0")
		if err == nil {
			copy(lie.mac[:], dev.HardwareAddr)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return lie
}

// claims are frames to a victim, each of which says that the gateway is the liar.
func (l liar) claims(victim *machine) map[string][]byte {
	gw4, gw6 := l.gateway[0], l.gateway[1]
	all := netip.MustParseAddr("ff02::1")
	address := append([]byte{2, 1}, l.mac[:]...) // target link-layer address
	source := append([]byte{1, 1}, l.mac[:]...)
	return map[string][]byte{
		"request":       l.arp(1, gw4, victim.v4),
		"answer":        l.arp(2, gw4, victim.v4),
		"gratuitous":    l.arp(1, gw4, gw4),
		"solicitation":  l.icmp6(gw6, solicited6(victim.v6), append(append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, victim.v6.AsSlice()...), source...)),
		"advertisement": l.icmp6(l.v6, all, append(append([]byte{136, 0, 0, 0, 0x20, 0, 0, 0}, gw6.AsSlice()...), address...)),
		"own name":      l.icmp6(gw6, all, append(append([]byte{136, 0, 0, 0, 0x20, 0, 0, 0}, gw6.AsSlice()...), address...)),
		"router":        l.icmp6(netip.MustParseAddr("fe80::bad"), all, append([]byte{134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0}, source...)),
		"redirect": l.icmp6(netip.MustParseAddr("fe80::bad"), victim.v6,
			append(append(append([]byte{137, 0, 0, 0, 0, 0, 0, 0}, l.v6.AsSlice()...), gw6.AsSlice()...), address...)),
	}
}

func (l liar) arp(op byte, sender, target netip.Addr) []byte {
	f := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, l.mac[:]...)
	f = append(f, 8, 6, 0, 1, 8, 0, 6, 4, 0, op)
	f = append(append(f, l.mac[:]...), sender.AsSlice()...)
	return append(append(f, 0, 0, 0, 0, 0, 0), target.AsSlice()...)
}

// icmp6 is a frame to all.
func (l liar) icmp6(source, dst netip.Addr, body []byte) []byte {
	pseudo := append(append(source.AsSlice(), dst.AsSlice()...), 0, 0, 0, byte(len(body)), 0, 0, 0, unix.IPPROTO_ICMPV6)
	binary.BigEndian.PutUint16(body[2:], checksum(append(pseudo, body...)))
	f := append([]byte{0x33, 0x33, 0, 0, 0, 1}, l.mac[:]...)
	f = append(f, 0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(body)), unix.IPPROTO_ICMPV6, 255)
	return append(append(append(f, source.AsSlice()...), dst.AsSlice()...), body...)
}

// solicited6 is the solicited-node group of an address.
func solicited6(a netip.Addr) netip.Addr {
	b := a.As16()
	return netip.AddrFrom16([16]byte{0xff, 2, 11: 1, 12: 0xff, 13: b[13], 14: b[14], 15: b[15]})
}

// arrived counts frames of a source on the interface of a machine.
func (m *machine) arrived(t *testing.T, frame []byte, after func()) bool {
	t.Helper()
	var fd int
	err := m.ns.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	after()
	unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: no.Microseconds()})
	buf := make([]byte, 2048)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return false
		}
		if strings.HasPrefix(string(buf[:n]), string(frame)) {
			return true
		}
	}
}

func htons(n uint16) uint16 { return n<<8 | n>>8 }

func TestNSNobodySpeaksForTheGateway(t *testing.T) {
	t.Parallel()
	l := newLab(t, network{"net0", "nat", []string{"liar", "victim"}})
	lie, victim := newLiar(t, l, "liar", "net0"), l.machines["victim"]
	for what, frame := range lie.claims(victim) {
		if !victim.arrived(t, frame, func() { lie.frames(t, frame) }) {
			t.Fatalf("without a guard the %s does not arrive either", what)
		}
	}
	l.apply(plan.Add, el("claims4", "p1-0 . "+lie.gateway[0].String(), ""), el("claims6", "p1-0 . "+lie.gateway[1].String(), ""), el("hosts", "p1-0", ""))
	for what, frame := range lie.claims(victim) {
		before := l.packets("claimed")
		if victim.arrived(t, frame, func() { lie.frames(t, frame) }) {
			t.Errorf("the %s arrived", what)
		}
		if l.packets("claimed") != before+1 {
			t.Errorf("the %s is not counted", what)
		}
	}
	// The host does not believe it either.
	if out, err := l.host.run("", "ip", "neigh", "show", lie.gateway[0].String()); err != nil || out != "" {
		t.Errorf("the host believes %s, %v", out, err)
	}
	// Honest talk goes on: addresses are found, also those of the liar, by a victim
	// that has forgotten all.
	victim.ip("neigh flush dev eth0")
	for _, to := range []netip.Addr{lie.gateway[0], lie.gateway[1], lie.v4, lie.v6} {
		if _, err := victim.reach("icmp", to, yes); err != nil {
			t.Errorf("victim to %s: %v", to, err)
		}
	}
	lie.ip("neigh flush dev eth0")
	for _, to := range []netip.Addr{lie.gateway[0], lie.gateway[1], victim.v4, victim.v6} {
		if _, err := lie.reach("icmp", to, yes); err != nil {
			t.Errorf("liar to %s: %v", to, err)
		}
	}
}
