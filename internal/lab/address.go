package lab

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// Addresses of the world (RFC 5737 and RFC 3849 keep them for documentation),
// IPv4 first, IPv6 second, as everywhere in this package.
var (
	outsideAddr   = pair("192.0.2.1/24", "2001:db8:2::1/64") // and the machine's default gateway
	machineAddr   = pair("192.0.2.2/24", "2001:db8:2::2/64")
	neighbourAddr = pair("192.0.2.3/24", "2001:db8:2::3/64")
	farAddr       = pair("198.51.100.1/32", "2001:db8:ffff::1/128") // behind the gateway

	lanGateway   = pair("203.0.113.1/24", "2001:db8:3::1/64") // the outside's leg on the bridged LAN
	lanNeighbour = pair("203.0.113.3/24", "2001:db8:3::3/64")
)

// family tells IPv4 from IPv6: the index into a duo.
type family int

const (
	v4 family = iota
	v6
)

var families = []family{v4, v6}

func (f family) String() string { return [...]string{"IPv4", "IPv6"}[f] }

// duo is an address with its prefix length in each family; the zero Prefix is none.
type duo [2]netip.Prefix

func pair(four, six string) duo {
	return duo{netip.MustParsePrefix(four), netip.MustParsePrefix(six)}
}

func (d duo) has(f family) bool { return d[f].IsValid() }

func (d duo) addr(f family) netip.Addr { return d[f].Addr() }

// list returns what there is.
func (d duo) list() []netip.Prefix {
	return slices.DeleteFunc(slices.Clone(d[:]), func(p netip.Prefix) bool { return !p.IsValid() })
}

// addrs returns the addresses that there are.
func (d duo) addrs() []netip.Addr {
	var list []netip.Addr
	for _, p := range d.list() {
		list = append(list, p.Addr())
	}
	return list
}

// seat is what a guest of a network is given: a NIC and addresses.
type seat struct {
	name string // of guest and port
	mac  spec.MAC
	addr duo
}

// gatewaysOf returns the first gateway address of each family.
func gatewaysOf(n *spec.Network) (d duo) {
	for _, s := range n.Subnets {
		if f := familyOf(s.Address.Addr()); !d.has(f) {
			d[f] = s.Address
		}
	}
	return d
}

func familyOf(a netip.Addr) family {
	if a.Is4() {
		return v4
	}
	return v6
}

// seats plans two guests for a network; index is its number in the lab. Guests
// that the file reserves addresses for come first. Where kvmnet holds no address
// the guests choose theirs.
func seats(name string, n *spec.Network, index int) ([2]seat, error) {
	var two [2]seat
	for i := range two {
		two[i].name = fmt.Sprintf("%s-%d", name, i+1)
		two[i].mac = spec.GenerateMAC("demo/" + two[i].name)
	}
	switch {
	case n.Mode == spec.Bridge:
		for i := range two {
			two[i].addr = duo{nth(lanGateway[v4], 20+10*index+i), nth(lanGateway[v6], 32+16*index+i)}
		}
		return two, nil
	case len(n.Subnets) == 0:
		for i := range two {
			two[i].addr = chosen(index, 2+i)
		}
		return two, nil
	}
	for _, s := range n.Subnets {
		if gatewaysOf(n)[familyOf(s.Address.Addr())] != s.Address {
			continue
		}
		if err := seatIn(&two, s); err != nil {
			return two, fmt.Errorf("seat two guests in network %s: %w", name, err)
		}
	}
	return two, nil
}

// chosen is an address that guests agree upon among themselves.
func chosen(index, host int) duo {
	return pair(fmt.Sprintf("10.77.%d.%d/24", index%256, host), fmt.Sprintf("fd77:%x::%x/64", index+1, host))
}

// seatIn gives both guests an address of the subnet.
func seatIn(two *[2]seat, s spec.Subnet) error {
	reserved := map[netip.Addr]bool{s.Address.Addr(): true}
	var hosts []spec.Reservation
	if s.DHCP != nil {
		for _, name := range slices.Sorted(maps.Keys(s.DHCP.Hosts)) {
			hosts = append(hosts, s.DHCP.Hosts[name])
			reserved[s.DHCP.Hosts[name].IP] = true
		}
	}
	f := familyOf(s.Address.Addr())
	for i := range two {
		if i < len(hosts) && !hosts[i].MAC.IsZero() {
			two[i].mac, two[i].addr[f] = hosts[i].MAC, netip.PrefixFrom(hosts[i].IP, s.Address.Bits())
			continue
		}
		a, ok := free(s.Address, 20+10*i, reserved)
		if !ok {
			return fmt.Errorf("subnet %s has no room", s.Address.Masked())
		}
		reserved[a.Addr()], two[i].addr[f] = true, a
	}
	return nil
}

// free finds an address of the subnet that nobody has: the nth, if the subnet is
// that large, or the next one.
func free(subnet netip.Prefix, n int, taken map[netip.Addr]bool) (netip.Prefix, bool) {
	room := 1 << min(subnet.Addr().BitLen()-subnet.Bits(), 16)
	last := room
	if subnet.Addr().Is4() && room > 2 {
		last-- // the broadcast address
	}
	for i := range room {
		host := (n + i) % room
		if p := nth(subnet, host); (host > 0 || room == 2) && host < last && !taken[p.Addr()] {
			return p, true
		}
	}
	return netip.Prefix{}, false
}

// nth is the nth address of a subnet, with its prefix length.
func nth(subnet netip.Prefix, n int) netip.Prefix {
	b := subnet.Masked().Addr().AsSlice()
	for i := len(b) - 1; n > 0 && i >= 0; i-- {
		n += int(b[i])
		b[i] = byte(n)
		n >>= 8
	}
	a, _ := netip.AddrFromSlice(b)
	return netip.PrefixFrom(a, subnet.Bits())
}
