package spec

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Identifier returns the bytes of the client id (DHCPv4 option 61, its type byte
// first) or of the DUID that the reservation is for, "" for none.
func (r Reservation) Identifier() string {
	if r.DUID != "" {
		b, _ := colonHex(wholeBytes(r.DUID))
		return string(b)
	}
	if b, err := colonHex(r.ClientID); err == nil && len(b) > 1 {
		return string(b)
	}
	return r.ClientID
}

// ByName reports whether the reservation is for the port of its name, or for the
// guest that calls itself so.
func (r Reservation) ByName() bool { return r.MAC.IsZero() && r.ClientID == "" && r.DUID == "" }

// ReservedName is the host name that a reservation gives its guest. One whose key
// is the address leaves the guest the name it has.
func ReservedName(key string) string {
	if _, err := netip.ParseAddr(key); err == nil {
		return ""
	}
	return key
}

// hostKey checks the key of a reservation: a host name, or the address itself.
func (c *checker) hostKey(path, key string, r Reservation) {
	a, err := netip.ParseAddr(key)
	switch {
	case err != nil:
		c.addError(path, "", CheckHostName(key))
	case a != r.IP:
		c.add(path, "write a host name, or the ip", "the name %s is an address, and not the one that is reserved", key)
	case r.ByName():
		c.add(path, "add mac, clientID or duid, or write a host name", "%s is reserved for nobody", a)
	}
}

// checkClientID wants what fits into option 61 (RFC 2132 section 9.14).
func checkClientID(s string) error {
	r := Reservation{ClientID: s}
	if n := len(r.Identifier()); s != "" && (n < 2 || n > 255) {
		return advise("write it as bytes, 01:52:54:00:11:22:33, or as text", "a client id has 2 to 255 bytes, not %d", n)
	}
	return checkLine(s)
}

// wholeBytes writes bytes that are one digit, as libvirt's people do, with two.
func wholeBytes(s string) string {
	parts := strings.Split(s, ":")
	for i, p := range parts {
		if len(p) == 1 {
			parts[i] = "0" + p
		}
	}
	return strings.Join(parts, ":")
}

// checkDUID wants a type and up to 128 bytes (RFC 8415 section 11.1).
func checkDUID(s string) error {
	b, err := colonHex(wholeBytes(s))
	switch {
	case s == "":
		return nil
	case err != nil:
		return fmt.Errorf("%q is not a DUID such as 00:03:00:01:52:54:00:11:22:33", s)
	case len(b) < 3 || len(b) > 130:
		return fmt.Errorf("a DUID has 3 to 130 bytes, not %d", len(b))
	}
	return nil
}

// hosts checks the reservations of a subnet.
func (c *checker) hosts(path string, s Subnet, gateway netip.Addr) {
	ips, macs := map[netip.Addr]string{}, map[MAC]string{}
	ids, duids, names := map[string]string{}, map[string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(s.DHCP.Hosts)) {
		p, r := Field(path, name), s.DHCP.Hosts[name]
		c.hostKey(p, name, r)
		if other, twice := names[strings.ToLower(name)]; twice {
			c.add(p, "remove one of them", "%q and %q are one name", other, name)
		}
		names[strings.ToLower(name)] = name
		c.reservation(p, r, s.Address.Masked(), gateway)
		c.leaseTime(Field(p, "leaseTime"), r.LeaseTime)
		c.options(Field(p, "options"), s.Address.Addr().Is6(), r.Options)
		once(c, Field(p, "ip"), ips, r.IP, r.IP.IsValid(), name)
		once(c, Field(p, "mac"), macs, r.MAC, !r.MAC.IsZero(), name)
		once(c, Field(p, "clientID"), ids, r.ClientID, r.ClientID != "", name)
		once(c, Field(p, "duid"), duids, strings.ToLower(wholeBytes(r.DUID)), r.DUID != "", name)
	}
}

// once reports a value that an earlier reservation already has.
func once[T comparable](c *checker, path string, users map[T]string, value T, set bool, name string) {
	if first, ok := users[value]; ok && set {
		c.add(path, "", "%v is already reserved for %q", value, first)
		return
	}
	users[value] = name
}

func (c *checker) reservation(path string, r Reservation, subnet netip.Prefix, gateway netip.Addr) {
	if r.MAC.IsMulticast() {
		c.add(Field(path, "mac"), "", "%s is a multicast address, no guest can have it", r.MAC)
	}
	c.identifiers(path, r, subnet.Addr().Is6())
	ip := Field(path, "ip")
	switch {
	case c.addError(ip, "", checkUnicast(r.IP)):
	case !subnet.Contains(r.IP):
		c.add(ip, "", "%s is not inside the subnet %s", r.IP, subnet)
	case r.IP == gateway:
		c.add(ip, "", "%s is the network's own gateway address", r.IP)
	default:
		c.addError(ip, "", checkHostPart(subnet, r.IP))
	}
}

// identifiers checks the client id and the DUID: DHCPv4 knows guests by the one,
// DHCPv6 by the other.
func (c *checker) identifiers(path string, r Reservation, v6 bool) {
	switch {
	case v6 && r.ClientID != "":
		c.add(Field(path, "clientID"), "write duid or mac", "DHCPv6 knows no client ids")
	case !v6 && r.DUID != "":
		c.add(Field(path, "duid"), "write clientID or mac", "DHCPv4 knows no DUIDs")
	default:
		c.addError(Field(path, "clientID"), "", checkClientID(r.ClientID))
		c.addError(Field(path, "duid"), "write the type and the rest as hexadecimal bytes with colons", checkDUID(r.DUID))
	}
}
