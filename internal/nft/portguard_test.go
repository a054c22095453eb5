package nft

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// segmentNo is the number of the segment in these tests.
const segmentNo = "0x00000001"

// guardRows are those of a port with all guards whose guest has a MAC and addresses.
func guardRows(port string, mac spec.MAC, addresses ...netip.Addr) []plan.Object {
	rows := []plan.Object{
		el("guarded", port, "jump strict"), el("segment", port, segmentNo),
		el("prefixes6", port+" . fe80::", ""), el("prefixes6", port+" . fd00:1::", ""),
		el("storm_broadcast", port, "200"), el("storm_multicast", port, "1000"),
	}
	if mac.IsZero() {
		rows = append(rows, el("anymac", port, ""))
	} else {
		rows = append(rows, el("macs", port+" . "+mac.String(), ""), el("kept_macs", segmentNo+" . "+mac.String(), ""))
	}
	for _, a := range addresses {
		set := "addresses4"
		if a.Is6() {
			set = "addresses6"
		}
		rows = append(rows, el(set, port+" . "+a.String(), ""))
	}
	return append(rows, usualRows(port, mac, addresses...)...)
}

// usualRows are those by which most packets of a guest pass sooner.
func usualRows(port string, mac spec.MAC, addresses ...netip.Addr) (rows []plan.Object) {
	for _, a := range addresses {
		set, kind := "usual4", "0x0800"
		if a.Is6() {
			set, kind = "usual6", "0x86dd"
		}
		if !mac.IsZero() {
			rows = append(rows, el(set, fmt.Sprintf("%s . %s/%s . %s", port, mac, kind, a), ""))
		}
	}
	return rows
}

