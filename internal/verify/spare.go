package verify

import (
	"math/big"
	"math/rand/v2"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
)

// spare proposes up to most addresses of a subnet for test hosts, at random, but
// first those that DHCP does not give out. Addresses that somebody is promised
// are never among them: gateways, reservations, names, next hops, what guests hold.
func spare(n *spec.Network, s spec.Subnet, held map[netip.Addr]bool, most int) []netip.Addr {
	promised := promisedAddresses(n)
	var free, leased []netip.Addr
	for _, a := range draw(s.Address.Masked(), 16*most) {
		switch {
		case promised[a] || held[a] || slices.Contains(free, a) || slices.Contains(leased, a):
		case inRanges(n, a):
			leased = append(leased, a)
		default:
			free = append(free, a)
		}
	}
	all := append(free, leased...)
	return all[:min(most, len(all))]
}

func promisedAddresses(n *spec.Network) map[netip.Addr]bool {
	promised := map[netip.Addr]bool{}
	for _, s := range n.Subnets {
		promised[s.Address.Addr()] = true
		if s.DHCP != nil {
			for _, r := range s.DHCP.Hosts {
				promised[r.IP] = true
			}
		}
	}
	if n.DNS != nil {
		for _, name := range n.DNS.Hosts {
			list, _ := name.List() // one that cannot be read promises nothing
			for _, a := range list {
				promised[a] = true
			}
		}
	}
	for _, r := range n.Routes {
		promised[r.Via] = true
	}
	return promised
}

func inRanges(n *spec.Network, a netip.Addr) bool {
	for _, s := range n.Subnets {
		if s.DHCP == nil {
			continue
		}
		everything := len(s.DHCP.Ranges) == 0 && !s.DHCP.Static && s.Address.Contains(a)
		if everything || slices.ContainsFunc(s.DHCP.Ranges, func(r spec.LeaseRange) bool { return r.Contains(a) }) {
			return true
		}
	}
	return false
}

// small is the size of subnets, in bits, of which every address is drawn.
const small = 10

// draw returns usable addresses of a subnet in random order: all of a small one,
// else some.
func draw(p netip.Prefix, some int) []netip.Addr {
	bits := p.Addr().BitLen() - p.Bits()
	first, last := uint64(1), uint64(0) // of offsets; wide subnets are cut
	switch {
	case bits == 0:
		return nil
	case bits == 1: // RFC 3021 and RFC 6164: both addresses of a point-to-point link
		first, last = 0, 1
	default:
		last = 1<<min(bits, 62) - 2 // without broadcast; of IPv6 the router anycast is the first
	}
	var addrs []netip.Addr
	if bits <= small {
		for i := first; i <= last; i++ {
			addrs = append(addrs, offset(p.Addr(), i))
		}
		rand.Shuffle(len(addrs), func(i, j int) { addrs[i], addrs[j] = addrs[j], addrs[i] })
		return addrs
	}
	for range some {
		addrs = append(addrs, offset(p.Addr(), first+rand.Uint64N(last-first+1)))
	}
	return addrs
}

func offset(a netip.Addr, n uint64) netip.Addr {
	sum := new(big.Int).SetBytes(a.AsSlice())
	sum.Add(sum, new(big.Int).SetUint64(n))
	out, _ := netip.AddrFromSlice(sum.FillBytes(make([]byte, a.BitLen()/8)))
	return out
}

// invented returns a prefix for guests of a network without addresses, which no
// network uses: of the block for benchmarks (RFC 2544), or unique local.
func invented(running map[string]*spec.Network, v6 bool) netip.Prefix {
	taken := used(running)
	var p netip.Prefix
	for range 1000 {
		p = netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18 + byte(rand.Uint32()&1), byte(rand.Uint32()), 0}), 24)
		if v6 {
			a := [16]byte{0: 0xfd}
			for i := 1; i < 8; i++ {
				a[i] = byte(rand.Uint32())
			}
			p = netip.PrefixFrom(netip.AddrFrom16(a), 64)
		}
		if !slices.ContainsFunc(taken, p.Overlaps) {
			break
		}
	}
	return p
}

// foreign returns a source that belongs to no network: of the blocks for
// documentation (RFC 5737, RFC 3849), or invented.
func foreign(running map[string]*spec.Network, v6 bool) netip.Addr {
	taken := used(running)
	for _, text := range []string{"203.0.113.77", "198.51.100.77", "192.0.2.77", "2001:db8:77::77"} {
		a := netip.MustParseAddr(text)
		if a.Is6() == v6 && !slices.ContainsFunc(taken, func(p netip.Prefix) bool { return p.Contains(a) }) {
			return a
		}
	}
	return offset(invented(running, v6).Addr(), 77)
}

// used lists the prefixes on and behind the networks.
func used(running map[string]*spec.Network) []netip.Prefix {
	var list []netip.Prefix
	for _, n := range running {
		for _, s := range n.Subnets {
			list = append(list, s.Address.Masked())
		}
		for _, r := range n.Routes {
			list = append(list, r.To)
		}
	}
	return list
}
