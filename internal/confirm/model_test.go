package confirm

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"
)

var errPower = errors.New("the power is off")

// memory is a disk that knows what would be left of it if the power went now. It
// goes when the call number stop comes, which is done by half.
type memory struct {
	mu    sync.Mutex
	names map[string][]byte // as a process sees them
	safe  map[string][]byte // as of the last sync of the directory
	calls int
	stop  int    // 0 = never
	full  [2]int // the calls from the first to before the second fail
}

func newMemory() *memory { return &memory{names: map[string][]byte{}, safe: map[string][]byte{}} }

// call counts a call that changes something.
func (m *memory) call() error {
	m.calls++
	switch {
	case m.stop > 0 && m.calls >= m.stop:
		return errPower
	case m.full[0] <= m.calls && m.calls < m.full[1]:
		return syscall.ENOSPC
	}
	return nil
}

func (m *memory) repair() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.full = [2]int{}
}

func (m *memory) list() ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.names)), nil
}

func (m *memory) read(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if data, there := m.names[name]; there {
		return bytes.Clone(data), nil
	}
	return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
}

func (m *memory) write(name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	err := m.call()
	if err != nil {
		data = data[:len(data)/2]
	}
	m.names[name] = bytes.Clone(data)
	return err
}

func (m *memory) rename(from, to string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call(); err != nil {
		return err
	}
	m.names[to] = m.names[from]
	delete(m.names, from)
	return nil
}

func (m *memory) remove(name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call(); err != nil {
		return err
	}
	delete(m.names, name)
	return nil
}

func (m *memory) sync() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.call(); err != nil {
		return err
	}
	m.safe = maps.Clone(m.names)
	return nil
}

func (m *memory) close() error { return nil }

// left is what a disk may have after the power went.
func (m *memory) left() map[string]*memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	return map[string]*memory{
		"old names": {names: maps.Clone(m.safe), safe: maps.Clone(m.safe)},
		"new names": {names: maps.Clone(m.names), safe: maps.Clone(m.names)},
	}
}

// world is what changes change: a kernel, that a boot makes anew from the files.
type world struct {
	mu            sync.Mutex
	kernel, files string
	fail          int // so many of the next calls of Revert and Finish fail
	reverts       int
	finishes      int
}

func (w *world) call(count *int) error {
	*count++
	if w.fail > 0 {
		w.fail--
		return errors.New("the kernel says no")
	}
	return nil
}

func (w *world) Revert(context.Context, Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call(&w.reverts); err != nil {
		return err
	}
	w.kernel = "before"
	return nil
}

func (w *world) Finish(context.Context, Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.call(&w.finishes); err != nil {
		return err
	}
	w.files = "after"
	return nil
}

func (w *world) change(context.Context, Change) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kernel = "after"
	return nil
}

func (w *world) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kernel + "/" + w.files
}

func newWorld() *world { return &world{kernel: "before", files: "before"} }

// rig is a journal over a world, and a clock that a test sets forward as a suspend
// does.
type rig struct {
	*Journal
	*world
	disk    *memory
	ended   []string
	mu      sync.Mutex
	asleep  time.Duration
	started time.Time
}

const bootA, bootB = "a", "b"

// start opens a journal as a daemon does. The caller closes it.
func start(t *testing.T, d *memory, w *world, boot string) (*rig, error) {
	t.Helper()
	r := &rig{world: w, disk: d, started: time.Now()}
	j, err := open(d, Options{Boot: boot, Kinds: map[string]Kind{"test": w}, SinceBoot: r.sinceBoot, Ended: r.end})
	if err != nil {
		return nil, err
	}
	r.Journal = j
	return r, nil
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r, err := start(t, newMemory(), newWorld(), bootA)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) sinceBoot() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.started) + r.asleep
}

func (r *rig) suspend(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asleep += d
}

func (r *rig) end(e Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, string(e.State))
}

// minute is a change of the interface with a deadline.
func minute(name string) Change {
	return Change{Kind: "test", What: name + " into br0", Holds: []string{name, "br0"}, Within: time.Minute}
}

// made makes a change of eth0 and fails on any error.
func (r *rig) made(t *testing.T) Entry {
	t.Helper()
	e, err := r.Make(t.Context(), minute("eth0"), r.change)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func (r *rig) is(t *testing.T, when, want string) {
	t.Helper()
	if got := r.world.String(); got != want {
		t.Errorf("%s: the world is %s, want %s", when, got, want)
	}
}

// states prints pending and past changes.
func (r *rig) states() string {
	text := ""
	for _, e := range r.Pending() {
		text += string(e.State) + " "
	}
	text += "|"
	for _, e := range r.History() {
		text += " " + cmp.Or(string(e.State), "?")
	}
	return text
}
