package lease

import (
	"bytes"
	"net/netip"
	"strconv"
)

// scan reads the JSON of a record as appendLease writes it, several times faster
// than encoding/json does: a book has some 100,000 of them when the daemon
// starts. It reports whether it could; strings with escapes, spaces between and
// everything else that is rare it leaves to encoding/json.
func (r *record) scan(text []byte) bool {
	rest, ok := bytes.CutPrefix(text, []byte("{"))
	for ok {
		var name, value []byte
		if name, rest, ok = plain(rest); !ok {
			break
		}
		if rest, ok = bytes.CutPrefix(rest, []byte(":")); !ok {
			break
		}
		if string(name) == "iaid" {
			value, rest = digits(rest)
		} else if value, rest, ok = plain(rest); !ok {
			break
		}
		if !r.set(string(name), value) {
			return false
		}
		if len(rest) == 1 && rest[0] == '}' {
			return true
		}
		rest, ok = bytes.CutPrefix(rest, []byte(","))
	}
	return false
}

// plain cuts off a quoted string that means what it looks like.
func plain(text []byte) (value, rest []byte, ok bool) {
	if len(text) == 0 || text[0] != '"' {
		return nil, nil, false
	}
	for i, c := range text[1:] {
		switch {
		case c == '"':
			return text[1 : i+1], text[i+2:], true
		case c < ' ' || c > '~' || c == '\\':
			return nil, nil, false
		}
	}
	return nil, nil, false
}

func digits(text []byte) (value, rest []byte) {
	n := 0
	for n < len(text) && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	return text[:n], text[n:]
}

// set takes one field, and reports whether it is a good one that is known.
func (r *record) set(name string, value []byte) bool {
	var err error
	switch name {
	case "net":
		r.Net = string(value)
	case "ip":
		r.IP, err = netip.ParseAddr(string(value))
	case "mac":
		err = r.MAC.UnmarshalText(value)
	case "iaid":
		n, bad := strconv.ParseUint(string(value), 10, 32)
		if bad != nil || value[0] == '0' { // JSON has no 007
			return false
		}
		r.IAID = uint32(n)
	case "id":
		r.ID = string(value)
	case "port":
		r.Port = string(value)
	case "host":
		r.Host = string(value)
	case "begun":
		err = r.Begun.UnmarshalText(value)
	case "expires":
		err = r.Expires.UnmarshalText(value)
	case "state":
		r.State = string(value)
	default:
		return false
	}
	return err == nil
}
