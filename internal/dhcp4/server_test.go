package dhcp4

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"pgregory.net/rapid"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

func TestNothingIsAcknowledgedThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.want("discover", r.exchange(msg(discover, guest(1))), "offer 192.168.100.10")
		if err := r.book.Close(); err != nil {
			t.Fatal(err)
		}
		r.want("request", r.exchange(msg(request, guest(1), serverID(gateway), asked("192.168.100.10"))), "silence")
		if len(r.warnings("while leases cannot be written")) != 1 || r.server.Counters().NotWritten != 1 {
			t.Errorf("warnings %q", r.warnings(""))
		}
	})
}

// broken is a table of a book whose disk is full.
type broken struct{ table }

func (broken) Bind(_ lease.Client, _ netip.Addr, _ spec.Seconds, done func(error)) (lease.Lease, error) {
	done(errors.New("no space left on device"))
	return lease.Lease{}, nil
}

func TestNothingIsAcknowledgedThatWasNotWritten(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.server.table = broken{r.server.table}
		r.want("request", r.lease4(guest(1)), "silence")
		r.want("rapid commit", r.exchange(msg(discover, guest(1), opt(optRapidCommit))), "silence")
		if len(r.warnings("no space left on device")) != 1 || r.server.Counters().NotWritten != 2 {
			t.Errorf("warnings %q", r.warnings(""))
		}
	})
}

func TestWhatTheLinkRefusesIsCounted(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		r.fail = errors.New("no buffer space")
		r.exchange(msg(discover, guest(1)))
		if c := r.server.Counters(); c.NotSent != 1 || c.Offers != 0 {
			t.Errorf("counters %+v", c)
		}
	})
}

func TestOfferedAddressTakenByAnotherIsRefused(t *testing.T) {
	t.Parallel()
	world(t, lab(), func(r *rig) {
		o := r.exchange(msg(discover, guest(1)))
		time.Sleep(lease.OfferTime)
		r.exchange(msg(request, guest(2), asked(o.addr().String())))
		r.want("too late", r.exchange(msg(request, guest(1), serverID(gateway), asked(o.addr().String()))), "nak 0.0.0.0")
	})
}

// TestSetWhileRequestsFlow: every request gets its answer, whatever is set.
func TestSetWhileRequestsFlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		serve := func(name string) {
			r.server.Set(lab(reserve(plan.Reservation{Name: name, MAC: guest(1), Addr: addr("192.168.100.50")})))
		}
		serve("first")
		go func() {
			for n := range 200 {
				serve(fmt.Sprint("x", n))
				runtime.Gosched()
			}
		}()
		for range 200 {
			r.handle(guest(1), msg(request, guest(1), asked("192.168.100.50")))
			runtime.Gosched()
		}
		synctest.Wait()
		if got := len(r.take()); got != 200 {
			t.Errorf("%d answers to 200 requests", got)
		}
		if l, _ := r.table.At(addr("192.168.100.50")); l.Hostname == "first" {
			t.Error("nothing was set meanwhile")
		}
	})
}

// witness is a link that looks at every acknowledgement: is the lease on disk,
// and does nobody else hold the address?
type witness struct {
	*rig
	file  string
	held  map[netip.Addr]tenure // what clients believe to have
	fault string
}

func (w *witness) Send(p socket.Packet) error {
	w.rig.Send(p)
	b := p.Payload
	yours := address(b[16:20])
	if kind(b[headerSize+2]) != ack || !yours.IsValid() {
		return nil
	}
	book, err := os.ReadFile(w.file)
	if err != nil {
		w.fault = err.Error()
	}
	last := ""
	for line := range strings.Lines(string(book)) {
		if strings.Contains(line, `"ip":"`+yours.String()+`"`) {
			last = line
		}
	}
	w.account(spec.MAC(b[28:34]), yours)
	if mac := spec.MAC(b[28:34]).String(); !strings.Contains(last, mac) || !strings.Contains(last, `"bound"`) {
		w.fault = fmt.Sprintf("%s was acknowledged to %s, and the book says %q", yours, mac, last)
	}
	return nil
}

