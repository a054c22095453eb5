package lease

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"kvmnet/internal/spec"
)

// tables is a book against a model of it: who has what, said as simply as
// possible.
type tables struct {
	*desk
	bound    map[key]Lease
	declined map[netip.Addr]Lease
	offers   map[key]offer
}

type offer struct {
	addr  netip.Addr
	port  string
	until time.Time
}

// Whatever happens, no two guests have one address, limits hold, a guest finds
// its lease, and the book on disk is the one in memory.
func TestTablesAreAsTheModelSays(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		// A bubble has no deadline that rapid could ask for.
		rapid.Check(struct{ testing.TB }{t}, func(r *rapid.T) {
			m := &tables{desk: openDesk(t, newMemory()), bound: map[key]Lease{}, declined: map[netip.Addr]Lease{}, offers: map[key]offer{}}
			r.Cleanup(func() { m.close() })
			r.Repeat(map[string]func(*rapid.T){
				"propose": m.propose,
				"bind":    m.bindAny,
				"renew":   m.renewAny,
				"release": m.releaseAny,
				"decline": m.declineAny,
				"port":    m.dropAny,
				"sleep":   m.sleep,
				"restart": m.restart,
				"":        m.agree,
			})
		})
	})
}

var modelWant = want("10.0.0.10", "10.0.0.15")

func anyClient(r *rapid.T) Client {
	c := vm(rapid.IntRange(1, 9).Draw(r, "guest"))
	c.Port = rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(r, "port")
	c.ClientID = rapid.SampledFrom([]string{"", "x", "y"}).Draw(r, "id")
	c.Hostname = rapid.SampledFrom([]string{"", "n", "m"}).Draw(r, "name")
	if rapid.IntRange(0, 3).Draw(r, "family") == 0 {
		c = v6(c, uint32(rapid.IntRange(0, 1).Draw(r, "iaid")))
	}
	return c
}

func wantFor(c Client) Want {
	w := modelWant
	if c.V6 {
		w = want("fd00::10", "fd00::13")
	}
	w.PerPort = 3
	return w
}

// others reports whether somebody other than c has, holds or declined addr.
func (m *tables) others(c Client, addr netip.Addr) bool {
	for k, l := range m.bound {
		if l.Addr == addr && k != c.key() {
			return true
		}
	}
	for k, o := range m.offers {
		if o.addr == addr && k != c.key() && o.until.After(time.Now()) {
			return true
		}
	}
	_, declined := m.declined[addr]
	return declined
}

// count is what counts at a port, without guest k.
func (m *tables) count(c Client, k key) int {
	at := map[key]string{}
	for k, l := range m.bound {
		at[k] = l.Port
	}
	for k, o := range m.offers {
		if o.until.After(time.Now()) {
			at[k] = o.port
		}
	}
	n := 0
	for other, p := range at {
		if other != k && p == c.Port && other.v6 == c.V6 {
			n++
		}
	}
	for _, l := range m.declined {
		if l.Port == c.Port && l.V6 == c.V6 {
			n++
		}
	}
	return n
}

func (m *tables) propose(r *rapid.T) {
	c := anyClient(r)
	w := wantFor(c)
	if rapid.Bool().Draw(r, "hint") {
		w.Hint = netip.AddrFrom4([4]byte{10, 0, 0, byte(rapid.IntRange(8, 17).Draw(r, "addr"))})
	}
	before, known := m.Find(c)
	addr, err := m.Propose(c, w)
	switch {
	case errors.Is(err, ErrLimit):
		if n := m.count(c, c.key()); n < w.PerPort {
			r.Fatalf("port %q refused at %d addresses", c.Port, n)
		}
	case errors.Is(err, ErrExhausted):
		for a := w.Ranges[0].From; !w.Ranges[0].To.Less(a); a = a.Next() {
			if !m.others(c, a) {
				r.Fatalf("refused although %v is free", a)
			}
		}
	case err != nil:
		r.Fatal(err)
	case !w.allows(addr) || m.others(c, addr):
		r.Fatalf("%v is not to be had", addr)
	case known && addr != before.Addr && !m.others(c, before.Addr):
		r.Fatalf("%v instead of its own %v", addr, before.Addr)
	case m.counted(c) && m.count(c, key{}) > w.PerPort && m.count(c, c.key()) < w.PerPort:
		r.Fatalf("port %q has %d addresses", c.Port, m.count(c, key{}))
	default:
		m.offers[c.key()] = offer{addr, c.Port, time.Now().Add(w.Hold)}
	}
}

// counted reports whether the guest has or is offered something.
func (m *tables) counted(c Client) bool {
	_, bound := m.bound[c.key()]
	return bound || m.offers[c.key()].until.After(time.Now())
}

