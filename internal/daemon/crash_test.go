package daemon_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/specfile"
	"kvmnet/internal/store"
)

// TestDaemonKilledAtEveryOp brings up a lab of all modes and takes it down again,
// with the daemon killed by SIGKILL before every single op in turn (before op
// n+1 is after op n). Each time the next start must lead to the same kernel
// state, and the end must leave nothing.
func TestDaemonKilledAtEveryOp(t *testing.T) {
	nstest.Need(t)
	const workers = 3
	var up, down atomic.Int64
	t.Run("workers", func(t *testing.T) {
		for w := range workers {
			t.Run(fmt.Sprint(w), func(t *testing.T) {
				t.Parallel()
				v := newVictim(t)
				for op := w + 1; ; op += workers {
					diedUp, diedDown := v.round(op)
					if diedUp {
						up.Add(1)
					}
					if diedDown {
						down.Add(1)
					}
					if !diedUp && !diedDown || t.Failed() || testing.Short() && op > 3*workers {
						return
					}
				}
			})
		}
	})
	t.Logf("killed at %d ops of bringing up and %d of tearing down", up.Load(), down.Load())
	if !testing.Short() && (up.Load() < 80 || down.Load() < 20) {
		t.Errorf("too few ops were cut: the lab is not what it should be")
	}
}

// victim is a machine whose daemon is killed again and again.
type victim struct {
	*machine
	t     *testing.T
	empty string // dump of the machine without any network
	whole string // dump of the machine with the lab, from an undisturbed daemon
}

func newVictim(t *testing.T) *victim {
	v := &victim{machine: newMachine(t, uplinked(t)), t: t}
	v.empty = v.dump()
	v.define()
	v.start(0)
	v.settled()
	v.whole = v.dump()
	v.stop()
	v.undefine()
	v.start(0)
	v.converged("taken down undisturbed", v.empty)
	v.stop()
	return v
}

// uplinked makes a namespace with an uplink: both ends of a cable in one place
// will do where no packet flows.
func uplinked(t testing.TB) *netns.NS {
	ns := nstest.NS(t)
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"link", "add", "eth0", "type", "veth", "peer", "name", "far0"},
		{"link", "set", "eth0", "addrgenmode", "none"}, // no link-local addresses that come later
		{"link", "set", "far0", "addrgenmode", "none"},
		{"link", "set", "far0", "up"},
		{"link", "set", "eth0", "up"},
		{"addr", "add", "192.0.2.2/24", "dev", "eth0"},
		{"addr", "add", "2001:db8:2::2/64", "dev", "eth0", "nodad"},
		{"route", "add", "default", "via", "192.0.2.1"},
		{"route", "add", "default", "via", "2001:db8:2::1"},
	} {
		nstest.Run(t, ns, "ip", args...)
	}
	nstest.Eventually(t, 10*time.Second, func() error { // both ends get their carrier and their routes a little later
		links := nstest.Run(t, ns, "ip", "link")
		routes := nstest.Run(t, ns, "ip", "-6", "route", "show", "table", "local")
		for _, want := range []string{"local 2001:db8:2::2", "ff00::/8 dev eth0", "ff00::/8 dev far0"} {
			if !strings.Contains(routes, want) || strings.Contains(links, "LOWERLAYERDOWN") {
				return errors.New("the uplink has no carrier")
			}
		}
		return nil
	})
	return ns
}

// index is the kernel's number of a link, another one each time it is made.
var index = regexp.MustCompile(`(?m)^(\s*)\d+: `)

func (v *victim) dump() string { return index.ReplaceAllString(nstest.Dump(v.t, v.ns), "$1") }

// round brings the lab up and down, the daemon killed at that op each time, and
// reports whether it got that far.
func (v *victim) round(op int) (diedUp, diedDown bool) {
	v.t.Helper()
	v.define()
	diedUp = v.dies(op)
	v.start(0)
	v.converged(fmt.Sprintf("killed before op %d of bringing up", op), v.whole)
	v.kill()
	v.undefine()
	diedDown = v.dies(op)
	v.start(0)
	v.converged(fmt.Sprintf("killed before op %d of tearing down", op), v.empty)
	v.kill()
	return diedUp, diedDown
}

// dies starts a daemon that kills itself at the op, and reports whether it did;
// one that had fewer ops to do is killed when it is ready.
func (v *victim) dies(op int) bool {
	v.launch(op)
	defer v.kill()
	for {
		select {
		case <-v.ended:
			return true
		case <-time.After(5 * time.Millisecond):
		}
		if _, err := v.client.Status(v.t.Context()); err == nil {
			return false // the socket answers status after the first pass
		}
	}
}

func (v *victim) converged(when, want string) {
	v.t.Helper()
	v.settled()
	nstest.Eventually(v.t, 10*time.Second, func() error { // the kernel tells carriers and routes a little later
		if d := nstest.Diff(want, v.dump()); d != "" {
			return fmt.Errorf("%s: the dump differs:\n%s\n%s", when, d, v.log)
		}
		return nil
	})
}

// define writes the lab's definitions, as people would with an editor.
func (v *victim) define() {
	v.t.Helper()
	f, problems := specfile.Parse("lab.yaml", []byte(allModes))
	if len(problems) > 0 {
		v.t.Fatal(problems)
	}
	o := options(v.dir)
	s, err := store.Open(store.Dirs{Config: o.ConfigDir, State: o.StateDir, Runtime: o.RuntimeDir})
	if err != nil {
		v.t.Fatal(err)
	}
	f.Spec.Default()
	os.Remove(filepath.Join(o.RuntimeDir, "booted"))
	if err := s.Define(f.Spec); err != nil {
		v.t.Fatal(err)
	}
}

// undefine removes all definitions and run marks, but not the record of borrowed
// settings, which is the daemon's to give back.
func (v *victim) undefine() {
	v.t.Helper()
	o := options(v.dir)
	for _, dir := range []string{o.ConfigDir, filepath.Join(o.RuntimeDir, "running")} {
		if err := os.RemoveAll(dir); err != nil {
			v.t.Fatal(err)
		}
	}
}
