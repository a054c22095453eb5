package socket

import (
	"encoding/binary"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// sockaddr has room for the addresses of the three families in use, in the
// kernel's form. The library's own type costs an allocation each.
type sockaddr unix.RawSockaddrInet6

const sockaddrSize = uint32(unsafe.Sizeof(sockaddr{}))

func (s *sockaddr) pointer() *byte { return (*byte)(unsafe.Pointer(s)) }

func (s *sockaddr) inet4() *unix.RawSockaddrInet4 { return (*unix.RawSockaddrInet4)(unsafe.Pointer(s)) }
func (s *sockaddr) link() *unix.RawSockaddrLinklayer {
	return (*unix.RawSockaddrLinklayer)(unsafe.Pointer(s))
}

// swapped is a 16-bit number in the order of the network, or back from it.
func swapped(v uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], v)
	return binary.NativeEndian.Uint16(b[:])
}

// addrPort reads an IP address, without its zone.
func (s *sockaddr) addrPort() netip.AddrPort {
	if s.Family == unix.AF_INET {
		return netip.AddrPortFrom(netip.AddrFrom4(s.inet4().Addr), swapped(s.inet4().Port))
	}
	return netip.AddrPortFrom(netip.AddrFrom16(s.Addr), swapped(s.Port))
}

// setAddrPort writes an IP address and returns its size. The interface counts
// where an address means something on one link only.
func (s *sockaddr) setAddrPort(a netip.AddrPort, index int) uintptr {
	if a.Addr().Is4() {
		*s.inet4() = unix.RawSockaddrInet4{Family: unix.AF_INET, Port: swapped(a.Port()), Addr: a.Addr().As4()}
		return unix.SizeofSockaddrInet4
	}
	*s = sockaddr{Family: unix.AF_INET6, Port: swapped(a.Port()), Addr: a.Addr().As16()}
	if a.Addr().IsLinkLocalUnicast() {
		s.Scope_id = uint32(index)
	}
	return unix.SizeofSockaddrInet6
}

// frame reads the EtherType and the source address of a received frame.
func (s *sockaddr) frame() (etherType uint16, mac spec.MAC) {
	l := s.link()
	copy(mac[:], l.Addr[:])
	return swapped(l.Protocol), mac
}

// setFrame writes where a frame goes and returns the size.
func (s *sockaddr) setFrame(index int, etherType uint16, mac spec.MAC) uintptr {
	l := s.link()
	*l = unix.RawSockaddrLinklayer{
		Family: unix.AF_PACKET, Protocol: swapped(etherType), Ifindex: int32(index), Halen: uint8(len(mac)),
	}
	copy(l.Addr[:], mac[:])
	return unix.SizeofSockaddrLinklayer
}
