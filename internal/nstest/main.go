package nstest

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// TestingM is *testing.M, or what wraps it.
type TestingM interface{ Run() int }

// Main runs a package's tests inside a network and mount namespace of their own,
// so that none of them can touch the host's network, and fails if they leave
// anything behind in there: links, rules, routes, settings, named namespaces or
// processes.
//
//	func TestMain(m *testing.M) { nstest.Main(m) }
//
// What needs the way out, such as fetching the files of real guests, goes into
// functions that run before, in the host's namespaces.
func Main(m TestingM, before ...func()) { os.Exit(Private(m, before...).Run()) }

// Private is Main for those who exit by themselves, such as testscript.Main.
func Private(m TestingM, before ...func()) TestingM { return private{m, before} }

type private struct {
	m      TestingM
	before []func()
}

// inside marks the process that runs the tests.
const inside = "KVMNET_NSTEST_INSIDE"

// Run starts the test binary again, inside. Where namespaces cannot be made the
// tests run here, and skip by themselves.
func (p private) Run() int {
	if os.Getenv(inside) != "" {
		return p.runInside()
	}
	for _, fn := range p.before {
		fn()
	}
	// The kernel kills the child when the thread that made it ends.
	runtime.LockOSThread()
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = isolation()
	if err := cmd.Start(); err != nil {
		fmt.Fprintf(os.Stderr, "tests that need namespaces will skip: %v\n", err)
		runtime.UnlockOSThread()
		return p.m.Run()
	}
	err := cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(1, exit.ExitCode()) // -1 is a signal
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// isolation asks for the namespaces; somebody who is not root becomes root of a
// user namespace, as `unshare -r` does.
func isolation() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{
		Unshareflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		Pdeathsig:    syscall.SIGKILL,
	}
	if uid, gid := os.Geteuid(), os.Getegid(); uid != 0 {
		attr.Cloneflags = syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{HostID: uid, Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{HostID: gid, Size: 1}}
	}
	return attr
}

func (p private) runInside() int {
	before, err := snapshotAfter(hideNamedNamespaces, adoptOrphans, loopbackUp)
	if err != nil {
		fmt.Fprintf(os.Stderr, "prepare the namespaces of the tests: %v\n", err)
		return 1
	}
	// Tests of networks wait more than they compute. -parallel still decides.
	if f := flag.Lookup("test.parallel"); f != nil {
		f.Value.Set("8")
	}
	code := p.m.Run()
	if diff := settle(before, snapshot); diff != "" {
		fmt.Fprintf(os.Stderr, "the tests left something behind (-before +after):\n%s", diff)
		endChildren()
		return max(1, code)
	}
	return code
}

// hideNamedNamespaces gives the tests a /run/netns of their own.
func hideNamedNamespaces() error {
	if err := os.MkdirAll(netns.Dir, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", netns.Dir, "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mount tmpfs on %s: %w", netns.Dir, err)
	}
	return nil
}

// adoptOrphans makes us the parent of processes that lost theirs, so that none
// goes unnoticed.
func adoptOrphans() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

func loopbackUp() error { return exec.Command("ip", "link", "set", "lo", "up").Run() }

func snapshotAfter(steps ...func() error) (string, error) {
	for _, step := range steps {
		if err := step(); err != nil {
			return "", err
		}
	}
	return snapshot()
}

// snapshot prints all that a package's tests could leave behind.
func snapshot() (string, error) {
	ns, err := netns.Current()
	if err != nil {
		return "", err
	}
	defer ns.Close()
	text, err := dump(ns)
	if err != nil {
		return "", err
	}
	names, err := filepath.Glob(filepath.Join(netns.Dir, "*"))
	text += "# named namespaces\n" + strings.Join(names, "\n") + "\n# processes\n"
	for pid, name := range children() {
		text += fmt.Sprintf("%d %s\n", pid, name)
	}
	return text, err
}

// children are our living child processes with their names. One that has ended
// and that nobody waits for any more is an orphan's remains, not a leftover.
func children() map[int]string {
	list := map[int]string{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		// pid (comm) state ppid …; comm may contain spaces and parentheses.
		pid, rest, _ := strings.Cut(string(text), " (")
		end := strings.LastIndex(rest, ") ")
		if end < 0 {
			continue
		}
		fields := strings.Fields(rest[end+2:])
		if len(fields) > 2 && fields[1] == strconv.Itoa(os.Getpid()) && fields[0] != "Z" {
			n, _ := strconv.Atoi(pid)
			list[n] = rest[:end]
		}
	}
	return list
}

// endChildren kills what the tests left running; each is a child of ours, so its
// number cannot have passed to somebody else.
func endChildren() {
	for pid := range children() {
		unix.Kill(pid, unix.SIGKILL)
	}
}

// patience is how long a view may take to be as it was before. The kernel tears
// namespaces down in its own time, one after the other, so on a machine busy
// with namespaces it takes seconds.
var patience = 10 * time.Second

// settle waits until a view is as it was before and returns what still differs
// when patience is over.
func settle(before string, view func() (string, error)) string {
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		after, err := view()
		if err == nil && before == after {
			return ""
		}
		if time.Now().After(deadline) {
			if err != nil {
				return err.Error() + "\n"
			}
			return Diff(before, after)
		}
		time.Sleep(pause)
	}
}
