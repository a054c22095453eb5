package socket

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

var (
	discover = Packet{
		MAC: guestMAC, From: netip.MustParseAddrPort("0.0.0.0:68"), To: netip.MustParseAddrPort("255.255.255.255:67"),
		Payload: []byte("discover"),
	}
	solicit6 = Packet{
		MAC: guestMAC, From: netip.MustParseAddrPort("[fe80::2]:546"), To: netip.MustParseAddrPort("[ff02::1:2]:547"),
		Payload: []byte("solicit!!"),
	}
	routers = Packet{
		MAC: guestMAC, From: netip.MustParseAddrPort("[fe80::2]:0"), To: netip.MustParseAddrPort("[ff02::2]:0"),
		Payload: []byte{icmpSolicit, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 1},
	}
	reply = append(binary.BigEndian.AppendUint64(nil, arpIPv4|arpReply),
		2, 0, 0, 0, 0, 9, 10, 7, 0, 9, 2, 0, 0, 0, 0, 1, 0, 0, 0, 0)
)

// built is a packet as a frame that came in.
func built(t interface{ Fatal(...any) }, p Packet) frame {
	etherType, body, err := p.appendIP(nil)
	if err != nil {
		t.Fatal(err)
	}
	return frame{etherType: etherType, mac: p.MAC, body: body}
}

func TestWhatIsBuiltIsUnderstood(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := Packet{MAC: guestMAC, Payload: rapid.SliceOfN(rapid.Byte(), 0, 1500).Draw(t, "payload")}
		ports := rapid.Uint16Range(1, 0xffff)
		want, hops := dhcp4, uint8(hopLimit)
		switch rapid.IntRange(0, 2).Draw(t, "kind") {
		case 0:
			addr := rapid.Custom(func(t *rapid.T) netip.Addr {
				return netip.AddrFrom4([4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "addr")))
			})
			p.From = netip.AddrPortFrom(addr.Draw(t, "from"), ports.Draw(t, "port"))
			p.To = netip.AddrPortFrom(addr.Draw(t, "to"), portDHCP4)
		case 1:
			want = dhcp6
			p.From, p.To = netip.AddrPortFrom(guest6, ports.Draw(t, "port")), netip.AddrPortFrom(host6, portDHCP6)
		case 2:
			want, hops = solicit, neighbour
			p.From, p.To = routers.From, routers.To
			p.Payload = append(slices.Clone(routers.Payload[:8]), p.Payload...)
		}
		f := built(t, p)
		kind, got := f.parse()
		if kind != want || got.MAC != p.MAC || got.From != p.From || got.To != p.To || got.HopLimit != hops {
			t.Fatalf("got %d, %+v; want %d, %+v", kind, got, want, p)
		}
		if want == solicit {
			got.Payload[2], got.Payload[3] = 0, 0 // the checksum was filled in
		}
		if !bytes.Equal(got.Payload, p.Payload) {
			t.Fatalf("payload %x, want %x", got.Payload, p.Payload)
		}
	})
}

func TestAnyFlippedBitIsNoticed(t *testing.T) {
	t.Parallel()
	for _, p := range []Packet{discover, solicit6, routers} {
		f := built(t, p)
		for i := range 8 * len(f.body) {
			if covered := f.etherType == unix.ETH_P_IP || i >= 8*4; !covered {
				continue // traffic class and flow label of IPv6 are not covered
			}
			damaged := f
			damaged.body = slices.Clone(f.body)
			damaged.body[i/8] ^= 1 << (i % 8)
			kind, got := damaged.parse()
			// The hop limit of IPv6 is not covered, nor needed for DHCP.
			if hop := f.etherType == unix.ETH_P_IPV6 && i/8 == 7 && p.To.Port() != 0; kind != malformed && !hop {
				t.Errorf("%v with bit %d flipped was taken as %+v", p, i, got)
			}
		}
	}
}

