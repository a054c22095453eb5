package store

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kvmnet/internal/spec"
)

// drawer is the part of a shelf that holds the objects of one kind.
type drawer struct {
	dir, kind string
	watch     *watch            // nil = there is none
	files     map[string]*entry // by name, lab.yaml
	links     map[string]bool   // those that may change without being heard of

	heard *heard    // of the directory since it was searched; nil = nobody listens
	at    time.Time // when it was searched
	self  stat      // the directory then
}

// entry is a file that was parsed.
type entry struct {
	stat stat
	spec *spec.Spec
	err  error
}

// trust is how long to believe that everything was heard of. What the watch cannot
// know, such as a mount over a file, is seen after that.
const trust = 10 * time.Second

// refresh parses what is new in the directory, forgets what is gone, and reports
// whether there was any of it. Mostly there is none: then the directory is not opened.
func (d *drawer) refresh() (changed bool, err error) {
	self, err := statPath(d.dir)
	if err != nil {
		return false, err
	}
	search := d.heard == nil || d.heard.more || !d.self.sameFile(self) || time.Since(d.at) > trust
	if !search && len(d.heard.names)+len(d.links) == 0 {
		return false, nil
	}
	dir, err := os.Open(d.dir)
	if err != nil {
		return false, err
	}
	defer dir.Close()
	if !search {
		return d.lookAt(int(dir.Fd())), nil
	}
	d.watch.remove(d.heard)
	d.heard = d.watch.add(d.dir) // before the search: what changes meanwhile is looked at again
	if self, err = statOf(int(dir.Fd())); err != nil {
		return false, &os.PathError{Op: "stat", Path: d.dir, Err: err}
	}
	d.at, d.self = time.Now(), self
	return d.search(dir)
}

// search looks at every file.
func (d *drawer) search(dir *os.File) (changed bool, err error) {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		d.heard = nil
		return false, err
	}
	before := d.files
	d.files, d.links = make(map[string]*entry, len(names)), map[string]bool{}
	for _, name := range names {
		d.look(int(dir.Fd()), name, before[name])
		changed = changed || d.files[name] != before[name]
	}
	return changed || len(d.files) != len(before), nil
}

// lookAt looks at the files that were heard of, whatever their times say, and at
// those of which nothing can be heard.
func (d *drawer) lookAt(dir int) (changed bool) {
	for name := range d.heard.names {
		changed = changed || definition(name)
		d.look(dir, name, nil)
	}
	clear(d.heard.names)
	for name := range d.links {
		before := d.files[name]
		d.look(dir, name, before)
		changed = changed || d.files[name] != before
	}
	return changed
}

// expect has the next refresh look at a file, whatever its times say.
func (d *drawer) expect(name string) {
	delete(d.files, name)
	if d.heard != nil {
		d.heard.names[name] = true
	}
}

// look keeps the entry of a file: the old one, if any, while the file is the same.
func (d *drawer) look(dir int, name string, old *entry) {
	if !definition(name) {
		return
	}
	now, linked, err := statAt(dir, name)
	switch {
	case err != nil && gone(err):
		delete(d.files, name)
		return
	case err != nil:
		d.files[name] = &entry{err: &os.PathError{Op: "stat", Path: filepath.Join(d.dir, name), Err: err}}
	case old != nil && old.stat == now:
		d.files[name] = old
	default:
		one, err := parse(filepath.Join(d.dir, name))
		d.files[name] = &entry{now, one, err}
	}
	if linked {
		d.links[name] = true
	}
}

// definition reports whether a file is one by its name.
func definition(name string) bool {
	return strings.HasSuffix(name, ".yaml") && !strings.HasPrefix(name, ".")
}

// addTo adds the objects to a spec and returns what could not be read, sorted.
func (d *drawer) addTo(all *spec.Spec) (errs []error) {
	var faults []*Unreadable
	for name, e := range d.files {
		if e.err == nil {
			add(all, e.spec)
			continue
		}
		faults = append(faults, &Unreadable{Kind: d.kind, Name: strings.TrimSuffix(name, ".yaml"), Err: e.err})
	}
	slices.SortFunc(faults, func(a, b *Unreadable) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range faults {
		errs = append(errs, f)
	}
	return errs
}

// add adds the object of a file to all of them.
func add(all, one *spec.Spec) {
	maps.Copy(all.Networks, one.Networks)
	maps.Copy(all.Bridges, one.Bridges)
	maps.Copy(all.Ports, one.Ports)
	maps.Copy(all.Routers, one.Routers)
	maps.Copy(all.Forwards, one.Forwards)
	maps.Copy(all.Policies, one.Policies)
	maps.Copy(all.Sets, one.Sets)
}