// refusals are what the guards of one port have counted.
func (l *lab) refusals(port string) map[string]uint64 {
	l.t.Helper()
	all, err := l.conn.Refusals(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	return all[l.host.link(l.t, port).Index]
}

func newGuardLab(t *testing.T) (l *lab, bad liar, victim *machine) {
	t.Helper()
	l = newLab(t, network{"net0", "nat", []string{"bad", "victim"}})
	return l, newLiar(t, l, "bad", "net0"), l.machines["victim"]
}

// eth is a frame of a type to somebody.
func (l liar) eth(to [6]byte, kind uint16, body []byte) []byte {
	f := append(append([]byte{}, to[:]...), l.mac[:]...)
	return append(append(f, byte(kind>>8), byte(kind)), body...)
}

var toAll = [6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// udp4 is a datagram to everybody, with options of the header.
func (l liar) udp4(src netip.Addr, from, to uint16, options ...byte) []byte {
	ip := []byte{byte(0x45 + len(options)/4), 0, 0, byte(28 + len(options)), 0, 1, 0, 0, 64, unix.IPPROTO_UDP, 0, 0}
	ip = append(append(ip, src.AsSlice()...), 255, 255, 255, 255)
	ip = append(ip, options...)
	sum := checksum(ip)
	ip[10], ip[11] = byte(sum>>8), byte(sum)
	return l.eth(toAll, unix.ETH_P_IP, append(ip, byte(from>>8), byte(from), byte(to>>8), byte(to), 0, 8, 0, 0))
}

// next puts an extension header of IPv6 before what a frame of icmp6 carries.
func next(frame []byte, kind byte, header ...byte) []byte {
	header[0] = frame[20]
	f := append(append(append([]byte{}, frame[:54]...), header...), frame[54:]...)
	f[20], f[19] = kind, f[19]+byte(len(header))
	return f
}

// TestNSPortGuardsRefuseAndCount sends what a guest must not: it arrives without a
// guard, and with one it is counted, for all and for the port.
func TestNSPortGuardsRefuseAndCount(t *testing.T) {
	t.Parallel()
	l, bad, victim := newGuardLab(t)
	gw4, all6 := bad.gateway[0], netip.MustParseAddr("ff02::1")
	local := netip.MustParseAddr("fe80::bad")
	own := append([]byte{2, 1}, bad.mac[:]...)
	advert := func(target netip.Addr, option ...byte) []byte {
		return bad.icmp6(bad.v6, all6, append(append([]byte{136, 0, 0, 0, 0x20, 0, 0, 0}, target.AsSlice()...), option...))
	}
	router := bad.icmp6(local, all6, []byte{134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0})
	stranger := bad
	stranger.mac[5]++
	strangeARP := bad.arp(2, bad.v4, victim.v4)
	strangeARP[22+5]++
	vlan := func(frame []byte, tags ...byte) []byte {
		return append(append(append([]byte{}, frame[:12]...), tags...), frame[12:]...)
	}
	cases := []struct {
		what, reason string
		frame        []byte
	}{
		{"another MAC", "mac", stranger.udp4(bad.v4, 9, 9)},
		{"another MAC in ARP", "mac", strangeARP},
		{"another MAC in an advertisement", "mac", advert(bad.v6, 2, 1, 2, 2, 2, 2, 2, 2)},
		{"an advertisement with an unknown option first", "mac", advert(bad.v6, append([]byte{200, 1, 0, 0, 0, 0, 0, 0}, own...)...)},
		{"another IPv4 address", "address", bad.udp4(victim.v4, 9, 9)},
		{"the gateway's IPv4 address", "address", bad.udp4(gw4, 9, 9)},
		{"no IPv4 address", "address", bad.udp4(netip.MustParseAddr("0.0.0.0"), 9, 9)},
		{"a source route", "address", bad.udp4(bad.v4, 9, 9, 131, 7, 4, 10, 0, 1, 9, 0)},
		{"a strict source route", "address", bad.udp4(bad.v4, 9, 9, 137, 7, 4, 10, 0, 1, 9, 0)},
		{"ARP for another", "address", bad.arp(2, victim.v4, victim.v4)},
		{"another IPv6 address", "address", bad.icmp6(victim.v6, all6, []byte{128, 0, 0, 0, 0, 0, 0, 0})},
		{"an address of another subnet", "address", bad.icmp6(netip.MustParseAddr("2001:db8::1"), all6, []byte{128, 0, 0, 0, 0, 0, 0, 0})},
		{"an advertisement for another", "address", advert(victim.v6, own...)},
		{"an advertisement in fragments", "address", next(advert(victim.v6, own...), 44, 0, 0, 0, 1, 0, 0, 0, 1)},
		{"a routing header", "address", next(bad.icmp6(bad.v6, all6, []byte{128, 0, 0, 0, 0, 0, 0, 0}), 43, 0, 0, 0, 0, 0, 0, 0, 0)},
		{"a DHCP answer", "server", bad.udp4(bad.v4, 67, 68)},
		{"a DHCP answer from another port", "server", bad.udp4(bad.v4, 1067, 68)},
		{"a router", "server", router},
		{"a router behind a header", "server", next(router, 60, 0, 0, 1, 4, 0, 0, 0, 0)},
		{"a router behind a header in a fragment that lacks it", "server", next(router, 44, 0, 0, 0, 1, 0, 0, 0, 1)[:62]},
		{"a bridge", "server", bad.eth([6]byte{1, 0x80, 0xc2, 0, 0, 0}, 38, append([]byte{0x42, 0x42, 3}, make([]byte, 35)...))},
		{"a VLAN", "tag", vlan(bad.udp4(bad.v4, 9, 9), 0x81, 0, 0, 7)},
		{"a priority", "tag", vlan(bad.udp4(bad.v4, 9, 9), 0x81, 0, 0xe0, 0)},
		{"two VLANs", "tag", vlan(bad.udp4(bad.v4, 9, 9), 0x88, 0xa8, 0, 7, 0x81, 0, 0, 8)},
	}
	l.apply(plan.Add, guardRows("p1-1", macOf(t, victim), victim.v4, victim.v6)...)
	l.apply(plan.Add, guardRows("p1-0", spec.MAC(bad.mac), bad.v4, bad.v6)...)
	l.apply(plan.Add, el("kept6", segmentNo+" . "+victim.v6.String(), ""), el("barred6", "p1-0 . "+bad.gateway[1].String(), ""))
	for _, c := range cases {
		before, total := l.refusals("p1-0")[c.reason], l.packets("guard-"+c.reason)
		bad.frames(t, c.frame)
		eventually(t, c.what+" is counted as "+c.reason, func() bool { return l.refusals("p1-0")[c.reason] == before+1 })
		if got := l.packets("guard-" + c.reason); got != total+1 {
			t.Errorf("%s: %d are counted in all, want %d", c.what, got, total+1)
		}
	}
	if got := l.refusals("p1-1"); len(got) > 0 {
		t.Errorf("the victim was refused %v", got)
	}
	l.honest(bad.machine, victim)
}

func macOf(t *testing.T, m *machine) spec.MAC { return spec.MAC(m.link(t, "eth0").HardwareAddr) }

func (m *machine) link(t testing.TB, name string) (dev *net.Interface) {
	t.Helper()
	err := m.ns.Do(func() (err error) { dev, err = net.InterfaceByName(name); return err })
	if err != nil {
		t.Fatal(err)
	}
	return dev
}

// honest wants guests and their gateway to find and reach each other, by all their
// addresses, and nothing to be refused meanwhile.
func (l *lab) honest(guests ...*machine) {
	l.t.Helper()
	gw := l.gateways["net0"]
	before := l.refusals("p1-0")
	for _, m := range guests {
		m.ip("neigh flush dev eth0")
	}
	for _, m := range guests {
		for _, to := range []netip.Addr{gw[0], gw[1], guests[0].v4, guests[0].v6, guests[1].v4, guests[1].v6} {
			if _, err := m.reach("icmp", to, yes); err != nil {
				l.t.Errorf("%s to %s: %v", m.name, to, err)
			}
		}
	}
	if after := l.refusals("p1-0"); fmt.Sprint(after) != fmt.Sprint(before) {
		l.t.Errorf("%v were refused, %v before", after, before)
	}
}

// What a guest without an address may say, with one that is not known yet.
func TestNSPortGuardsLetGuestsBegin(t *testing.T) {
	t.Parallel()
	l, guest, victim := newGuardLab(t)
	l.apply(plan.Add, guardRows("p1-0", spec.MAC(guest.mac), guest.v4, guest.v6)...)
	free, none := netip.MustParseAddr("fe80::77"), netip.MustParseAddr("::")
	discover := guest.udp4(netip.MustParseAddr("0.0.0.0"), 68, 67)
	discover = append(discover, make([]byte, 240)...)
	discover[17], discover[16], discover[39], discover[38] = byte(268&0xff), 268>>8, 248, 0
	discover[24], discover[25] = 0, 0
	sum := checksum(discover[14:34])
	discover[24], discover[25] = byte(sum>>8), byte(sum)
	copy(discover[42+28:], guest.mac[:])
	for what, frame := range map[string][]byte{
		"DHCP":                     discover,
		"an ARP probe":             guest.arp(1, netip.MustParseAddr("0.0.0.0"), victim.v4),
		"duplicate detection":      guest.icmp6(none, solicited6(free), append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, free.AsSlice()...)),
		"a router solicitation":    guest.icmp6(none, netip.MustParseAddr("ff02::2"), []byte{133, 0, 0, 0, 0, 0, 0, 0}),
		"a report of groups":       next(guest.icmp6(none, netip.MustParseAddr("ff02::16"), []byte{143, 0, 0, 0, 0, 0, 0, 0}), 0, 0, 0, 5, 2, 0, 0, 1, 0),
		"a link-local address":     guest.icmp6(free, netip.MustParseAddr("ff02::fb"), []byte{128, 0, 0, 0, 0, 0, 0, 0}),
		"an address of its own":    guest.icmp6(netip.MustParseAddr("fd00:1::77"), netip.MustParseAddr("ff02::fb"), []byte{128, 0, 0, 0, 0, 0, 0, 0}),
		"a solicitation with SLLA": guest.icmp6(free, solicited6(victim.v6), append(append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, victim.v6.AsSlice()...), append([]byte{1, 1}, guest.mac[:]...)...)),
	} {
		if !victim.arrived(t, frame, func() { guest.frames(t, frame) }) {
			t.Errorf("%s did not arrive; refused were %v", what, l.refusals("p1-0"))
		}
	}
	for _, to := range []netip.Addr{victim.v4, victim.v6} {
		if out, err := guest.run("", "ping", "-n", "-c", "1", "-W", "5", "-s", "4000", to.String()); err != nil {
			t.Errorf("what comes in fragments does not reach %s: %s", to, out)
		}
	}
}

