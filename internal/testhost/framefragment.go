package testhost

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
)

// Fragments puts the packet together as Frame does, and cuts what is behind its IP
// header into pieces of a size, each a frame of its own. Extension headers are in the
// pieces, behind the fragment header: so a first piece can be too short to tell what
// the packet is (RFC 7113, section 2).
func (p Packet) Fragments(size int) ([][]byte, error) {
	frame, err := p.Frame()
	if err != nil {
		return nil, err
	}
	at := 14 + 4*len(p.Tags)
	switch {
	case size <= 0 || size%8 != 0:
		return nil, fmt.Errorf("cut packet %s > %s: pieces of %d bytes: the size is a multiple of 8", p.Src, p.Dst, size)
	case p.Proto == ARP:
		return nil, fmt.Errorf("cut packet %s > %s: arp has no fragments", p.Src, p.Dst)
	case p.Src.Is4():
		return cut(frame[:at+20+len(p.options())], frame[at+20+len(p.options()):], size, at, fragment4), nil
	}
	return cut(frame[:at+40], frame[at+40:], size, at, fragment6), nil
}

// cut gives each piece of a body the head, which write makes that of a fragment.
func cut(head, body []byte, size, at int, write func(head []byte, at, offset, length int, more bool, id uint32) []byte) (list [][]byte) {
	id := rand.Uint32()
	for offset := 0; offset < len(body); offset += size {
		end := min(offset+size, len(body))
		h := write(append([]byte{}, head...), at, offset, end-offset, end < len(body), id)
		list = append(list, append(h, body[offset:end]...))
	}
	return list
}

// fragment4 fills in the IPv4 header (RFC 791, section 3.1); at is where it begins.
func fragment4(head []byte, at, offset, length int, more bool, id uint32) []byte {
	ip := head[at:]
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+length))
	binary.BigEndian.PutUint16(ip[4:], uint16(id))
	binary.BigEndian.PutUint16(ip[6:], uint16(offset/8)|flag(more)<<13)
	ip[10], ip[11] = 0, 0
	binary.BigEndian.PutUint16(ip[10:], checksum(0, ip))
	return head
}

// fragment6 puts a fragment header (RFC 8200, section 4.5) behind that of IPv6.
func fragment6(head []byte, at, offset, length int, more bool, id uint32) []byte {
	ip := head[at:]
	next := ip[6]
	ip[6] = fragmentHeader
	binary.BigEndian.PutUint16(ip[4:], uint16(8+length))
	head = append(head, next, 0)
	head = binary.BigEndian.AppendUint16(head, uint16(offset)|flag(more)) // the offset in units of eight, shifted by three
	return binary.BigEndian.AppendUint32(head, id)
}

func flag(on bool) uint16 {
	if on {
		return 1
	}
	return 0
}
