package packaged

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

//go:embed boot.sh
var bootScript string

// reaper is a first process that does nothing but bury the dead.
const reaper = "perl -e while(1){wait>0||select(undef,undef,undef,.05)}"

// machine is a computer on which packages are installed.
type machine struct {
	t    *testing.T
	init int // its first process, as we see it
}

// boot starts a machine that has the files of a root, and ends it with the test.
func boot(t *testing.T, lower, packages, init string) *machine {
	t.Helper()
	if users, _ := os.ReadFile("/proc/self/uid_map"); os.Geteuid() != 0 || !strings.Contains(string(users), "4294967295") {
		t.Skip("needs root and all users: it mounts and installs")
	}
	work := t.TempDir()
	cmd := exec.Command("unshare", "--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child=KILL", "sh", "-c", bootScript)
	cmd.Env = append(os.Environ(), "LOWER="+lower, "WORK="+work, "PACKAGES="+packages, "INIT="+init)
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	leave := ownCgroup(t, cmd)
	runtime.LockOSThread() // it is the end of the thread that is told
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		leave()
		log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("its console:\n%s", text)
		}
	})
	m := &machine{t: t}
	eventually(t, func() error {
		m.init = onlyChild(cmd.Process.Pid)
		return m.try("true")
	})
	return m
}

// ownCgroup gives the machine a group of control of its own, where there are such.
func ownCgroup(t *testing.T, cmd *exec.Cmd) (leave func()) {
	for _, top := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(top, "cgroup.procs")); err != nil {
			continue
		}
		dir, err := os.MkdirTemp(top, "kvmnet-test-")
		if err != nil {
			continue
		}
		cmd.Args = append([]string{"sh", "-c", `echo $$ >"$0/cgroup.procs" && exec "$@"`, dir}, cmd.Args...)
		cmd.Path, _ = exec.LookPath("sh")
		return func() { removeGroups(t, dir) }
	}
	return func() {}
}

// removeGroups removes a group and those in it, once their processes are gone.
func removeGroups(t *testing.T, dir string) {
	eventually(t, func() error {
		filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				defer os.Remove(path)
			}
			return nil
		})
		exec.Command("find", dir, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
		if _, err := os.Stat(dir); err == nil {
			return fmt.Errorf("%s is still there", dir)
		}
		return nil
	})
}

func onlyChild(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	child, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return child
}

// inside keeps a line from anything but a machine that has its own root.
const inside = "test -d /mnt/written -a ! -e /mnt/old || exit 99; set -e; "

// command prepares a line of the shell on the machine.
func (m *machine) command(script string) *exec.Cmd {
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(m.init), "-m", "-p", "-n", "-u", "-i", "-r", "-w", "sh", "-c", inside+script)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

// try runs a line and returns what it said when it fails.
func (m *machine) try(script string) error {
	if m.init == 0 {
		return fmt.Errorf("no first process")
	}
	if out, err := m.command(script).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", script, err, out)
	}
	return nil
}

// run runs a line that must succeed, and returns its output.
func (m *machine) run(script string) string {
	m.t.Helper()
	out, err := m.command(script).CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// start runs a line that goes on; stop asks it to end and returns what it said.
func (m *machine) start(script string) (stop func(signal string) string) {
	m.t.Helper()
	cmd := m.command("echo $$; exec " + script)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	var said string
	end := func(signal string) string {
		if said != "" {
			return said
		}
		if child := onlyChild(cmd.Process.Pid); child != 0 {
			exec.Command("kill", "-"+signal, strconv.Itoa(child)).Run()
		}
		cmd.Wait()
		said = out.String()
		return said
	}
	m.t.Cleanup(func() { end("KILL") })
	return end
}

// eventually waits until try succeeds.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
