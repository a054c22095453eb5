package dns

import "encoding/binary"

// entry is a packed answer. It never changes.
type entry struct {
	key   string
	wire  []byte   // header, question, records; without OPT
	ttls  []uint16 // where the TTLs are that count down
	short int      // length without the additional records
	made  int64    // nanoseconds since the start of the process
	until int64    // the same; 0 = for ever
	names uint64   // generation of the dynamic names it rests on
	bound bool     // it ends with that generation

	prev, next *entry // in a shelf
}

// fail writes an answer that is nothing but a response code.
func (q *query) fail(out []byte, code int) []byte {
	out = append(out[:0], make([]byte, headerLen)...)
	if q.name != nil {
		out[5] = 1
		out = append(out, q.name...)
		out = binary.BigEndian.AppendUint16(out, q.kind)
		out = binary.BigEndian.AppendUint16(out, q.class)
	}
	q.head(out, flagRA|uint16(code&15))
	return q.appendOPT(out, code)
}

// write writes a kept answer for this client: with its id, its spelling of the
// name, TTLs that have counted down, and no longer than it can take.
func (q *query) write(out []byte, e *entry, now int64) []byte {
	room := q.limit
	if q.edns {
		room -= optLen
	}
	flags := binary.BigEndian.Uint16(e.wire[2:])
	question := headerLen + len(q.name) + 4
	switch {
	case len(e.wire) <= room:
		out = append(out[:0], e.wire...)
	case e.short <= room: // RFC 2181 section 9: what is only additional goes without TC
		out = append(out[:0], e.wire[:e.short]...)
		clear(out[10:12])
	default:
		out = append(out[:0], e.wire[:question]...)
		clear(out[6:12])
		flags |= flagTC
	}
	q.head(out, flags)
	copy(out[headerLen:], q.name)
	binary.BigEndian.PutUint16(out[question-2:], q.class)
	e.countDown(out, now)
	return q.appendOPT(out, 0)
}

// head writes id and flags; opcode, RD and CD come back as they were sent.
func (q *query) head(out []byte, flags uint16) {
	binary.BigEndian.PutUint16(out, q.id)
	binary.BigEndian.PutUint16(out[2:], flags|flagQR|q.flags&(opcodeMask|flagRD|flagCD))
}

// countDown takes the age of the answer off its TTLs.
func (e *entry) countDown(out []byte, now int64) {
	if len(e.ttls) == 0 {
		return
	}
	age := uint32(max(0, now-e.made) / 1e9)
	for _, at := range e.ttls {
		if int(at)+4 > len(out) {
			return
		}
		ttl := binary.BigEndian.Uint32(out[at:])
		binary.BigEndian.PutUint32(out[at:], ttl-min(age, ttl))
	}
}

// appendOPT answers EDNS with EDNS (RFC 6891 section 6.1.1); DO comes back (RFC
// 3225 section 3).
func (q *query) appendOPT(out []byte, code int) []byte {
	if !q.edns {
		return out
	}
	out[11]++ // there are never 255 additional records of ours before it
	if out[11] == 0 {
		out[10]++
	}
	var do byte
	if q.do {
		do = 0x80
	}
	return append(out, 0, 0, 41, udpSize>>8, udpSize&0xff, byte(code>>4), 0, do, 0, 0, 0)
}
