package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

const (
	lookEvery = 200 * time.Millisecond // at a change that waits
	patience  = 15 * time.Second       // for a daemon that is away, beyond the deadline
)

// await waits for the end of a change. A daemon that is away meanwhile may come
// back; whether it does or not is nothing that the change waits for.
func (c changing) await(ctx context.Context, ch api.HostChange) (api.HostChange, error) {
	defer c.countdown("")
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		list, err := c.client().Changes(ctx)
		i := slices.IndexFunc(list, func(l api.HostChange) bool { return l.ID == ch.ID })
		switch {
		case ctx.Err() != nil:
			return ch, c.left(ctx, ch)
		case err == nil && i < 0:
			return ch, fmt.Errorf("change %s (%s) is gone from the history; see how the host is by 'ip address'", ch.ID, ch.What)
		case err == nil && list[i].State != api.ChangeArmed && list[i].State != api.ChangeReverting:
			return list[i], nil
		case err == nil:
			c.countdown(told(list[i]))
		case time.Now().After(ch.Deadline.Add(patience)):
			return ch, fmt.Errorf("change %s (%s): %w; the daemon reverts it when it starts, 'kvmnet recover' without it", ch.ID, ch.What, err)
		default:
			c.countdown("the daemon is away; it reverts the change when it starts")
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// request asks to apply files, and to have that wait if it is to.
func (c changing) request(files []api.File, dry bool) (api.ApplyRequest, error) {
	r := api.ApplyRequest{Files: files, DryRun: dry}
	if *c.within == 0 {
		return r, nil
	}
	within, err := c.seconds("confirm-within", *c.within)
	r.ConfirmWithin, r.Peer = within, c.peer()
	return r, err
}

// followApplied waits for the end of what was applied. JSON has been printed.
func (c changing) followApplied(cmd *cobra.Command, r api.ApplyResult) error {
	if r.Change == nil {
		return nil
	}
	people := c.form.value == asTable || c.form.value == asWide
	if people {
		c.printArmed(api.Conversion{Change: r.Change, Watches: r.Watches})
	}
	if *c.detach {
		return nil
	}
	end, err := c.await(cmd.Context(), *r.Change)
	switch {
	case err != nil:
		return err
	case end.State != api.ChangeConfirmed:
		return fmt.Errorf("change %s (%s) was reverted: %s", end.ID, end.What, end.Why)
	case people:
		c.printEnd(end)
	}
	return nil
}

func told(ch api.HostChange) string {
	if ch.State == api.ChangeReverting {
		return "cannot be reverted yet, which is tried again: " + ch.Failure
	}
	return fmt.Sprintf("reverted in %s unless it is confirmed (Ctrl-C leaves it waiting)", ch.Left)
}

// left tells who interrupts the wait that the change goes on.
func (c changing) left(ctx context.Context, ch api.HostChange) error {
	c.countdown("")
	fmt.Fprintf(c.Stderr, "kvmnet: change %[1]s (%[2]s) goes on waiting: kvmnet bridge confirm %[1]s, or kvmnet bridge rollback %[1]s\n", ch.ID, ch.What)
	return errors.Join(ctx.Err())
}

// countdown shows a line that the next one replaces, to a person at a terminal.
func (c changing) countdown(text string) {
	if isTerminal(c.Stderr) && !c.quiet {
		io.WriteString(c.Stderr, "\r\x1b[K"+text)
	}
}
