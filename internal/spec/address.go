package spec

import (
	"errors"
	"fmt"
	"net/netip"
)

// checkUnicast tells why an address cannot belong to an interface or a guest.
func checkUnicast(a netip.Addr) error {
	switch {
	case !a.IsValid():
		return errors.New("the address is missing")
	case a.Is4In6():
		return fmt.Errorf("%s is an IPv4 address written as IPv6, write %s", a, a.Unmap())
	case a.Zone() != "":
		return fmt.Errorf("%s has a zone, write %s", a, a.WithZone(""))
	case a.IsUnspecified():
		return fmt.Errorf("%s is the unspecified address", a)
	case a.IsLoopback():
		return fmt.Errorf("%s is a loopback address", a)
	case a.IsMulticast():
		return fmt.Errorf("%s is a multicast address", a)
	case a.Is4() && a.As4()[0] == 0:
		return fmt.Errorf("%s lies in 0.0.0.0/8, which no host may use", a)
	case a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("%s is the limited broadcast address", a)
	}
	return nil
}

// checkNotLinkLocal refuses 169.254.0.0/16 and fe80::/10, which every interface
// has of its own.
func checkNotLinkLocal(a netip.Addr) error {
	if a.IsLinkLocalUnicast() {
		return fmt.Errorf("%s is a link-local address", a)
	}
	return nil
}

// checkHostPart tells why an address inside a prefix is no host's: it is the
// network address (in IPv6 the routers' anycast address, RFC 4291 section 2.6.1)
// or the IPv4 broadcast address. Point-to-point prefixes have neither (RFC 3021,
// RFC 6164).
func checkHostPart(p netip.Prefix, a netip.Addr) error {
	switch {
	case p.Bits() >= a.BitLen()-1:
		return nil
	case a == p.Masked().Addr():
		return fmt.Errorf("%s is the network address of %s", a, p.Masked())
	case a.Is4() && a == LastAddr(p):
		return fmt.Errorf("%s is the broadcast address of %s", a, p.Masked())
	}
	return nil
}

// LastAddr returns the highest address of a prefix.
func LastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// family names the address family for messages.
func family(a netip.Addr) string {
	if a.Is4() {
		return "IPv4"
	}
	return "IPv6"
}

// GuestAddresses are the addresses of a prefix that hosts can have: all but the
// network and the broadcast address, where there are such.
func GuestAddresses(p netip.Prefix) AddrRange {
	r := AddrRange{p.Masked().Addr(), LastAddr(p)}
	if checkHostPart(p, r.From) != nil {
		r.From = r.From.Next()
	}
	if checkHostPart(p, r.To) != nil {
		r.To = r.To.Prev()
	}
	return r
}
