package dhcp4

import (
	"encoding/binary"
	"net/netip"
)

// Sizes and places of a message (RFC 2131 figure 1). Sizes are of the UDP
// payload, in bytes.
const (
	headerSize = 240 // up to and with the magic cookie
	snameAt    = 44
	fileAt     = 108
	maxSname   = 63 // and a zero
	maxFile    = 127
	minSize    = 300  // RFC 1542 section 2.1: some relays drop what is shorter
	ipUDP      = 28   // IP and UDP headers, which option 57 counts
	leastMTU   = 576  // every client accepts that much
	mostMTU    = 1500 // more would be fragments
)

var cookie = [4]byte{99, 130, 83, 99}

// room is the largest payload a client takes.
func (q *query) room() int {
	return min(max(q.maxSize, leastMTU), mostMTU) - ipUDP
}

// encode appends the message to an empty buffer. Options that do not fit go
// where the server name and the boot file would be (option 52); those that do not
// fit there either are left out, from the last.
func (m *message) encode(b []byte) []byte {
	b = m.header(b[:0])
	options, last := m.split()
	room := m.q.room() - last.size() - 1
	if m.size() <= room {
		b = appendAll(b, options)
	} else {
		b = m.overload(b, options, room)
	}
	b = append(last.append(b), 255)
	for len(b) < minSize {
		b = append(b, 0)
	}
	return b
}

// split takes the relay's information from the options, because it comes last.
func (m *message) split() (options []option, last option) {
	n := len(m.options) - 1
	if m.options[n].code == optRelayInfo {
		return m.options[:n], m.options[n]
	}
	return m.options, option{}
}

func (m *message) header(b []byte) []byte {
	b = append(b, 2, 1, 6, 0)
	b = append(b, m.q.xid[:]...)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint16(b, m.flags)
	for _, a := range [...]netip.Addr{m.ciaddr, m.yiaddr, m.siaddr, m.q.giaddr} {
		b = appendAddr(b, a)
	}
	b = append(b, m.q.chaddr[:]...)
	b = append(b, make([]byte, headerSize-4-len(b))...)
	if m.fileFits() {
		copy(b[fileAt:], m.file)
	}
	if len(m.sname) <= maxSname {
		copy(b[snameAt:], m.sname)
	}
	return append(b, cookie[:]...)
}

// fileFits is false for a file that option 67 tells, because it is too long.
func (m *message) fileFits() bool { return len(m.file) <= maxFile }

func appendAddr(b []byte, a netip.Addr) []byte {
	if !a.Is4() {
		return append(b, 0, 0, 0, 0)
	}
	four := a.As4()
	return append(b, four[:]...)
}

// size is how long the message is with all options but the relay's information.
func (m *message) size() int {
	n := headerSize
	options, _ := m.split()
	for _, o := range options {
		n += o.size()
	}
	return n
}

// size is how long an option is with its code and length bytes; one that is
// longer than 255 bytes is several (RFC 3396).
func (o option) size() int {
	if o.code == 0 {
		return 0
	}
	return len(o.data) + 2*max(1, (len(o.data)+254)/255)
}

func (o option) append(b []byte) []byte {
	data := o.data
	for first := true; o.code != 0 && (first || data != ""); first = false {
		n := min(len(data), 255)
		b = append(append(b, o.code, byte(n)), data[:n]...)
		data = data[n:]
	}
	return b
}

func appendAll(b []byte, options []option) []byte {
	for _, o := range options {
		b = o.append(b)
	}
	return b
}

// overload spreads options over the three places, each option where it fits
// first. The fields are read file before sname (RFC 3396 section 5).
func (m *message) overload(b []byte, options []option, room int) []byte {
	var places [3][]byte
	rooms := [3]int{room - headerSize - 3, 0, 0}
	if m.file == "" || !m.fileFits() {
		rooms[1] = maxFile
	}
	if m.sname == "" || len(m.sname) > maxSname {
		rooms[2] = maxSname
	}
	for _, o := range options {
		for i := range places {
			if len(places[i])+o.size() <= rooms[i] {
				places[i] = o.append(places[i])
				break
			}
		}
	}
	used := byte(0)
	for i, at := range [...]int{1: fileAt, 2: snameAt} {
		if i > 0 && len(places[i]) > 0 {
			copy(b[at:], append(places[i], 255))
			used |= byte(i)
		}
	}
	b = append(b, places[0]...)
	if used != 0 {
		b = append(b, optOverload, 1, used)
	}
	return b
}
