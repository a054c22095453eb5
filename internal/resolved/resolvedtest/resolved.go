package resolvedtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// Resolved is a systemd-resolved on a test host.
type Resolved struct {
	*Bus
	host     *testhost.Host
	programs programs
	daemon   *testhost.Cmd // nil when killed
	log      bytes.Buffer  // what the daemon wrote; read it when it has ended
}

// files are seen by systemd-resolved instead of the machine's. The user it
// changes to need not exist on the machine, and is root here: others may not
// exist in a user namespace.
var files = map[string]string{
	"passwd":      "root:x:0:0:root:/root:/bin/sh\nsystemd-resolve:x:0:0::/:/usr/sbin/nologin\n",
	"resolv.conf": "# No server: what is asked of others fails at once.\n",
}

// inside is run by sh in a mount namespace of its own; $0 is the directory of
// the test. Where /etc/resolv.conf is a link, it most often leads into /run.
const inside = `mount --bind "$0/run" /run &&
mount --bind "$0/passwd" /etc/passwd || exit
if [ -f /etc/resolv.conf ] && [ ! -L /etc/resolv.conf ]; then
	mount --bind "$0/resolv.conf" /etc/resolv.conf || exit
fi
exec "$@"`

// Start starts a bus and systemd-resolved on a host. It skips the test where the
// programs are missing; see Fetch.
func Start(t testing.TB, h *testhost.Host) *Resolved {
	t.Helper()
	p, err := find()
	if err != nil {
		t.Skip(err)
	}
	r := &Resolved{Bus: NewBus(t), host: h, programs: p}
	for name, text := range files {
		try(t, os.WriteFile(filepath.Join(r.dir, name), []byte(text), 0o644))
	}
	try(t, os.Mkdir(filepath.Join(r.dir, "run/systemd"), 0o755)) // an init makes it
	r.Bus.Start(t)
	t.Cleanup(func() { r.Kill(t) })
	r.StartAgain(t)
	return r
}

// StartAgain starts systemd-resolved after Kill, and waits until it answers.
func (r *Resolved) StartAgain(t testing.TB) {
	t.Helper()
	r.log.Reset()
	r.daemon = r.command(t, r.programs.daemon)
	r.daemon.Stdout, r.daemon.Stderr = &r.log, &r.log
	try(t, r.daemon.Start())
	nstest.Eventually(t, patience, func() error {
		_, err := r.Resolvectl(t, "status")
		return err
	})
}

// Kill ends systemd-resolved by SIGKILL. Killing twice is harmless.
func (r *Resolved) Kill(t testing.TB) {
	t.Helper()
	if r.daemon == nil {
		return
	}
	try(t, r.daemon.Close())
	r.daemon = nil
	if t.Failed() {
		t.Logf("systemd-resolved wrote:\n%s", r.log.String())
	}
}

// Forget removes what systemd-resolved keeps in /run over a restart, as a
// restart of the machine does. Kill it before.
func (r *Resolved) Forget(t testing.TB) {
	t.Helper()
	try(t, os.RemoveAll(filepath.Join(r.dir, "run/systemd/resolve")))
}

// Manage makes a link look as if systemd-networkd managed it, or no longer.
func (r *Resolved) Manage(t testing.TB, index int, managed bool) {
	t.Helper()
	state := "ADMIN_STATE=unmanaged\n"
	if managed {
		state = "ADMIN_STATE=configured\nOPER_STATE=routable\n"
	}
	dir := filepath.Join(r.dir, "run/systemd/netif/links")
	try(t, os.MkdirAll(dir, 0o755))
	temporary := filepath.Join(dir, ".new")
	try(t, os.WriteFile(temporary, []byte(state), 0o644))
	try(t, os.Rename(temporary, filepath.Join(dir, fmt.Sprint(index))))
}

// Resolvectl runs resolvectl(1) on the host and returns what it wrote, errors
// included.
func (r *Resolved) Resolvectl(t testing.TB, args ...string) (string, error) {
	t.Helper()
	out, err := r.command(t, r.programs.resolvectl, append([]string{"--no-pager"}, args...)...).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("resolvectl %q: %w: %s", args, err, out)
	}
	return string(out), err
}

// command prepares a program on the host, among the files of the test.
func (r *Resolved) command(t testing.TB, path string, args ...string) *testhost.Cmd {
	cmd := r.host.Command(t.Context(), "sh", append([]string{"-c", inside, r.dir, path}, args...)...)
	cmd.Env = append(os.Environ(), "DBUS_SYSTEM_BUS_ADDRESS="+r.Address, "LD_LIBRARY_PATH="+r.programs.libraries)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return cmd
}
