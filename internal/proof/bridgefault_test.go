package proof

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
)

// fault is a way in which a conversion is disturbed, with how it must end: "before",
// "after", "after, booted", or "" when either will do.
type fault struct {
	name string
	end  string
	do   func(s *outpost)
}

// faults are all of them; how many there are depends on how many ops a conversion has,
// since the daemon is killed before each, there and back.
func faults(ops int) []fault {
	list := []fault{
		{"confirmed by command", "after", func(s *outpost) {
			sh := s.begin("60s --by-hand")
			s.login(s.kvmnet("bridge confirm"))
			sh.told("confirmed: kvmnet bridge confirm")
		}},
		{"confirmed by connecting", "after", func(s *outpost) {
			sh := s.begin("60s")
			s.login("true")
			sh.told("confirmed: a new connection from")
		}},
		{"unconfirmed", "before", func(s *outpost) { s.begin("1s").told("was reverted: nobody confirmed it within 1s") }},
		{"rolled back", "before", func(s *outpost) {
			sh := s.begin("60s --by-hand")
			s.login(s.kvmnet("bridge rollback"))
			sh.told("was reverted: kvmnet bridge rollback")
		}},
		{"client killed", "before", func(s *outpost) { s.killClient("1s"); s.over() }},
		{"client killed, then connected", "after", func(s *outpost) { s.killClient("60s"); s.login("true"); s.over() }},
		{"terminal closed", "before", func(s *outpost) { s.begin("1s", "-tt").hangUp(); s.over() }},
		{"terminal closed, then connected", "after", func(s *outpost) { s.begin("60s", "-tt").hangUp(); s.login("true"); s.over() }},
		{"daemon stopped", "before", func(s *outpost) { s.begin("60s"); s.daemon.Stop(); s.daemon.Start(0) }},
		{"daemon killed", "before", func(s *outpost) { s.begin("60s"); s.daemon.Kill(); s.daemon.Start(0) }},
		{"daemon killed, recovered without it", "before", func(s *outpost) { s.begin("60s"); s.daemon.Kill(); s.recover(); s.daemon.Start(0) }},
		{"machine booted", "before", func(s *outpost) { s.begin("60s"); s.boot() }},
		{"machine booted after the confirmation", "after, booted", func(s *outpost) { s.begin("60s"); s.login("true"); s.over(); s.boot() }},
	}
	for n := 1; n <= 2*ops+2; n++ {
		list = append(list, fault{fmt.Sprintf("%s%d", killedAtOp, n), "before", func(s *outpost) {
			if s.cut(daemontest.Role{KillAtHostOp: n}, func(sh *remote) { sh.told("") }); n <= ops && s.survived {
				s.t.Errorf("the daemon was not killed")
			}
			s.daemon.Start(0)
		}})
	}
	for n := 1; n <= journalWrites; n++ {
		list = append(list,
			fault{fmt.Sprintf("daemon killed before write %d", n), "", func(s *outpost) { s.cutWrite(n); s.daemon.Start(0) }},
			fault{fmt.Sprintf("daemon killed before write %d, machine booted", n), "", func(s *outpost) { s.cutWrite(n); s.boot() }})
	}
	return list
}

// killedAtOp is a fault that cannot happen any more when there is no such op.
const killedAtOp = "daemon killed before op "

// journalWrites are the operations on the disk of a change that is confirmed: three to
// arm it, three to confirm it, five to move it to the history.
const journalWrites = 11

// begin converts from a session. It returns when the change waits.
func (s *outpost) begin(within string, options ...string) *remote {
	s.t.Helper()
	sh := s.shell(options...)
	s.t.Cleanup(sh.end)
	sh.send(s.kvmnet("bridge convert eth0 --name br0 --confirm-within " + within))
	if _, err := sh.until("from a new SSH session:", 20*time.Second); err != nil {
		s.t.Fatalf("%v\n%s", err, s.daemon.Log)
	}
	return sh
}

// told wants a line of the command that waits, and the session to go on.
func (sh *remote) told(text string) {
	sh.t.Helper()
	if _, err := sh.until(text, 30*time.Second); err != nil {
		sh.t.Error(err)
	}
	sh.alive()
}

// login is a new session.
func (s *outpost) login(words string) {
	s.t.Helper()
	if out, err := s.ssh(words); err != nil {
		s.t.Errorf("a new session: %v: %s", err, out)
	}
}

// killClient converts, and kills the command that waits.
func (s *outpost) killClient(within string) {
	s.t.Helper()
	sh := s.shell()
	s.t.Cleanup(sh.end)
	sh.send(s.kvmnet("bridge convert eth0 --name br0 --confirm-within "+within) + " & pid=$!")
	if _, err := sh.until("from a new SSH session:", 20*time.Second); err != nil {
		s.t.Fatalf("%v\n%s", err, s.daemon.Log)
	}
	sh.send("kill -9 $pid; wait; echo gone")
	sh.told("gone")
}

