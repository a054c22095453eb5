package qemuguest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Way is how people start a guest and give it its NIC, where that is another way
// than to name a tap.
type Way struct {
	NIC        []string            // QEMU's arguments for the NIC; none where Wrap adds them
	Wrap       []string            // a program, and its arguments before QEMU and QEMU's; nobody reads the guest's console
	Files      []*os.File          // that it inherits, the first one as 4
	Env        []string            // besides that of the process
	User       *syscall.Credential // whose process it is; nil = that of the process
	Processors int                 // 0 means 1; a guest uses no more queues of a NIC than it has processors
}

// command is the process to start for the command line of QEMU.
func (w *Way) command(argv []string) *exec.Cmd {
	if w == nil {
		w = &Way{}
	}
	argv = append(append([]string{}, w.Wrap...), argv...)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), w.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: w.User}
	return cmd
}

func (w *Way) files() []*os.File {
	if w == nil {
		return nil
	}
	return w.Files
}

// console is where the first serial port goes: to file 3, or nowhere where a program in
// between keeps it to itself.
func (w *Way) console() string {
	if w != nil && len(w.Wrap) > 0 {
		return "null,id=console"
	}
	return "file,id=console,append=on,path=/dev/fdset/1"
}

// inherited has QEMU take file 3 by its number: who may write there may not always open
// it. A pipe cannot be truncated, hence append above.
func (w *Way) inherited() []string {
	if w != nil && len(w.Wrap) > 0 {
		return nil
	}
	return []string{"-add-fd", "fd=3,set=1"}
}

func (w *Way) processors() int {
	if w == nil || w.Processors == 0 {
		return 1
	}
	return w.Processors
}

// Attach speaks with a guest that somebody else started, from the assets and with the
// words of CommandLine: line is its second serial port, of which nothing has been read.
// The guest is theirs to end.
func Attach(ctx context.Context, name string, line net.Conn) (*Guest, error) {
	ctx, cancel := context.WithTimeout(ctx, StartTimeout)
	defer cancel()
	g := &Guest{name: name, console: newTail(), stderr: newTail(), agent: newAgent(line, line)}
	g.ended = g.agent.done
	close(g.console.done)
	close(g.stderr.done)
	began := time.Now()
	select {
	case <-g.agent.ready:
		g.boot = time.Since(began)
		return g, nil
	case <-g.ended:
		return nil, fmt.Errorf("attach to guest %s: %w", name, errors.Join(errEnded, g.Close()))
	case <-ctx.Done():
		return nil, fmt.Errorf("attach to guest %s: %w", name, errors.Join(ctx.Err(), g.Close()))
	}
}
