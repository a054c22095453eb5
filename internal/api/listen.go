package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// Group owns the socket when the host has such a group: its members may use
// the daemon without being root.
const Group = "kvmnet"

// maxSocketPath is the longest path of a socket in bytes, sun_path without its
// final zero; the kernel's own word for more is "invalid argument".
const maxSocketPath = 107

// Listen opens the daemon's socket, mode 0660, for the group kvmnet when there
// is one. The socket of a dead daemon is replaced; that of a living one, and a
// file that is no socket, is an error. Closing the listener removes the socket.
func Listen(path string) (net.Listener, error) { return listenFor(path, Group) }

func listenFor(path, group string) (net.Listener, error) {
	l, err := listen("unix", path, 0o660)
	if err != nil {
		return nil, err
	}
	if err := giveToGroup(path, group); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// ListenPackets opens a socket of packets that every user may connect to, as Listen
// opens the daemon's.
func ListenPackets(path string) (*net.UnixListener, error) {
	l, err := listen("unixpacket", path, 0o666)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil { // the umask has narrowed the mode of bind
		l.Close()
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	return l.(*net.UnixListener), nil
}

// listen opens a socket of a mode, less the umask, in the place of a dead one.
func listen(network, path string, mode uint32) (net.Listener, error) {
	if len(path) > maxSocketPath {
		return nil, fmt.Errorf("listen at %s: the path has %d bytes, a socket's may have %d", path, len(path), maxSocketPath)
	}
	unlock, err := lockFolder(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	defer unlock()
	if err := removeStale(network, path); err != nil {
		return nil, err
	}
	// The mode is set before bind: there is no moment when others may connect.
	early := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		broken := c.Control(func(fd uintptr) { err = syscall.Fchmod(int(fd), mode) })
		return errors.Join(broken, err)
	}}
	l, err := early.Listen(context.Background(), network, path)
	if err != nil {
		return nil, fmt.Errorf("listen at %s: %w", path, err)
	}
	return l, nil
}

// lockFolder makes two daemons that start at once take turns, so that neither
// removes the socket the other has just made. The lock is on the folder: no
// lock file stays behind.
func lockFolder(dir string) (unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	return func() { f.Close() }, nil
}

// removeStale removes a socket that nobody listens at.
func removeStale(network, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("listen at %s: it exists and is not a socket", path)
	}
	c, err := net.Dial(network, path)
	if err == nil {
		c.Close()
		return fmt.Errorf("another daemon answers at %s", path)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("ask who listens at %s: %w", path, err)
	}
	return os.Remove(path)
}

// giveToGroup lets the group use the socket. Where the daemon may not change
// the group (no root, a user namespace without it) the socket stays with its
// own, which lets in fewer, not more. The umask has narrowed the mode of bind,
// so it is set once more, and after the group.
func giveToGroup(path, group string) error {
	if g, err := user.LookupGroup(group); err == nil {
		gid, err := strconv.Atoi(g.Gid)
		if err == nil {
			err = os.Chown(path, -1, gid)
		}
		if err != nil && !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EINVAL) {
			return fmt.Errorf("give %s to group %s: %w", path, group, err)
		}
	}
	return os.Chmod(path, 0o660)
}
