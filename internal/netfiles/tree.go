package netfiles

import (
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// File is a file as it is, or as it is to be.
type File struct {
	Text     []byte
	Mode     fs.FileMode
	UID, GID int
	Link     string // what the path is a symbolic link to
}

// masked reports whether the file stands for "there is none" (systemd.unit(5)).
func (f *File) masked() bool { return f.Link == "/dev/null" || len(f.Text) == 0 }

// Tree is what was read of a system: all files that managers of networks read, by
// their absolute paths, and what the interfaces are known by.
type Tree struct {
	Files   map[string]*File
	Dirs    map[string]bool // directories that are there
	Present map[string]bool // programs and folders that are only looked for
	Links   map[string]Link // interfaces, by name
	Own     string          // the folder of kvmnet's own definitions; "" = OwnDir
}

// Has reports whether there is a file, or one that is only looked for.
func (t Tree) Has(paths ...string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return t.Files[p] != nil || t.Present[p] })
}

// text is the content of a file, "" when there is none.
func (t Tree) text(path string) string {
	if f := t.Files[path]; f != nil {
		return string(f.Text)
	}
	return ""
}

// in lists the files right in a directory, by name.
func (t Tree) in(dir string, ends ...string) []string {
	var found []string
	for p := range t.Files {
		if path.Dir(p) == dir && (len(ends) == 0 || slices.ContainsFunc(ends, func(e string) bool { return strings.HasSuffix(p, e) })) {
			found = append(found, p)
		}
	}
	slices.Sort(found)
	return found
}

// across lists the files that count of several directories, by name: of those of one
// name that in the first directory hides the others.
func (t Tree) across(dirs []string, ends ...string) []string {
	byName := map[string]string{}
	for _, dir := range slices.Backward(dirs) {
		for _, p := range t.in(dir, ends...) {
			byName[path.Base(p)] = p
		}
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		found = append(found, byName[name])
	}
	return found
}

// below lists all files somewhere below a directory, by path.
func (t Tree) below(dir string) []string {
	var found []string
	for p := range t.Files {
		if strings.HasPrefix(p, dir+"/") {
			found = append(found, p)
		}
	}
	slices.Sort(found)
	return found
}

// link is what an interface is known by; of one that is not there its name alone.
func (t Tree) link(name string) Link { return t.Links[name] }

// glob reports whether one of shell patterns matches a name.
func glob(patterns []string, name string) bool {
	return name != "" && slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}
