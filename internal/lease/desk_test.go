package lease

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// addresses compare by their value, and networks of rooms of ours by theirs.
var byValue = cmp.Options{cmp.Comparer(func(a, b netip.Addr) bool { return a == b }), cmpopts.EquateEmpty()}

// desk is a book in memory with a table, and what it told.
type desk struct {
	*Table
	t    *testing.T
	book *Book
	disk *memory

	mu     sync.Mutex
	events []Event
}

// inDesk runs a test in a bubble of synthetic time.
func inDesk(t *testing.T, test func(t *testing.T, d *desk)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := openDesk(t, newMemory())
		defer d.close()
		test(t, d)
	})
}

func openDesk(t *testing.T, disk *memory) *desk {
	t.Helper()
	d := &desk{t: t, disk: disk}
	b, err := open(disk, Options{slack: 16, Changed: d.note})
	if err != nil {
		t.Fatal(err)
	}
	d.book, d.Table = b, b.Table("lab")
	return d
}

func (d *desk) close() {
	if err := d.book.Close(); err != nil {
		d.t.Error(err)
	}
	if d.disk.open != 0 {
		d.t.Errorf("%d files are still open", d.disk.open)
	}
}

// reopen is the same book after the power went, with what was on disk.
func (d *desk) reopen() *desk {
	d.t.Helper()
	d.close()
	again := openDesk(d.t, d.disk.left()["old names, what was synced"])
	d.t.Cleanup(again.close)
	return again
}

func (d *desk) note(e Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events = append(d.events, e)
}

// told are the events since the last time, as "kind address message".
func (d *desk) told() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	var lines []string
	for _, e := range d.events {
		lines = append(lines, strings.TrimSpace(fmt.Sprint(e.Kind, " ", e.Lease.Addr, " ", e.Message)))
	}
	d.events = nil
	return lines
}

func (d *desk) tells(want ...string) {
	d.t.Helper()
	if diff := cmp.Diff(want, d.told(), byValue); diff != "" {
		d.t.Errorf("events (-want +got):\n%s", diff)
	}
}

// bind binds and waits until it is on disk.
func (d *desk) bind(c Client, addr string, life spec.Seconds) Lease {
	d.t.Helper()
	done := make(chan error, 1)
	l, err := d.Bind(c, ip(addr), life, func(err error) { done <- err })
	if err != nil {
		d.t.Fatalf("bind %s to %v: %v", addr, c.MAC, err)
	}
	if err := <-done; err != nil {
		d.t.Fatal(err)
	}
	return l
}

func (d *desk) proposes(c Client, w Want, want string) {
	d.t.Helper()
	addr, err := d.Propose(c, w)
	if err != nil || addr.String() != want {
		d.t.Errorf("proposed to %v: %v, %v; want %s", c.MAC, addr, err, want)
	}
}

func (d *desk) refuses(c Client, w Want, want error) {
	d.t.Helper()
	if addr, err := d.Propose(c, w); !errors.Is(err, want) {
		d.t.Errorf("proposed to %v: %v, %v; want %v", c.MAC, addr, err, want)
	}
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

func vm(n int) Client {
	return Client{MAC: spec.MAC{0x52, 0x54, 0, byte(n >> 16), byte(n >> 8), byte(n)}, Port: fmt.Sprintf("vm%d", n)}
}

func (c Client) with(change func(*Client)) Client {
	change(&c)
	return c
}

func named(c Client, name string) Client    { return c.with(func(c *Client) { c.Hostname = name }) }
func identified(c Client, id string) Client { return c.with(func(c *Client) { c.ClientID = id }) }
func behind(c Client, port string) Client   { return c.with(func(c *Client) { c.Port = port }) }
func v6(c Client, iaid uint32) Client       { return c.with(func(c *Client) { c.V6, c.IAID = true, iaid }) }

// want is addresses from to to, held for a minute.
func want(from, to string) Want {
	return Want{Ranges: []plan.Range{{From: ip(from), To: ip(to)}}, Hold: time.Minute}
}

var ten = want("10.0.0.10", "10.0.0.19")