func (m *tables) bindAny(r *rapid.T) {
	c := anyClient(r)
	addr := wantFor(c).Ranges[0].From
	for range rapid.IntRange(0, 3).Draw(r, "offset") {
		addr = addr.Next()
	}
	if o := m.offers[c.key()]; o.addr.IsValid() && rapid.Bool().Draw(r, "as offered") {
		addr = o.addr
	}
	m.bindTo(r, c, addr)
}

func (m *tables) renewAny(r *rapid.T) {
	c := anyClient(r)
	if l, found := m.bound[c.key()]; found {
		m.bindTo(r, c, l.Addr)
	}
}

func (m *tables) bindTo(r *rapid.T, c Client, addr netip.Addr) {
	life := rapid.SampledFrom([]spec.Seconds{30, 90, spec.Infinite}).Draw(r, "life")
	taken := m.others(c, addr)
	l, err := m.Bind(c, addr, life, nil)
	if taken != errors.Is(err, ErrTaken) || !taken && err != nil {
		r.Fatalf("bind %v: %v, taken %v", addr, err, taken)
	}
	if err == nil {
		m.bound[c.key()] = l
		delete(m.offers, c.key())
	}
}

func (m *tables) releaseAny(r *rapid.T) {
	c := anyClient(r)
	l, found := m.bound[c.key()]
	if got := m.Release(c, l.Addr, nil); got != found {
		r.Fatalf("released: %v, had a lease: %v", got, found)
	}
	delete(m.bound, c.key())
}

func (m *tables) declineAny(r *rapid.T) {
	c := anyClient(r)
	l, found := m.bound[c.key()]
	if !found {
		return
	}
	taken := m.others(c, l.Addr)
	m.Decline(c, l.Addr, time.Minute, nil)
	if l, _ := m.At(l.Addr); !taken {
		m.declined[l.Addr] = l
		delete(m.bound, c.key())
		if m.offers[c.key()].addr == l.Addr {
			delete(m.offers, c.key())
		}
	}
}

func (m *tables) dropAny(r *rapid.T) {
	if rapid.IntRange(0, 4).Draw(r, "really") > 0 {
		return
	}
	m.DropPort("a", nil)
	for k, l := range m.bound {
		if l.Port == "a" {
			delete(m.bound, k)
		}
	}
	for k, o := range m.offers {
		if o.port == "a" {
			delete(m.offers, k)
		}
	}
}

func (m *tables) sleep(r *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 70).Draw(r, "seconds")) * time.Second)
	m.settle()
}

// settle lets what is over expire.
func (m *tables) settle() {
	synctest.Wait()
	over := func(l Lease) bool { return !l.Expires.IsZero() && !l.Expires.After(time.Now()) }
	for k, l := range m.bound {
		if over(l) {
			delete(m.bound, k)
		}
	}
	for addr, l := range m.declined {
		if over(l) {
			delete(m.declined, addr)
		}
	}
}

// restart opens the book from what is on disk. Offers are forgotten.
func (m *tables) restart(r *rapid.T) {
	before := m.desk
	before.close()
	m.desk = openDesk(before.t, before.disk.left()["old names, what was synced"])
	m.offers = map[key]offer{}
	m.settle()
	for n := range 10 {
		for _, c := range []Client{vm(n), v6(vm(n), 0), v6(vm(n), 1)} {
			was, had := before.Find(c)
			is, has := m.Find(c)
			if had != has || !cmp.Equal(was, is, byValue) {
				r.Fatalf("%v after the restart: %s", c.MAC, cmp.Diff(was, is, byValue))
			}
		}
	}
	for _, name := range []string{"n", "m"} {
		if was, is := before.Lookup(name), m.Lookup(name); !slices.Equal(was, is) {
			r.Fatalf("%s was %v and is %v", name, was, is)
		}
	}
}

func (m *tables) agree(r *rapid.T) {
	want := map[netip.Addr]string{}
	for k, l := range m.bound {
		want[l.Addr] = fmt.Sprint("bound ", k)
		if found, _ := m.Find(l.Client); !cmp.Equal(found, l, byValue) {
			r.Fatalf("its lease: %s", cmp.Diff(l, found, byValue))
		}
	}
	for addr := range m.declined {
		want[addr] = "declined"
	}
	got := map[netip.Addr]string{}
	for _, l := range m.Leases() {
		got[l.Addr] = "declined"
		if l.State == Bound {
			got[l.Addr] = fmt.Sprint("bound ", l.key())
		}
	}
	if diff := cmp.Diff(want, got, byValue); diff != "" {
		r.Fatalf("leases (-model +table):\n%s", diff)
	}
	if err := m.Table.check(); err != nil {
		r.Fatal(err)
	}
}
