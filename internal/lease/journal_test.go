package lease

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNothingIsDoneBeforeItIsOnDisk(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		for n := range 20 {
			synced := false
			_, err := d.Bind(vm(n), ip("10.0.0.10").Next(), 60, func(error) {
				f := d.disk.names[bookName]
				synced = f.synced == len(f.data) && bytes.Contains(f.data, []byte(vm(n).MAC.String()))
			})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if !synced {
				t.Fatalf("guest %d was told too early", n)
			}
			d.Release(vm(n), ip("10.0.0.10").Next(), nil)
		}
	})
}

func TestDoneIsCalledInOrder(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		var order []int
		for n := range 100 {
			done := func(error) { order = append(order, n) }
			switch n % 3 {
			case 0:
				if _, err := d.Bind(vm(1), ip("10.0.0.10"), 60, done); err != nil {
					t.Fatal(err)
				}
			case 1:
				d.Decline(vm(2), ip("10.0.0.10"), time.Hour, done) // refused
			case 2:
				d.DropPort("nobody", done)
			}
		}
		synctest.Wait()
		for n := range order {
			if order[n] != n {
				t.Fatalf("order: %v", order)
			}
		}
		if len(order) != 100 {
			t.Errorf("%d of 100 answered", len(order))
		}
	})
}

func TestARenewalIsOnDisk(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 60)
		time.Sleep(30 * time.Second)
		want := d.bind(vm(1), "10.0.0.10", 60)
		if got, _ := d.reopen().Find(vm(1)); !cmp.Equal(got, want, byValue) {
			t.Errorf("on disk %+v, want %+v", got, want)
		}
	})
}

func TestAllThatIsKnownOfALeaseIsOnDisk(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		odd := v6(vm(1), 4711).with(func(c *Client) {
			c.ClientID, c.Port, c.Hostname = "\x00\xff\n\"", `p"1\ ü`, "näme"
		})
		d.bind(odd, "fd00::10", 3600)
		d.bind(named(vm(1), "web"), "10.0.0.10", 3600)
		d.bind(named(vm(2), "web"), "10.0.0.11", 3600)
		d.bind(named(vm(1), "web"), "10.0.0.10", 3600)
		d.bind(identified(vm(3), "id"), "10.0.0.12", 3600)
		d.Release(vm(3), ip("10.0.0.12"), nil)
		d.Decline(vm(4), ip("10.0.0.13"), time.Hour, nil)
		again := d.reopen()
		for _, c := range []Client{odd, vm(1), vm(2), vm(3)} {
			want, _ := d.Find(c)
			if got, _ := again.Find(c); !cmp.Equal(got, want, byValue) {
				t.Errorf("%v: %s", c.MAC, cmp.Diff(want, got, byValue))
			}
		}
		if got := again.Lookup("web"); len(got) != 1 || got[0] != ip("10.0.0.11") {
			t.Errorf("web is %v", got)
		}
		again.proposes(identified(vm(5), "id"), ten, "10.0.0.12")
		again.refuses(vm(6), want("10.0.0.13", "10.0.0.13"), ErrExhausted)
	})
}

// What is on disk reads back as what is in memory, whatever was left out or
// compacted.
func TestCompactionKeepsTheOrder(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		for range 100 { // compacts
			for n, addr := range []string{"10.0.0.10", "10.0.0.11", "10.0.0.12"} {
				d.bind(named(vm(n), "web"), addr, 3600)
			}
			d.Release(vm(1), ip("10.0.0.11"), nil)
			d.Release(vm(0), ip("10.0.0.10"), nil)
			d.Release(vm(2), ip("10.0.0.12"), nil)
			synctest.Wait()
		}
		if d.disk.count("rename") < 3 {
			t.Errorf("%d compactions", d.disk.count("rename"))
		}
		if n := bytes.Count(d.disk.names[bookName].data, []byte("\n")); n > 100 {
			t.Errorf("the book has %d records for 3 leases", n)
		}
		d.close()
		d.disk.names[bookName].data = append(d.disk.names[bookName].data, "torn"...)
		again := openDesk(t, d.disk).reopen() // written anew
		for _, addr := range []string{"10.0.0.11", "10.0.0.10", "10.0.0.12"} {
			again.proposes(vm(100+int(ip(addr).As4()[3])), want("10.0.0.10", "10.0.0.12"), addr)
		}
	})
}

