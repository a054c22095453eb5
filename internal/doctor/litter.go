package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// LookForLitter finds files that serve nobody: links by which QEMU would ask for a
// network that does not exist, and what a write left that was cut off.
func LookForLitter(config string, defined *spec.Spec) (list []Stray, err error) {
	list, err = cutOff(config)
	if err != nil {
		return nil, err
	}
	links, err := os.ReadDir(filepath.Join(config, "qemu-ifup.d"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, l := range links {
		if defined.Networks[l.Name()] == nil {
			list = append(list, Stray{Path: filepath.Join(config, "qemu-ifup.d", l.Name()),
				Why: fmt.Sprintf("names a network that does not exist: QEMU guests that are started by it get none (%q)", l.Name())})
		}
	}
	return list, nil
}

// writing is how long a write may take: what is younger may still be somebody's.
const writing = time.Minute

// temporary is how the names of files begin that are not whole yet, see package store.
const temporary = ".new-"

// cutOff finds files of writes that never ended: we write beside a file and rename.
func cutOff(dir string) (list []Stray, err error) {
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if info, err := e.Info(); err == nil && e.Type().IsRegular() && strings.HasPrefix(e.Name(), temporary) && time.Since(info.ModTime()) > writing {
			list = append(list, Stray{Path: path, Why: "is left of a write that was cut off", Ours: true})
		}
		return nil
	})
	return list, err
}

// Remove removes what is ours of that.
func Remove(list []Stray) error {
	var errs []error
	for _, s := range list {
		if s.Ours {
			errs = append(errs, os.Remove(s.Path))
		}
	}
	return errors.Join(errs...)
}

// Healed is what is found after a repair, with what was found before and is no more.
func Healed(before, after []api.Finding) []api.Finding {
	left := map[api.Finding]bool{}
	for _, f := range after {
		left[f] = true
	}
	var gone []api.Finding
	for _, f := range before {
		if f.Level != api.Fine && f.Ours && !left[f] {
			f.Fixed = true
			gone = append(gone, f)
		}
	}
	return append(gone, after...)
}
