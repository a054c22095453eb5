package libvirtxml

import (
	"cmp"
	"net"
	"net/netip"
	"strconv"

	"kvmnet/internal/spec"
)

func (t *translation) ips() {
	for i, ip := range t.from.IPs {
		path, place := spec.Index("subnets", i), at("ip", i)
		t.put(path, place)
		t.put(spec.Field(path, "address"), place+"@address")
		s := spec.Subnet{Address: subnetOf(ip.Address, ip.Netmask, ip.Prefix)}
		s.DHCP = t.dhcp(spec.Field(path, "dhcp"), place, ip, s.Address)
		if s.DHCP != nil && s.DHCP.Static && s.Address.Addr().Is6() {
			s.SLAAC = new(bool) // dnsmasq lets guests make no addresses where there is DHCPv6
		}
		t.to.Subnets = append(t.to.Subnets, s)
	}
}

// subnetOf reads an address with its netmask or prefix length. Without either the
// length follows from the address: in IPv4 by its class, in IPv6 64.
func subnetOf(address, netmask, prefix string) netip.Prefix {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return netip.Prefix{}
	}
	if m, err := netip.ParseAddr(netmask); err == nil && m.Is4() {
		ones, _ := net.IPMask(m.AsSlice()).Size()
		return netip.PrefixFrom(a, ones)
	}
	if n, err := strconv.Atoi(prefix); err == nil {
		return netip.PrefixFrom(a, n)
	}
	return netip.PrefixFrom(a, usualBits(a))
}

func usualBits(a netip.Addr) int {
	switch first := a.AsSlice()[0]; {
	case a.Is6():
		return 64
	case a.IsUnspecified():
		return 0
	case first < 128:
		return 8
	case first < 192:
		return 16
	}
	return 24
}

// dhcp reads the DHCP of a subnet: there is some where there are ranges or hosts.
func (t *translation) dhcp(path, place string, ip IP, subnet netip.Prefix) *spec.DHCP {
	t.put(path, place+"/dhcp[0]")
	if ip.DHCP == nil || len(ip.DHCP.Ranges)+len(ip.DHCP.Hosts) == 0 {
		if ip.TFTPRoot == "" {
			return nil
		}
		t.put(spec.Field(path, "boot"), place+"/tftp[0]")
		return &spec.DHCP{Enabled: new(bool), Boot: &spec.Boot{TFTP: ip.TFTPRoot}}
	}
	d := &spec.DHCP{Static: len(ip.DHCP.Ranges) == 0, Boot: t.boot(spec.Field(path, "boot"), place, ip, subnet)}
	t.ranges(spec.Field(path, "ranges"), place+"/dhcp[0]", ip.DHCP.Ranges, subnet, d)
	t.hosts(spec.Field(path, "hosts"), place+"/dhcp[0]", ip.DHCP.Hosts, subnet, d)
	return d
}

// ranges reads the ranges. What no guest can have is cut out of them: the gateway's
// own address, which dnsmasq gives to nobody either, and what a range before it has.
func (t *translation) ranges(path, place string, ranges []Range, subnet netip.Prefix, d *spec.DHCP) {
	guests, gateway := spec.GuestAddresses(subnet), spec.AddrRange{From: subnet.Addr(), To: subnet.Addr()}
	for i, r := range ranges {
		from, errFrom := netip.ParseAddr(r.Start)
		to, errTo := netip.ParseAddr(r.End)
		if errFrom != nil || errTo != nil {
			continue
		}
		if from.BitLen() == guests.From.BitLen() {
			from, to = later(from, guests.From), earlier(to, guests.To)
		}
		left := cutOut([]spec.AddrRange{{From: from, To: to}}, gateway)
		for _, before := range d.Ranges {
			left = cutOut(left, before.AddrRange)
		}
		for _, part := range left {
			t.put(spec.Index(path, len(d.Ranges)), at(place+"/range", i))
			d.Ranges = append(d.Ranges, spec.LeaseRange{AddrRange: part, LeaseTime: leaseOf(r.Lease)})
		}
		if len(left) == 0 {
			t.leftOut(at(place+"/range", i), "no guest can have an address of it that it could not have before")
		}
	}
	oneLease(d)
}

func cutOut(list []spec.AddrRange, cut spec.AddrRange) (left []spec.AddrRange) {
	for _, r := range list {
		if !r.To.Less(r.From) {
			left = append(left, without(r, cut)...)
		}
	}
	return left
}

func later(a, b netip.Addr) netip.Addr {
	if a.Less(b) {
		return b
	}
	return a
}

func earlier(a, b netip.Addr) netip.Addr {
	if b.Less(a) {
		return b
	}
	return a
}

// oneLease writes a lease time that all ranges have once: hosts have it, too.
func oneLease(d *spec.DHCP) {
	for _, r := range d.Ranges {
		if r.LeaseTime != d.Ranges[0].LeaseTime {
			return
		}
	}
	for i := range d.Ranges {
		d.LeaseTime = d.Ranges[i].LeaseTime
		d.Ranges[i].LeaseTime = 0
	}
}

// longestLease is the longest that DHCP can say.
const longestLease = 1<<32 - 2

func leaseOf(l *Lease) spec.Seconds {
	if l == nil {
		return 0
	}
	unit := map[string]int{"seconds": 1, "hours": 3600}[l.Unit]
	seconds := l.Expiry * cmp.Or(unit, 60)
	if l.Expiry <= 0 || l.Expiry > longestLease || seconds > longestLease {
		return spec.Infinite
	}
	return spec.Seconds(seconds)
}

// boot reads what guests are told to boot. Without a server and a directory of its
// own, dnsmasq names itself.
func (t *translation) boot(path, place string, ip IP, subnet netip.Prefix) *spec.Boot {
	b := &spec.Boot{TFTP: ip.TFTPRoot}
	t.put(path, place+"/dhcp[0]/bootp[0]")
	t.put(spec.Field(path, "tftp"), place+"/tftp[0]@root")
	if p := ip.DHCP.Bootp; p != nil && p.File != "" {
		b.File, b.Server = p.File, p.Server
		if b.TFTP == "" && b.Server == "" {
			b.Server = subnet.Addr().String()
		}
	}
	if equal(*b, spec.Boot{}) {
		return nil
	}
	return b
}

func (t *translation) routes() {
	for i, r := range t.from.Routes {
		to := subnetOf(r.Address, r.Netmask, r.Prefix)
		via, err := netip.ParseAddr(r.Gateway)
		if !to.IsValid() || err != nil {
			t.leftOut(at("route", i), "its addresses cannot be read")
			continue
		}
		t.put(spec.Index("routes", len(t.to.Routes)), at("route", i))
		t.put(spec.Field(spec.Index("routes", len(t.to.Routes)), "via"), at("route", i)+"@gateway")
		t.put(spec.Field(spec.Index("routes", len(t.to.Routes)), "metric"), at("route", i)+"@metric")
		t.to.Routes = append(t.to.Routes, spec.StaticRoute{To: to.Masked(), Via: via, Metric: r.Metric})
	}
}