func TestWhatTheLastProcessLeftInTheCacheIsSynced(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 60)
		d.close()
		d.disk.names[bookName].synced = 0
		again := openDesk(t, d.disk)
		if l, found := again.reopen().Find(vm(1)); !found || l.State != Bound {
			t.Errorf("after the power went: %+v, %v", l, found)
		}
	})
}

// The end of a lease is not in the book, so two bindings stand there in a row.
func TestALeaseThatRanOutAndBeganAnewIsNoRenewal(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(named(vm(1), "web"), "10.0.0.10", 60)
		d.bind(named(vm(2), "web"), "10.0.0.11", 3600)
		time.Sleep(2 * time.Minute)
		d.bind(named(vm(1), "web"), "10.0.0.10", 3600)
		for _, d := range []*desk{d, d.reopen()} {
			if got := d.Lookup("web"); len(got) != 1 || got[0] != ip("10.0.0.10") {
				t.Errorf("web is %v", got)
			}
		}
	})
}

func TestALeaseThatRanOutMeanwhileIsExpired(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 60)
		d.close()
		time.Sleep(time.Hour)
		again := openDesk(t, d.disk.left()["old names, what was synced"])
		defer again.close()
		again.tells("expired 10.0.0.10")
	})
}

func TestADamagedRecordIsSkippedAndTheFileKept(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		for n, addr := range []string{"10.0.0.10", "10.0.0.11", "10.0.0.12"} {
			d.bind(vm(n), addr, 3600)
		}
		d.close()
		data := d.disk.names[bookName].data
		lines := bytes.SplitAfter(data, []byte("\n"))
		data[len(lines[0])+20] ^= 1 // in the second
		disk := with(data)
		var log strings.Builder
		b, err := open(disk, Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		if got := b.Table("lab").Leases(); len(got) != 2 || got[0].Addr != ip("10.0.0.10") || got[1].Addr != ip("10.0.0.12") {
			t.Errorf("leases: %v", got)
		}
		if !strings.Contains(log.String(), "records=1") || !strings.Contains(log.String(), "checksum") {
			t.Errorf("log: %s", log.String())
		}
		if !bytes.Equal(disk.names[damagedName].data, data) {
			t.Error("the damaged file is not kept")
		}
		if n := bytes.Count(disk.names[bookName].data, []byte("\n")); n != 2 {
			t.Errorf("the new book has %d records", n)
		}
	})
}

func TestOfTwoRecordsOfOneAddressTheLaterCounts(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		record := func(c Client, addr string, s State) (data []byte) {
			return appendRecord(nil, Lease{Network: "lab", Addr: ip(addr), Client: c, State: s})
		}
		data := slices.Concat(record(vm(1), "10.0.0.10", Bound), record(vm(2), "10.0.0.10", Bound),
			record(vm(2), "10.0.0.11", Bound), record(vm(2), "10.0.0.12", Released))
		got := leases(t, with(data))
		if len(got) != 1 || got[0].Addr != ip("10.0.0.11") || got[0].MAC != vm(2).MAC {
			t.Errorf("leases: %v", got)
		}
	})
}

