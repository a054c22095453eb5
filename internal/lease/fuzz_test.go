package lease

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Any file opens; then the leases are sound, the file is good, and it says the
// same when it is opened again.
func FuzzOpen(f *testing.F) {
	bound := Lease{Network: "lab", Addr: ip("10.0.0.10"), Client: named(identified(vm(1), "id"), "vm1"), Begun: time.Unix(1e9, 0)}
	other := bound
	other.Addr = ip("10.0.0.11")
	six := Lease{Network: "lab", Addr: ip("fd00::1"), Client: v6(vm(1), 7), State: Expired}
	declined := Lease{Network: "lab", Addr: ip("10.0.0.10"), Client: vm(2), State: Declined}
	var all []byte
	for _, l := range []Lease{bound, six, other, declined, bound, {Network: "old"}, {Network: "lab"}, six} {
		f.Add(appendRecord(nil, l), true)
		all = appendRecord(all, l)
	}
	f.Add(all, true)
	f.Add(all[:len(all)/2], true)
	f.Add([]byte(`{"net":"lab","ip":"10.0.0.1","mac":"52:54:00:00:00:01","state":"bound"}`), false)
	f.Add([]byte("\n\n\x00\x00\x00\x00\n"), true)
	f.Fuzz(func(t *testing.T, data []byte, raw bool) {
		if !raw { // a line that gets a checksum, or no mutation would pass it
			data = seal(data)
		}
		disk := with(data)
		first := load(t, disk)
		if second := load(t, disk); !cmp.Equal(first, second, byValue) {
			t.Fatalf("opened again: %s", cmp.Diff(first, second, byValue))
		}
	})
}

// load reads a book without anybody who writes or expires meanwhile, so that
// the same input runs the same code.
func load(t *testing.T, disk *memory) []Lease {
	b := newBook(disk, Options{})
	if err := b.load(); err != nil {
		t.Fatal(err)
	}
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	var all []Lease
	for _, table := range b.all() {
		all = append(all, table.remembered()...)
	}
	return all
}

// Whatever the fast reader of records takes, encoding/json takes in the same way.
func FuzzScan(f *testing.F) {
	for _, l := range []Lease{
		{Network: "lab", Addr: ip("fd00::1"), Client: v6(named(identified(vm(1), "id"), "vm1"), 7), Begun: time.Unix(1e9, 5e8), Expires: time.Unix(2e9, 0)},
		{Network: "lab"},
	} {
		f.Add(appendLease(nil, l))
	}
	f.Add([]byte(`{"net":"lab","iaid":007,"state":"dropped"}`))
	f.Add([]byte(`{"net":"lab","begun":"2026-01-02T03:04:05,5Z","state":"bound"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var fast, slow record
		if !fast.scan(text) {
			return
		}
		if err := json.Unmarshal(text, &slow); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if !cmp.Equal(fast, slow, byValue) {
			t.Fatalf("%q: %s", text, cmp.Diff(slow, fast, byValue))
		}
	})
}

// seal makes lines of the book of lines of JSON.
func seal(text []byte) []byte {
	var book []byte
	for line := range bytes.SplitSeq(text, []byte("\n")) {
		sum := checksum(line)
		book = fmt.Appendf(book, "%08x %s\n", sum, line)
	}
	return book
}
