package netfiles

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"slices"
)

// edit gathers what becomes of files.
type edit struct {
	tree  Tree
	after map[string]*File // nil: no file
}

func newEdit(t Tree) *edit { return &edit{t, map[string]*File{}} }

// set gives a file its content; a new one gets the mode.
func (e *edit) set(path, text string, mode fs.FileMode) {
	f := File{Mode: mode}
	if now := e.tree.Files[path]; now != nil {
		f = *now
	}
	f.Text = []byte(text)
	e.after[path] = &f
}

// copy gives a file content that is from another one: a new one gets that one's mode and
// owner. It may hold a secret, and its manager may be no root, as systemd-networkd.
func (e *edit) copy(path, text, from string) {
	if f := e.tree.Files[from]; f != nil && e.tree.Files[path] == nil {
		e.after[path] = &File{Text: []byte(text), Mode: f.Mode, UID: f.UID, GID: f.GID}
		return
	}
	e.set(path, text, 0o644)
}

// remove takes a file away.
func (e *edit) remove(path string) { e.after[path] = nil }

// text is the content as it is to be so far.
func (e *edit) text(path string) string {
	if f, ok := e.after[path]; ok {
		if f == nil {
			return ""
		}
		return string(f.Text)
	}
	return e.tree.text(path)
}

// result is the tree as it is to be so far.
func (e *edit) result() Tree {
	t := e.tree
	t.Files = maps.Clone(t.Files)
	for p, f := range e.after {
		if f == nil {
			delete(t.Files, p)
			continue
		}
		if t.Files == nil {
			t.Files = map[string]*File{}
		}
		t.Files[p] = f
	}
	return t
}

// changes lists what differs, by path.
func (e *edit) changes() []Change {
	var list []Change
	for _, p := range slices.Sorted(maps.Keys(e.after)) {
		now, after := e.tree.Files[p], e.after[p]
		c := Change{Path: p}
		if after != nil {
			c.After, c.Mode, c.UID, c.GID = content(after), after.Mode, after.UID, after.GID
		}
		if now != nil {
			c.Before, c.Mode, c.UID, c.GID, c.Link = content(now), now.Mode, now.UID, now.GID, now.Link
		} else {
			c.Dirs = e.missing(p)
		}
		if (now == nil) != (after == nil) || !bytes.Equal(c.Before, c.After) {
			list = append(list, c)
		}
	}
	return list
}

// content is never nil: an empty file is not the same as none.
func content(f *File) []byte { return append([]byte{}, f.Text...) }

// missing lists the directories above a path that are not there, outermost first.
func (e *edit) missing(p string) []string {
	var dirs []string
	for d := path.Dir(p); d != "/" && !e.tree.Dirs[d] && len(e.tree.below(d)) == 0; d = path.Dir(d) {
		dirs = append([]string{d}, dirs...)
	}
	return dirs
}
