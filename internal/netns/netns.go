package netns

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Dir is where ip-netns(8) keeps named namespaces.
const Dir = "/run/netns"

// NS is an open network namespace. It lives at least as long as it is open. The
// file is kept, never its bare number: a collected file closes the number, and
// the kernel hands the number to somebody else.
type NS struct {
	file *os.File
	name string // non-empty when it is bound below Dir
}

// Current opens the namespace of the calling thread.
func Current() (*NS, error) { return Open("/proc/thread-self/ns/net") }

// Open opens the namespace bound at a path, such as /run/netns/r1 or
// /proc/1/ns/net.
func Open(path string) (*NS, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	return &NS{file: f}, nil
}

// New makes a namespace without a name, gone when it is closed and nothing
// inside runs any more.
func New() (*NS, error) { return create("") }

// Create makes a namespace bound at Dir/name, as `ip netns add` does; it stays
// until Delete.
func Create(name string) (*NS, error) {
	if err := os.MkdirAll(Dir, 0o755); err != nil {
		return nil, fmt.Errorf("create network namespace %s: %w", name, err)
	}
	f, err := os.OpenFile(filepath.Join(Dir, name), os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return nil, fmt.Errorf("create network namespace %s: %w", name, err)
	}
	f.Close()
	ns, err := create(name)
	if err != nil {
		os.Remove(filepath.Join(Dir, name))
	}
	return ns, err
}

// create unshares on a thread of its own. The thread is never unlocked, so the
// runtime ends it with the goroutine and no other goroutine sees it.
func create(name string) (*NS, error) {
	type result struct {
		ns  *NS
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread()
		ns, err := unshare(name)
		done <- result{ns, err}
	}()
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("%s: %w", strings.TrimSpace("create network namespace "+name), r.err)
	}
	return r.ns, nil
}

func unshare(name string) (*NS, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	if name != "" {
		if err := unix.Mount("/proc/thread-self/ns/net", filepath.Join(Dir, name), "", unix.MS_BIND, ""); err != nil {
			return nil, err
		}
	}
	ns, err := Current()
	if err == nil {
		ns.name = name
	}
	return ns, err
}

// Delete unbinds a named namespace; the kernel ends it when nothing uses it any
// more. A name that is not there is not an error.
func Delete(name string) error {
	path := filepath.Join(Dir, name)
	unmount := unix.Unmount(path, unix.MNT_DETACH)
	err := os.Remove(path)
	switch {
	case err == nil || errors.Is(err, os.ErrNotExist):
		return nil
	case unmount != nil:
		err = unmount
	}
	return fmt.Errorf("delete network namespace %s: %w", name, err)
}

// Do runs fn on a thread inside the namespace and comes back. Goroutines that fn
// starts run outside.
func (n *NS) Do(fn func() error) error {
	runtime.LockOSThread()
	home, err := Current()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := n.with(func(fd int) error { return unix.Setns(fd, unix.CLONE_NEWNET) }); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter network namespace %s: %w", n.name, err)
	}
	err = fn()
	if back := unix.Setns(home.Fd(), unix.CLONE_NEWNET); back != nil {
		// The thread stays locked, so that it dies with this goroutine rather
		// than serve another one in the wrong namespace.
		return errors.Join(err, fmt.Errorf("leave network namespace %s: %w", n.name, back))
	}
	runtime.UnlockOSThread()
	return err
}

// with lends the descriptor. A Close meanwhile waits, so that its number cannot
// become somebody else's; after it the error is os.ErrClosed.
func (n *NS) with(do func(fd int) error) error {
	conn, err := n.file.SyscallConn()
	if err != nil {
		return err
	}
	if conn.Control(func(fd uintptr) { err = do(int(fd)) }) != nil {
		return os.ErrClosed
	}
	return err
}

// Fd is the namespace's descriptor, valid until Close.
func (n *NS) Fd() int { return int(n.file.Fd()) }

// Name is the name below Dir, "" for a namespace without one.
func (n *NS) Name() string { return n.name }

// ID tells namespaces apart: the inode number of the namespace.
func (n *NS) ID() (uint64, error) {
	var st unix.Stat_t
	if err := n.with(func(fd int) error { return unix.Fstat(fd, &st) }); err != nil {
		return 0, fmt.Errorf("stat network namespace: %w", err)
	}
	return st.Ino, nil
}

// Close releases the descriptor.
func (n *NS) Close() error { return n.file.Close() }
