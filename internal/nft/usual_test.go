package nft

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// What passes by the rows of the usual, and what does not, is what the guards say
// without them, of every kind of frame.
func TestNSTheUsualIsJudgedLikeTheRest(t *testing.T) {
	t.Parallel()
	l, guest, victim := newGuardLab(t)
	guest.hush()
	l.watchPassing()
	l.apply(plan.Add, guardRows("p1-0", spec.MAC(guest.mac), guest.v4, guest.v6)...)
	l.apply(plan.Set, el("storm_broadcast", "p1-0", "1000000"), el("storm_multicast", "p1-0", "1000000"))
	frames := guest.everyKind(macOf(t, victim), victim)
	all := slices.Collect(maps.Values(frames))
	with := l.verdicts(t, guest, all)
	l.apply(plan.Del, usualRows("p1-0", spec.MAC(guest.mac), guest.v4, guest.v6)...)
	if without := l.verdicts(t, guest, all); !maps.Equal(with, without) {
		t.Errorf("of %d frames %v with the rows of the usual, %v without", len(all), with, without)
	}
	// It looks as if a server answered.
	fragment := l.verdicts(t, guest, [][]byte{frames["IPv4 a later fragment, to the victim"], frames["IPv4 a later fragment, to all"]})
	if fragment["passes"] != 2 {
		t.Errorf("a fragment behind the first: %v", fragment)
	}
	for _, reason := range []string{"passes", "guard-mac", "guard-address", "guard-server", "guard-tag"} {
		if with[reason] == 0 {
			t.Errorf("none of the frames is %s: %v", reason, with)
		}
	}
}

// By its own rows alone the usual passes, and what is not quite that does not.
func TestNSTheUsualPassesAtOnce(t *testing.T) {
	t.Parallel()
	l, guest, victim := newGuardLab(t)
	guest.hush()
	l.watchPassing()
	l.apply(plan.Add, el("guarded", "p1-0", "jump strict"))
	l.apply(plan.Add, usualRows("p1-0", spec.MAC(guest.mac), guest.v4, guest.v6)...)
	frames := guest.everyKind(macOf(t, victim), victim)
	var usual [][]byte
	for _, what := range []string{
		"IPv4 TCP 9 to 9", "IPv4 TCP 67 to 68", "IPv4 TCP 547 to 546", "IPv4 TCP 68 to 67", "IPv4 UDP 9 to 9", "IPv4 UDP 547 to 546",
		"IPv6 TCP 9 to 9", "IPv6 TCP 67 to 68", "IPv6 TCP 547 to 546", "IPv6 TCP 68 to 67", "IPv6 UDP 9 to 9", "IPv6 UDP 67 to 68", "IPv6 UDP 68 to 67",
	} {
		usual = append(usual, frames[what+", to the victim"])
		delete(frames, what+", to the victim")
	}
	if got := l.verdicts(t, guest, usual); got["passes"] != uint64(len(usual)) {
		t.Errorf("of %d usual frames %v", len(usual), got)
	}
	if got := l.verdicts(t, guest, slices.Collect(maps.Values(frames))); got["passes"] != 0 {
		t.Errorf("of %d other frames %v", len(frames), got)
	}
}

// everyKind are frames of all kinds that rules tell apart.
func (l liar) everyKind(victim spec.MAC, other *machine) map[string][]byte {
	frames := map[string][]byte{}
	to := map[string][6]byte{"the victim": victim, "all": toAll, "a group": {1, 0, 0x5e, 0, 0, 1}, "the bridges": {1, 0x80, 0xc2, 0, 0, 0}}
	tags := map[string][]byte{"": nil, " in a VLAN": {0x81, 0, 0, 7}, " with a priority": {0x81, 0, 0xe0, 0}, " in a service VLAN": {0x88, 0xa8, 0, 7}}
	packets := l.packets4(l.v4, "")
	maps.Copy(packets, l.packets4(other.v4, " from another"))
	maps.Copy(packets, l.packets6(l.v6, ""))
	maps.Copy(packets, l.packets6(other.v6, " from another"))
	for whom, mac := range to {
		for tagged, tag := range tags {
			for what, p := range packets {
				head := append(append(append([]byte{}, mac[:]...), l.mac[:]...), tag...)
				frames[what+tagged+", to "+whom] = append(head, p...)
			}
		}
	}
	stranger := l
	stranger.mac[5]++
	for what, p := range packets {
		frames[what+", by a stranger"] = append(append(append([]byte{}, victim[:]...), stranger.mac[:]...), p...)
	}
	return frames
}

var portPairs = [][2]uint16{{9, 9}, {67, 68}, {68, 67}, {547, 546}}

