package proof

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"sync"
	"testing"

	"kvmnet/internal/daemontest"
)

// theBinary is the program that people have, as bytes: it is built once, and each test
// that runs it has its own file.
var theBinary = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "kvmnet")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "kvmnet")
	// Built as the tests are, so that all but the last step has been done.
	cmd := exec.Command("go", "build", "-race="+built("-race", "false"), "-o", path, "kvmnet/cmd/kvmnet")
	cmd.Env = append(os.Environ(), "CGO_ENABLED="+built("CGO_ENABLED", "0"))
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build kvmnet: %w: %s", err, out)
	}
	return os.ReadFile(path)
})

// built is a setting by which this program was built.
func built(key, otherwise string) string {
	info, _ := debug.ReadBuildInfo()
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return otherwise
}

// program is the binary in a directory of its own that everybody may read, beside what
// a test puts there.
type program struct {
	w   *world
	dir string
}

func (w *world) program() *program {
	w.t.Helper()
	text, err := theBinary()
	w.fine(err)
	p := &program{w, openDir(w.t)}
	p.write("kvmnet", text)
	return p
}

// openDir makes a directory that other users may enter: that of t.TempDir is the
// owner's alone.
func openDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "guests")
	if err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (p *program) path(parts ...string) string {
	return filepath.Join(append([]string{p.dir}, parts...)...)
}

// write makes a program of bytes.
func (p *program) write(name string, text []byte) {
	p.w.t.Helper()
	p.w.fine(os.MkdirAll(filepath.Dir(p.path(name)), 0o755))
	p.w.fine(os.WriteFile(p.path(name), text, 0o755))
}

// link gives the binary another name.
func (p *program) link(name string) string {
	p.w.t.Helper()
	p.w.fine(os.MkdirAll(filepath.Dir(p.path(name)), 0o755))
	if err := os.Symlink(p.path("kvmnet"), p.path(name)); !errors.Is(err, os.ErrExist) {
		p.w.fine(err)
	}
	return p.path(name)
}

// env is how it finds the daemon.
func (p *program) env(more ...string) []string {
	return append([]string{"KVMNET_SOCKET=" + daemontest.Options(p.w.Dir).Socket, "KVMNET_RUNTIME_DIR=" + daemontest.RuntimeDir(p.w.Dir)}, more...)
}

// command prepares a command on the machine, of the binary itself.
func (p *program) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(p.w.t.Context(), p.path("kvmnet"), args...)
	cmd.Env = append(os.Environ(), p.env()...)
	return cmd
}

// run runs a command on the machine to its end; said has its errors, too.
func (p *program) run(cmd *exec.Cmd) (said string, err error) {
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := p.w.NS.Do(cmd.Start); err != nil {
		return "", err
	}
	err = cmd.Wait()
	return out.String(), err
}

// must runs a command of the binary that has to succeed.
func (p *program) must(args ...string) string {
	p.w.t.Helper()
	said, err := p.run(p.command(args...))
	if err != nil {
		p.w.t.Fatalf("kvmnet %q: %v: %s", args, err, said)
	}
	return said
}
