package libvirtxml

import (
	"bytes"
	"encoding/binary"
	"net/netip"
)

// checkRange checks a range of addresses, and that it lies in the subnet of ip when
// one is given.
func checkRange(at int, start, end netip.Addr, ip *IP) error {
	text := "range " + formatAddress(start) + " - " + formatAddress(end)
	if start.Is4() != end.Is4() {
		return refuse(at, classInternal, "mismatch of address family in %s", text)
	}
	if ip != nil {
		if err := checkInside(at, text, start, end, *ip); err != nil {
			return err
		}
	}
	return checkSize(at, text, start.AsSlice(), end.AsSlice())
}

// checkSize checks the bytes of the ends of a range: only the last two may differ.
func checkSize(at int, text string, start, end []byte) error {
	last := len(start) - 2
	switch reversed := binary.BigEndian.Uint16(end[last:]) < binary.BigEndian.Uint16(start[last:]); {
	case !bytes.Equal(start[:last], end[:last]):
		return refuse(at, classInternal, "%s is too large (> 65535)", text)
	case reversed && len(start) == 4:
		return refuse(at, classInternal, "%s is reversed ", text)
	case reversed:
		return refuse(at, classInternal, "%s start larger than end", text)
	}
	return nil
}

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

// checkInside checks that a range lies in a subnet and leaves out what IPv4 has its
// first and its last address for.
func checkInside(at int, text string, start, end netip.Addr, ip IP) error {
	address, bits := addressOf(ip.Address), ip.prefixLength()
	if address.Is4() != start.Is4() {
		return refuse(at, classInternal, "mismatch of address family in %s for network %s", text, ip.Address)
	}
	if bits < 0 {
		return refuse(at, classInternal, "bad prefix %d for network %s when  checking %s", bits, ip.Address, text)
	}
	subnet := netip.PrefixFrom(address.WithZone(""), bits).Masked()
	last := lastOf(subnet)
	switch {
	case !subnet.Contains(start.WithZone("")) || !subnet.Contains(end.WithZone("")):
		return refuse(at, classInternal, "%s is not entirely within network %s/%d", text, ip.Address, bits)
	case start.Is4() && start == subnet.Addr():
		return refuse(at, classInternal, "start of %s in network %s/%d is the network address", text, ip.Address, bits)
	case start.Is4() && end == last:
		return refuse(at, classInternal, "end of %s in network %s/%d is the broadcast address", text, ip.Address, bits)
	}
	return nil
}

// addressOf reads an address of the model, which is one.
func addressOf(s string) netip.Addr {
	a, _ := netip.ParseAddr(s)
	return a
}

// lastOf is the last address of a subnet.
func lastOf(subnet netip.Prefix) netip.Addr {
	b := subnet.Addr().AsSlice()
	for i := subnet.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}