// Addresses that guests choose are theirs as long as they use them.
func TestNSFirstComeFirstServed(t *testing.T) {
	t.Parallel()
	l, late, first := newGuardLab(t)
	early := liar{machine: first, mac: [6]byte(macOf(t, first)), gateway: late.gateway}
	l.apply(plan.Add, guardRows("p1-0", spec.MAC(late.mac), late.v4, late.v6)...)
	l.apply(plan.Add, guardRows("p1-1", spec.MAC(early.mac), early.v4, early.v6)...)
	l.apply(plan.Add, el("barred6", "p1-1 . fe80::1", ""), el("kept6", segmentNo+" . fe80::2", ""))
	say := func(who liar, a string) []byte {
		return who.icmp6(netip.MustParseAddr(a), netip.MustParseAddr("ff02::fb"), []byte{128, 0, 0, 0, 0, 0, 0, 0})
	}
	passes := func(who liar, to *machine, frame []byte) bool {
		return to.arrived(t, frame, func() { who.frames(t, frame) })
	}
	for range 2 {
		if !passes(early, late.machine, say(early, "fe80::77")) {
			t.Fatal("who comes first is not served")
		}
	}
	if passes(late, first, say(late, "fe80::77")) {
		t.Error("another has the same address")
	}
	claim := late.icmp6(netip.MustParseAddr("::"), solicited6(netip.MustParseAddr("fe80::77")),
		append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, netip.MustParseAddr("fe80::77").AsSlice()...))
	if passes(late, first, claim) {
		t.Error("another disputes the address")
	}
	for _, a := range []string{"fe80::1", "fe80::2"} {
		if passes(early, late.machine, say(early, a)) {
			t.Errorf("%s is the guest's, although it is barred or kept", a)
		}
	}
	// One guest cannot have them all, and keeps what it has.
	before := l.refusals("p1-0")["address"]
	for i := range 200 {
		late.frames(t, say(late, fmt.Sprintf("fe80::1:%x", i)))
	}
	eventually(t, "a guest with many addresses is refused more", func() bool { return l.refusals("p1-0")["address"] > before+100 })
	if !passes(late, first, say(late, "fe80::1:0")) {
		t.Error("it lost what it had")
	}
	if !passes(early, late.machine, say(early, "fe80::78")) {
		t.Error("the others pay for it")
	}
	// The program is put in the place of another, and all know what they knew.
	l.apply(plan.Set, plan.Program{Fingerprint: mustFingerprint(t)})
	if passes(late, first, say(late, "fe80::77")) || !passes(early, late.machine, say(early, "fe80::77")) {
		t.Error("a new program forgot who came first")
	}
	l.honest(late.machine, first)
}

