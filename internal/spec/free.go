package spec

import (
	"crypto/sha256"
	"errors"
	"net/netip"
	"strconv"
)

// FreeSubnet returns the first gateway address and prefix, x.y.z.1/24, of
// private IPv4 space (RFC 1918) that overlaps none of the taken prefixes:
// 192.168.100.0 to 192.168.254.0, then 10.0.0.0/8, then 172.16.0.0/12. Default
// routes do not count as taken, nor do their halves, 0.0.0.0/1 and 128.0.0.0/1,
// by which VPN clients override them. It is an error when nothing is free.
func FreeSubnet(taken []netip.Prefix) (netip.Prefix, error) {
	return FreeSubnetFrom(100, taken)
}

// FreeSubnetFrom does the same, and begins with 192.168.n.0.
func FreeSubnetFrom(n byte, taken []netip.Prefix) (netip.Prefix, error) {
	used := newPrefixSet(taken, 24)
	blocks := []struct{ from, to [3]byte }{
		{[3]byte{192, 168, n}, [3]byte{192, 168, 254}},
		{[3]byte{10, 0, 0}, [3]byte{10, 255, 255}},
		{[3]byte{172, 16, 0}, [3]byte{172, 31, 255}},
	}
	for _, b := range blocks {
		for n := number(b.from); n <= number(b.to); n++ {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(n >> 16), byte(n >> 8), byte(n), 1}), 24)
			if !used.overlaps(p) {
				return p, nil
			}
		}
	}
	return netip.Prefix{}, errors.New("choose a subnet: no private IPv4 /24 is free")
}

func number(b [3]byte) int { return int(b[0])<<16 | int(b[1])<<8 | int(b[2]) }

// FreeSubnet6 returns a gateway address and prefix, fdxx:…::1/64, of unique local
// IPv6 space (RFC 4193) that is derived from the seed and overlaps none of the
// taken prefixes, default routes apart.
func FreeSubnet6(seed string, taken []netip.Prefix) (netip.Prefix, error) {
	used := newPrefixSet(taken, 64)
	for i := range 1000 {
		sum := sha256.Sum256([]byte("subnet6/" + seed + "#" + strconv.Itoa(i)))
		a := [16]byte{0: 0xfd, 15: 1}
		copy(a[1:8], sum[:])
		if p := netip.PrefixFrom(netip.AddrFrom16(a), 64); !used.overlaps(p) {
			return p, nil
		}
	}
	return netip.Prefix{}, errors.New("choose a subnet: no unique local IPv6 /64 is free")
}

// prefixSet answers in a step a bit whether a prefix of a given length overlaps
// one of many. Longer prefixes are kept as the one of that length they lie in.
type prefixSet map[netip.Prefix]bool

func newPrefixSet(list []netip.Prefix, bits int) prefixSet {
	set := prefixSet{}
	for _, p := range list {
		if p.IsValid() && p.Bits() > 1 {
			short, _ := p.Addr().WithZone("").Prefix(min(p.Bits(), bits))
			set[short] = true
		}
	}
	return set
}

func (set prefixSet) overlaps(p netip.Prefix) bool {
	for bits := p.Bits(); bits > 1; bits-- {
		if short, _ := p.Addr().Prefix(bits); set[short] {
			return true
		}
	}
	return false
}
