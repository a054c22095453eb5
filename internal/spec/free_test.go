package spec

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func prefixList(list ...string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, s := range list {
		prefixes = append(prefixes, netip.MustParsePrefix(s))
	}
	return prefixes
}

func TestFreeSubnetOrder(t *testing.T) {
	t.Parallel()
	cases := []struct {
		taken []netip.Prefix
		want  string
	}{
		{nil, "192.168.100.1/24"},
		{prefixList("0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1"), "192.168.100.1/24"},
		{prefixList("192.168.100.0/24"), "192.168.101.1/24"},
		{prefixList("192.168.100.77/32", "192.168.96.0/21"), "192.168.104.1/24"},
		{prefixList("192.168.0.0/16"), "10.0.0.1/24"},
		{prefixList("192.168.0.0/16", "10.0.0.0/9", "10.128.0.1/32"), "10.128.1.1/24"},
		{prefixList("192.168.0.0/16", "10.0.0.0/8"), "172.16.0.1/24"},
	}
	for _, c := range cases {
		if got, err := FreeSubnet(c.taken); err != nil || got.String() != c.want {
			t.Errorf("FreeSubnet(%v) = %v, %v, want %s", c.taken, got, err, c.want)
		}
	}
	if got, err := FreeSubnet(prefixList("192.168.0.0/16", "10.0.0.0/8", "172.16.0.0/12")); err == nil {
		t.Errorf("found %v where nothing is free", got)
	}
	if got, err := FreeSubnet6("x", prefixList("fc00::/7")); err == nil {
		t.Errorf("found %v where nothing is free", got)
	}
}

func TestFreeSubnetsOverlapNothing(t *testing.T) {
	t.Parallel()
	private := rapid.SampledFrom(prefixList("192.168.100.0/22", "192.168.0.0/16", "10.0.0.0/8", "172.16.0.0/12", "0.0.0.0/0", "fd00::/8"))
	rapid.Check(t, func(t *rapid.T) {
		var taken []netip.Prefix
		for range rapid.IntRange(0, 30).Draw(t, "taken") {
			base := private.Draw(t, "base")
			b := base.Addr().AsSlice()
			for i, x := range rapid.SliceOfN(rapid.Byte(), len(b), len(b)).Draw(t, "host") {
				b[i] |= x & (0xff >> max(0, min(8, base.Bits()-8*i)))
			}
			a, _ := netip.AddrFromSlice(b)
			taken = append(taken, netip.PrefixFrom(a, rapid.IntRange(max(base.Bits(), 2), a.BitLen()).Draw(t, "bits")))
		}
		four, err4 := FreeSubnet(taken)
		six, err6 := FreeSubnet6(rapid.String().Draw(t, "seed"), taken)
		for _, p := range taken {
			if err4 == nil && p.Overlaps(four) || err6 == nil && p.Overlaps(six) {
				t.Fatalf("%v or %v overlaps %v", four, six, p)
			}
		}
		if err4 == nil && (!four.Addr().IsPrivate() || four.Bits() != 24 || four.Addr() != four.Masked().Addr().Next()) {
			t.Fatalf("%v is not a private gateway", four)
		}
		if err6 == nil && (!six.Addr().IsPrivate() || six.Bits() != 64 || six.Addr() != six.Masked().Addr().Next()) {
			t.Fatalf("%v is not a unique local gateway", six)
		}
	})
}

func TestFreeSubnet6FollowsTheSeed(t *testing.T) {
	t.Parallel()
	a, _ := FreeSubnet6("a", nil)
	again, _ := FreeSubnet6("a", nil)
	b, _ := FreeSubnet6("b", nil)
	if a != again || a == b {
		t.Errorf("got %v, %v and %v", a, again, b)
	}
	if next, err := FreeSubnet6("a", []netip.Prefix{a}); err != nil || next.Overlaps(a) {
		t.Errorf("got %v, %v", next, err)
	}
}

func TestOverlapsAreFoundInEitherOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := &Spec{Networks: map[string]*Network{}, Bridges: map[string]*HostBridge{}}
		var list []netip.Prefix
		var paths []string
		var host []bool
		for i := range rapid.IntRange(0, 12).Draw(t, "prefixes") {
			p := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, rapid.ByteRange(0, 7).Draw(t, "c"), rapid.ByteRange(1, 9).Draw(t, "d")}), rapid.IntRange(20, 28).Draw(t, "bits"))
			name := string(rune('a' + i))
			list, host = append(list, p), append(host, rapid.Bool().Draw(t, "host"))
			if host[i] {
				s.Bridges[name] = &HostBridge{Addresses: []netip.Prefix{p}}
				paths = append(paths, "bridges."+name+".addresses[0]")
			} else {
				s.Networks[name] = &Network{Mode: NAT, Subnets: []Subnet{{Address: p}}}
				paths = append(paths, "networks."+name+".subnets[0].address")
			}
		}
		c := &checker{spec: s}
		c.overlaps()
		var got, want []string
		for _, p := range c.problems {
			got = append(got, p.Path)
		}
		for i := range list {
			for j := range list {
				if i != j && list[i].Overlaps(list[j]) && !(host[i] && host[j]) {
					want = append(want, paths[i])
					break
				}
			}
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("of %v at %v reported\n%v, want\n%v", list, paths, got, want)
		}
	})
}
