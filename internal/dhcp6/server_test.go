package dhcp6

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/lease"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// slow is a table whose disk writes when the test says so.
type slow struct {
	table
	waiting []func(error)
	busy    error // returned by Bind
}

func (s *slow) Bind(c lease.Client, a netip.Addr, life spec.Seconds, done func(error)) (lease.Lease, error) {
	if s.busy != nil {
		return lease.Lease{}, s.busy
	}
	l, err := s.table.Bind(c, a, life, nil)
	if err == nil {
		s.waiting = append(s.waiting, done)
	}
	return l, err
}

func (s *slow) Release(c lease.Client, a netip.Addr, done func(error)) bool {
	ok := s.table.Release(c, a, nil)
	if ok {
		s.waiting = append(s.waiting, done)
	}
	return ok
}

func (s *slow) Decline(c lease.Client, a netip.Addr, quarantine time.Duration, done func(error)) {
	s.table.Decline(c, a, quarantine, nil)
	s.waiting = append(s.waiting, done)
}

// newSlowRig is a rig whose disk is slow.
func newSlowRig(t *testing.T) (*rig, *slow) {
	r := newRig(t, sample())
	s := &slow{table: r.table}
	r.Server = newServer(Options{Link: r, DUID: serverDUID, Source: func() netip.Addr { return linkLocal }}, s)
	r.Set(sample())
	return r, s
}

func TestReplyWaitsForTheDisk(t *testing.T) {
	t.Parallel()
	r, s := newSlowRig(t)
	r.ignored(guestA.packet(doRequest, toServer, iaNA(1), iaNA(2)))
	if len(s.waiting) != 2 {
		t.Fatalf("%d leases wait for the disk", len(s.waiting))
	}
	s.waiting[0](nil)
	if len(r.sent) != 0 {
		t.Fatal("the answer left while a lease of it is not on disk")
	}
	s.waiting[1](nil)
	if len(r.sent) != 1 || r.Counters().Replied != 1 {
		t.Errorf("%d answers, counted %+v", len(r.sent), r.Counters())
	}
}

func TestOfferDoesNotWaitForTheDisk(t *testing.T) {
	t.Parallel()
	r, _ := newSlowRig(t)
	r.answer(guestA, doSolicit, iaNA(1))
}

func TestReplyIsWithheldWhenTheDiskFails(t *testing.T) {
	t.Parallel()
	for failed := range 2 {
		r, s := newSlowRig(t)
		r.Handle(guestA.packet(doRequest, toServer, iaNA(1), iaNA(2)))
		for i, done := range s.waiting {
			if i == failed {
				done(errors.New("disk full"))
			} else {
				done(nil)
			}
		}
		if n := r.Counters(); len(r.sent) != 0 || n.Unsaved != 1 {
			t.Errorf("%d answers, counted %+v", len(r.sent), n)
		}
	}
}

func TestBusyBookMeansNoAnswer(t *testing.T) {
	t.Parallel()
	for _, err := range []error{lease.ErrBusy, lease.ErrClosed} {
		r, s := newSlowRig(t)
		s.busy = err
		r.ignored(guestA.packet(doRequest, toServer, iaNA(1)))
		if n := r.Counters(); n.Unsaved != 1 {
			t.Errorf("%v: counted %+v", err, n)
		}
	}
}

func TestAddressTakenMeanwhileIsNotPromised(t *testing.T) {
	t.Parallel()
	r, s := newSlowRig(t)
	s.busy = lease.ErrTaken
	if m := r.answer(guestA, doRequest, toServer, iaNA(1)); iaStatus(t, m, 1) != iana.StatusNoAddrsAvail {
		t.Errorf("answered %s", m.Summary())
	}
}

func TestClosedServerIsSilent(t *testing.T) {
	t.Parallel()
	r, s := newSlowRig(t)
	r.Handle(guestA.packet(doRequest, toServer, iaNA(1)))
	r.Close()
	s.waiting[0](nil)
	r.ignored(guestA.packet(doSolicit, iaNA(1)))
	if len(r.sent) != 0 {
		t.Error("an answer left after Close")
	}
}

func TestNothingIsServedWithoutAPlan(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	r.Set(nil)
	r.ignored(guestA.packet(doInform))
	r.Set(sample())
	r.answer(guestA, doInform)
}

func TestUnsentAnswersAreCounted(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	r.o.Link = broken{}
	r.Handle(guestA.packet(doSolicit, iaNA(1)))
	if n := r.Counters(); n.Failed != 1 || n.Advertised != 0 {
		t.Errorf("counted %+v", n)
	}
}

type broken struct{}

func (broken) Send(socket.Packet) error { return errors.New("the link is down") }

func TestOneGuestCannotAskTooOften(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := sample()
		d.Rate = 3
		r := newRig(t, d)
		for i := range 10 {
			if p := guestA.packet(doInform); i < 3 {
				r.ask(p)
			} else {
				r.ignored(p)
			}
		}
		r.answer(guestB, doInform)
		time.Sleep(time.Second)
		r.answer(guestA, doInform)
		if n := r.Counters(); n.Limited != 7 {
			t.Errorf("counted %+v", n)
		}
	})
}

func TestExpiredAddressIsGivenAgainAndQuarantineEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := sample()
		d.Scopes[0].Ranges[0].To = addr("fd00:1::1001")
		r := newRig(t, d)
		a := r.bind(guestA, 1)
		r.answer(guestA, doDecline, toServer, iaNA(1, a))
		b := r.bind(guestA, 1)
		if m := r.answer(guestB, doSolicit, iaNA(1)); given(t, m, 1).IsValid() {
			t.Fatalf("%s is given of %s, which is declined, and %s, which is leased", given(t, m, 1), a, b)
		}
		time.Sleep(lease.Quarantine + time.Minute)
		synctest.Wait()
		if got := r.bind(guestB, 1); got != a {
			t.Errorf("got %s after the quarantine, want %s", got, a)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		third := guest{spec.MAC{0x52, 0x54, 0, 0, 0, 0xc}, duid("c")}
		if got := r.bind(third, 1); got != a && got != b {
			t.Errorf("got %s after all leases ran out", got)
		}
	})
}

func TestSetWhileAnswering(t *testing.T) {
	t.Parallel()
	r := newRig(t, sample())
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		for range 200 {
			r.Set(sample())
		}
	}()
	for range 50 {
		r.answer(guestA, doSolicit, rapidCommit, iaNA(1))
	}
	<-stop
	if n := r.Counters(); n.Solicit != 50 || n.Replied != 50 {
		t.Errorf("counted %+v", n)
	}
}

func TestTrustedAgentIsCountedByItsClients(t *testing.T) {
	t.Parallel()
	d := behind()
	d.Rate, d.PerPort = 1, 1
	r := newRig(t, d)
	for i := range byte(20) {
		mac := spec.MAC{2, 0, 0, 0, 1, i}
		m := guest{mac, duid("many")}.message(doSolicit, rapidCommit, iaNA(1))
		p := r.ask(forward(guestA, m, relay{link: addr("fd00:2::1"), mac: mac}))
		d, err := dhcpv6.FromBytes(p.Payload)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := d.GetInnerMessage()
		if err != nil || !given(t, inner, 1).IsValid() {
			t.Fatalf("client %d: %v, %s", i, err, inner.Summary())
		}
	}
}
