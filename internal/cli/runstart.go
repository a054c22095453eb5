package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// ended is the exit code of a command that was run. It has said what there is to say.
type ended int

func (e ended) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// become runs the machine in the place of this process: what it reads and writes, its
// signals and its exit code need nobody in between, and its taps go with it. It returns
// when that fails only.
func (r *run) become(program string) error {
	for _, n := range r.nics {
		var fds []int
		for _, f := range n.files {
			fds = append(fds, int(f.Fd()))
		}
		n.number(fds)
	}
	args, err := r.arguments()
	if err != nil {
		return err
	}
	if err := keepFrom(3); err != nil {
		return err
	}
	for _, n := range r.nics {
		for _, f := range n.files {
			if _, err := unix.FcntlInt(f.Fd(), unix.F_SETFD, 0); err != nil {
				return fmt.Errorf("pass a tap on: %w", err)
			}
		}
	}
	if err := r.as.take(); err != nil {
		return err
	}
	err = syscall.Exec(program, args, r.environment(os.Environ()))
	runtime.KeepAlive(r.nics)
	return fmt.Errorf("run %s: %w", program, err)
}

// keepFrom has the kernel close descriptors from a number on in programs that are run:
// those that we were given, too. Before 5.11 it cannot do so at once.
func keepFrom(first int) error {
	err := unix.CloseRange(uint(first), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil || !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	names, err := os.ReadDir("/proc/self/fd")
	for _, name := range names {
		var fd int
		if fmt.Sscan(name.Name(), &fd); fd >= first {
			unix.CloseOnExec(fd)
		}
	}
	return err
}

// watch runs the machine as a child, and keeps its ports until it ends.
func (r *run) watch(ctx context.Context, program string) error {
	cmd := exec.Command(program)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r.Stdin, r.Stdout, r.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: r.as.credential()}
	for _, n := range r.nics {
		var fds []int
		for _, f := range n.files {
			fds = append(fds, 3+len(cmd.ExtraFiles))
			cmd.ExtraFiles = append(cmd.ExtraFiles, f)
		}
		n.number(fds)
	}
	var err error
	if cmd.Args, err = r.arguments(); err != nil {
		return err
	}
	if cmd.Args, err = r.configure(cmd.Args); err != nil {
		return err
	}
	cmd.Env = r.environment(os.Environ())
	if err := keepFrom(3); err != nil {
		return err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, forwarded()...)
	defer signal.Stop(signals)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("run %s: %w", program, err)
	}
	for _, n := range r.nics { // the taps are the machine's, and go with it
		for _, f := range n.files {
			f.Close()
		}
	}
	done := make(chan struct{})
	go forward(signals, cmd.Process, done)
	err = cmd.Wait()
	close(done)
	return exitOf(err)
}

// exitOf is how a shell tells of the end of a command.
func exitOf(err error) error {
	var failed *exec.ExitError
	if !errors.As(err, &failed) {
		return err
	}
	status := failed.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return ended(128 + int(status.Signal()))
	}
	return ended(status.ExitStatus())
}

// forwarded are the signals that are for the machine.
func forwarded() []os.Signal {
	return []os.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH}
}

// forward passes signals on until the machine has ended. Those of a terminal reach it
// as well as us, and need nobody to pass them on.
func forward(signals chan os.Signal, vm *os.Process, done chan struct{}) {
	for {
		select {
		case <-done:
			return
		case s := <-signals:
			fromTerminal := s == syscall.SIGINT || s == syscall.SIGQUIT || s == syscall.SIGWINCH
			if !fromTerminal || !inForeground() {
				vm.Signal(s)
			}
		}
	}
}

// inForeground reports whether the keys of a terminal are for our process group.
func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}