// A port of which the MAC is not known keeps the first, and not that of another.
func TestNSAnyMACIsTheFirst(t *testing.T) {
	t.Parallel()
	l, guest, victim := newGuardLab(t)
	l.apply(plan.Add, guardRows("p1-1", macOf(t, victim), victim.v4, victim.v6)...)
	l.apply(plan.Add, guardRows("p1-0", spec.MAC{}, guest.v4, guest.v6)...)
	thief := guest
	thief.mac = [6]byte(macOf(t, victim))
	for _, frame := range [][]byte{thief.udp4(guest.v4, 9, 9), guest.udp4(guest.v4, 9, 9)} {
		guest.frames(t, frame)
	}
	l.honest(guest.machine, victim)
	stranger := guest
	stranger.mac[5]++
	before := l.refusals("p1-0")["mac"]
	guest.frames(t, stranger.udp4(guest.v4, 9, 9))
	eventually(t, "a second MAC is refused", func() bool { return l.refusals("p1-0")["mac"] == before+1 })
	if before != 1 {
		t.Errorf("%d frames with the MAC of another were refused, want 1", before)
	}
}

// A guest without addresses of ours takes one that is free.
func TestNSFreeIPv4IsFirstCome(t *testing.T) {
	t.Parallel()
	l, guest, victim := newGuardLab(t)
	l.apply(plan.Add, append(guardRows("p1-0", spec.MAC(guest.mac)), el("free4", "p1-0", ""), el("free6", "p1-0", ""), el("barred4", "p1-0 . 10.0.1.1", ""),
		el("kept4", segmentNo+" . "+victim.v4.String(), ""))...)
	for src, want := range map[string]bool{guest.v4.String(): true, "10.0.1.1": false, victim.v4.String(): false, "127.0.0.1": false, "224.0.0.1": false, "10.0.1.99": true} {
		a := netip.MustParseAddr(src)
		for what, frame := range map[string][]byte{"packet": guest.udp4(a, 9, 9), "ARP": guest.arp(1, a, a)} {
			if got := victim.arrived(t, frame, func() { guest.frames(t, frame) }); got != want {
				t.Errorf("%s from %s arrives: %v, want %v", what, src, got, want)
			}
		}
	}
}

