package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// Rate is a number of bits a second, written as tc does: "10mbit", "1gbit",
// "512kbit" or "800bit".
type Rate int64

var rateUnits = []struct {
	name string
	bits int64
}{{"gbit", 1e9}, {"mbit", 1e6}, {"kbit", 1e3}, {"bit", 1}}

// ParseRate reads a rate; it is at least 8kbit and at most 1000gbit.
func ParseRate(s string) (Rate, error) {
	text := strings.ToLower(strings.TrimSpace(s))
	for _, u := range rateUnits {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || n <= 0 || n > 1e12/u.bits || n*u.bits < 8000 {
			break
		}
		return Rate(n * u.bits), nil
	}
	return 0, fmt.Errorf("%q is not a rate such as 10mbit, from 8kbit to 1000gbit", s)
}

// String prints the rate as ParseRate reads it, in the largest unit that leaves
// no fraction.
func (r Rate) String() string {
	for _, u := range rateUnits {
		if r > 0 && int64(r)%u.bits == 0 {
			return strconv.FormatInt(int64(r)/u.bits, 10) + u.name
		}
	}
	return ""
}

// MarshalText implements encoding.TextMarshaler.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Rate) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*r = 0
		return nil
	}
	v, err := ParseRate(string(b))
	if err == nil {
		*r = v
	}
	return err
}
