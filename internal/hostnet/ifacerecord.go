package hostnet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"kvmnet/internal/netfiles"
)

// definition is what was written to define an interface, kept so that it can be taken
// back byte for byte.
type definition struct {
	Name    string            `json:"name"`
	Manager netfiles.Manager  `json:"manager"`
	Files   []netfiles.Change `json:"files"` // from before the first definition on
}

// followedBy is one definition after another of the same interface. What others changed
// in between stays as they left it.
func (d definition) followedBy(next definition) definition {
	for _, c := range next.Files {
		if !d.left(c) {
			return next
		}
	}
	all := edits{tree: netfiles.Tree{Files: map[string]*netfiles.File{}, Dirs: map[string]bool{}}}
	all.add(d.Files)
	all.add(next.Files)
	next.Files = all.changes()
	return next
}

// left reports whether a change begins where the definition ended.
func (d definition) left(next netfiles.Change) bool {
	for _, c := range d.Files {
		if c.Path == next.Path {
			return sameFile(c.After, next.Before)
		}
	}
	return true
}

// stands reports whether all files are as the definition left them.
func (d definition) stands(t netfiles.Tree) bool {
	for _, c := range d.Files {
		if !sameFile(textOf(t, c.Path), c.After) {
			return false
		}
	}
	return true
}

// sameFile tells no file from an empty one.
func sameFile(a, b []byte) bool { return (a == nil) == (b == nil) && bytes.Equal(a, b) }

func (h *Host) definitionPath(name string) string {
	return filepath.Join(h.StateDir, "definitions", name+".json")
}

// definition reads the record of an interface, nil when there is none.
func (h *Host) definition(name string) (*definition, error) {
	data, err := os.ReadFile(h.definitionPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var d definition
	if err == nil {
		err = json.Unmarshal(data, &d)
	}
	if err != nil {
		return nil, fmt.Errorf("read how %s was defined: %w", name, err)
	}
	return &d, nil
}

func (h *Host) keepDefinition(d definition) error {
	data, err := json.MarshalIndent(d, "", "  ")
	if err == nil {
		err = writeDurably(h.definitionPath(d.Name), append(data, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keep how %s is defined: %w", d.Name, err)
	}
	return nil
}

func (h *Host) forgetDefinition(name string) error { return removeDurably(h.definitionPath(name)) }

// writeDurably replaces a file as a whole.
func writeDurably(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	return errors.Join(err, syncDir(filepath.Dir(path)))
}
