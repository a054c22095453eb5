package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// insideMark marks the process that runs inside the user namespace.
const insideMark = "KVMNET_DEMO_INSIDE"

func inPrivate() bool { return os.Getenv(insideMark) != "" }

// errNeedsRoot is for users of kernels that give namespaces to root only.
var errNeedsRoot = errors.New("kvmnet demo needs root or unprivileged user namespaces; type: sudo kvmnet demo")

// again runs the same demo in a child that is root of a user namespace of its
// own, as `unshare --map-root-user --net --mount` does.
func (o Options) again(ctx context.Context) error {
	if inPrivate() {
		return errNeedsRoot
	}
	if o.Keep {
		return errors.New("keeping the lab needs root; type: sudo kvmnet demo --keep")
	}
	args := []string{"demo", "--guests", o.Guests}
	var input io.Reader
	switch {
	case o.File != nil:
		args, input = append(args, "--topology", "-"), strings.NewReader(o.File.Text)
	case o.Topology != "":
		args = append(args, "--topology", o.Topology)
	}
	cmd := exec.CommandContext(ctx, o.Exe, args...)
	// The child takes everything down before it ends, when it is asked to.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.Env = append(os.Environ(), insideMark+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, o.Out, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		// A group of its own: the terminal's Ctrl-C must reach the child once, from us.
		// A second signal would end it in the middle of taking down.
		Setpgid:     true,
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}},
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w (%v)", errNeedsRoot, err)
	}
	if err := cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %w", ErrReported, err)
	}
	return nil
}
