package lease

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/spec"
)

// held is a book on a real disk with n leases, in an IPv4 /16 of the network.
func held(b *testing.B, n int) (*Table, []Client) {
	b.Helper()
	book, err := Open(b.TempDir(), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := book.Close(); err != nil {
			b.Error(err)
		}
	})
	t, clients := book.Table("lab"), make([]Client, n)
	var disk sync.WaitGroup
	for i := range clients {
		c := named(identified(vm(i), fmt.Sprintf("\x01%06d", i)), fmt.Sprint("vm", i))
		addr, err := t.Propose(c, sixteen)
		if err != nil {
			b.Fatal(err)
		}
		disk.Add(1)
		if _, err := t.Bind(c, addr, 3600, func(error) { disk.Done() }); err != nil {
			b.Fatal(err)
		}
		clients[i] = c
	}
	disk.Wait()
	return t, clients
}

var sixteen = want("10.1.0.0", "10.1.255.255")

// callers wait for the disk at a time, as exchanges of a busy network do.
const callers = 2048

// Durable renewals, each answered after it is on disk.
func BenchmarkBindDurable(b *testing.B) {
	for _, n := range []int{100, 50_000} {
		b.Run(fmt.Sprintf("held=%d", n), func(b *testing.B) {
			t, clients := held(b, n)
			slots := make(chan struct{}, callers)
			begun, i := time.Now(), 0
			for b.Loop() {
				slots <- struct{}{}
				c := clients[i%n]
				i++
				l, _ := t.Find(c)
				if _, err := t.Bind(c, l.Addr, 3600, func(err error) {
					if err != nil {
						b.Error(err)
					}
					<-slots
				}); err != nil {
					b.Fatal(err)
				}
			}
			for range callers {
				slots <- struct{}{}
			}
			b.ReportMetric(float64(b.N)/time.Since(begun).Seconds(), "binds/s")
		})
	}
}

// A newcomer is offered an address, and gives it back.
func BenchmarkPropose(b *testing.B) {
	for _, n := range []int{100, 50_000} {
		b.Run(fmt.Sprintf("held=%d", n), func(b *testing.B) {
			t, _ := held(b, n)
			for i := 0; b.Loop(); i++ {
				if _, err := t.Propose(vm(1<<20+i%1000), sixteen); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Opening a book that is as long as it gets.
func BenchmarkOpen(b *testing.B) {
	const n = 50_000
	disk := with(nil)
	for range maxRatio {
		for i := range n {
			l := Lease{Network: "lab", Addr: join(block{}, 0x0a010000+uint64(i)), Client: named(vm(i), fmt.Sprint("vm", i)), Begun: time.Now()}
			l.Expires = expiry(l.Begun, spec.Seconds(3600))
			disk.names[bookName].data = appendRecord(disk.names[bookName].data, l)
		}
	}
	for b.Loop() {
		book, err := open(disk, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := book.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// A range is full, while all that is remembered lies in another.
func BenchmarkProposeInAFullRange(b *testing.B) {
	a, one := newAllocator("lab"), want("10.9.0.1", "10.9.0.1")
	for n := range maxEnded {
		a.put(Lease{Addr: join(block{}, 0x0a010000+uint64(n)), Client: vm(n), State: Released})
	}
	a.put(Lease{Addr: ip("10.9.0.1"), Client: vm(1 << 20)})
	for b.Loop() {
		if _, err := a.propose(vm(1<<20+1), one, time.Now()); !errors.Is(err, ErrExhausted) {
			b.Fatal(err)
		}
	}
}

// A newcomer takes the address that is unused the longest, in a range of 65,536.
func BenchmarkProposeEnded(b *testing.B) {
	a := newAllocator("lab")
	for n := range maxEnded {
		a.put(Lease{Addr: join(block{}, 0x0a010000+uint64(n)), Client: vm(n), State: Released})
	}
	for i := 0; b.Loop(); i++ {
		if _, err := a.propose(vm(1<<20+i%1000), sixteen, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
