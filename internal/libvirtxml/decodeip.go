package libvirtxml

import (
	"math/bits"
	"net/netip"
	"strconv"

	"kvmnet/internal/xmltree"
)

// ip reads an address of the host with what it serves there.
func (d *decoder) ip(e *xmltree.Node) (IP, error) {
	ip := IP{Family: e.Own("family")}
	address, netmask := e.Own("address"), e.Own("netmask")
	if address == "" {
		return ip, refuse(e.At, classXML, "Missing required address attribute in network '%s'", d.network)
	}
	a, ok := parseAddress(address)
	if !ok {
		return ip, refuse(e.Place("address"), classXML, "Invalid address '%s' in network '%s'", address, d.network)
	}
	ip.Address = formatAddress(a)
	mask, ok := parseAddress(netmask)
	switch {
	case netmask != "" && !ok:
		return ip, refuse(e.Place("netmask"), classXML, "Invalid netmask '%s' in network '%s'", netmask, d.network)
	case netmask != "":
		ip.Netmask = formatAddress(mask)
	}
	prefix, _, err := unsigned(e, "prefix", 32)
	if err != nil {
		return ip, err
	}
	if prefix > 0 {
		ip.Prefix = strconv.FormatUint(prefix, 10)
	}
	if ip.LocalPtr, err = yesNo(e, "localPtr"); err != nil {
		return ip, err
	}
	if err := d.family(e, a, mask, prefix); err != nil {
		return ip, err
	}
	return ip, d.served(e, &ip, a)
}

// family checks that an address, its mask and its family belong together.
func (d *decoder) family(e *xmltree.Node, a, mask netip.Addr, prefix uint64) error {
	family, address, netmask := e.Own("family"), e.Own("address"), e.Own("netmask")
	switch {
	case family != "" && family != "ipv4" && family != "ipv6":
		return refuse(e.Place("family"), classXML, "Unrecognized family '%s' in network '%s'", family, d.network)
	case family != "ipv6" && !a.Is4():
		if family == "" {
			family = "no"
		}
		return refuse(e.Place("address"), classUnsupported, "%s family specified for non-IPv4 address '%s' in network '%s'", family, address, d.network)
	case family != "ipv6" && netmask != "" && !mask.Is4():
		return refuse(e.Place("netmask"), classUnsupported, "Invalid netmask '%s' for address '%s' in network '%s' (both must be IPv4)", netmask, address, d.network)
	case family != "ipv6" && netmask != "" && prefix > 0:
		return refuse(e.Place("prefix"), classUnsupported, "Network '%s' IP address cannot have both a prefix and a netmask", d.network)
	case family != "ipv6" && prefix > 32:
		return refuse(e.Place("prefix"), classUnsupported, "Invalid IPv4 prefix '%d' in network '%s'", prefix, d.network)
	case family != "ipv6":
		return nil
	case !a.Is6():
		return refuse(e.Place("address"), classUnsupported, "Family 'ipv6' specified for non-IPv6 address '%s' in network '%s'", address, d.network)
	case netmask != "":
		return refuse(e.Place("netmask"), classUnsupported, "netmask not allowed for IPv6 address '%s' in network '%s'", address, d.network)
	case prefix > 128:
		return refuse(e.Place("prefix"), classUnsupported, "Invalid IPv6 prefix '%d' in network '%s'", prefix, d.network)
	}
	return nil
}

// served reads <dhcp> and <tftp> of an address.
func (d *decoder) served(e *xmltree.Node, ip *IP, a netip.Addr) error {
	if c := e.Element("dhcp"); c != nil {
		dhcp, err := d.dhcp(c, *ip)
		if err != nil {
			return err
		}
		ip.DHCP = dhcp
	}
	tftp := e.Element("tftp")
	if tftp != nil && !a.Is4() {
		return refuse(tftp.At, classUnsupported, "Unsupported <tftp> element in an IPv6 element in network '%s'", d.network)
	}
	ip.TFTPRoot = tftp.Own("root")
	return nil
}

// prefixLength is how many bits of the address are those of its subnet: as written,
// else those of its class, else 64. It is -1 when there is no telling.
func (ip IP) prefixLength() int {
	if length, err := strconv.Atoi(ip.Prefix); err == nil && length > 0 {
		return length
	}
	if mask, err := netip.ParseAddr(ip.Netmask); err == nil {
		return maskLength(mask)
	}
	a, err := netip.ParseAddr(ip.Address)
	switch {
	case err != nil:
		return -1
	case a.IsUnspecified():
		return 0
	case a.Is6():
		return 64
	}
	return classLength(a.As4()[0])
}

// classLength is the length of the subnet of an address whose first byte is given
// (RFC 791 section 3.2).
func classLength(first byte) int {
	switch {
	case first < 128:
		return 8
	case first < 192:
		return 16
	case first < 224:
		return 24
	}
	return -1
}

// maskLength is the length of a mask, -1 when its bits are not in a row.
func maskLength(mask netip.Addr) int {
	if !mask.Is4() {
		return -1
	}
	bits := bits.LeadingZeros32(^number(mask))
	if number(mask)<<bits != 0 {
		return -1
	}
	return bits
}