// A guest to which a prefix is routed sends from there, and from nowhere else.
func TestNSWhatIsBehindAGuest(t *testing.T) {
	t.Parallel()
	l, guest, victim := newGuardLab(t)
	l.apply(plan.Add, append(guardRows("p1-0", spec.MAC(guest.mac), guest.v4, guest.v6), el("behind4", "p1-0 . 10.7.0.0/24", ""), el("behind6", "p1-0 . fd07::/64", ""))...)
	for src, want := range map[string]bool{"10.7.0.0": true, "10.7.0.255": true, "10.7.1.0": false, "fd07::1": true, "fd07:0:0:1::1": false} {
		a := netip.MustParseAddr(src)
		var frame []byte
		if a.Is4() {
			frame = guest.udp4(a, 9, 9)
		} else {
			frame = guest.icmp6(a, netip.MustParseAddr("ff02::fb"), []byte{128, 0, 0, 0, 0, 0, 0, 0})
		}
		if got := victim.arrived(t, frame, func() { guest.frames(t, frame) }); got != want {
			t.Errorf("a packet from %s arrives: %v, want %v", src, got, want)
		}
	}
	again := el("behind4", "p1-0 . 10.7.0.0/24", "")
	if got := observe(t, l.conn)[again.Key()]; got == nil || got.String() != again.String() {
		t.Errorf("the kernel has %v, want %v", got, again)
	}
}

// Storms are cut to their limit, broadcasts and multicasts apart.
func TestNSStormsAreCut(t *testing.T) {
	t.Parallel()
	l, guest, _ := newGuardLab(t)
	l.apply(plan.Add, guardRows("p1-0", spec.MAC(guest.mac), guest.v4, guest.v6)...)
	l.apply(plan.Set, el("storm_broadcast", "p1-0", "20"))
	guest.frames(t, slices.Repeat([][]byte{guest.udp4(guest.v4, 9, 9)}, 1000)...)
	eventually(t, "a storm is cut", func() bool { return l.refusals("p1-0")["storm"] > 100 })
	if got := l.refusals("p1-0")["storm"]; got > 980 {
		t.Errorf("of 1000 broadcasts %d were refused, 20 are allowed", got)
	}
	before := l.refusals("p1-0")["storm"]
	guest.frames(t, guest.icmp6(guest.v6, netip.MustParseAddr("ff02::fb"), []byte{128, 0, 0, 0, 0, 0, 0, 0}))
	if got := l.refusals("p1-0")["storm"]; got != before {
		t.Error("a multicast pays for the broadcasts")
	}
	// A limit is changed in place, and seen as it is.
	changed := el("storm_broadcast", "p1-0", "5")
	l.apply(plan.Set, changed)
	if got := observe(t, l.conn)[changed.Key()]; got.String() != changed.String() {
		t.Errorf("the kernel has %v, want %v", got, changed)
	}
}

// Parts of a guard leave the rest alone.
func TestNSSomeGuardsOnly(t *testing.T) {
	t.Parallel()
	l, guest, victim := newGuardLab(t)
	l.apply(plan.Add, el("guarded", "p1-0", "jump some"), el("guard_server", "p1-0", ""))
	for _, c := range []struct {
		frame []byte
		want  bool
	}{{guest.udp4(victim.v4, 9, 9), true}, {guest.udp4(victim.v4, 67, 68), false}} {
		if got := victim.arrived(t, c.frame, func() { guest.frames(t, c.frame) }); got != c.want {
			t.Errorf("%x arrives: %v, want %v", c.frame, got, c.want)
		}
	}
}
