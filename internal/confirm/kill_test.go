package confirm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/lockdir"
)

// The test binary is also the process that is killed: started again with this
// variable set, it makes and ends a change in the directory the variable names.
const roleVar = "KVMNET_TEST_CONFIRM"

func TestMain(m *testing.M) {
	if role := os.Getenv(roleVar); role != "" {
		os.Exit(live(role))
	}
	os.Exit(m.Run())
}

// ground is a world of two files.
type ground struct{ dir string }

func (g ground) set(name, text string) error {
	return os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600)
}

func (g ground) Revert(context.Context, Change) error { return g.set("kernel", "before") }
func (g ground) Finish(context.Context, Change) error { return g.set("files", "after") }

func (g ground) String() string {
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(g.dir, name))
		if err != nil {
			return "before"
		}
		return string(text)
	}
	return read("kernel") + "/" + read("files")
}

func (g ground) open(before func()) (*Journal, error) {
	return Open(Options{Dir: filepath.Join(g.dir, "journal"), Boot: bootA, Kinds: map[string]Kind{"test": g}, BeforeWrite: before})
}

// live is the process: "confirm 7 /tmp/x" is killed before its seventh write.
func live(role string) int {
	words := strings.SplitN(role, " ", 3)
	at, _ := strconv.Atoi(words[1])
	var writes atomic.Int64
	g := ground{words[2]}
	j, err := g.open(func() {
		if writes.Add(1) == int64(at) {
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx := context.Background()
	_, err = j.Make(ctx, minute("eth0"), func(context.Context, Change) error { return g.set("kernel", "after") })
	if words[0] == "confirm" {
		_, err2 := j.Confirm(ctx, "", "")
		err = errors.Join(err, err2)
	} else {
		_, err2 := j.Rollback(ctx, "", "asked to")
		err = errors.Join(err, err2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Killed before every write, the next process ends the change: before, or after if
// the confirmation was on disk.
func TestKilledAtEveryWrite(t *testing.T) {
	t.Parallel()
	for _, verb := range []string{"confirm", "rollback"} {
		outcomes := map[string]int{}
		for at := 1; ; at++ {
			g := ground{t.TempDir()}
			died := g.killed(t, verb, at)
			j, err := g.open(nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := j.Recover(t.Context()); err != nil {
				t.Errorf("%s, killed at write %d: %v", verb, at, err)
			}
			if got := g.String(); got != "before/before" && got != "after/after" {
				t.Errorf("%s, killed at write %d: %s", verb, at, got)
			}
			if p := j.Pending(); len(p) > 0 {
				t.Errorf("%s, killed at write %d: still waits: %+v", verb, at, p)
			}
			j.Abandon()
			outcomes[g.String()]++
			if !died {
				break
			}
		}
		if want := map[string]int{"confirm": 2, "rollback": 1}[verb]; len(outcomes) != want {
			t.Errorf("%s: %v", verb, outcomes)
		}
	}
}

// killed runs the process, and reports whether it was killed.
func (g ground) killed(t *testing.T, verb string, at int) bool {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", roleVar, verb, at, g.dir))
	cmd.WaitDelay = time.Minute
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", verb, err, text)
	}
	return false
}

func TestJournalIsOfOneProcess(t *testing.T) {
	t.Parallel()
	g := ground{t.TempDir()}
	j, err := g.open(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.open(nil); !errors.Is(err, lockdir.ErrBusy) {
		t.Errorf("opened twice: %v", err)
	}
	j.Abandon()
	again, err := g.open(nil)
	if err != nil {
		t.Fatal(err)
	}
	again.Abandon()
}

// The entry is there, and whole, before the change begins.
func TestEntryIsOnDiskBeforeTheChange(t *testing.T) {
	t.Parallel()
	g := ground{t.TempDir()}
	j, err := g.open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Abandon()
	_, err = j.Make(t.Context(), minute("eth0"), func(_ context.Context, c Change) error {
		data, err := os.ReadFile(filepath.Join(g.dir, "journal", fileName(c.ID)))
		if err != nil {
			return err
		}
		if e, err := parse(data); err != nil || e.What != c.What {
			t.Errorf("%+v, %v", e, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := j.Rollback(t.Context(), "", ""); err != nil {
		t.Error(err)
	}
}