func TestAFullDiskIsToldAndForgiven(t *testing.T) {
	inDesk(t, func(t *testing.T, d *desk) {
		d.bind(vm(1), "10.0.0.10", 3600)
		d.disk.breaks(syscall.ENOSPC)
		result := make(chan error, 1)
		if _, err := d.Bind(vm(2), ip("10.0.0.11"), 3600, func(err error) { result <- err }); err != nil {
			t.Fatal(err)
		}
		if err := <-result; !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("done: %v", err)
		}
		synctest.Wait()
		if err := d.book.Err(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("book: %v", err)
		}
		if l, found := d.Find(vm(2)); !found || l.State != Bound {
			t.Errorf("in memory: %+v", l)
		}
		d.disk.breaks(nil)
		d.bind(vm(3), "10.0.0.12", 3600)
		if err := d.book.Err(); err != nil {
			t.Errorf("book: %v", err)
		}
		if got := d.reopen().Leases(); len(got) != 3 {
			t.Errorf("on disk: %v", got)
		}
	})
}

func TestABookThatCannotBeWrittenOpensAllTheSame(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := newMemory()
		disk.breaks(syscall.EROFS)
		b, err := open(disk, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Err(); !errors.Is(err, syscall.EROFS) {
			t.Errorf("book: %v", err)
		}
		disk.breaks(nil)
		time.Sleep(2 * retry)
		if err := b.Err(); err != nil {
			t.Errorf("book: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestTheBookOnARealDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state", "leases.d")
	b, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opened twice: %v", err)
	}
	done := make(chan error, 1)
	want, err := b.Table("lab").Bind(vm(1), ip("10.0.0.10"), 3600, func(err error) { done <- err })
	if err != nil || <-done != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, bookName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, newName), []byte("left over"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err = Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if got, _ := b.Table("lab").Find(vm(1)); !cmp.Equal(got, want, byValue) {
		t.Errorf("on disk %+v, want %+v", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, newName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what is left over is still there: %v", err)
	}
}

func TestAClosedBookBindsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := openDesk(t, newMemory())
		d.bind(vm(1), "10.0.0.10", 60)
		queued := make(chan error, 1)
		d.Release(vm(1), ip("10.0.0.10"), func(err error) { queued <- err })
		d.close()
		if err := <-queued; err != nil {
			t.Errorf("queued before: %v", err)
		}
		if _, err := d.Bind(vm(1), ip("10.0.0.10"), 60, nil); !errors.Is(err, ErrClosed) {
			t.Errorf("bound: %v", err)
		}
		d.DropPort("vm1", func(err error) { queued <- err })
		if err := <-queued; !errors.Is(err, ErrClosed) {
			t.Errorf("dropped: %v", err)
		}
		d.close() // twice
	})
}

func TestRecordsAreReadable(t *testing.T) {
	t.Parallel()
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := Client{MAC: vm(1).MAC, ClientID: "\x01RT\x00\x00\x00\x01", Port: "vm1", Hostname: "vm1"}
	for want, l := range map[string]Lease{
		`{"net":"lab","ip":"10.9.0.2","mac":"52:54:00:00:00:01","id":"01525400000001","port":"vm1","host":"vm1","begun":"2026-01-02T03:04:05Z","expires":"2026-01-02T04:04:05Z","state":"bound"}`: {Network: "lab", Addr: ip("10.9.0.2"), Client: c, Begun: begun, Expires: begun.Add(time.Hour)},
		`{"net":"lab","ip":"fd00::2","mac":"52:54:00:00:00:01","iaid":7,"begun":"2026-01-02T03:04:05.5Z","state":"released"}`:                                                                     {Network: "lab", Addr: ip("fd00::2"), Client: Client{V6: true, MAC: c.MAC, IAID: 7}, Begun: begun.Add(time.Second / 2), State: Released},
		`{"net":"lab","state":"dropped"}`: {Network: "lab"},
	} {
		line := appendRecord(nil, l)
		if got := string(line[9 : len(line)-1]); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if got, err := parseRecord(line[:len(line)-1]); err != nil || !cmp.Equal(got, l, byValue) {
			t.Errorf("read back: %v %s", err, cmp.Diff(l, got, byValue))
		}
	}
}
