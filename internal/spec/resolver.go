package spec

import (
	"fmt"
	"net/netip"
)

// Resolver is a DNS server that is asked, written as an address, or with its port
// where that is not 53: 1.1.1.1, 10.0.0.1:5353, [fd00::1]:5353.
type Resolver netip.AddrPort

// DefaultResolver stands, as the word default, for the servers that are asked for
// most names: among those of a domain, to make an exception from a longer one.
var DefaultResolver Resolver

const defaultResolver = "default"

// ParseResolver reads an address with or without a port.
func ParseResolver(s string) (Resolver, error) {
	if s == defaultResolver {
		return DefaultResolver, nil
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return Resolver(netip.AddrPortFrom(a, 53)), nil
	}
	p, err := netip.ParseAddrPort(s)
	if err != nil || p.Port() == 0 {
		return Resolver{}, fmt.Errorf("%q is not the address of a server such as 1.1.1.1 or 10.0.0.1:5353", s)
	}
	return Resolver(p), nil
}

// AddrPort returns the address and port.
func (r Resolver) AddrPort() netip.AddrPort { return netip.AddrPort(r) }

// String prints the resolver as ParseResolver reads it.
func (r Resolver) String() string {
	if r == DefaultResolver {
		return defaultResolver
	}
	if r.AddrPort().Port() == 53 {
		return r.AddrPort().Addr().String()
	}
	return r.AddrPort().String()
}

// MarshalText implements encoding.TextMarshaler.
func (r Resolver) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *Resolver) UnmarshalText(b []byte) error {
	v, err := ParseResolver(string(b))
	if err == nil {
		*r = v
	}
	return err
}

// Addresses are the addresses a name stands for, written with commas between
// them, "10.0.0.5, fd00::5", or as a list.
type Addresses string

// List returns the addresses; it is an error when one cannot be read, or when
// there is none.
func (a Addresses) List() ([]netip.Addr, error) {
	var list []netip.Addr
	for _, word := range words(string(a)) {
		addr, err := netip.ParseAddr(word)
		if err != nil {
			return nil, fmt.Errorf("%q is not an address", word)
		}
		list = append(list, addr)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%q is not an address", string(a))
	}
	return list, nil
}

// UnmarshalList takes the addresses from a list.
func (a *Addresses) UnmarshalList(list []string) error { *a = Addresses(join(list)); return nil }

// UnmarshalJSON takes text, and a list as well.
func (a *Addresses) UnmarshalJSON(b []byte) error { return readWords(b, (*string)(a)) }
