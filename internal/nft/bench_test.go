package nft

import (
	"fmt"
	"testing"

	"kvmnet/internal/plan"
)

// One element in each of the maps a nat network uses, added and deleted again.
func BenchmarkNetworkAddDel(b *testing.B) {
	c, _ := loaded(b)
	objs := manyNetworks(1)
	for b.Loop() {
		apply(b, c, plan.Add, objs...)
		apply(b, c, plan.Del, objs...)
	}
}

func BenchmarkNetworkAddDelBeside1000(b *testing.B) {
	c, _ := loaded(b, manyNetworks(1000)...)
	objs := rows("nat", "extra")
	for b.Loop() {
		apply(b, c, plan.Add, objs...)
		apply(b, c, plan.Del, objs...)
	}
}

func BenchmarkObserve(b *testing.B) {
	for _, n := range []int{1, 1000} {
		c, _ := loaded(b, manyNetworks(n)...)
		b.Run(fmt.Sprintf("networks=%d/cached", n), func(b *testing.B) {
			for b.Loop() {
				observe(b, c)
			}
		})
		b.Run(fmt.Sprintf("networks=%d/uncached", n), func(b *testing.B) {
			for b.Loop() {
				c.forget()
				observe(b, c)
			}
		})
	}
}

func BenchmarkLoadProgram(b *testing.B) {
	for _, n := range []int{0, 1000} {
		objs := append([]plan.Object{plan.Program{}}, manyNetworks(n)...)
		b.Run(fmt.Sprintf("networks=%d/new", n), func(b *testing.B) {
			c, _ := newConn(b)
			for b.Loop() {
				apply(b, c, plan.Add, objs...)
				b.StopTimer()
				apply(b, c, plan.Del, plan.Program{})
				b.StartTimer()
			}
		})
		b.Run(fmt.Sprintf("networks=%d/again", n), func(b *testing.B) {
			c, _ := loaded(b, objs[1:]...)
			for b.Loop() {
				apply(b, c, plan.Set, plan.Program{})
			}
		})
	}
}
