package tftp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"path"
	"strconv"
	"strings"
)

// Operations (RFC 1350 section 5, RFC 2347).
const (
	opRead  = 1
	opWrite = 2
	opData  = 3
	opAck   = 4
	opError = 5
	opOACK  = 6
)

// Error codes (RFC 1350, appendix).
const (
	codeOther    = 0
	codeNotFound = 1
	codeAccess   = 2
	codeIllegal  = 4
)

// request is a read or write request.
type request struct {
	op      uint16
	name    string
	text    bool // mode netascii
	options []option
}

type option struct{ name, value string }

var errMalformed = errors.New("malformed request")

// parse reads a request: operation, name, mode, and pairs of options, each ended
// by a zero byte. A last value without one is let through, as clients cut their
// packets short there.
func parse(b []byte) (request, error) {
	if len(b) < 4 {
		return request{}, errMalformed
	}
	r := request{op: binary.BigEndian.Uint16(b)}
	if r.op != opRead && r.op != opWrite {
		return r, errMalformed
	}
	var fields []string
	for field := range bytes.SplitSeq(bytes.TrimSuffix(b[2:], []byte{0}), []byte{0}) {
		fields = append(fields, string(field))
	}
	if len(fields) < 2 || fields[0] == "" {
		return r, errMalformed
	}
	r.name = clean(fields[0])
	switch strings.ToLower(fields[1]) {
	case "octet":
	case "netascii":
		r.text = true
	default:
		return r, errMalformed // mail is obsolete
	}
	for i := 2; i+1 < len(fields); i += 2 {
		r.options = append(r.options, option{strings.ToLower(fields[i]), fields[i+1]})
	}
	return r, nil
}

// clean makes a relative path of a name: boot loaders ask from the root of the
// server, those of Windows with backslashes.
func clean(name string) string {
	name = path.Clean("/" + strings.ReplaceAll(name, `\`, "/"))
	if name == "/" {
		return "."
	}
	return name[1:]
}

// terms are what a transfer goes by.
type terms struct {
	block   int // bytes
	window  int // blocks sent before an acknowledgement is awaited
	timeout int // seconds, 0 = the server's own
	answer  []option
}

const (
	defaultBlock = 512
	smallest     = 8     // RFC 2348
	largest      = 65464 //
	mostWindow   = 64    // RFC 7440 leaves it to the server
	mostTimeout  = 10    // seconds; RFC 2349 allows 255, for which a slot is too dear
)

// negotiate takes the options we know; others are not acknowledged, which means
// no (RFC 2347). size is -1 when it is not known; most is the largest block that
// fits a packet.
func negotiate(options []option, size int64, most int) terms {
	t := terms{block: defaultBlock, window: 1}
	seen := map[string]bool{}
	for _, o := range options {
		n, err := strconv.ParseInt(o.value, 10, 64)
		if err != nil || seen[o.name] {
			continue
		}
		value, ok := t.take(o.name, n, size, most)
		if ok {
			seen[o.name] = true
			t.answer = append(t.answer, option{o.name, strconv.FormatInt(value, 10)})
		}
	}
	return t
}

func (t *terms) take(name string, n, size int64, most int) (value int64, ok bool) {
	switch {
	case name == "blksize" && n >= smallest && n <= largest:
		t.block = min(int(n), most)
		return int64(t.block), true
	case name == "tsize" && size >= 0:
		return size, true
	case name == "timeout" && n >= 1 && n <= mostTimeout:
		t.timeout = int(n)
		return n, true
	case name == "windowsize" && n >= 1 && n <= 65535:
		t.window = min(int(n), mostWindow)
		return int64(t.window), true
	}
	return 0, false
}

// oack acknowledges options.
func (t terms) oack() []byte {
	b := binary.BigEndian.AppendUint16(nil, opOACK)
	for _, o := range t.answer {
		b = append(append(b, o.name...), 0)
		b = append(append(b, o.value...), 0)
	}
	return b
}

// failure is an error packet.
func failure(code uint16, text string) []byte {
	b := binary.BigEndian.AppendUint16(nil, opError)
	b = binary.BigEndian.AppendUint16(b, code)
	return append(append(b, text...), 0)
}