// packets4 are IPv4 packets behind their EtherType.
func (l liar) packets4(src netip.Addr, whose string) map[string][]byte {
	all := map[string][]byte{}
	make4 := func(proto byte, fragment uint16, options []byte, payload []byte) []byte {
		p := []byte{0x45 + byte(len(options)/4), 0, 0, byte(20 + len(options) + len(payload)), 0, 1, byte(fragment >> 8), byte(fragment), 64, proto, 0, 0}
		p = append(append(append(p, src.AsSlice()...), 10, 0, 1, 200), options...)
		binary.BigEndian.PutUint16(p[10:], checksum(p))
		return append([]byte{8, 0}, append(p, payload...)...)
	}
	for _, ports := range portPairs {
		all[fmt.Sprintf("IPv4 UDP %d to %d%s", ports[0], ports[1], whose)] = make4(unix.IPPROTO_UDP, 0, nil, transport(ports, 8))
		all[fmt.Sprintf("IPv4 TCP %d to %d%s", ports[0], ports[1], whose)] = make4(unix.IPPROTO_TCP, 0, nil, transport(ports, 20))
	}
	all["IPv4 with options"+whose] = make4(unix.IPPROTO_UDP, 0, []byte{131, 7, 4, 10, 0, 1, 9, 0}, transport(portPairs[0], 8))
	all["IPv4 a first fragment"+whose] = make4(unix.IPPROTO_UDP, 0x2000, nil, transport(portPairs[1], 8))
	all["IPv4 a later fragment"+whose] = make4(unix.IPPROTO_UDP, 8, nil, transport(portPairs[1], 8))
	all["IPv4 a redirect"+whose] = make4(unix.IPPROTO_ICMP, 0, nil, []byte{5, 1, 0, 0, 10, 0, 1, 9})
	all["IPv4 of another protocol"+whose] = make4(99, 0, nil, transport(portPairs[0], 8))
	return all
}

// packets6 are IPv6 packets behind their EtherType.
func (l liar) packets6(src netip.Addr, whose string) map[string][]byte {
	all := map[string][]byte{}
	make6 := func(next byte, payload []byte) []byte {
		p := []byte{0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(payload)), next, 64}
		return append(append(append(p, src.AsSlice()...), netip.MustParseAddr("fd00:1::200").AsSlice()...), payload...)
	}
	for _, ports := range portPairs {
		all[fmt.Sprintf("IPv6 UDP %d to %d%s", ports[0], ports[1], whose)] = make6(unix.IPPROTO_UDP, transport(ports, 8))
		all[fmt.Sprintf("IPv6 TCP %d to %d%s", ports[0], ports[1], whose)] = make6(unix.IPPROTO_TCP, transport(ports, 20))
	}
	hidden := append([]byte{unix.IPPROTO_UDP, 0, 1, 4, 0, 0, 0, 0}, transport(portPairs[3], 8)...)
	all["IPv6 UDP 547 to 546 behind a header"+whose] = make6(unix.IPPROTO_DSTOPTS, hidden)
	all["IPv6 a router"+whose] = make6(unix.IPPROTO_ICMPV6, []byte{134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0})
	return all
}

// transport is the begin of a UDP or TCP header, with what follows.
func transport(ports [2]uint16, length int) []byte {
	p := make([]byte, length)
	binary.BigEndian.PutUint16(p, ports[0])
	binary.BigEndian.PutUint16(p[2:], ports[1])
	if length == 8 {
		p[5] = 8
	}
	return p
}

// hush keeps the machine from saying anything of its own.
func (m *machine) hush() {
	m.t.Helper()
	m.sysctl("net/ipv6/conf/eth0/disable_ipv6", "1")
	m.ip("addr flush dev eth0", "link set eth0 arp off")
}

// watchPassing counts what the guards of p1-0 let pass, behind them.
func (l *lab) watchPassing() {
	l.host.nft(`table bridge behind {
		counter passes { }
		chain frames { type filter hook prerouting priority -299; iifname "p1-0" counter name passes; }
	}`)
}

// verdicts are how many of the frames pass, and how many each guard refuses.
func (l *lab) verdicts(t *testing.T, guest liar, frames [][]byte) map[string]uint64 {
	t.Helper()
	before := l.judged(t)
	guest.frames(t, frames...)
	got, sum := map[string]uint64{}, uint64(0)
	eventually(t, "all frames are judged", func() bool {
		sum = 0
		for verdict, n := range l.judged(t) {
			got[verdict] = n - before[verdict]
			sum += got[verdict]
		}
		return sum >= uint64(len(frames))
	})
	if sum != uint64(len(frames)) {
		t.Errorf("%d frames had %d verdicts", len(frames), sum)
	}
	return got
}

func (l *lab) judged(t *testing.T) map[string]uint64 {
	t.Helper()
	counters, err := l.conn.Counters()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]uint64{}
	for _, c := range counters {
		if strings.HasPrefix(c.Name, "guard-") {
			all[c.Name] = c.Packets
		}
	}
	var listed struct {
		Nftables []struct{ Counter *struct{ Packets uint64 } }
	}
	out, err := l.host.run("", "nft", "-j", "list", "counter", "bridge", "behind", "passes")
	if err == nil {
		err = json.Unmarshal([]byte(out), &listed)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range listed.Nftables {
		if o.Counter != nil {
			all["passes"] = o.Counter.Packets
		}
	}
	return all
}
