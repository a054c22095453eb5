package store

import (
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kvmnet/internal/spec"
)

// forwards are many that lead to the same port of a guest.
func forwards(n int, to uint16) *spec.Spec {
	s := &spec.Spec{Forwards: map[string]*spec.Forward{}}
	for i := range n {
		port := uint16(10_000 + i)
		s.Forwards[fmt.Sprintf("f%d", i)] = &spec.Forward{Network: "lab", Protocol: spec.TCP,
			Listen: spec.Listen{Ports: spec.PortRange{From: port, To: port}},
			To:     spec.Target{Addr: netip.MustParseAddr("10.2.0.5"), Port: to}}
	}
	return s
}

// files returns the content of all files below a directory.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	check(t, filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		all[path] = string(text)
		return err
	}))
	return all
}

// One of the files has no directory: what is written of the others, before and
// after it, must not come into force.
func TestBatchThatFailsLeavesTheOldFiles(t *testing.T) {
	t.Parallel()
	for _, at := range []int{0, 50, 99} {
		s, d := open(t)
		check(t, s.Define(forwards(100, 80)))
		dir := filepath.Join(d.Config, "forwards")
		before := files(t, dir)
		b := newBatch()
		for i := range 100 {
			path := filepath.Join(dir, fmt.Sprintf("f%d.yaml", i))
			if i == at {
				path = filepath.Join(dir, "not-there", "x.yaml")
			}
			b.put(path, []byte("new"))
		}
		if err := b.commit(); err == nil || !strings.Contains(err.Error(), "not-there") {
			t.Errorf("file %d cannot be written, but got %v", at, err)
		}
		if diff := cmp.Diff(before, files(t, dir)); diff != "" {
			t.Errorf("file %d cannot be written, -before +after:\n%s", at, diff)
		}
		got, err := s.Defined()
		check(t, err)
		if diff := cmp.Diff(forwards(100, 80), &spec.Spec{Forwards: got.Forwards}, same); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

// What stands in the way of a rename is told; no new file is left beside.
func TestBatchThatCannotReplaceSaysSo(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	check(t, os.MkdirAll(filepath.Join(d.Config, "forwards", "f7.yaml", "x"), 0o755))
	if err := s.Define(forwards(10, 80)); err == nil || !strings.Contains(err.Error(), "f7.yaml") {
		t.Errorf("got %v", err)
	}
	for path := range files(t, d.Config) {
		if strings.HasPrefix(filepath.Base(path), temporary) {
			t.Errorf("left %s", path)
		}
	}
}

func TestNewFilesOfACrashAreSweptAtTheNextStart(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	check(t, s.Define(forwards(3, 80)))
	before := files(t, d.Config)
	b := newBatch() // that is never committed
	for i := range 20 {
		b.put(filepath.Join(d.Config, "forwards", fmt.Sprintf("f%d.yaml", i)), []byte("new"))
	}
	b.writing.Wait()
	_, err := Open(d)
	check(t, err)
	if diff := cmp.Diff(before, files(t, d.Config)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

// Writers and readers at one time: every read is of whole objects, and the last
// write stands.
func TestBatchesAtOneTime(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for round := range 5 {
				if err := s.Define(forwards(20, uint16(1+10*w+round))); err != nil {
					t.Error(err)
				}
				got, err := s.Defined()
				if err != nil || len(got.Forwards) != 20 {
					t.Errorf("%d forwards, %v", len(got.Forwards), err)
				}
			}
		})
	}
	all.Wait()
	got, err := s.Defined()
	check(t, err)
	ports := map[uint16]bool{}
	for _, f := range got.Forwards {
		ports[f.To.Port] = true
	}
	if len(ports) != 1 {
		t.Errorf("several batches are in force: %v", ports)
	}
}

// What was read is the caller's to keep: it does not change with the files.
func TestWhatWasReadStays(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	check(t, s.Define(forwards(3, 80)))
	first, err := s.Defined()
	check(t, err)
	if again, _ := s.Defined(); again != first {
		t.Error("nothing changed, but it was put together anew")
	}
	names := maps.Clone(first.Forwards)
	check(t, s.Define(forwards(5, 80)))
	check(t, s.Undefine("forwards", "f0"))
	if now, _ := s.Defined(); len(now.Forwards) != 4 || now.Forwards["f0"] != nil {
		t.Errorf("%d forwards", len(now.Forwards))
	}
	if !maps.Equal(names, first.Forwards) {
		t.Error("what was read before changed")
	}
}