func TestFramesAreJudgedAsTheKernelDoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		from Packet
		edit func(*frame)
		want kind
	}{
		"padding":                           {discover, func(f *frame) { f.body = append(f.body, 0, 0, 0) }, dhcp4},
		"cut off":                           {discover, func(f *frame) { f.body = f.body[:len(f.body)-1] }, malformed},
		"no checksum in IPv4":               {discover, func(f *frame) { f.body[26], f.body[27] = 0, 0 }, dhcp4},
		"no checksum in IPv6":               {solicit6, func(f *frame) { f.body[46], f.body[47] = 0, 0 }, malformed},
		"partial checksum":                  {discover, func(f *frame) { f.body[26]++; f.status = unix.TP_STATUS_CSUMNOTREADY }, dhcp4},
		"partial checksum in IPv6":          {solicit6, func(f *frame) { f.body[46]++; f.status = unix.TP_STATUS_CSUMNOTREADY }, dhcp6},
		"header checksum is never partial":  {discover, func(f *frame) { f.body[10]++; f.status = unix.TP_STATUS_CSUMNOTREADY }, malformed},
		"VLAN":                              {discover, func(f *frame) { f.status, f.vlan = unix.TP_STATUS_VLAN_VALID, 7 }, tagged},
		"priority tag":                      {discover, func(f *frame) { f.status, f.vlan = unix.TP_STATUS_VLAN_VALID, 7<<13 }, dhcp4},
		"options in the IP header":          {discover, withOptions, dhcp4},
		"header shorter than 20 bytes":      {discover, func(f *frame) { f.body[0] = 0x44 }, malformed},
		"fragment":                          {discover, func(f *frame) { f.body[6] |= 0x20; resum(f) }, malformed},
		"do not fragment":                   {discover, func(f *frame) { f.body[6] |= 0x40; resum(f) }, dhcp4},
		"IPv6 in an IPv4 frame":             {solicit6, func(f *frame) { f.etherType = unix.ETH_P_IP }, malformed},
		"solicitation from beyond the link": {routers, func(f *frame) { f.body[7] = 254 }, malformed},
		"solicitation with a code":          {routers, func(f *frame) { f.body[41]++; f.status = unix.TP_STATUS_CSUMNOTREADY }, malformed},
		"ARP reply":                         {discover, func(f *frame) { f.etherType, f.body = unix.ETH_P_ARP, reply }, arp},
		"ARP request": {discover, func(f *frame) {
			f.etherType, f.body = unix.ETH_P_ARP, appendProbe(nil, guestMAC, guest4)
		}, malformed},
		"other protocol": {discover, func(f *frame) { f.etherType = 0x88cc }, malformed},
	} {
		f := built(t, c.from)
		c.edit(&f)
		if kind, p := f.parse(); kind != c.want {
			t.Errorf("%s: kind %d, %+v; want %d", name, kind, p, c.want)
		}
	}
}

// withOptions puts four bytes of no operation behind the IPv4 header.
func withOptions(f *frame) {
	f.body = slices.Insert(f.body, 20, 1, 1, 1, 1)
	f.body[0]++
	f.body[3] += 4
	resum(f)
}

// resum makes the checksum of the IPv4 header right.
func resum(f *frame) {
	f.body[10], f.body[11] = 0, 0
	binary.BigEndian.PutUint16(f.body[10:], checksum(sum(0, f.body[:int(f.body[0]&0xf)*4])))
}

func TestARPReplyTellsItsSender(t *testing.T) {
	t.Parallel()
	kind, p := frame{etherType: unix.ETH_P_ARP, mac: guestMAC, body: reply}.parse()
	if kind != arp || p.MAC != guestMAC || p.From.Addr() != netip.MustParseAddr("10.7.0.9") {
		t.Errorf("got %d, %+v; want the sender of the message", kind, p)
	}
}

func TestPacketsThatCannotBeBuilt(t *testing.T) {
	t.Parallel()
	for text, p := range map[string]Packet{
		"one family":         {From: discover.From, To: solicit6.To},
		"not of one":         {From: netip.AddrPort{}, To: solicit6.To},
		"are not":            {From: netip.MustParseAddrPort("[::ffff:10.0.0.1]:67"), To: solicit6.To},
		"than one holds":     {From: discover.From, To: discover.To, Payload: make([]byte, 1<<16)},
		"no ICMPv6":          {From: routers.From, To: routers.To, Payload: []byte{134}},
		"255.255.255.255:67": {From: solicit6.From, To: discover.To},
	} {
		if _, _, err := p.appendIP(nil); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%+v: got %v, want an error with %q", p, err, text)
		}
	}
}

func TestChecksumOfZeroIsSentAsOnes(t *testing.T) {
	t.Parallel()
	p := discover
	for n := range 1 << 16 {
		p.Payload = binary.BigEndian.AppendUint16(nil, uint16(n))
		f := built(t, p)
		if f.body[26] == 0 && f.body[27] == 0 {
			t.Fatalf("payload %x left without a checksum", p.Payload)
		}
		if kind, _ := f.parse(); kind != dhcp4 {
			t.Fatalf("payload %x is not understood", p.Payload)
		}
	}
}

func FuzzFrame(f *testing.F) {
	for _, p := range []Packet{discover, solicit6, routers} {
		b := built(f, p)
		f.Add(b.etherType, uint32(0), uint16(0), b.body)
		f.Add(b.etherType, uint32(unix.TP_STATUS_CSUMNOTREADY), uint16(0), b.body[:len(b.body)/2])
	}
	f.Add(uint16(unix.ETH_P_ARP), uint32(unix.TP_STATUS_VLAN_VALID), uint16(7), reply)
	f.Fuzz(func(t *testing.T, etherType uint16, status uint32, vlan uint16, body []byte) {
		kind, p := frame{etherType, guestMAC, status, vlan, body}.parse()
		if kind != dhcp4 && kind != dhcp6 && kind != solicit {
			return
		}
		if p.From.Addr().Is4() != p.To.Addr().Is4() || len(p.Payload) > len(body) {
			t.Fatalf("%+v from %x", p, body)
		}
		// What was understood can be said again, and is understood as the same.
		again, q := built(t, p).parse()
		if p.From.Port() != 0 && (again != kind || q.From != p.From || q.To != p.To || !bytes.Equal(p.Payload, q.Payload)) {
			t.Fatalf("%+v became %d, %+v", p, again, q)
		}
	})
}
