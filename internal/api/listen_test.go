package api

import (
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestListenMakesTheSocketAndCloseRemovesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "kvmnet.sock")
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("got %v %v, want mode 0660", info.Mode(), err)
	}
	l.Close()
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) > 0 {
		t.Errorf("%s stays behind", left[0].Name())
	}
}

func TestListenGivesTheSocketToTheGroup(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to give a file to another group")
	}
	g, err := user.LookupGroup("daemon")
	if err != nil {
		t.Skip("needs the group daemon")
	}
	path := filepath.Join(t.TempDir(), "s")
	l, err := listenFor(path, "daemon")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if gid := info.Sys().(*syscall.Stat_t).Gid; strconv.Itoa(int(gid)) != g.Gid || info.Mode().Perm() != 0o660 {
		t.Errorf("got group %d mode %v, want group %s mode 0660", gid, info.Mode(), g.Gid)
	}
}

func TestListenReplacesTheSocketOfADeadDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	dead.Close()
	l, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	live, err := Listen(dir + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer live.Close()
	if err := os.WriteFile(dir+"/file", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]string{
		dir + "/live":                      "another daemon answers at " + dir + "/live",
		dir + "/file":                      "listen at " + dir + "/file: it exists and is not a socket",
		dir + "/file/s":                    "not a directory",
		"/tmp/" + strings.Repeat("x", 103): "the path has 108 bytes, a socket's may have 107",
	}
	for path, want := range tests {
		l, err := Listen(path)
		if err == nil {
			l.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
	if b, _ := os.ReadFile(dir + "/file"); string(b) != "mine" {
		t.Error("the file in the way was touched")
	}
}

func TestListenAtOnceHasOneWinner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	var wg sync.WaitGroup
	won := make(chan net.Listener, 8)
	for range 8 {
		wg.Go(func() {
			if l, err := Listen(path); err == nil {
				won <- l
			} else if !strings.Contains(err.Error(), "another daemon answers") {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	close(won)
	n := 0
	for l := range won {
		l.Close()
		n++
	}
	if n != 1 {
		t.Errorf("%d of 8 listen, want 1", n)
	}
}

func TestClientWithoutPermissionNamesTheGroup(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to become a user who may not")
	}
	dir, err := os.MkdirTemp("/tmp", "kvmnet-api")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	os.Chmod(dir, 0o755)
	l, err := Listen(dir + "/s")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// The thread below stays in root's group, whose the socket is.
	os.Chmod(dir+"/s", 0o600)
	// The raw call changes the user of this thread alone; the dial stays on it.
	const keep = ^uintptr(0)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	syscall.RawSyscall(syscall.SYS_SETRESUID, keep, 65534, keep)
	_, err = client(t, dir+"/s").dial(t.Context())
	syscall.RawSyscall(syscall.SYS_SETRESUID, keep, 0, keep)
	want := "connect to the daemon at " + dir + "/s: permission denied; only root and members of the group kvmnet may use it"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
