package proof

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
)

// references are what a machine may look like.
type references struct {
	before, after      string // the kernel
	afterBoot          string // the kernel, booted from the files of after
	filesOld, filesNew string
	ops                int // of a conversion
}

// TestSessionConvertsItsOwnNIC: the session by which the order came goes on, through
// the conversion and back; a new one confirms; files come with the confirmation; after
// a boot the host is as after the conversion.
func TestSessionConvertsItsOwnNIC(t *testing.T) {
	t.Parallel()
	for i, a := range addressings() {
		if !*everyOp && i != 3 && i != 9 {
			continue
		}
		t.Run(a.String(), func(t *testing.T) {
			t.Parallel()
			s := newOutpost(t, a)
			r := s.learn()
			t.Logf("%d ops", r.ops)
		})
	}
}

// learn converts without any fault, boots, and takes it back.
func (s *outpost) learn() (r references) {
	s.t.Helper()
	s.settle()
	r.before, r.filesOld = s.dump(), s.files()
	plan, err := s.daemon.Client.ConvertBridge(s.t.Context(), api.ConvertBridge{Interface: "eth0", Bridge: "br0", Plan: true})
	s.fine(err)
	r.ops = len(plan.Ops)
	s.t.Log("\n" + strings.Join(plan.Ops, "\n"))
	sh := s.shell()
	defer sh.close()
	sh.send(s.kvmnet("bridge convert eth0 --name br0 --confirm-within 30s"))
	text, err := sh.until("with a new connection from", 20*time.Second)
	s.fine(err)
	s.t.Log(strings.TrimSpace(text))
	if files := s.files(); files != r.filesOld {
		s.t.Errorf("files changed before the confirmation:\n%s", nstest.Diff(r.filesOld, files))
	}
	out, err := s.ssh(s.kvmnet("bridge confirm"))
	if err != nil || !strings.Contains(out, "(eth0 into br0) confirmed") {
		s.t.Fatalf("confirm: %v: %s", err, out)
	}
	_, err = sh.until("confirmed: ", 20*time.Second) // by what came first, the connection or the command
	s.fine(err)
	sh.alive()
	s.settle()
	r.after, r.filesNew = s.dump(), s.files()
	if r.filesNew == r.filesOld {
		s.t.Error("no files were written")
	}
	s.boot()
	s.settle()
	if got := s.files(); got != r.filesNew {
		s.t.Errorf("a boot changed files:\n%s", nstest.Diff(r.filesNew, got))
	}
	r.afterBoot = s.dump()
	s.takeBack(r)
	return r
}

// takeBack unconverts over SSH, confirmed by that a new session is opened.
func (s *outpost) takeBack(r references) {
	s.t.Helper()
	sh := s.shell()
	defer sh.close()
	sh.send(s.kvmnet("bridge unconvert br0 --confirm-within 30s"))
	_, err := sh.until("with a new connection from", 20*time.Second)
	s.fine(err)
	if out, err := s.ssh("true"); err != nil {
		s.t.Fatalf("no new session: %v: %s", err, out)
	}
	_, err = sh.until("confirmed: a new connection from", 20*time.Second)
	s.fine(err)
	sh.alive()
	s.is("taken back", r, "before")
}

// is wants the machine before or after, kernel and files.
func (s *outpost) is(when string, r references, state string) {
	s.t.Helper()
	kernel, files := r.before, r.filesOld
	switch state {
	case "after":
		kernel, files = r.after, r.filesNew
	case "after, booted":
		kernel, files = r.afterBoot, r.filesNew
	}
	if err := s.becomes(kernel); err != nil {
		s.t.Errorf("%s, want %s: %v\n%s", when, state, err, s.daemon.Log)
	}
	if got := s.files(); got != files {
		s.t.Errorf("%s, want %s: the files differ (-want +got):\n%s", when, state, nstest.Diff(files, got))
	}
	for _, c := range s.changes() {
		if c.State == api.ChangeArmed || c.State == api.ChangeReverting || c.Failure != "" {
			s.t.Errorf("%s: a change still waits: %+v", when, c)
		}
	}
}

// settle waits until the kernel has done what it does by itself, such as looking for
// duplicates of an address.
func (s *outpost) settle() {
	s.t.Helper()
	s.daemon.Settled()
	last, since := s.dump(), time.Now()
	nstest.Eventually(s.t, 20*time.Second, func() error {
		if tentative := nstest.Run(s.t, s.machine.NS(), "ip", "-6", "addr", "show", "tentative"); tentative != "" {
			return fmt.Errorf("tentative: %s", tentative)
		}
		if now := s.dump(); now != last {
			last, since = now, time.Now()
		}
		if time.Since(since) < 300*time.Millisecond {
			return fmt.Errorf("still changes")
		}
		return nil
	})
}

// addressings are all ways in which the NIC may come to its address.
func addressings() (all []addressing) {
	for _, six := range []bool{false, true} {
		for _, dhcp := range []bool{false, true} {
			for _, onlink := range []bool{false, true} {
				all = append(all, addressing{six: six, dhcp: dhcp, onlink: onlink})
			}
		}
	}
	for _, six := range []bool{false, true} {
		for _, onlink := range []bool{false, true} {
			all = append(all, addressing{six: six, dhcp: six != onlink, onlink: onlink, joins: true})
		}
	}
	return all
}
