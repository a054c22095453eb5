package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// edits are the ways in which somebody changes lab's title from one to two; each
// keeps the size.
var edits = map[string]func(t *testing.T, path string){
	"in place": func(t *testing.T, path string) {
		check(t, os.WriteFile(path, retitled(t, path), 0o644))
	},
	"in place, with the times as before": func(t *testing.T, path string) {
		st, err := os.Stat(path)
		check(t, err)
		check(t, os.WriteFile(path, retitled(t, path), 0o644))
		check(t, os.Chtimes(path, st.ModTime(), st.ModTime()))
	},
	"with a new file": func(t *testing.T, path string) {
		check(t, os.WriteFile(path+".edit", retitled(t, path), 0o644))
		check(t, os.Rename(path+".edit", path))
	},
	"after it was away": func(t *testing.T, path string) {
		text := retitled(t, path)
		check(t, os.Remove(path))
		check(t, os.WriteFile(path, text, 0o644))
	},
	"with the whole directory": func(t *testing.T, path string) {
		dir, text := filepath.Dir(path), retitled(t, path)
		check(t, os.Rename(dir, dir+".old"))
		check(t, os.Mkdir(dir, 0o755))
		check(t, os.WriteFile(path, text, 0o644))
	},
	"by way of a directory of the same name": func(t *testing.T, path string) {
		dir, text := filepath.Dir(path), retitled(t, path)
		check(t, os.RemoveAll(dir))
		check(t, os.Mkdir(dir, 0o755))
		check(t, os.WriteFile(path, text, 0o644))
	},
	"where a symbolic link leads": func(t *testing.T, path string) {
		target, err := filepath.EvalSymlinks(path)
		check(t, err)
		check(t, os.WriteFile(target, retitled(t, path), 0o644))
	},
	"by its other name": func(t *testing.T, path string) {
		check(t, os.WriteFile(other(path), retitled(t, path), 0o644))
	},
}

// other is another place for a file, outside its directory.
func other(path string) string { return filepath.Join(filepath.Dir(path), "..", "other.yaml") }

func retitled(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	return []byte(strings.Replace(string(text), "title: one", "title: two", 1))
}

// Whatever way a file is changed by, the next read sees it: with the watch, and
// without one.
func TestEveryEditIsSeen(t *testing.T) {
	t.Parallel()
	for name, edit := range edits {
		for _, watched := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, watched %v", name, watched), func(t *testing.T) {
				t.Parallel()
				s, d := open(t)
				if !watched {
					s.defined.unwatch()
				}
				check(t, s.Define(lab("one")))
				path := filepath.Join(d.Config, "networks", "lab.yaml")
				switch {
				case strings.Contains(name, "symbolic"):
					check(t, os.Rename(path, other(path)))
					check(t, os.Symlink("../other.yaml", path))
				case strings.Contains(name, "other name"):
					check(t, os.Link(path, other(path)))
				}
				for range 2 {
					if got, err := s.Defined(); err != nil || got.Networks["lab"].Title != "one" {
						t.Fatalf("before: %v, %v", got.Networks["lab"], err)
					}
				}
				edit(t, path)
				if got, err := s.Defined(); err != nil || got.Networks["lab"].Title != "two" {
					t.Errorf("after: %v, %v", got.Networks["lab"], err)
				}
			})
		}
	}
}

// unwatch makes a shelf as it is on a kernel that has no watches left.
func (s *shelf) unwatch() {
	s.watch = nil
	for _, d := range s.drawers {
		d.watch = nil
	}
}

// More happens than the kernel keeps in its queue, and the last of it to a file that
// no event is left of.
func TestLostEventsAreMadeUpFor(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	check(t, s.Define(lab("one")))
	s.Defined()
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	check(t, err)
	var most int
	fmt.Sscan(string(limit), &most)
	noise := filepath.Join(d.Config, "networks", ".noise")
	for range most/2 + 1 { // events that are alike in a row count once
		check(t, os.WriteFile(noise, nil, 0o644))
		check(t, os.Remove(noise))
	}
	path := filepath.Join(d.Config, "networks", "lab.yaml")
	check(t, os.WriteFile(path, retitled(t, path), 0o644))
	if got, err := s.Defined(); err != nil || got.Networks["lab"].Title != "two" {
		t.Errorf("got %v, %v", got.Networks["lab"], err)
	}
}

// What nothing was heard of is found when everything is looked through again.
func TestNothingIsTrustedForLong(t *testing.T) {
	t.Parallel()
	s, d := open(t)
	check(t, s.Define(lab("one")))
	s.Defined()
	path := filepath.Join(d.Config, "networks", "lab.yaml")
	check(t, os.WriteFile(path, retitled(t, path), 0o644))
	s.defined.watch.listen()
	for _, drawer := range s.defined.drawers {
		clear(drawer.heard.names)
		drawer.at = time.Now().Add(-trust)
	}
	if got, err := s.Defined(); err != nil || got.Networks["lab"].Title != "two" {
		t.Errorf("got %v, %v", got.Networks["lab"], err)
	}
}

// A write that leaves a file as it is does not lose it.
func TestSameWriteIsHarmless(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for range 3 {
		check(t, s.Define(lab("one")))
		if got, err := s.Defined(); err != nil || got.Networks["lab"] == nil || got.Count() != lab("one").Count() {
			t.Errorf("got %+v, %v", got, err)
		}
	}
}
