package lease

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"sync"
	"syscall"
	"time"
)

var errPower = errors.New("the power is off")

// memory is a disk that knows what would be left of it if the power went now. It
// goes when the call number stop comes, which is done by half.
type memory struct {
	mu    sync.Mutex
	names map[string]*inode // as a process sees them
	safe  map[string]*inode // as of the last sync of the directory
	calls int
	stop  int            // 0 = never
	fail  error          // what every write gives at the moment
	full  [2]int         // the calls from the first to before the second find the disk full
	open  int            // files
	slow  bool           // see Sync
	seen  map[string]int // calls by kind
}

// inode is a file: all that is written, and how much of that is on disk.
type inode struct {
	data   []byte
	synced int
}

func newMemory() *memory {
	return &memory{names: map[string]*inode{}, safe: map[string]*inode{}, seen: map[string]int{}}
}

// call counts a call, and reports whether it is still done, or by half.
func (m *memory) call(kind string) (half bool, err error) {
	m.calls++
	m.seen[kind]++
	switch {
	case m.stop > 0 && m.calls >= m.stop:
		return m.calls == m.stop, errPower
	case kind != "read" && (m.fail != nil || m.full[0] <= m.calls && m.calls < m.full[1]):
		return true, cmp.Or(m.fail, error(syscall.ENOSPC))
	}
	return false, nil
}

func (m *memory) read(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.call("read"); err != nil {
		return nil, err
	}
	if f := m.names[name]; f != nil {
		return bytes.Clone(f.data), nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func (m *memory) create(name string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.call("create"); err != nil {
		return nil, err
	}
	m.names[name] = &inode{}
	m.open++
	return &memoryFile{m, m.names[name]}, nil
}

func (m *memory) appendTo(name string) (file, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.call("appendTo"); err != nil {
		return nil, err
	}
	if m.names[name] == nil {
		m.names[name] = &inode{}
	}
	m.open++
	return &memoryFile{m, m.names[name]}, nil
}

func (m *memory) rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.call("rename"); err != nil {
		return err
	}
	m.names[to] = m.names[from]
	delete(m.names, from)
	return nil
}

func (m *memory) remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.call("remove"); err != nil {
		return err
	}
	delete(m.names, name)
	return nil
}

func (m *memory) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, err := m.call("syncdir"); err != nil {
		return err
	}
	m.safe = maps.Clone(m.names)
	return nil
}

func (m *memory) close() error { return nil }

// breaks makes every write fail with err from now on; nil = no more.
func (m *memory) breaks(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fail = err
}

func (m *memory) count(kind string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen[kind]
}

// left is what a disk may have after the power went: what was synced at least,
// and of the rest anything the kernel happened to have written.
func (m *memory) left() map[string]*memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	none := func(f *inode) int { return f.synced }
	half := func(f *inode) int { return (f.synced + len(f.data)) / 2 }
	all := func(f *inode) int { return len(f.data) }
	return map[string]*memory{
		"old names, what was synced": remains(m.safe, none),
		"old names, half":            remains(m.safe, half),
		"old names, all":             remains(m.safe, all),
		"new names, what was synced": remains(m.names, none),
		"new names, half":            remains(m.names, half),
		"new names, all":             remains(m.names, all),
	}
}

func remains(names map[string]*inode, keep func(*inode) int) *memory {
	m := newMemory()
	for name, f := range names {
		data := bytes.Clone(f.data[:keep(f)])
		m.names[name] = &inode{data, len(data)}
	}
	m.safe = maps.Clone(m.names)
	return m
}

// with is a disk with one file.
func with(data []byte) *memory {
	return remains(map[string]*inode{bookName: {data, len(data)}}, func(f *inode) int { return f.synced })
}

type memoryFile struct {
	disk *memory
	node *inode
}

func (f *memoryFile) Write(b []byte) (int, error) {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	half, err := f.disk.call("write")
	if err != nil && !half {
		return 0, err
	}
	if err != nil {
		b = b[:len(b)/2]
	}
	f.node.data = append(f.node.data, b...)
	return len(b), err
}

func (f *memoryFile) aside() bool {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	return f.disk.slow && f.disk.names[newName] == f.node
}

// Sync of what is written aside takes a while, in which others go on.
func (f *memoryFile) Sync() error {
	if f.aside() {
		time.Sleep(time.Second)
	}
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	if _, err := f.disk.call("sync"); err != nil {
		return err
	}
	f.node.synced = len(f.node.data)
	return nil
}

func (f *memoryFile) Close() error {
	f.disk.mu.Lock()
	defer f.disk.mu.Unlock()
	f.disk.open--
	return nil
}
