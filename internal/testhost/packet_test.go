package testhost

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"kvmnet/internal/spec"
)

var (
	macA, macB = spec.MAC{2, 0, 0, 0, 0, 1}, spec.MAC{2, 0, 0, 0, 0, 2}
	a4, b4     = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	a6, b6     = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
)

var packets = []Packet{
	{EtherType: EtherIPv4, Proto: UDP, Src: a4, Dst: b4, SrcPort: 1, DstPort: 2, TTL: 64, Payload: []byte("abc")},
	{EtherType: EtherIPv6, Proto: UDP, Src: a6, Dst: b6, SrcPort: 1, DstPort: 2, TTL: 1},
	{EtherType: EtherIPv4, Proto: TCP, Src: a4, Dst: b4, SrcPort: 1, DstPort: 2, TTL: 9, Flags: SYN | ACK, Seq: 1 << 31},
	{EtherType: EtherIPv6, Proto: TCP, Src: a6, Dst: b6, SrcPort: 65535, DstPort: 2, TTL: 64, Flags: RST, Payload: []byte{0}},
	{EtherType: EtherIPv4, Proto: ICMP, Src: a4, Dst: b4, Type: 8, TTL: 64, Payload: []byte{1, 2, 3, 4, 5}},
	{EtherType: EtherIPv6, Proto: ICMP, Src: a6, Dst: b6, Type: 134, Code: 0, TTL: 255, Payload: make([]byte, 12)},
	{EtherType: EtherARP, Proto: ARP, Src: a4, Dst: b4, Op: 2, SenderMAC: macA, TargetMAC: macB},
}

func TestFrameAndParsePacketAreInverse(t *testing.T) {
	t.Parallel()
	for _, p := range packets {
		p.SrcMAC, p.DstMAC = macA, macB
		frame, err := p.Frame()
		if err != nil {
			t.Errorf("%s: %v", p, err)
			continue
		}
		got := ParsePacket(frame)
		if len(p.Payload) == 0 && len(got.Payload) == 0 {
			got.Payload = p.Payload
		}
		if !reflect.DeepEqual(got, p) {
			t.Errorf("got  %+v\nwant %+v", got, p)
		}
	}
}

// A frame of another program: tcpdump's of an IPv6 neighbour solicitation.
func TestParsePacketReadsAForeignFrame(t *testing.T) {
	t.Parallel()
	frame, err := hex.DecodeString("3333ff000002" + "020000000001" + "86dd" +
		"6000000000203aff" + "fe80000000000000000000fffe000001" + "ff0200000000000000000001ff000002" +
		"87005d2b" + "00000000" + "20010db8000000000000000000000002" + "0101020000000001")
	if err != nil {
		t.Fatal(err)
	}
	p := ParsePacket(frame)
	if p.Proto != ICMP || p.Type != 135 || p.TTL != 255 || p.Dst.String() != "ff02::1:ff00:2" || p.IsProbe() {
		t.Errorf("read %+v", p)
	}
}

func TestParsePacketSkipsExtensionHeaders(t *testing.T) {
	t.Parallel()
	frame, err := hex.DecodeString("3333000000160200000000018" + "6dd" +
		"6000000000240001" + "fe80000000000000000000fffe000001" + "ff020000000000000000000000000016" +
		"3a00050200000100" + "8f00000000000001" + "04000000ff0200000000000000000001ff000002")
	if err != nil {
		t.Fatal(err)
	}
	if p := ParsePacket(frame); p.Proto != ICMP || p.Type != 143 {
		t.Errorf("read %+v, want a multicast listener report", p)
	}
}

// Cut and altered frames come from guests; none may be read past its end.
func FuzzParsePacket(f *testing.F) {
	for _, p := range packets {
		frame, err := p.Frame()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(frame)
		for n := range frame {
			f.Add(frame[:n])
		}
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		p := ParsePacket(frame)
		if len(p.Payload) > len(frame) {
			t.Errorf("payload of %d bytes out of a frame of %d", len(p.Payload), len(frame))
		}
		_ = p.String()
	})
}

func TestFrameRefusesWhatItCannotBuild(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]Packet{
		"not of one family":    {Proto: UDP, Src: a4, Dst: b6},
		"the protocol is not ": {Proto: "sctp", Src: a4, Dst: b4},
		"not icmp":             {Proto: ARP, Src: a6, Dst: b6},
	} {
		if _, err := p.Frame(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", p, err, want)
		}
	}
}

func TestChecksumIsThatOfRFC1071(t *testing.T) {
	t.Parallel()
	// RFC 1071, section 3: 0001 f203 f4f5 f6f7 sum to ddf2.
	if got := checksum(0, []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}); got != ^uint16(0xddf2) {
		t.Errorf("got %#04x, want %#04x", got, ^uint16(0xddf2))
	}
	if got := checksum(0, []byte{0x12}); got != ^uint16(0x1200) {
		t.Errorf("odd length: got %#04x", got)
	}
}

func TestReasonsOfICMPErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v6         bool
		kind, code uint8
		want       Reason
	}{
		{false, 3, 0, NetworkUnreachable}, {false, 3, 1, HostUnreachable}, {false, 3, 2, ProtocolUnreachable},
		{false, 3, 3, Refused}, {false, 3, 4, TooBig}, {false, 3, 9, AdminProhibited}, {false, 3, 10, AdminProhibited},
		{false, 3, 13, AdminProhibited}, {false, 11, 0, TimeExceeded}, {false, 0, 0, ""}, {false, 8, 0, ""},
		{true, 1, 0, NetworkUnreachable}, {true, 1, 1, AdminProhibited}, {true, 1, 3, HostUnreachable}, {true, 1, 4, Refused},
		{true, 1, 5, AdminProhibited}, {true, 2, 0, TooBig}, {true, 3, 0, TimeExceeded}, {true, 4, 1, ProtocolUnreachable},
		{true, 129, 0, ""}, {true, 136, 0, ""},
	} {
		if got := icmpReason(c.v6, c.kind, c.code); got != c.want {
			t.Errorf("v6 %v type %d code %d: got %q, want %q", c.v6, c.kind, c.code, got, c.want)
		}
	}
}

func TestGroupAddressesNeedNoNeighbour(t *testing.T) {
	t.Parallel()
	for dst, want := range map[string]string{
		"255.255.255.255": "ff:ff:ff:ff:ff:ff", "239.129.2.3": "01:00:5e:01:02:03", "ff02::1:ff00:2": "33:33:ff:00:00:02", "192.0.2.1": "", "fe80::1": "",
	} {
		if got, _ := groupMAC(Packet{Dst: netip.MustParseAddr(dst)}); got.String() != want {
			t.Errorf("%s: got %s, want %q", dst, got, want)
		}
	}
}
