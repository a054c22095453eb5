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

// One forward, beside none and beside 10,000.
func BenchmarkForwardAddDel(b *testing.B) {
	for _, kind := range []struct{ name, set, id string }{{"port", "forward4", "sctp . 80"}, {"range", "forward_range_at4", "198.51.100.1 . tcp . 1-999"}} {
		for _, n := range []int{0, 10_000} {
			c, _ := loaded(b, manyForwards(n)...)
			value := map[string]string{"port": "10.0.0.9 . 80", "range": "10.0.0.9"}[kind.name]
			b.Run(fmt.Sprintf("%s/beside=%d", kind.name, n), func(b *testing.B) {
				for b.Loop() {
					apply(b, c, plan.Add, el(kind.set, kind.id, value))
					apply(b, c, plan.Del, el(kind.set, kind.id, value))
				}
			})
		}
	}
}

// A policy of the same text as another, and one of its own text.
func BenchmarkChain(b *testing.B) {
	c, _ := loaded(b)
	b.Run("known", func(b *testing.B) {
		for b.Loop() {
			apply(b, c, plan.Set, web())
		}
	})
	n := 0
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			n++
			apply(b, c, plan.Set, plan.NewChain("host", "", "caps_lab0", fmt.Sprintf("ct count over %d drop", n)))
		}
	})
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
