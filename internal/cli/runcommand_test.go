package cli

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"kvmnet/internal/nstest"
)

// started runs kvmnet as a process, and returns it and its output when the machine
// says that it is ready.
func started(t *testing.T, socket string, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Args[0] = "kvmnet"
	cmd.Env = append(os.Environ(), "KVMNET_SOCKET="+socket)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewReader(out)
	if line, err := lines.ReadString('\n'); line != "ready\n" {
		t.Fatalf("the machine said %q, %v", line, err)
	}
	return cmd, lines
}

func guestsDaemon(t *testing.T) (*fake, string) {
	t.Helper()
	f := newFake()
	socket, err := serve(t.Cleanup, f)
	if err != nil {
		t.Fatal(err)
	}
	if err := serveGuests(t.Cleanup, f, socket); err != nil {
		t.Fatal(err)
	}
	return f, socket
}

const sleeper = `trap 'echo $sig; exit 7' TERM HUP USR1 INT; echo ready; while :; do sleep 0.02; done`

// TestRunPassesSignalsOn: by descriptor kvmnet has become the machine, by name it is
// between.
func TestRunPassesSignalsOn(t *testing.T) {
	t.Parallel()
	for _, by := range []string{"fd", "name"} {
		for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1} {
			if signal.Ignored(s) {
				continue // as below nohup: no shell can trap it then
			}
			f, socket := guestsDaemon(t)
			cmd, _ := started(t, socket, "run", "--net", "lab,by="+by, "--", "sh", "-c", sleeper)
			cmd.Process.Signal(s)
			var failed *exec.ExitError
			if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 7 {
				t.Errorf("by %s: %v ended it with %v, want exit code 7", by, s, err)
			}
			if by == "name" {
				nstest.Eventually(t, 10*time.Second, func() error { return f.saw("leave lab-1") })
			}
		}
	}
}

// TestKilledRunLeavesThePort: its connection ends with it, whatever the machine does.
func TestKilledRunLeavesThePort(t *testing.T) {
	t.Parallel()
	f, socket := guestsDaemon(t)
	cmd, lines := started(t, socket, "run", "--net", "lab,by=name", "--", "sh", "-c", "echo ready; echo $$; exec sleep 60")
	text, _ := lines.ReadString('\n')
	if err := f.saw("keep lab-1"); err != nil {
		t.Error(err)
	}
	cmd.Process.Kill()
	nstest.Eventually(t, 10*time.Second, func() error { return f.saw("leave lab-1") })
	machine := 0
	for _, c := range strings.TrimSpace(text) {
		machine = machine*10 + int(c-'0')
	}
	if err := syscall.Kill(machine, syscall.SIGKILL); machine < 2 || err != nil {
		t.Errorf("the machine %q did not outlive it: %v", text, err)
	}
	io.Copy(io.Discard, lines)
	cmd.Wait()
}

// TestKilledMachineIsTold as a shell tells of it.
func TestKilledMachineIsTold(t *testing.T) {
	t.Parallel()
	f, socket := guestsDaemon(t)
	cmd, lines := started(t, socket, "run", "--net", "lab,by=name", "--", "sh", "-c", "echo ready; kill -KILL $$")
	io.Copy(io.Discard, lines)
	var failed *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 137 {
		t.Errorf("got %v, want exit code 137", err)
	}
	nstest.Eventually(t, 10*time.Second, func() error { return f.saw("leave lab-1") })
}

// shellWords has a shell read quoted words.
func shellWords(words []string) ([]string, error) {
	line := `printf '%s\0'`
	for _, w := range words {
		line += " " + quote(w)
	}
	out, err := exec.Command("sh", "-c", line).Output()
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"), err
}
