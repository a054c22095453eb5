package spec

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Seconds is a duration of whole seconds, written "90s", "12h", "7d", a bare
// number of seconds, or "infinite".
type Seconds int64

// Infinite is the duration without an end.
const Infinite Seconds = -1

// ParseSeconds reads a duration; negative, fractional and unknown forms are
// errors.
func ParseSeconds(s string) (Seconds, error) {
	if s == "infinite" {
		return Infinite, nil
	}
	if n, err := strconv.ParseInt(s, 10, 32); err == nil && n >= 0 {
		return Seconds(n), nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 16); err == nil && n >= 0 {
			return Seconds(n * 86400), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d%time.Second != 0 {
		return 0, fmt.Errorf("%q is not a duration such as 30s, 12h, 7d or infinite", s)
	}
	return Seconds(d / time.Second), nil
}

// String prints the duration as ParseSeconds reads it.
func (s Seconds) String() string {
	if s == Infinite {
		return "infinite"
	}
	return strconv.FormatInt(int64(s), 10) + "s"
}

// MarshalText implements encoding.TextMarshaler.
func (s Seconds) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Seconds) UnmarshalText(b []byte) error {
	v, err := ParseSeconds(string(b))
	if err == nil {
		*s = v
	}
	return err
}

// AddrRange is an inclusive range of addresses of one family, written
// "192.168.100.10-192.168.100.200".
type AddrRange struct{ From, To netip.Addr }

// ParseAddrRange reads a range; a single address is a range of one.
func ParseAddrRange(s string) (AddrRange, error) {
	from, to, found := strings.Cut(s, "-")
	if !found {
		to = from
	}
	a, errA := netip.ParseAddr(strings.TrimSpace(from))
	b, errB := netip.ParseAddr(strings.TrimSpace(to))
	switch {
	case errA != nil || errB != nil:
		return AddrRange{}, fmt.Errorf("%q is not an address range such as 10.0.0.10-10.0.0.99", s)
	case a.BitLen() != b.BitLen():
		return AddrRange{}, fmt.Errorf("%q mixes IPv4 and IPv6", s)
	case b.Less(a):
		return AddrRange{}, fmt.Errorf("%q ends before it begins", s)
	}
	return AddrRange{a, b}, nil
}

// Contains reports whether the address lies in the range.
func (r AddrRange) Contains(a netip.Addr) bool {
	return a.BitLen() == r.From.BitLen() && !a.Less(r.From) && !r.To.Less(a)
}

// IsZero reports whether the range is not set.
func (r AddrRange) IsZero() bool { return r == AddrRange{} }

// String prints the range as ParseAddrRange reads it, "" when not set.
func (r AddrRange) String() string {
	if r.IsZero() {
		return ""
	}
	return r.From.String() + "-" + r.To.String()
}

// MarshalText implements encoding.TextMarshaler. A range of one address is written
// as that address.
func (r AddrRange) MarshalText() ([]byte, error) { return []byte(shortRange(r)), nil }

// shortRange prints a range of one address as that address.
func shortRange(r AddrRange) string {
	if r.From == r.To && !r.IsZero() {
		return r.From.String()
	}
	return r.String()
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *AddrRange) UnmarshalText(b []byte) error {
	v, err := ParseAddrRange(string(b))
	if err == nil {
		*r = v
	}
	return err
}
