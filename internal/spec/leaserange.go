package spec

import (
	"fmt"
	"strings"
)

// LeaseRange is a range of addresses that DHCP hands out, with a lease time of
// its own where one is given. It is written as a range, "10.0.0.10-10.0.0.99", or
// with the time behind it, "10.0.0.10-10.0.0.99 lease 2h".
type LeaseRange struct {
	AddrRange
	LeaseTime Seconds // 0 = the subnet's
}

// ParseLeaseRange reads a range with or without a lease time.
func ParseLeaseRange(s string) (LeaseRange, error) {
	addresses, lease, timed := strings.Cut(s, " lease ")
	r, err := ParseAddrRange(strings.TrimSpace(addresses))
	if err != nil || !timed {
		return LeaseRange{AddrRange: r}, err
	}
	d, err := ParseSeconds(strings.TrimSpace(lease))
	if err == nil && d == 0 {
		err = fmt.Errorf("%q has a lease time of nothing", s)
	}
	if err != nil {
		return LeaseRange{}, err
	}
	return LeaseRange{r, d}, nil
}

// String prints the range as ParseLeaseRange reads it.
func (r LeaseRange) String() string {
	if r.LeaseTime == 0 {
		return r.AddrRange.String()
	}
	return r.AddrRange.String() + " lease " + r.LeaseTime.String()
}

// MarshalText implements encoding.TextMarshaler.
func (r LeaseRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *LeaseRange) UnmarshalText(b []byte) error {
	v, err := ParseLeaseRange(string(b))
	if err == nil {
		*r = v
	}
	return err
}
