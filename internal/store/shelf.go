package store

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// kinds are the kinds of objects and the folders they are kept in.
var kinds = []string{"networks", "bridges", "ports"}

// shelf is a directory of objects: <dir>/networks/lab.yaml and so on. Every read
// looks at the disk; a file that did not change is not parsed again.
type shelf struct {
	dir   string
	mu    sync.Mutex
	cache map[string]entry // by path
}

type entry struct {
	stat os.FileInfo
	spec *spec.Spec
	err  error
}

// unchanged reports whether a file is still the one that was parsed: editors
// make a new file or change size or time.
func (e entry) unchanged(now os.FileInfo) bool {
	return e.stat != nil && os.SameFile(e.stat, now) && e.stat.Size() == now.Size() && e.stat.ModTime().Equal(now.ModTime())
}

// Unreadable is the error about an object that is defined in words that cannot be
// read: its file is wrong.
type Unreadable struct {
	Kind, Name string // networks lab
	Err        error
}

func (u *Unreadable) Error() string { return u.Err.Error() }
func (u *Unreadable) Unwrap() error { return u.Err }

// Owner names the object as the kernel's objects do: network/lab.
func (u *Unreadable) Owner() string { return strings.TrimSuffix(u.Kind, "s") + "/" + u.Name }

func openShelf(dir string) (*shelf, error) {
	for _, kind := range kinds {
		if err := os.MkdirAll(filepath.Join(dir, kind), 0o755); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	return &shelf{dir: dir, cache: map[string]entry{}}, nil
}

// read returns all objects of the shelf. A file that cannot be read is left out
// and told in the error; the others are there all the same.
func (s *shelf) read() (*spec.Spec, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := &spec.Spec{Networks: map[string]*spec.Network{}, Bridges: map[string]*spec.HostBridge{}, Ports: map[string]*spec.Port{}}
	seen := map[string]bool{}
	var errs []error
	for _, kind := range kinds {
		files, err := os.ReadDir(filepath.Join(s.dir, kind))
		if err != nil {
			return nil, fmt.Errorf("read store: %w", err)
		}
		for _, f := range files {
			path := filepath.Join(s.dir, kind, f.Name())
			if strings.HasPrefix(f.Name(), ".") || !strings.HasSuffix(f.Name(), ".yaml") {
				continue
			}
			seen[path] = true
			one, err := s.file(path)
			if err != nil {
				errs = append(errs, &Unreadable{Kind: kind, Name: strings.TrimSuffix(f.Name(), ".yaml"), Err: err})
				continue
			}
			maps.Copy(all.Networks, one.Networks)
			maps.Copy(all.Bridges, one.Bridges)
			maps.Copy(all.Ports, one.Ports)
		}
	}
	for path := range s.cache {
		if !seen[path] {
			delete(s.cache, path)
		}
	}
	return all, errors.Join(errs...)
}

// file returns the object of one file, from the cache while it is unchanged.
func (s *shelf) file(path string) (*spec.Spec, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read definition: %w", err)
	}
	if e := s.cache[path]; e.unchanged(st) {
		return e.spec, e.err
	}
	one, err := parse(path)
	s.cache[path] = entry{st, one, err}
	return one, err
}

// parse reads a file, which must define the object it is named after. What people
// wrote by hand is checked as if it was applied, but for what only the other
// definitions tell.
func parse(path string) (*spec.Spec, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read definition: %w", err)
	}
	file, _ := specfile.Parse(path, text)
	var errs []error
	for _, p := range file.Validate(nil) {
		if kind, _ := (spec.Problem{Path: p.Path}).Object(); kind != "ports" || !strings.HasSuffix(p.Path, ".network") {
			errs = append(errs, errors.New(p.String()))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	kind, name := filepath.Base(filepath.Dir(path)), strings.TrimSuffix(filepath.Base(path), ".yaml")
	if !alone(file.Spec, kind, name) {
		return nil, fmt.Errorf("%s: the file must define %s.%s and nothing else; rename it or use 'kvmnet apply -f'", path, kind, name)
	}
	// A file written by hand may leave out what we would have generated. From here
	// on the objects are shared and never changed.
	file.Spec.Default()
	return file.Spec, nil
}

// alone reports whether the object is the only one.
func alone(s *spec.Spec, kind, name string) bool {
	there := map[string]bool{"networks": s.Networks[name] != nil, "bridges": s.Bridges[name] != nil, "ports": s.Ports[name] != nil}
	return there[kind] && len(s.Networks)+len(s.Bridges)+len(s.Ports) == 1
}

// write keeps every object of the spec.
func (s *shelf) write(objs *spec.Spec) error {
	for name, n := range objs.Networks {
		if err := s.put("networks", name, &spec.Spec{Networks: map[string]*spec.Network{name: n}}); err != nil {
			return err
		}
	}
	for name, b := range objs.Bridges {
		if err := s.put("bridges", name, &spec.Spec{Bridges: map[string]*spec.HostBridge{name: b}}); err != nil {
			return err
		}
	}
	for name, p := range objs.Ports {
		if err := s.put("ports", name, &spec.Spec{Ports: map[string]*spec.Port{name: p}}); err != nil {
			return err
		}
	}
	return nil
}

func (s *shelf) put(kind, name string, one *spec.Spec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := s.path(kind, name)
	text := specfile.Format(one)
	if old, err := os.ReadFile(path); err == nil && string(old) == string(text) {
		return nil
	}
	delete(s.cache, path)
	return replace(path, text)
}

func (s *shelf) remove(kind, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.cache, s.path(kind, name))
	return remove(s.path(kind, name))
}

func (s *shelf) path(kind, name string) string {
	return filepath.Join(s.dir, kind, name+".yaml")
}
