package hostlink

import (
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Address is an address of an interface.
type Address struct{ Object }

// The origins of addresses the kernel notes since 5.18 (linux/if_addr.h, IFA_PROTO).
const (
	attrOrigin     = 11 // IFA_PROTO
	originRA       = 2  // IFAPROT_KERNEL_RA
	forever        = ^uint32(0)
	sizeofLifetime = 16
)

// given are the flags that a user may give to an address; the kernel sets the others.
const given = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR | unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN

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

// peer is the other end's address, the zero Addr without.
func (a Address) peer() netip.Addr {
	if p := a.Attrs.addr(unix.IFA_ADDRESS); p != a.local() {
		return p
	}
	return netip.Addr{}
}

func (a Address) prefix() netip.Prefix { return netip.PrefixFrom(a.local(), int(a.Head[1])) }

// lifetime is for how many seconds the address is valid, and whether that ends at all.
func (a Address) lifetime() (seconds uint32, ends bool) {
	_, valid := a.lifetimes()
	return valid, valid != forever
}

// lifetimes are for how many seconds the address is preferred and valid.
func (a Address) lifetimes() (preferred, valid uint32) {
	info := a.Attrs.get(unix.IFA_CACHEINFO)
	if len(info) < sizeofLifetime {
		return forever, forever
	}
	return native.Uint32(info), native.Uint32(info[4:])
}

// lasting is the address with other lifetimes.
func (a Address) lasting(preferred, valid uint32) Address {
	info := append(bytes32(preferred), bytes32(valid)...)
	return Address{Object{a.Head, a.Attrs.with(unix.IFA_CACHEINFO, append(info, make([]byte, 8)...))}}
}

// aged is the address after some time; false when it has ended.
func (a Address) aged(by time.Duration) (Address, bool) {
	seconds := uint32(max(by, 0) / time.Second)
	preferred, valid := a.lifetimes()
	if valid != forever && valid <= seconds {
		return a, false
	}
	for _, n := range []*uint32{&preferred, &valid} {
		if *n != forever {
			*n -= min(*n, seconds)
		}
	}
	return a.lasting(preferred, valid), true
}

// flagged is the address with other flags.
func (a Address) flagged(flags uint32) Address {
	a = Address{a.clone()}
	a.Head[2] = uint8(flags)
	a.Attrs = a.Attrs.with(unix.IFA_FLAGS, bytes32(flags))
	return a
}

// bare is the address without its device, and without the times at which it changed.
func (a Address) bare() Address {
	a = Address{a.clone()}
	clear(a.Head[4:])
	return a.lasting(a.lifetimes())
}

// named is the address when its interface has another name: the label follows.
func (a Address) named(from, to string) Address {
	label := a.Attrs.text(unix.IFA_LABEL)
	if label == "" {
		return a
	}
	if rest, ok := cutName(label, from); ok && len(to+rest) < unix.IFNAMSIZ {
		return Address{Object{a.Head, a.Attrs.with(unix.IFA_LABEL, bytesText(to+rest))}}
	}
	return a
}

// cutName cuts an interface off the label of an address: "eth0" or "eth0:web".
func cutName(label, name string) (rest string, ok bool) {
	if len(label) < len(name) || label[:len(name)] != name {
		return "", false
	}
	rest = label[len(name):]
	return rest, rest == "" || rest[0] == ':'
}

// id is what no two addresses of an interface have in common.
func (a Address) id() string { return a.prefix().String() + "/" + a.peer().String() }

// content is all of an address but its lifetimes.
func (a Address) content() string {
	c := a.flagged(a.flags() & given)
	c.Attrs = c.Attrs.without(unix.IFA_CACHEINFO)
	return c.canonical()
}

func (a Address) linkLocal() bool {
	return a.family() == unix.AF_INET6 && a.local().IsLinkLocalUnicast()
}

// temporary says whether the kernel made the address for privacy (RFC 8981). IPv4 uses
// the same bit for secondary addresses.
func (a Address) temporary() bool {
	return a.family() == unix.AF_INET6 && a.flags()&unix.IFA_F_TEMPORARY != 0
}

func (a Address) secondary() bool {
	return a.family() == unix.AF_INET && a.flags()&unix.IFA_F_SECONDARY != 0
}

// kernelOnly says whether nobody but the kernel can make such an address: the flag
// that tells of it cannot be given.
func (a Address) kernelOnly() bool {
	return a.family() == unix.AF_INET6 && a.flags()&(unix.IFA_F_TEMPORARY|unix.IFA_F_STABLE_PRIVACY) != 0
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

// failed says whether somebody else has the address (RFC 4862, section 5.4.5).
func (a Address) failed() bool {
	return a.family() == unix.AF_INET6 && a.flags()&unix.IFA_F_DADFAILED != 0
}

// findAddress looks an address up by its id.
func findAddress(list []Address, id string) (Address, bool) {
	i := slices.IndexFunc(list, func(a Address) bool { return a.id() == id })
	if i < 0 {
		return Address{}, false
	}
	return list[i], true
}