// over waits until no change waits.
func (s *outpost) over() {
	s.t.Helper()
	nstest.Eventually(s.t, 30*time.Second, func() error {
		for _, c := range s.changes() {
			if c.Ended.IsZero() || c.Failure != "" {
				return fmt.Errorf("still waits: %+v", c)
			}
		}
		return nil
	})
}

// cut converts with a daemon that kills itself somewhere, at the latest when it
// reverts at the deadline of a second.
func (s *outpost) cut(role daemontest.Role, then func(*remote)) {
	s.t.Helper()
	s.daemon.Kill()
	role.Dir = s.daemon.Dir
	s.daemon.LaunchAs(role)
	s.awake()
	before, err := s.daemon.Client.Changes(s.t.Context())
	s.fine(err)
	sh := s.shell()
	s.t.Cleanup(sh.end)
	sh.send(s.kvmnet("bridge convert eth0 --name br0 --confirm-within 1s & ")) // it outlives the daemon by its patience
	then(sh)
	nstest.Eventually(s.t, 30*time.Second, func() error {
		select {
		case <-s.daemon.Ended:
			return nil
		default:
		}
		list, err := s.daemon.Client.Changes(s.t.Context())
		if s.survived = err == nil && len(list) > len(before) && !list[0].Ended.IsZero(); !s.survived {
			return fmt.Errorf("the change goes on: %+v, %v", list, err)
		}
		return nil
	})
	s.daemon.Kill()
	sh.alive()
}

// cutWrite converts and confirms, with a daemon that kills itself before a write.
func (s *outpost) cutWrite(n int) {
	s.t.Helper()
	s.cut(daemontest.Role{KillAtChangeWrite: n}, func(*remote) {
		deadline := time.Now().Add(20 * time.Second)
		for time.Now().Before(deadline) {
			if _, err := s.daemon.Client.ConfirmChange(s.t.Context(), ""); err == nil || !strings.Contains(err.Error(), "no such change waits") {
				return
			}
			select {
			case <-s.daemon.Ended:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	})
}

// awake waits until the daemon answers.
func (s *outpost) awake() {
	s.t.Helper()
	nstest.Eventually(s.t, time.Minute, func() error { _, err := s.daemon.Client.Status(s.t.Context()); return err })
}

// TestConversionEndsBeforeOrAfter cuts conversions in every way, and in each way of
// addressing. Whatever happens, the machine is reached by SSH afterwards and is,
// kernel and files, either as it was or as it was confirmed.
func TestConversionEndsBeforeOrAfter(t *testing.T) {
	t.Parallel()
	var runs, kept atomic.Int64
	t.Run("all", func(t *testing.T) {
		for i, a := range addressings() {
			if !*everyOp && i != 0 && i != 7 && i != 10 {
				continue
			}
			t.Run(a.String(), func(t *testing.T) {
				t.Parallel()
				s := newOutpost(t, a)
				r := s.learn()
				for n, f := range faults(r.ops) {
					beyond := s.survived && strings.HasPrefix(f.name, killedAtOp)
					if !*everyOp && (n+i)%17 != 0 || t.Failed() || beyond {
						continue
					}
					if s.try(f, r) {
						kept.Add(1)
					}
					runs.Add(1)
				}
			})
		}
	})
	t.Logf("%d conversions, %d of them kept", runs.Load(), kept.Load())
	if *everyOp && runs.Load() < 200 {
		t.Errorf("only %d conversions", runs.Load())
	}
}

// try makes one conversion with a fault, checks how it ends, and takes it back. It
// reports whether it was kept.
func (s *outpost) try(f fault, r references) bool {
	s.t.Helper()
	s.t.Log(f.name)
	f.do(s)
	end := f.end
	if end == "" {
		end = s.ended(strings.HasSuffix(f.name, "booted"))
	}
	s.is(f.name, r, end)
	s.login("true")
	if end == "before" {
		return false
	}
	s.undo(r)
	return true
}

// ended tells how a conversion ended that may end either way.
func (s *outpost) ended(booted bool) string {
	s.t.Helper()
	list, err := s.daemon.Client.Conversions(s.t.Context())
	s.fine(err)
	switch {
	case !slices.ContainsFunc(list, func(c api.ConvertedBridge) bool { return c.Bridge == "br0" }):
		return "before"
	case booted:
		return "after, booted"
	}
	return "after"
}

// undo goes back to the beginning, without a session.
func (s *outpost) undo(r references) {
	s.t.Helper()
	c, err := s.daemon.Client.UnconvertBridge(s.t.Context(), api.UnconvertBridge{Bridge: "br0"})
	s.fine(err)
	_, err = s.daemon.Client.ConfirmChange(s.t.Context(), c.Change.ID)
	s.fine(err)
	s.is("taken back", r, "before")
}

// end ends a session, with what still runs in it.
func (sh *remote) end() {
	sh.cmd.Process.Signal(syscall.SIGTERM)
	sh.stdin.Close()
	sh.cmd.Wait()
}
