package proof

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/testhost"
)

// sshKeys are keys of a host and of a user, in a directory of their own.
type sshKeys struct{ dir string }

const sshd = "/usr/sbin/sshd" // wants to be called by its full path

func newKeys(t testing.TB) sshKeys {
	t.Helper()
	if _, err := os.Stat(sshd); err != nil {
		t.Skip("needs openssh-server: scripts/deps test")
	}
	dir, err := os.MkdirTemp("", "ssh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	for _, name := range []string{"host", "user"} {
		out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, name)).CombinedOutput()
		if err != nil {
			t.Fatalf("make keys: %v: %s", err, out)
		}
	}
	return sshKeys{dir}
}

// serve runs OpenSSH's server on a host, with nothing of the system's configuration.
func (k sshKeys) serve(t testing.TB, h *testhost.Host) {
	t.Helper()
	config := fmt.Sprintf("HostKey %[1]s/host\nAuthorizedKeysFile %[1]s/user.pub\nStrictModes no\nUsePAM no\nUseDNS no\nPidFile none\n"+
		"PermitRootLogin prohibit-password\nPrintMotd no\nPrintLastLog no\nMaxStartups 100\nLogLevel ERROR\n", k.dir)
	file := filepath.Join(k.dir, "sshd_config")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	// The server drops its privileges in /run/sshd.
	cmd := h.Command(t.Context(), "unshare", "--mount", "sh", "-ec", "mount -t tmpfs tmpfs /run; mkdir /run/sshd; exec "+sshd+" -D -e -f "+file)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	nstest.Eventually(t, 10*time.Second, func() error {
		if r := h.Probe(t.Context(), testhost.Probe{Proto: testhost.TCP, To: netip.MustParseAddr("127.0.0.1"), Port: 22, Connect: true, Timeout: time.Second}); !r.OK {
			return fmt.Errorf("sshd does not listen yet: %s", r)
		}
		return nil
	})
}

// command is OpenSSH's client on a host.
func (k sshKeys) command(ctx context.Context, from *testhost.Host, to netip.Addr, options []string, words ...string) *testhost.Cmd {
	all := []string{"-F", "none", "-i", k.dir + "/user", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
		"-o", "BatchMode=yes", "-o", "ConnectTimeout=5"}
	return from.Command(ctx, "ssh", append(append(append(all, options...), "root@"+to.String()), words...)...)
}

// ssh runs a command on the machine in a new session.
func (s *outpost) ssh(words ...string) (string, error) {
	cmd := s.keys.command(s.t.Context(), s.admin, s.net.address().Addr(), nil, words...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// kvmnet is a command line for the machine.
func (s *outpost) kvmnet(words string) string {
	return s.program + " --socket " + filepath.Join(s.daemon.Dir, "sock") + " " + words
}

// remote is a session that goes on.
type remote struct {
	t     testing.TB
	cmd   *testhost.Cmd
	stdin io.WriteCloser
	lines chan string
}

// shell opens a session, in a terminal if options say -tt.
func (s *outpost) shell(options ...string) *remote {
	s.t.Helper()
	cmd := s.keys.command(s.t.Context(), s.admin, s.net.address().Addr(), options, "sh")
	stdin, err := cmd.StdinPipe()
	s.fine(err)
	stdout, err := cmd.StdoutPipe()
	s.fine(err)
	cmd.Stderr = cmd.Stdout
	s.fine(cmd.Start())
	sh := &remote{s.t, cmd, stdin, make(chan string, 1000)}
	go func() {
		defer close(sh.lines)
		for scan := bufio.NewScanner(stdout); scan.Scan(); {
			sh.lines <- strings.TrimRight(scan.Text(), "\r")
		}
	}()
	sh.alive()
	return sh
}

func (sh *remote) send(line string) {
	sh.t.Helper()
	if _, err := io.WriteString(sh.stdin, line+"\n"); err != nil {
		sh.t.Fatalf("the session is broken: %v", err)
	}
}

// until reads lines until one has the text, and returns what was read.
func (sh *remote) until(text string, patience time.Duration) (string, error) {
	var all strings.Builder
	timeout := time.After(patience)
	for {
		select {
		case line, open := <-sh.lines:
			if !open {
				return all.String(), errors.New("the session ended:\n" + all.String())
			}
			all.WriteString(line + "\n")
			if strings.Contains(line, text) {
				return all.String(), nil
			}
		case <-timeout:
			return all.String(), fmt.Errorf("no %q in %s:\n%s", text, patience, all.String())
		}
	}
}

// alive asks the session for a sign of life.
func (sh *remote) alive() {
	sh.t.Helper()
	sh.send("echo still-$((40+2))")
	if _, err := sh.until("still-42", 20*time.Second); err != nil {
		sh.t.Fatalf("the session does not go on: %v", err)
	}
}

// close ends the session in order.
func (sh *remote) close() {
	sh.stdin.Close()
	sh.cmd.Wait()
}

// hangUp ends the client at once, as a closed laptop does not even do: the
// server's terminal hangs up.
func (sh *remote) hangUp() {
	sh.cmd.Process.Kill()
	sh.cmd.Wait()
}
