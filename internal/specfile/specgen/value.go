package specgen

import (
	"net/netip"

	"pgregory.net/rapid"

	"kvmnet/internal/spec"
)

// anyText favours text that YAML reads as something else.
func anyText() *rapid.Generator[string] {
	tricky := rapid.SampledFrom([]string{"", "yes", "true", "~", "null", "1e3", "0x10", "1_000", "12:30:45", "<<", "- a", "a: b",
		"#c", " lead", "trail ", "a\nb", "a\n", "\n", "\ttab", "%", "@x", "`", "\"", "'", "é", "\u2028", "\u00a0", "\ufeff", "🐧", "\x00", "\x7f", "[", "{}", "&a", "*a", "!t", "|", ">", "?", ":", "-", "...", "---", "a\r\nb"})
	return rapid.OneOf(rapid.String(), tricky, rapid.StringMatching(`[a-z0-9.-]{0,8}`))
}

func anySeconds() *rapid.Generator[spec.Seconds] {
	return rapid.Map(rapid.Int64Range(-1, 1<<32), func(n int64) spec.Seconds { return spec.Seconds(n) })
}

func anyMAC() *rapid.Generator[spec.MAC] {
	return rapid.Map(rapid.SliceOfN(rapid.Byte(), 6, 6), func(b []byte) spec.MAC { return spec.MAC(b) })
}

func anyAddr() *rapid.Generator[netip.Addr] {
	addr := func(b []byte) netip.Addr { a, _ := netip.AddrFromSlice(b); return a }
	return rapid.Map(rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 4, 4), rapid.SliceOfN(rapid.Byte(), 16, 16)), addr)
}

func anyPrefix() *rapid.Generator[netip.Prefix] {
	return rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := anyAddr().Draw(t, "address")
		return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
	})
}

func anyRange(t *rapid.T) spec.LeaseRange {
	a := anyAddr().Draw(t, "from")
	b := a
	for i := rapid.IntRange(0, 5).Draw(t, "length"); i > 0 && b.Next().IsValid(); i-- {
		b = b.Next()
	}
	return spec.LeaseRange{AddrRange: spec.AddrRange{From: a, To: b}, LeaseTime: anySeconds().Draw(t, "lease")}
}
