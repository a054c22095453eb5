package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// Limit is how much may pass in one direction, written as "10mbit", or with what
// tc calls peakrate and burst: "10mbit peak 20mbit burst 512kb".
type Limit struct {
	Rate  Rate  // on average; 0 = no limit
	Peak  Rate  // while the burst lasts; 0 = as fast as it comes
	Burst int64 // bytes that may pass at once; 0 = what the rate brings in a hundredth of a second
}

// kibibyte is the unit of a burst.
const kibibyte = 1024

// ParseLimit reads a limit.
func ParseLimit(s string) (l Limit, err error) {
	fields := strings.Fields(s)
	if len(fields)%2 == 0 {
		return Limit{}, fmt.Errorf("%q is not a limit such as 10mbit or 10mbit peak 20mbit burst 512kb", s)
	}
	if l.Rate, err = ParseRate(fields[0]); err != nil {
		return Limit{}, err
	}
	for i := 1; i < len(fields); i += 2 {
		switch word, value := fields[i], fields[i+1]; {
		case word == "peak" && l.Peak == 0:
			l.Peak, err = ParseRate(value)
		case word == "burst" && l.Burst == 0:
			l.Burst, err = parseBurst(value)
		default:
			err = fmt.Errorf("%q has no meaning here, or is there twice; after the rate come peak and burst", word)
		}
		if err != nil {
			return Limit{}, err
		}
	}
	return l, nil
}

// parseBurst reads a number of kibibytes; tc counts in 32 bits.
func parseBurst(s string) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSuffix(strings.ToLower(s), "kb"), 10, 64)
	if err != nil || n < 1 || n > 4<<20-1 {
		return 0, fmt.Errorf("%q is not a burst such as 512kb, from 1kb to 4194303kb", s)
	}
	return n * kibibyte, nil
}

// String prints the limit as ParseLimit reads it.
func (l Limit) String() string {
	s := l.Rate.String()
	if l.Peak > 0 {
		s += " peak " + l.Peak.String()
	}
	if l.Burst > 0 {
		s += fmt.Sprintf(" burst %dkb", l.Burst/kibibyte)
	}
	return s
}

// MarshalText implements encoding.TextMarshaler.
func (l Limit) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Limit) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*l = Limit{}
		return nil
	}
	v, err := ParseLimit(string(b))
	if err == nil {
		*l = v
	}
	return err
}
