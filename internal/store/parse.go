package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// Unreadable is the error about an object that is defined in words that cannot be
// read: its file is wrong.
type Unreadable struct {
	Kind, Name string // networks lab
	Err        error
}

func (u *Unreadable) Error() string { return u.Err.Error() }
func (u *Unreadable) Unwrap() error { return u.Err }

// Owner names the object as the kernel's objects do: network/lab.
func (u *Unreadable) Owner() string { return spec.Ref{Kind: u.Kind, Name: u.Name}.Owner() }

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
		if !p.Refers {
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
	return slices.Contains(s.Names(kind), name) && s.Count() == 1
}
