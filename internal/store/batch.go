package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// writers is how many files of a batch are written at a time: a disk makes several
// durable in little more time than one.
const writers = 16

// batch is files that are written together. Until commit all of them are as they
// were; when one cannot be written they stay so.
type batch struct {
	turns   chan struct{}
	writing sync.WaitGroup
	dirs    map[string]bool // of the files, to be synced

	mu  sync.Mutex
	new map[string]string // path by the name of the new file
	err error             // the first
}

func newBatch() *batch {
	return &batch{turns: make(chan struct{}, writers), dirs: map[string]bool{}, new: map[string]string{}}
}

// put begins to write a file. One that has that content already is left alone.
func (b *batch) put(path string, data []byte) {
	b.dirs[filepath.Dir(path)] = true
	b.turns <- struct{}{}
	b.writing.Go(func() {
		defer func() { <-b.turns }()
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) || b.failed() {
			return
		}
		tmp, err := half(path, data)
		b.wrote(tmp, path, err)
	})
}

func (b *batch) failed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err != nil
}

func (b *batch) wrote(tmp, path string, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if tmp != "" {
		b.new[tmp] = path
	}
	if b.err == nil {
		b.err = err
	}
}

// commit waits for the files and puts them in the places of the old ones. A crash
// on the way leaves some of them old and some new, each of them whole.
func (b *batch) commit() error {
	b.writing.Wait()
	defer b.discard()
	if b.err != nil {
		return b.err
	}
	for tmp, path := range b.new {
		if err := os.Rename(tmp, path); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		delete(b.new, tmp)
	}
	for dir := range b.dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// discard removes what is not in place.
func (b *batch) discard() {
	for tmp := range b.new {
		os.Remove(tmp)
	}
}
