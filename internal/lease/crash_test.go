package lease

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/spec"
)

// session is a desk at which things happen, one record each, the same in every
// run. It remembers what the leases were after each record.
type session struct {
	*desk
	random *rand.Rand
	states [][]Lease // after so many records
	acked  int       // so many records are known to be on disk
	failed int       // so many are known not to be
}

func newSession(t *testing.T, disk *memory) *session {
	disk.slow = true
	s := &session{desk: &desk{t: t, disk: disk}, random: rand.New(rand.NewPCG(7, 7))}
	b, err := open(disk, Options{slack: 4})
	if err != nil {
		return nil // the power went before it began
	}
	s.book, s.Table = b, b.Table("lab")
	s.states = [][]Lease{s.Leases()}
	return s
}

// run makes n records, and waits for the disk after every few.
func (s *session) run(n int) {
	for len(s.states) <= n {
		if s.step() {
			s.states = append(s.states, s.Leases())
		}
		switch s.random.IntN(6) {
		case 0, 1:
			synctest.Wait()
		case 2: // some of these pass while a book is written aside
			time.Sleep(300 * time.Millisecond)
		}
	}
	synctest.Wait()
}

// step does something that makes a record, if it can.
func (s *session) step() bool {
	record := len(s.states)
	done := func(err error) {
		if err != nil {
			s.failed++
			return
		}
		s.acked = record
	}
	c := named(vm(s.random.IntN(6)), fmt.Sprint("name", s.random.IntN(4)))
	l, found := s.Find(c)
	switch n := s.random.IntN(20); {
	case n == 0:
		s.book.Drop("lab", done)
		return true
	case n < 4 && found:
		return s.Release(c, l.Addr, done)
	case n < 6 && found && l.State == Bound:
		s.Decline(c, l.Addr, time.Hour, done)
		return true
	case n < 8 && !found:
		_, err := s.Bind(c, ip("10.0.0.77"), spec.Infinite, done)
		return err == nil
	}
	addr, err := s.Propose(c, ten)
	if err != nil {
		return false
	}
	_, err = s.Bind(c, addr, 3600, done)
	return err == nil
}

// leases are those of a book as it is opened from a disk.
func leases(t *testing.T, disk *memory) []Lease {
	t.Helper()
	b, err := open(disk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	return b.Table("lab").Leases()
}

// Cut at every byte, the book says what it said after the last whole record: no
// lease is lost whose record was whole, none is there twice.
func TestTruncatedAtAnyByte(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSession(t, newMemory())
		s.book.journal.slack = 1e6 // one file, from its beginning
		s.run(22)                  // every kind of record, and some after a drop
		s.close()
		data := s.disk.names[bookName].data
		for n := range len(data) + 1 {
			disk := with(data[:n])
			records := bytes.Count(data[:n], []byte("\n"))
			if diff := cmp.Diff(s.states[records], leases(t, disk), byValue); diff != "" {
				t.Fatalf("cut at byte %d of %d (-want +got):\n%s", n, len(data), diff)
			}
			if again := disk.names[bookName].data; len(again) > 0 && again[len(again)-1] != '\n' {
				t.Fatalf("cut at byte %d: what is torn is still there", n)
			}
		}
	})
}

// The power goes at every call of the disk, also within a compaction and within
// the opening. Whatever the kernel had written by then, the book is what it was
// after the last acknowledged record or after a later one.
func TestPowerGoesAtAnyCall(t *testing.T) {
	t.Parallel()
	const records = 150
	for stop := 1; ; stop++ {
		disk := newMemory()
		disk.stop = stop
		reached := false
		synctest.Test(t, func(t *testing.T) {
			s := newSession(t, disk)
			if s == nil {
				reached = true
				return
			}
			s.run(records)
			reached = disk.calls >= stop
			after(t, s, stop)
			_ = s.book.Close()
		})
		if t.Failed() {
			return
		}
		if !reached {
			if n := disk.count("rename"); n < 4 {
				t.Errorf("only %d compactions in %d calls", n, stop)
			}
			return
		}
	}
}

func after(t *testing.T, s *session, stop int) {
	for name, left := range s.disk.left() {
		got := leases(t, left)
		found := false
		for _, state := range s.states[s.acked:] {
			found = found || cmp.Equal(state, got, byValue)
		}
		if !found {
			t.Errorf("power gone at call %d, disk has %s: %d records acknowledged, then %d more; leases are neither (-acknowledged +got):\n%s",
				stop, name, s.acked, len(s.states)-1-s.acked, cmp.Diff(s.states[s.acked], got, byValue))
		}
	}
}

// The disk is full at every call for a while. Nothing is acknowledged meanwhile;
// afterwards everything is on disk, also what could not be acknowledged.
func TestDiskIsFullAtAnyCall(t *testing.T) {
	t.Parallel()
	const records = 150
	failures := 0
	for from := 1; ; from++ {
		disk := newMemory()
		disk.full = [2]int{from, from + 5}
		synctest.Test(t, func(t *testing.T) {
			s := newSession(t, disk)
			s.run(records)
			time.Sleep(10 * retry) // also when nothing happens any more
			if err := s.book.Err(); err != nil {
				t.Errorf("full from call %d on: still %v", from, err)
			}
			failures += s.failed
			want := s.Leases()
			s.close()
			if diff := cmp.Diff(want, leases(t, disk.left()["old names, what was synced"]), byValue); diff != "" {
				t.Errorf("full from call %d on (-memory +disk):\n%s", from, diff)
			}
		})
		if t.Failed() {
			return
		}
		if disk.calls < from {
			break
		}
	}
	if failures == 0 {
		t.Error("nobody was told that a lease is not on disk")
	}
}
