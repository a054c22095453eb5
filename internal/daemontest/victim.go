package daemontest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/specfile"
	"kvmnet/internal/store"
)

// KillAtOps brings a lab up and takes it down again, with the daemon killed by
// SIGKILL before every so-manyth op in turn (before op n+1 is after op n). Each time
// the next start must lead to the same kernel state, and the end must leave nothing.
// It returns at how many ops of either it was killed.
func KillAtOps(t *testing.T, lab string, workers, every int) (up, down int64) {
	nstest.Need(t)
	var ups, downs atomic.Int64
	t.Run("workers", func(t *testing.T) {
		for w := range workers {
			t.Run(fmt.Sprint(w), func(t *testing.T) {
				t.Parallel()
				v := NewVictim(t, lab)
				up, down := true, true
				for op := 1 + w*every; (up || down) && !t.Failed() && !(testing.Short() && op > 3*every*workers); op += every * workers {
					if up, down = v.Round(op, up, down); up {
						ups.Add(1)
					}
					if down {
						downs.Add(1)
					}
				}
			})
		}
	})
	t.Logf("killed at %d ops of bringing up and %d of tearing down", ups.Load(), downs.Load())
	return ups.Load(), downs.Load()
}

// Victim is a machine whose daemon is killed again and again.
type Victim struct {
	*Machine
	text  string // the lab it brings up, as YAML
	empty string // dump of the machine without any network
	whole string // dump of the machine with the lab, from an undisturbed daemon
}

// NewVictim makes one on a machine with an uplink.
func NewVictim(t testing.TB, lab string) *Victim {
	v := &Victim{Machine: NewMachine(t, Uplinked(t)), text: lab}
	v.empty = v.dump()
	v.define()
	v.Start(0)
	v.Settled()
	v.whole = v.dump()
	v.Stop()
	v.undefine()
	v.Start(0)
	v.converged("taken down undisturbed", v.empty)
	v.Stop()
	return v
}

// Index is the kernel's number of a link, another one each time it is made: its own,
// and that of its other end in another namespace.
var Index = regexp.MustCompile(`(?m)^(\s*)\d+: |@if\d+`)

func (v *Victim) dump() string {
	return Index.ReplaceAllString(nstest.Dump(v.T, v.NS)+v.routers(), "$1")
}

// routers dumps the namespaces of the routers.
func (v *Victim) routers() string {
	dir, text := Options(v.Dir).NetnsDir, ""
	names, _ := os.ReadDir(dir) // none without a router
	for _, n := range names {
		ns, err := netns.Open(filepath.Join(dir, n.Name()))
		if err != nil {
			v.T.Fatal(err)
		}
		text += "netns " + n.Name() + "\n" + nstest.Dump(v.T, ns)
		ns.Close()
	}
	return text
}

// Round brings the lab up and down, the daemon killed at that op of either that is
// asked for, and reports whether it got that far.
func (v *Victim) Round(op int, up, down bool) (diedUp, diedDown bool) {
	v.T.Helper()
	v.define()
	diedUp = up && v.dies(op)
	v.Start(0)
	v.converged(fmt.Sprintf("killed before op %d of bringing up", op), v.whole)
	v.Kill()
	v.undefine()
	diedDown = down && v.dies(op)
	v.Start(0)
	v.converged(fmt.Sprintf("killed before op %d of tearing down", op), v.empty)
	v.Kill()
	return diedUp, diedDown
}

// dies starts a daemon that kills itself at the op, and reports whether it did;
// one that had fewer ops to do is killed when it is ready.
func (v *Victim) dies(op int) bool {
	v.Launch(op)
	defer v.Kill()
	for {
		select {
		case <-v.Ended:
			return true
		case <-time.After(5 * time.Millisecond):
		}
		if _, err := v.Client.Status(v.T.Context()); err == nil {
			return false // the socket answers status after the first pass
		}
	}
}

func (v *Victim) converged(when, want string) {
	v.T.Helper()
	v.Settled()
	nstest.Eventually(v.T, time.Minute, func() error { // the kernel tells carriers and routes a little later
		if d := nstest.Diff(want, v.dump()); d != "" {
			return fmt.Errorf("%s: the dump differs:\n%s\n%s", when, d, v.Log)
		}
		return nil
	})
}

// define writes the lab's definitions, as people would with an editor.
func (v *Victim) define() {
	v.T.Helper()
	f, problems := specfile.Parse("lab.yaml", []byte(v.text))
	if len(problems) > 0 {
		v.T.Fatal(problems)
	}
	o := Options(v.Dir)
	s, err := store.Open(store.Dirs{Config: o.ConfigDir, State: o.StateDir, Runtime: o.RuntimeDir})
	if err != nil {
		v.T.Fatal(err)
	}
	f.Spec.Default()
	os.Remove(filepath.Join(o.RuntimeDir, "booted"))
	if err := s.Define(f.Spec); err != nil {
		v.T.Fatal(err)
	}
}

// undefine removes all definitions and run marks, but not the record of borrowed
// settings, which is the daemon's to give back.
func (v *Victim) undefine() {
	v.T.Helper()
	o := Options(v.Dir)
	for _, dir := range []string{o.ConfigDir, filepath.Join(o.RuntimeDir, "running")} {
		if err := os.RemoveAll(dir); err != nil {
			v.T.Fatal(err)
		}
	}
}
