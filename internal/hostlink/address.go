package hostlink

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

// Address is an address of an interface.
type Address struct{ Object }

// The origins of addresses the kernel notes since 5.18 (linux/if_addr.h, IFA_PROTO).
const (
	attrOrigin     = 11 // IFA_PROTO
	originRA       = 2  // IFAPROT_KERNEL_RA
	originLinkLoc  = 3  // IFAPROT_KERNEL_LL
	forever        = ^uint32(0)
	sizeofLifetime = 16
)

func (a Address) index() int { return int(native.Uint32(a.Head[4:])) }

// flags are IFA_FLAGS, whose first eight bits are in the header, too.
func (a Address) flags() uint32 {
	if f := a.Attrs.get(unix.IFA_FLAGS); f != nil {
		return number(f)
	}
	return uint32(a.Head[2])
}

func (a Address) scope() uint8 { return a.Head[3] }

// local is the address of the interface itself: where there is a peer, IFA_ADDRESS is
// the peer's.
func (a Address) local() netip.Addr {
	if l := a.Attrs.addr(unix.IFA_LOCAL); l.IsValid() {
		return l
	}
	return a.Attrs.addr(unix.IFA_ADDRESS)
}

func (a Address) prefix() netip.Prefix { return netip.PrefixFrom(a.local(), int(a.Head[1])) }

// lifetime is for how many seconds the address is valid, and whether that ends at all.
func (a Address) lifetime() (seconds uint32, ends bool) {
	info := a.Attrs.get(unix.IFA_CACHEINFO)
	if len(info) < sizeofLifetime {
		return forever, false
	}
	valid := native.Uint32(info[4:])
	return valid, valid != forever
}

func (a Address) linkLocal() bool {
	return a.family() == unix.AF_INET6 && a.local().IsLinkLocalUnicast()
}

// temporary says whether the kernel made the address for privacy (RFC 8981). IPv4 uses
// the same bit for secondary addresses.
func (a Address) temporary() bool {
	return a.family() == unix.AF_INET6 && a.flags()&unix.IFA_F_TEMPORARY != 0
}

// advertised says whether the address came from a router advertisement.
func (a Address) advertised() bool {
	if a.family() != unix.AF_INET6 {
		return false
	}
	if o := a.Attrs.get(attrOrigin); len(o) == 1 {
		return o[0] == originRA
	}
	return a.flags()&unix.IFA_F_MANAGETEMPADDR != 0
}
