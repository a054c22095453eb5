package testhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"time"
)

// Cmd is an exec.Cmd that starts inside a host's namespace. It is killed, and
// waited for, when the host closes.
type Cmd struct {
	*exec.Cmd
	host *Host

	once sync.Once // Wait may be called by the user and by Close
	err  error
}

// Command prepares a program to run on the host. The context kills it.
func (h *Host) Command(ctx context.Context, name string, args ...string) *Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = time.Second // a grandchild may keep the output open for ever
	return &Cmd{Cmd: cmd, host: h}
}

// Start starts the program. It forks from a thread inside the namespace, which
// the child inherits.
func (c *Cmd) Start() error {
	if err := c.host.ns.Do(c.Cmd.Start); err != nil {
		return fmt.Errorf("start %s on %s: %w", c.Path, c.host.name, err)
	}
	return c.host.own(c)
}

// Wait waits for the end of the program, as exec.Cmd.Wait does. More than one
// caller may wait.
func (c *Cmd) Wait() error {
	c.once.Do(func() { c.err = c.Cmd.Wait() })
	c.host.disown(c)
	return c.err
}

// Run starts the program and waits for its end.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the program and returns its standard output; an error carries the
// standard error unless that went elsewhere.
func (c *Cmd) Output() ([]byte, error) {
	var out, errs bytes.Buffer
	c.Stdout = &out
	if c.Stderr == nil {
		c.Stderr = &errs
	}
	err := c.Run()
	if err != nil && errs.Len() > 0 {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(errs.Bytes()))
	}
	return out.Bytes(), err
}

// CombinedOutput runs the program and returns what it wrote, errors included.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Close kills the program and waits for its end.
func (c *Cmd) Close() error {
	if c.Process == nil {
		return nil
	}
	kill := c.Process.Kill() // an error only says that it has ended
	if err := c.Wait(); err != nil && kill != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			return err
		}
	}
	return nil
}
