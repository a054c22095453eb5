package lease

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kvmnet/internal/plan"
)

// Of the leases that ended, those near a range come in the order in which they
// ended, and none in it is left out, however wide the range is.
func TestEndedLeasesComeInOrder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n, all := newEnded(), []*entry{}
		v6 := rapid.Bool().Draw(t, "v6")
		addr := rapid.Custom(func(t *rapid.T) netip.Addr {
			b := block{v6: v6}
			if v6 {
				b.high = rapid.Uint64Range(0xfd00<<48, 0xfd00<<48+2).Draw(t, "high")
			}
			return join(b, rapid.Uint64Range(0x0a000000, 0x0a000000+2000).Draw(t, "low"))
		})
		for _, a := range rapid.SliceOfNDistinct(addr, 0, 60, rapid.ID[netip.Addr]).Draw(t, "ended") {
			e := &entry{Lease: Lease{Addr: a}, seq: uint64(len(all) + 1)}
			n.add(e)
			all = append(all, e)
		}
		for len(all) > 0 && rapid.IntRange(0, 3).Draw(t, "remove") > 0 {
			i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
			n.remove(all[i])
			all = slices.Delete(all, i, i+1)
		}
		r := plan.Range{From: addr.Draw(t, "from"), To: addr.Draw(t, "to")}
		if r.To.Less(r.From) {
			r.From, r.To = r.To, r.From
		}
		w := Want{Ranges: []plan.Range{r}}
		outside := func(e *entry) bool { return !w.allows(e.Addr) }
		got := slices.DeleteFunc(slices.Collect(n.near(w.Ranges)), outside)
		if want := slices.DeleteFunc(all, outside); !slices.Equal(got, want) {
			t.Fatalf("got %d leases, want %d in order", len(got), len(want))
		}
	})
}
