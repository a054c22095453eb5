package store

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"kvmnet/internal/spec"
)

// Dirs are the three directories of a daemon.
type Dirs struct {
	Config  string // definitions; survive everything
	State   string // what the daemon itself must remember over a reboot
	Runtime string // what ends with the boot: a tmpfs
}

// Store is the daemon's memory on disk. Its methods may be called from any
// goroutine.
type Store struct {
	dirs    Dirs
	defined *shelf
	running *shelf
}

// Open makes the directories that are not there and opens the store.
func Open(d Dirs) (*Store, error) {
	for _, dir := range []string{d.State, d.Runtime} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("open store: %w", err)
		}
	}
	defined, err := openShelf(d.Config)
	if err != nil {
		return nil, err
	}
	running, err := openShelf(filepath.Join(d.Runtime, "running"))
	if err != nil {
		return nil, err
	}
	return &Store{dirs: d, defined: defined, running: running}, nil
}

// Defined returns the persistent definitions. The error tells of files that
// cannot be read; the spec holds the others.
func (s *Store) Defined() (*spec.Spec, error) { return s.defined.read() }

// Running returns the networks that run, as they run, and the transient objects
// of the other kinds.
func (s *Store) Running() (*spec.Spec, error) { return s.running.read() }

// Define keeps objects until they are undefined.
func (s *Store) Define(objs *spec.Spec) error { return s.defined.write(objs) }

// Run keeps objects as running until they are stopped or the machine reboots.
func (s *Store) Run(objs *spec.Spec) error { return s.running.write(objs) }

// Undefine forgets the definition of an object; kind is one of
// spec.Kinds.
func (s *Store) Undefine(kind, name string) error { return s.defined.remove(kind, name) }

// Stop forgets that an object runs.
func (s *Store) Stop(kind, name string) error { return s.running.remove(kind, name) }

// FirstSinceBoot reports whether no Booted was called since the machine booted.
func (s *Store) FirstSinceBoot() (bool, error) {
	_, err := os.Stat(s.bootedPath())
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for the boot: %w", err)
	}
	return false, nil
}

// Booted remembers, until the next boot, that everything to start by itself was
// started.
func (s *Store) Booted() error { return replace(s.bootedPath(), nil) }

func (s *Store) bootedPath() string { return filepath.Join(s.dirs.Runtime, "booted") }

// Borrowed returns the record of host settings as they were before ours.
func (s *Store) Borrowed() (map[string]string, error) {
	text, err := os.ReadFile(s.borrowedPath())
	if errors.Is(err, os.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read borrowed settings: %w", err)
	}
	record := map[string]string{}
	if err := json.Unmarshal(text, &record); err != nil {
		return nil, fmt.Errorf("read borrowed settings %s: %w", s.borrowedPath(), err)
	}
	return record, nil
}

// Borrow keeps the record of host settings as they were before ours.
func (s *Store) Borrow(record map[string]string) error {
	if len(record) == 0 {
		return remove(s.borrowedPath())
	}
	text, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return fmt.Errorf("write borrowed settings: %w", err)
	}
	return replace(s.borrowedPath(), append(text, '\n'))
}

func (s *Store) borrowedPath() string { return filepath.Join(s.dirs.Runtime, "borrowed.json") }

// HostID returns a value that seeds generated addresses, made at the first call
// and the same ever after.
func (s *Store) HostID() (string, error) {
	path := filepath.Join(s.dirs.State, "host-id")
	if text, err := os.ReadFile(path); err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text)), nil
	}
	var id [16]byte
	rand.Read(id[:])
	text := hex.EncodeToString(id[:])
	return text, replace(path, []byte(text+"\n"))
}
