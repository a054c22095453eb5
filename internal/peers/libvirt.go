package peers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// Libvirt is a libvirt daemon on a host of its own.
type Libvirt struct {
	t    testing.TB
	host *testhost.Host
	dir  string
	proc *process
}

// Said is what a program wrote, and how it ended.
type Said struct {
	Out, Err string
	Code     int
}

// libvirtDirs are the directories libvirt has fixed, and ours in their place.
var libvirtDirs = map[string]string{"etc": "/etc/libvirt", "run": "/run/libvirt", "lib": "/var/lib/libvirt", "cache": "/var/cache/libvirt", "log": "/var/log/libvirt"}

// StartLibvirt starts libvirtd with nothing defined. It has network, mount and
// process namespaces of its own, in which its files are private, and ends with the
// test and all it started.
func StartLibvirt(t testing.TB) *Libvirt {
	t.Helper()
	return StartLibvirtOn(t, nstest.Host(t, "libvirt"))
}

// StartLibvirtOn is StartLibvirt on a host that there is.
func StartLibvirtOn(t testing.TB, host *testhost.Host) *Libvirt {
	t.Helper()
	for program, pkg := range map[string]string{"libvirtd": "libvirt-daemon", "virsh": "libvirt-clients", "dnsmasq": "dnsmasq-base"} {
		Need(t, program, pkg)
	}
	needRoot(t, "libvirtd")
	// A socket has a short path; t.TempDir has the test's name in it.
	dir, err := os.MkdirTemp("", "libvirt")
	if err != nil {
		t.Fatal(err)
	}
	lv := &Libvirt{t: t, host: host, dir: dir}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := lv.furnish(); err != nil {
		t.Fatal(err)
	}
	// Settings of its own keep it from reading those of the machine.
	// The shell reaps what the daemon's children leave behind, as init would: libvirt waits
	// long for a dnsmasq that it has killed and that is still there.
	argv := []string{"sh", "-c", `"$@" & wait $!`, "sh", "libvirtd", "--config", lv.Path("libvirtd.conf"), "--pid-file", lv.Path("pid")}
	if lv.proc, err = start(t, lv.host, lv.Path("log.txt"), program{argv: argv, prepare: lv.room(), alone: true}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := until(ctx, lv.answers); err != nil {
		t.Fatalf("start libvirtd: %v%s", err, lv.proc.said())
	}
	return lv
}

// answers reports whether the daemon serves.
func (lv *Libvirt) answers() error {
	select {
	case <-lv.proc.done:
		return fmt.Errorf("it has ended: %v", lv.proc.err)
	default:
	}
	if said := lv.Virsh("net-list", "--all"); said.Code != 0 {
		return errors.New(said.Err)
	}
	return nil
}

// furnish makes the directories and files that packages and systemd would make.
// The driver of QEMU, which starts with the others, wants its user.
func (lv *Libvirt) furnish() error {
	var errs []error
	for _, dir := range []string{"etc/qemu/networks/autostart", "run/network", "lib/dnsmasq", "cache", "log"} {
		errs = append(errs, os.MkdirAll(lv.Path(dir), 0o755))
	}
	errs = append(errs, os.WriteFile(lv.Path("libvirtd.conf"), []byte("auth_unix_rw = \"none\"\n"), 0o644),
		os.WriteFile(lv.Path("etc", "qemu.conf"), []byte(qemuConf), 0o644))
	for file, line := range map[string]string{
		"passwd": "libvirt-qemu:x:64055:64055::/nonexistent:/bin/false\n",
		"group":  "libvirt-qemu:x:64055:\nkvm:x:64056:\n",
	} {
		text, err := os.ReadFile("/etc/" + file)
		errs = append(errs, err, os.WriteFile(lv.Path(file), append(text, line...), 0o644))
	}
	return errors.Join(errs...)
}

// qemuConf has virtual machines run as root and without what init would have to make
// for them: control groups, and a daemon for their logs.
const qemuConf = `user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
`

// room is what the daemon sees of the machine's files.
func (lv *Libvirt) room() []string {
	lines := []string{"mount -t proc proc /proc", "mount -t sysfs sysfs /sys", bind(lv.Path("passwd"), "/etc/passwd"), bind(lv.Path("group"), "/etc/group")}
	for ours, place := range libvirtDirs {
		lines = append(lines, "mkdir -p "+place, bind(lv.Path(ours), place))
	}
	return lines
}

// Host is the machine that the daemon manages.
func (lv *Libvirt) Host() *testhost.Host { return lv.host }

// Path is the place, outside, of a file of the daemon: etc is its /etc/libvirt, run
// its /run/libvirt, lib its /var/lib/libvirt.
func (lv *Libvirt) Path(parts ...string) string {
	return filepath.Join(append([]string{lv.dir}, parts...)...)
}

// File writes a file for virsh to read, and returns its path.
func (lv *Libvirt) File(name, text string) string {
	lv.t.Helper()
	if err := os.WriteFile(lv.Path(name), []byte(text), 0o644); err != nil {
		lv.t.Fatal(err)
	}
	return lv.Path(name)
}

// URI is how a client reaches the daemon.
func (lv *Libvirt) URI() string {
	return "network+unix:///system?socket=" + lv.Path("run", "libvirt-sock")
}

// Virsh runs a command of virsh, in the language and time zone of a script.
func (lv *Libvirt) Virsh(args ...string) Said {
	lv.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return lv.said(exec.CommandContext(ctx, "virsh", append([]string{"-c", lv.URI()}, args...)...))
}

// said runs a command to its end.
func (lv *Libvirt) said(cmd *exec.Cmd) Said {
	lv.t.Helper()
	var out, errs bytes.Buffer
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		lv.t.Fatalf("run %q: %v", cmd.Args, err)
	}
	return Said{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}
