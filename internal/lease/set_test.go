package lease

import (
	"math"
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

// What the set finds is what counting up from there finds.
func TestSetFindsTheNext(t *testing.T) {
	t.Parallel()
	for name, missing := range map[string]bool{"members": false, "missing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rapid.Check(t, func(t *rapid.T) {
				s, model := set{missing: missing}, map[uint64]bool{}
				// Near the edges of words of several levels, so that some get full.
				base := rapid.SampledFrom([]uint64{0, 4096 - 70, math.MaxUint64 - 140}).Draw(t, "base")
				number := rapid.Uint64Range(base, base+140)
				for range rapid.IntRange(0, 300).Draw(t, "n") {
					n, in := number.Draw(t, "number"), rapid.IntRange(0, 9).Draw(t, "in") > 0
					s.put(n, in)
					model[n] = in
				}
				from := number.Draw(t, "from")
				want, found := uint64(0), false
				for n := from; ; n++ {
					if model[n] != missing {
						want, found = n, true
						break
					}
					if n >= base+140 || n == math.MaxUint64 {
						break
					}
				}
				got, ok := s.next(from)
				if missing && !found && base+140 != math.MaxUint64 {
					want, found = base+141, true
				}
				if ok != found || ok && got != want {
					t.Fatalf("next(%d) = %d, %v; want %d, %v", from, got, ok, want, found)
				}
			})
		})
	}
}

func TestSetPassesOverManyMembers(t *testing.T) {
	t.Parallel()
	s := set{missing: true}
	for n := range uint64(1 << 16) {
		s.put(n+5, true)
	}
	for from, want := range map[uint64]uint64{0: 0, 5: 1<<16 + 5, 70_000: 70_000} {
		if got, found := s.next(from); !found || got != want {
			t.Errorf("next(%d) = %d, %v; want %d", from, got, found, want)
		}
	}
	for n := range uint64(1 << 16) {
		s.put(n+5, false)
	}
	for level, words := range s.words {
		if len(words) > 0 {
			t.Errorf("level %d keeps %d words of an empty set", level, len(words))
		}
	}
}

func TestSetEndsAtTheLastNumber(t *testing.T) {
	t.Parallel()
	s := set{missing: true}
	s.put(math.MaxUint64, true)
	if n, found := s.next(math.MaxUint64); found {
		t.Errorf("found %d after the last number", n)
	}
	if n, found := (&set{}).next(0); found {
		t.Errorf("found %d in an empty set", n)
	}
}

func TestUsedAddressesAreFoundByRange(t *testing.T) {
	t.Parallel()
	u := used{}
	for _, a := range []string{"10.0.0.2", "10.0.0.3", "255.255.255.255", "fd00::1", "fd00::ffff:ffff:ffff:ffff"} {
		u.put(netip.MustParseAddr(a), true)
	}
	for _, c := range []struct{ from, to, want string }{
		{"10.0.0.2", "10.0.0.9", "10.0.0.4"},
		{"10.0.0.1", "10.0.0.9", "10.0.0.1"},
		{"10.0.0.2", "10.0.0.3", ""},
		{"255.255.255.255", "255.255.255.255", ""},
		{"fd00::1", "fd00::ffff", "fd00::2"},
		{"fd00::ffff:ffff:ffff:ffff", "fd00:0:0:2::", "fd00:0:0:1::"}, // into the next /64
		{"fd00::ffff:ffff:ffff:ffff", "fd00::ffff:ffff:ffff:ffff", ""},
	} {
		got, found := u.next(netip.MustParseAddr(c.from), netip.MustParseAddr(c.to))
		if found != (c.want != "") || found && got.String() != c.want {
			t.Errorf("from %s to %s: %v, %v; want %q", c.from, c.to, got, found, c.want)
		}
	}
}
