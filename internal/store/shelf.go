package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// shelf is a directory of objects: <dir>/networks/lab.yaml and so on. Every read
// looks at the disk; a file that did not change is not parsed again.
type shelf struct {
	dir     string
	watch   *watch
	mu      sync.Mutex
	drawers map[string]*drawer // by kind
	all     *spec.Spec         // what they hold; nil = not known
	err     error              // what cannot be read
}

func openShelf(dir string) (*shelf, error) {
	s := &shelf{dir: dir, watch: openWatch(), drawers: map[string]*drawer{}}
	for _, kind := range spec.Kinds {
		d := &drawer{dir: filepath.Join(dir, kind), kind: kind, watch: s.watch}
		if err := errors.Join(os.MkdirAll(d.dir, 0o755), sweep(d.dir)); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
		s.drawers[kind] = d
	}
	return s, nil
}

// read returns all objects of the shelf, which the caller must not change: they are
// the same as long as the files are. A file that cannot be read is left out and
// told in the error; the others are there all the same.
func (s *shelf) read() (*spec.Spec, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch.listen()
	news := s.all == nil
	for _, kind := range spec.Kinds {
		changed, err := s.drawers[kind].refresh()
		if err != nil {
			s.all = nil
			return nil, fmt.Errorf("read store: %w", err)
		}
		news = news || changed
	}
	if news {
		s.gather()
	}
	return s.all, s.err
}

// gather puts together what the drawers hold.
func (s *shelf) gather() {
	all, errs := emptySpec(), []error(nil)
	for _, kind := range spec.Kinds {
		errs = append(errs, s.drawers[kind].addTo(all)...)
	}
	s.all, s.err = all, errors.Join(errs...)
}

func emptySpec() *spec.Spec {
	return &spec.Spec{
		Networks: map[string]*spec.Network{}, Bridges: map[string]*spec.HostBridge{}, Ports: map[string]*spec.Port{},
		Routers: map[string]*spec.Router{}, Forwards: map[string]*spec.Forward{}, Policies: map[string]*spec.Policy{},
		Sets: map[string]*spec.AddressSet{},
	}
}

// write keeps every object of the spec. When one cannot be written, all stay as
// they were.
func (s *shelf) write(objs *spec.Spec) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := newBatch()
	for ref, one := range objs.Each() {
		b.put(s.touch(ref.Kind, ref.Name), specfile.Format(one))
	}
	return b.commit()
}

func (s *shelf) remove(kind, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return remove(s.touch(kind, name))
}

// touch has the next read look at a file that is about to change, and returns its
// path.
func (s *shelf) touch(kind, name string) string {
	s.all = nil
	s.drawers[kind].expect(name + ".yaml")
	return filepath.Join(s.dir, kind, name+".yaml")
}
