package libvirtxml

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"kvmnet/internal/spec"
)

// renderIPs writes the subnets. libvirt knows DHCP on one of each family: the first.
func renderIPs(n *spec.Network) []IP {
	var list []IP
	served := map[bool]bool{}
	for _, s := range n.Subnets {
		a := s.Address.Addr()
		ip := IP{Address: a.String(), LocalPtr: yes(asks(n) && !dnsOf(n).ForwardReverse && wholeZone(s.Address))}
		if a.Is4() {
			ip.Netmask = net.IP(net.CIDRMask(s.Address.Bits(), 32)).String()
			ip.TFTPRoot = tftpRoot(n, s)
		} else {
			ip.Family, ip.Prefix = "ipv6", strconv.Itoa(s.Address.Bits())
		}
		if s.DHCP != nil && spec.Truth(s.DHCP.Enabled) && !served[a.Is6()] {
			ip.DHCP = renderDHCP(n, s)
			served[a.Is6()] = ip.DHCP != nil
		}
		list = append(list, ip)
	}
	return list
}

// wholeZone reports whether the names of a prefix's addresses are one zone of DNS:
// libvirt keeps no others to itself.
func wholeZone(p netip.Prefix) bool {
	if p.Addr().Is4() {
		return p.Bits()%8 == 0
	}
	return p.Bits()%4 == 0
}

// bootOf is what guests of a subnet are told to boot: where the subnet says nothing,
// what the network says.
func bootOf(n *spec.Network, s spec.Subnet) *spec.Boot {
	switch {
	case s.DHCP == nil:
		return nil
	case s.DHCP.Boot == nil && n.DHCP != nil && spec.Truth(s.DHCP.Enabled):
		return n.DHCP.Boot
	}
	return s.DHCP.Boot
}

func tftpRoot(n *spec.Network, s spec.Subnet) string {
	if b := bootOf(n, s); b != nil {
		return speakable(b.TFTP)
	}
	return ""
}

// renderDHCP writes the DHCP of a subnet, nil when it gives no address that libvirt
// knows of.
func renderDHCP(n *spec.Network, s spec.Subnet) *DHCP {
	lease := s.DHCP.LeaseTime
	if lease == 0 && n.DHCP != nil {
		lease = n.DHCP.LeaseTime
	}
	d := &DHCP{Bootp: renderBootp(n, s)}
	for _, r := range rangesOf(s) {
		if s.Address.Addr().Is4() && s.Address.Bits() >= 31 {
			break // for libvirt one of the two addresses is the network's, the other all guests'
		}
		end := lastOfRange(r.AddrRange)
		d.Ranges = append(d.Ranges, Range{Start: r.From.String(), End: end.String(), Lease: renderLease(cmp.Or(r.LeaseTime, lease))})
	}
	if len(d.Ranges) > 0 {
		lease = 0 // hosts without a time of their own have that of the range
	}
	d.Hosts = renderHosts(s, lease)
	if len(d.Ranges)+len(d.Hosts) == 0 {
		return nil
	}
	return d
}

// rangesOf are the addresses that a subnet gives to whoever asks. Without any that
// are written these are all that guests can have, of a large IPv6 subnet those from
// ::1000 to ::ffff.
func rangesOf(s spec.Subnet) []spec.LeaseRange {
	if len(s.DHCP.Ranges) > 0 || s.DHCP.Static {
		return s.DHCP.Ranges
	}
	all := spec.GuestAddresses(s.Address)
	if s.Address.Addr().Is6() && s.Address.Bits() <= 112 {
		base := s.Address.Masked().Addr().As16()
		base[14] = 0x10
		all.From = netip.AddrFrom16(base)
		base[14], base[15] = 0xff, 0xff
		all.To = netip.AddrFrom16(base)
	}
	var list []spec.LeaseRange
	for _, r := range without(all, spec.AddrRange{From: s.Address.Addr(), To: s.Address.Addr()}) {
		list = append(list, spec.LeaseRange{AddrRange: r})
	}
	return list
}

// without cuts a range out of another: what is left are none, one or two.
func without(r, cut spec.AddrRange) []spec.AddrRange {
	if r.From.BitLen() != cut.From.BitLen() || cut.To.Less(r.From) || r.To.Less(cut.From) {
		return []spec.AddrRange{r}
	}
	var list []spec.AddrRange
	if r.From.Less(cut.From) {
		list = append(list, spec.AddrRange{From: r.From, To: cut.From.Prev()})
	}
	if cut.To.Less(r.To) {
		list = append(list, spec.AddrRange{From: cut.To.Next(), To: r.To})
	}
	return list
}

// lastOfRange is the end of a range, or where libvirt ends it: all but the last two
// bytes are those of the beginning, and they are not all there are.
func lastOfRange(r spec.AddrRange) netip.Addr {
	block, _ := r.From.Prefix(r.From.BitLen() - 16)
	last := spec.LastAddr(block)
	if r.From.Is4() && r.From == block.Addr() {
		last = last.Prev()
	}
	return earlier(last, r.To)
}

// shortestLease is the shortest that libvirt takes.
const shortestLease spec.Seconds = 120

func renderLease(d spec.Seconds) *Lease {
	switch {
	case d == spec.Infinite:
		return &Lease{Unit: "minutes"}
	case d < shortestLease:
		return nil
	case d%3600 == 0:
		return &Lease{Expiry: int(d / 3600), Unit: "hours"}
	case d%60 == 0:
		return &Lease{Expiry: int(d / 60), Unit: "minutes"}
	}
	return &Lease{Expiry: int(d), Unit: "seconds"}
}

func renderBootp(n *spec.Network, s spec.Subnet) *Bootp {
	b := bootOf(n, s)
	if b == nil || b.File == "" || s.Address.Addr().Is6() {
		return nil
	}
	x := &Bootp{File: speakable(b.File)}
	if a, err := netip.ParseAddr(b.Server); err == nil && a != s.Address.Addr() {
		x.Server = a.String()
	}
	return x
}

// renderHosts lists the reservations by address. lease is for those without a time
// of their own.
func renderHosts(s spec.Subnet, lease spec.Seconds) []Host {
	var list []Host
	for key, r := range s.DHCP.Hosts {
		if h, ok := renderHost(s, key, r); ok {
			h.Lease = renderLease(cmp.Or(r.LeaseTime, lease))
			list = append(list, h)
		}
	}
	slices.SortFunc(list, func(a, b Host) int {
		return cmp.Or(netip.MustParseAddr(a.IP).Compare(netip.MustParseAddr(b.IP)), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// renderHost tells whether libvirt can know the guest: in IPv4 by MAC or name, in IPv6
// by DUID or name; and of names only those that begin with a letter. Without an address
// there is no reservation.
func renderHost(s spec.Subnet, key string, r spec.Reservation) (Host, bool) {
	if !r.IP.IsValid() {
		return Host{}, false
	}
	h := Host{Name: spec.ReservedName(key), IP: r.IP.String()}
	if h.Name != "" && !isLetter(h.Name[0]) {
		h.Name = ""
	}
	if s.Address.Addr().Is4() {
		h.MAC = r.MAC.String()
	} else {
		h.ID = r.DUID
	}
	return h, h.Name+h.MAC+h.ID != ""
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }

func renderRoutes(n *spec.Network) []Route {
	var list []Route
	for _, r := range n.Routes {
		x := Route{Address: r.To.Addr().String(), Prefix: strconv.Itoa(r.To.Bits()), Gateway: r.Via.String(), Metric: r.Metric}
		if r.To.Addr().Is6() {
			x.Family = "ipv6"
		}
		list = append(list, x)
	}
	return list
}
