package dns

import (
	"encoding/binary"

	"github.com/miekg/dns"
)

// Bits of the second 16-bit word of a message (RFC 1035 section 4.1.1, RFC 4035
// for AD and CD).
const (
	flagQR = 1 << 15
	flagAA = 1 << 10
	flagTC = 1 << 9
	flagRD = 1 << 8
	flagRA = 1 << 7
	flagAD = 1 << 5
	flagCD = 1 << 4

	opcodeMask = 15 << 11
)

const (
	headerLen = 12
	optLen    = 11 // of an OPT record without options
	nameMax   = 255
	plainUDP  = 512  // longest answer over UDP to a client without EDNS
	mostUDP   = 4096 // longest answer over UDP to any client
	mostTCP   = 65535
	udpSize   = 1232 // what we accept over UDP: fits any path without fragments
)

// silence is the verdict on a message that gets no answer at all.
const silence = -1

// query is a question read from the wire.
type query struct {
	id, flags uint16
	name      []byte // as sent, in wire form; nil when it could not be read
	kind      uint16
	class     uint16
	edns, do  bool
	limit     int // longest answer the client takes, in bytes

	// key finds answers: the name in lower case and the type, and one more byte
	// for what makes answers of upstream servers differ.
	key [nameMax + 3]byte
	n   int // length of key
}

// own is the key of our own answers, which are the same for all clients.
func (q *query) own() []byte { return q.key[:q.n-1] }

// full is the key of answers of upstream servers.
func (q *query) full() []byte { return q.key[:q.n] }

// lower is the name in lower case, in wire form.
func (q *query) lower() []byte { return q.key[:q.n-3] }

// traitDO is the bit of DO in the traits, which has a place in the header for
// something else.
const traitDO = 2

// traits packs what makes answers of upstream servers differ into a byte.
func (q *query) traits() byte {
	t := byte(q.flags>>8)&1 | byte(q.flags)&(flagAD|flagCD)
	if q.do {
		t |= traitDO
	}
	return t
}

// read reads a message and returns the response code it deserves: 0 for a query
// to be answered, silence for what must not be answered (RFC 1035 section 7.3).
func (q *query) read(b []byte, stream bool) int {
	q.name, q.n, q.edns, q.do, q.limit = nil, 0, false, false, plainUDP
	if stream {
		q.limit = mostTCP
	}
	if len(b) < headerLen {
		return silence
	}
	q.id, q.flags = binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	counts := b[4:headerLen]
	switch {
	case q.flags&flagQR != 0:
		return silence
	case q.flags>>11&15 != dns.OpcodeQuery:
		return dns.RcodeNotImplemented
	case binary.BigEndian.Uint32(counts) != 1<<16 || counts[4]|counts[5] != 0: // one question, no answers, no authority
		return dns.RcodeFormatError
	}
	end := q.readQuestion(b)
	if end == 0 {
		return dns.RcodeFormatError
	}
	if code := q.readAdditional(b, end, int(binary.BigEndian.Uint16(counts[6:])), stream); code != 0 {
		return code
	}
	q.key[q.n] = q.traits()
	q.n++
	return q.judge()
}

// readQuestion fills in name, type and class and returns where they end, 0 when
// they are malformed. Names in questions cannot be compressed: there is nothing
// before them to point to.
func (q *query) readQuestion(b []byte) int {
	i := headerLen
	for size := -1; size != 0; {
		if i >= len(b) || b[i] > 63 {
			return 0
		}
		size = int(b[i])
		end := i + 1 + size
		if end > len(b) || size > 0 && end-headerLen >= nameMax {
			return 0
		}
		q.key[i-headerLen] = b[i]
		for j := i + 1; j < end; j++ {
			q.key[j-headerLen] = lowerCase[b[j]]
		}
		i = end
	}
	if i+4 > len(b) {
		return 0
	}
	q.name = b[headerLen:i]
	q.kind, q.class = binary.BigEndian.Uint16(b[i:]), binary.BigEndian.Uint16(b[i+2:])
	q.n = len(q.name) + copy(q.key[len(q.name):], b[i:i+2])
	return i + 4
}

// lowerCase maps ASCII letters to lower case (RFC 4343).
var lowerCase = func() (t [256]byte) {
	for i := range t {
		t[i] = byte(i)
		if i >= 'A' && i <= 'Z' {
			t[i] += 'a' - 'A'
		}
	}
	return t
}()

// readAdditional looks for the OPT record (RFC 6891 section 6.1.1: one at most,
// its owner is the root). Others, such as TSIG, are passed over.
func (q *query) readAdditional(b []byte, i, count int, stream bool) int {
	for range count {
		name := i
		if i = skipName(b, i); i == 0 || i+10 > len(b) {
			return dns.RcodeFormatError
		}
		kind, size := binary.BigEndian.Uint16(b[i:]), binary.BigEndian.Uint16(b[i+2:])
		flags := binary.BigEndian.Uint32(b[i+4:])
		rdata := i + 10
		if i = rdata + int(binary.BigEndian.Uint16(b[i+8:])); i > len(b) {
			return dns.RcodeFormatError
		}
		if kind != dns.TypeOPT {
			continue
		}
		if q.edns || b[name] != 0 {
			return dns.RcodeFormatError
		}
		q.edns, q.do = true, flags&(1<<15) != 0
		if !stream {
			q.limit = min(max(int(size), plainUDP), mostUDP)
		}
		if flags>>16&0xff != 0 {
			return dns.RcodeBadVers
		}
	}
	return 0
}

// skipName returns where a name ends that may be compressed, 0 when it does not.
func skipName(b []byte, i int) int {
	for i < len(b) {
		switch size := int(b[i]); {
		case size == 0:
			return i + 1
		case size >= 0xc0 && i+2 <= len(b):
			return i + 2
		case size > 63:
			return 0
		default:
			i += 1 + size
		}
	}
	return 0
}

// judge refuses what no resolver answers: other classes, zone transfers, and
// types that are no data (RFC 6895 section 3.1).
func (q *query) judge() int {
	switch {
	case q.class != dns.ClassINET && q.class != dns.ClassANY:
		return dns.RcodeRefused
	case q.kind == dns.TypeANY:
		return 0
	case q.kind == dns.TypeNone || q.kind == dns.TypeOPT:
		return dns.RcodeFormatError
	case q.kind == dns.TypeAXFR || q.kind == dns.TypeIXFR:
		return dns.RcodeRefused
	case q.kind >= 128 && q.kind < 256: // meta types: TKEY, TSIG, MAILA …
		return dns.RcodeNotImplemented
	}
	return 0
}
