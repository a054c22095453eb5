package spec

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// PortRange is an inclusive range of transport ports, written "80" or
// "2000-2999". The zero value is no port.
type PortRange struct{ From, To uint16 }

// ParsePortRange reads a range; a single port is a range of one.
func ParsePortRange(s string) (PortRange, error) {
	from, to, found := strings.Cut(s, "-")
	if !found {
		to = from
	}
	a, errA := strconv.ParseUint(strings.TrimSpace(from), 10, 16)
	b, errB := strconv.ParseUint(strings.TrimSpace(to), 10, 16)
	switch {
	case errA != nil || errB != nil || a == 0 || b == 0:
		return PortRange{}, fmt.Errorf("%q is not a port or a range of ports such as 80 or 2000-2999", s)
	case b < a:
		return PortRange{}, fmt.Errorf("%q ends before it begins", s)
	}
	return PortRange{uint16(a), uint16(b)}, nil
}

// IsZero reports whether there is no port.
func (r PortRange) IsZero() bool { return r == PortRange{} }

// Len is the number of ports.
func (r PortRange) Len() int {
	if r.IsZero() {
		return 0
	}
	return int(r.To) - int(r.From) + 1
}

// Overlaps reports whether the ranges share a port.
func (r PortRange) Overlaps(o PortRange) bool {
	return !r.IsZero() && !o.IsZero() && r.From <= o.To && o.From <= r.To
}

// String prints the range as ParsePortRange reads it.
func (r PortRange) String() string {
	switch {
	case r.IsZero():
		return ""
	case r.From == r.To:
		return strconv.Itoa(int(r.From))
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// MarshalText implements encoding.TextMarshaler.
func (r PortRange) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *PortRange) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*r = PortRange{}
		return nil
	}
	v, err := ParsePortRange(string(b))
	if err == nil {
		*r = v
	}
	return err
}

// ParseListen reads where a forward waits.
func ParseListen(s string) (Listen, error) {
	host, ports, found := cutPort(s)
	if !found {
		host, ports = "", s
	}
	var l Listen
	var err error
	if host != "" {
		if l.Addr, err = netip.ParseAddr(host); err != nil {
			return Listen{}, fmt.Errorf("%q is not an address; write a port, or address:port", host)
		}
	}
	l.Ports, err = ParsePortRange(ports)
	return l, err
}

// cutPort cuts "host:port" and "[host]:port" at the last colon.
func cutPort(s string) (host, port string, found bool) {
	i := strings.LastIndexByte(s, ':')
	if i < 0 || strings.HasSuffix(s, "]") {
		return strings.Trim(s, "[]"), "", false
	}
	host = s[:i]
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		return s, "", false // an IPv6 address without a port
	}
	return strings.Trim(host, "[]"), s[i+1:], true
}

// String prints it as ParseListen reads it.
func (l Listen) String() string {
	switch {
	case !l.Addr.IsValid():
		return l.Ports.String()
	case l.Addr.Is6():
		return "[" + l.Addr.String() + "]:" + l.Ports.String()
	}
	return l.Addr.String() + ":" + l.Ports.String()
}

// IsZero reports whether it is not set.
func (l Listen) IsZero() bool { return l == Listen{} }

// MarshalText implements encoding.TextMarshaler.
func (l Listen) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *Listen) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*l = Listen{}
		return nil
	}
	v, err := ParseListen(string(b))
	if err == nil {
		*l = v
	}
	return err
}

// ParseTarget reads where a forward leads.
func ParseTarget(s string) (Target, error) {
	host, port, found := cutPort(s)
	var t Target
	if found {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return t, fmt.Errorf("%q is not a port", port)
		}
		t.Port = uint16(n)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		t.Addr = a
		return t, nil
	}
	if err := CheckHostName(host); err != nil {
		return Target{}, err
	}
	t.Name = host
	return t, nil
}

// String prints it as ParseTarget reads it.
func (t Target) String() string {
	host := t.Name
	if t.Addr.IsValid() {
		host = t.Addr.String()
	}
	switch {
	case t.Port == 0:
		return host
	case t.Addr.Is6():
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(t.Port))
}

// IsZero reports whether it is not set.
func (t Target) IsZero() bool { return t == Target{} }

// MarshalText implements encoding.TextMarshaler.
func (t Target) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Target) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = Target{}
		return nil
	}
	v, err := ParseTarget(string(b))
	if err == nil {
		*t = v
	}
	return err
}
