package testhost

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"
)

func TestTagsComeBeforeTheTypeOfTheFrame(t *testing.T) {
	t.Parallel()
	p := packets[0]
	p.SrcMAC, p.DstMAC = macA, macB
	plain, _ := p.Frame()
	p.Tags = []Tag{{EtherType: EtherQinQ, Number: 100}, {Number: 7, Priority: 5}}
	frame, err := p.Frame()
	if err != nil {
		t.Fatal(err)
	}
	if got := hex.EncodeToString(frame[12:20]); got != "88a80064"+"8100a007" {
		t.Errorf("the tags are %s", got)
	}
	if !bytes.Equal(append(frame[:12:12], frame[20:]...), plain) {
		t.Error("without its tags it is another frame")
	}
}

func TestOptionsAndExtensionHeadersAreSkippedByWhoReads(t *testing.T) {
	t.Parallel()
	for _, p := range packets {
		p.SrcMAC, p.DstMAC = macA, macB
		sent := p
		sent.Options = []byte{131, 7, 4, 10, 0, 0, 1} // loose source route, filled up by one byte
		sent.Extensions = []Extension{{HopByHop, nil}, {Destination, make([]byte, 7)}, {Routing, []byte{0, 1}}}
		frame, err := sent.Frame()
		if err != nil {
			t.Fatal(err)
		}
		got := ParsePacket(frame)
		if len(p.Payload) == 0 && len(got.Payload) == 0 {
			got.Payload = p.Payload
		}
		if !reflect.DeepEqual(got, p) {
			t.Errorf("got  %+v\nwant %+v", got, p)
		}
		if p.EtherType == EtherIPv4 && (frame[14] != 0x47 || checksum(0, frame[14:42]) != 0) {
			t.Errorf("the IPv4 header is %x", frame[14:42])
		}
		if p.EtherType == EtherIPv6 && hex.EncodeToString(frame[54:58]) != "3c000000" {
			t.Errorf("the first extension header begins with %x", frame[54:58])
		}
	}
}

// TestFragmentsPutTogetherAreThePacket: the pieces, in any order, are what was cut.
func TestFragmentsPutTogetherAreThePacket(t *testing.T) {
	t.Parallel()
	for _, p := range packets {
		if p.Proto == ARP {
			continue
		}
		p.SrcMAC, p.DstMAC, p.Payload = macA, macB, []byte("forty bytes, more than a piece may carry")
		p.Extensions = []Extension{{Destination, nil}}
		whole, _ := p.Frame()
		list, err := p.Fragments(16)
		if err != nil {
			t.Fatal(err)
		}
		head := map[bool]int{true: 14 + 20, false: 14 + 40}[p.Src.Is4()]
		body := make([]byte, len(whole)-head)
		for i, f := range list {
			offset, piece := 0, f[head:]
			word := binary.BigEndian.Uint16(f[20:])
			if p.Src.Is6() {
				word, piece = binary.BigEndian.Uint16(f[56:]), piece[8:]
				offset = int(word &^ 7)
				word = word & 1 << 13
			} else {
				offset = int(word&0x1fff) * 8
			}
			if more := word>>13 == 1; more != (i < len(list)-1) || len(f) != 14+length(f) {
				t.Errorf("piece %d of %d of %s is %x", i, len(list), p, f)
			}
			copy(body[offset:], piece)
		}
		if len(list) < 3 || !bytes.Equal(body, whole[head:]) {
			t.Errorf("%d pieces of %s are %x, want %x", len(list), p, body, whole[head:])
		}
	}
	for size, p := range map[int]Packet{7: packets[0], 8: packets[6]} {
		if _, err := p.Fragments(size); err == nil || !strings.HasPrefix(err.Error(), "cut packet 192.0.2.1") {
			t.Errorf("cut %s into %d bytes: %v", p, size, err)
		}
	}
}

// length is that of an IP packet, as its header says.
func length(frame []byte) int {
	if frame[14]>>4 == 4 {
		return int(binary.BigEndian.Uint16(frame[16:]))
	}
	return 40 + int(binary.BigEndian.Uint16(frame[18:]))
}

// TestSwitchesSpeakWholeFrames: as long as Ethernet asks, to the addresses that no
// switch passes on.
func TestSwitchesSpeakWholeFrames(t *testing.T) {
	t.Parallel()
	for want, frame := range map[string][]byte{
		"0180c2000000" + "020000000001" + "0026" + "424203" + "0000000000" + "0000020000000001": BPDU(macA),
		"0180c200000e" + "020000000001" + "88cc" + "020704020000000001" + "040703":              LLDP(macA),
	} {
		if got := hex.EncodeToString(frame); !strings.HasPrefix(got, want) || len(frame) != 60 {
			t.Errorf("got %s, want %s… and 60 bytes", got, want)
		}
	}
}