// TestAnySequenceOfMessages: no address is given to two clients at a time, and
// none is acknowledged that is not on disk.
func TestAnySequenceOfMessages(t *testing.T) {
	t.Parallel()
	base, run := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 5, 40).Draw(rt, "steps")
		fault := ""
		run++
		synctest.Test(t, func(t *testing.T) { fault = play(t, filepath.Join(base, fmt.Sprint(run)), steps) })
		if fault != "" {
			rt.Fatal(fault)
		}
	})
}

// step is one message of one guest, maybe after a change of what is served.
type step struct {
	Set     *plan.DHCP
	Guest   byte
	Kind    kind
	Name    string // of the way the address is named
	Address string
	Pause   time.Duration
}

func drawStep(rt *rapid.T) step {
	s := step{
		Guest:   rapid.ByteRange(1, 5).Draw(rt, "guest"),
		Kind:    rapid.SampledFrom([]kind{discover, discover, request, request, request, release, decline}).Draw(rt, "kind"),
		Name:    rapid.SampledFrom([]string{"asked", "selecting", "ciaddr", "rapid"}).Draw(rt, "way"),
		Address: fmt.Sprintf("192.168.100.%d", rapid.IntRange(9, 16).Draw(rt, "address")),
		Pause:   rapid.SampledFrom([]time.Duration{patience, time.Minute, time.Hour}).Draw(rt, "pause"),
	}
	if rapid.IntRange(0, 9).Draw(rt, "set") == 0 {
		s.Set = drawPlan(rt)
	}
	return s
}

func drawPlan(rt *rapid.T) *plan.DHCP {
	d := lab(func(s *plan.Scope) {
		s.Ranges = ranges("192.168.100.10", fmt.Sprintf("192.168.100.%d", rapid.IntRange(10, 14).Draw(rt, "last")))
		if rapid.Bool().Draw(rt, "reserved") {
			s.Reservations = []plan.Reservation{{Name: "one", MAC: guest(1), Addr: addr(fmt.Sprintf("192.168.100.%d", rapid.IntRange(10, 16).Draw(rt, "for guest 1")))}}
		}
	})
	d.PerPort = 0
	return d
}

func (s step) message() *dhcpv4.DHCPv4 {
	mods := map[string][]mod{
		"asked": {asked(s.Address)}, "selecting": {asked(s.Address), serverID(gateway)}, "ciaddr": {ciaddr(s.Address)}, "rapid": {opt(optRapidCommit)},
	}[s.Name]
	switch s.Kind {
	case release:
		mods = []mod{ciaddr(s.Address)}
	case decline:
		mods = []mod{asked(s.Address)}
	}
	return msg(s.Kind, guest(s.Guest), append(mods, text(optClientID, "same"))...)
}

// play runs the steps and tells the first fault.
func play(t *testing.T, dir string, steps []step) string {
	book, err := lease.Open(dir, lease.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer book.Close()
	w := &witness{rig: &rig{TB: t, book: book, table: book.Table("lab")}, file: filepath.Join(dir, "leases"), held: map[netip.Addr]tenure{}}
	w.server = New(Options{Table: w.table, Link: w})
	defer w.server.Close()
	w.server.Set(lab())
	for _, s := range steps {
		if s.Set != nil {
			w.server.Set(s.Set)
		}
		w.handle(guest(s.Guest), s.message())
		if a := addr(s.Address); s.Kind >= decline && w.held[a].mac == guest(s.Guest) {
			delete(w.held, a)
		}
		time.Sleep(s.Pause)
		synctest.Wait()
		if w.fault != "" {
			return w.fault
		}
	}
	return ""
}

// tenure is what a client believes to have.
type tenure struct {
	mac   spec.MAC
	until time.Time
}

// account takes what a client is told.
func (w *witness) account(mac spec.MAC, a netip.Addr) {
	for other, has := range w.held {
		if has.mac == mac && other != a || !has.until.After(time.Now()) {
			delete(w.held, other)
		}
	}
	if has, ok := w.held[a]; ok && has.mac != mac {
		w.fault = fmt.Sprintf("%s is given to %s while %s has it", a, mac, has.mac)
	}
	w.held[a] = tenure{mac, time.Now().Add(time.Hour)}
}
