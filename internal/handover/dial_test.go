package handover

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
)

func TestPathIsBesideTheDaemons(t *testing.T) {
	t.Setenv("KVMNET_GUESTS_SOCKET", "")
	if got := Path("", "/run/kvmnet"); got != "/run/kvmnet/guests.sock" {
		t.Error(got)
	}
	if got := Path("/tmp/x/sock", "/run/kvmnet"); got != "/tmp/x/guests.sock" {
		t.Error(got)
	}
	t.Setenv("KVMNET_GUESTS_SOCKET", "/tmp/g")
	if got := Path("/tmp/x/sock", "/run/kvmnet"); got != "/tmp/g" {
		t.Error(got)
	}
}

func TestSocketIsForEverybody(t *testing.T) {
	t.Parallel()
	d := serve(t, &opener{})
	info, err := os.Stat(d.path)
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("got %v %v, want mode 0666", info.Mode(), err)
	}
	if _, err := Listen(d.path, &opener{}, nil); err == nil || err.Error() != "another daemon answers at "+d.path {
		t.Errorf("a second daemon got %v", err)
	}
	if _, err := Listen("/tmp/"+strings.Repeat("x", 103), &opener{}, nil); err == nil || !strings.Contains(err.Error(), "the path has 108 bytes") {
		t.Errorf("got %v", err)
	}
}

func TestWithoutADaemonTheWayOutIsTold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "guests.sock")
	_, err := Dial(path)
	want := "connect to the daemon at " + path + ": no such file or directory; start it with 'kvmnet daemon' (as root) or name another with --socket"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestFolderThatIsClosedIsTold(t *testing.T) {
	t.Parallel()
	nstest.Users(t)
	d := serve(t, &opener{})
	os.Chmod(filepath.Dir(d.path), 0o700)
	got := askAs(t, d.path, &syscall.Credential{Uid: 1234, Gid: 1234})
	want := "connect to the daemon at " + d.path + ": permission denied; make its folder one that everybody may enter (chmod o+x)"
	if got.Error != want {
		t.Errorf("got  %s\nwant %s", got.Error, want)
	}
}

// TestNoDescriptorIsLeftOpen is not parallel: others open files, too.
func TestNoDescriptorIsLeftOpen(t *testing.T) {
	o := &opener{}
	d := serve(t, o)
	c := dial(t, d.path)
	round := func(r api.OpenPort) {
		_, files, _ := c.Open(t.Context(), r)
		closeAll(files)
	}
	round(api.OpenPort{Network: "lab"}) // opens what stays open: the runtime's
	before := openFiles(t)
	for range 20 {
		round(api.OpenPort{Network: "lab", Queues: 5})
		round(api.OpenPort{Network: "lab", Queues: 400})
	}
	o.mu.Lock()
	o.problem = strings.Repeat("x", maxAnswer)
	o.mu.Unlock()
	round(api.OpenPort{Network: "lab", Queues: 5})
	c.Close()
	d.stop()
	if after := openFiles(t); after > before {
		t.Errorf("%d files are open, before it were %d", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}
