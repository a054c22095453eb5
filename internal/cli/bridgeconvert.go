package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func (a *app) convertCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "convert NIC", Short: "move a NIC of the host into a bridge",
		Long: `Convert makes a bridge and moves the NIC into it, with its MAC, addresses, routes,
rules, resolvers and settings. Connections go on; the outage is some
milliseconds. A bridge that is there already, named with --name, keeps what it
has beside that.

The change is reverted unless it is confirmed in time: by 'kvmnet bridge
confirm' from a new SSH session, or, when you came by SSH, by any new connection
from where you are to the same port. Files are written only then. When this
command is interrupted, or your terminal closes, the change goes on waiting.`,
		Example: `  kvmnet bridge convert eth0 --plan
  kvmnet bridge convert eth0
  kvmnet bridge convert eth0 --name br-lan --confirm-within 5m --detach`,
		Args: one("NIC"), ValidArgsFunction: a.completeNICs}
	var r api.ConvertBridge
	f := cmd.Flags()
	f.StringVar(&r.Bridge, "name", "", "`name` of the bridge, which may be there; br0, or the next one that is free, unless it is said")
	f.BoolVar(&r.STP, "stp", false, "speak the spanning tree protocol; guests then wait for the forward delay")
	delay := f.Duration("delay", 0, "forward delay of the bridge, a `time`; 0 without --stp")
	f.BoolVar(&r.Volatile, "no-persist", false, "write no files: the bridge is gone after a reboot")
	c := a.changeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		within, err := c.seconds("confirm-within", *c.within)
		if err != nil {
			return err
		}
		if r.Delay, err = c.seconds("delay", *delay); err != nil {
			return err
		}
		r.Interface, r.ConfirmWithin, r.Plan, r.Peer = args[0], within, *c.plan, c.peer()
		done, err := a.client().ConvertBridge(cmd.Context(), r)
		return c.follow(cmd, done, err)
	}
	return cmd
}

func (a *app) unconvertCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "unconvert BRIDGE", Short: "move all back from a bridge to its NIC",
		Long: `Unconvert takes back what 'kvmnet bridge convert' did: the NIC gets all that the
bridge has, and configuration files are again what they were, byte for byte. It
waits for a confirmation in the same way.

When guests are on the bridge it stays with them, without the NIC; one that was
there before stays with all that it had.`,
		Example: `  kvmnet bridge unconvert br0 --plan
  kvmnet bridge unconvert br0`,
		Args: one("BRIDGE"), ValidArgsFunction: a.completeConverted}
	c := a.changeFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		within, err := c.seconds("confirm-within", *c.within)
		if err != nil {
			return err
		}
		done, err := a.client().UnconvertBridge(cmd.Context(), api.UnconvertBridge{Bridge: args[0], ConfirmWithin: within, Plan: *c.plan, Peer: c.peer()})
		return c.follow(cmd, done, err)
	}
	return cmd
}

// changing is a command that makes a change which waits for a confirmation.
type changing struct {
	*app
	within       *time.Duration
	plan, detach *bool
	byHand       *bool
	form         *choice
}

func (a *app) changeFlags(cmd *cobra.Command) changing {
	return changing{a, withinFlag(cmd),
		cmd.Flags().Bool("plan", false, "only show what would be done"),
		cmd.Flags().Bool("detach", false, "do not wait until the change is confirmed or reverted"),
		cmd.Flags().Bool("by-hand", false, "only 'kvmnet bridge confirm' confirms, no new connection"),
		single(cmd)}
}

// peer is whose new connection confirms.
func (c changing) peer() api.Peer {
	if *c.byHand {
		return api.Peer{}
	}
	return sshPeer()
}

// seconds reads a flag that the daemon takes in whole seconds.
func (c changing) seconds(flag string, d time.Duration) (spec.Seconds, error) {
	if d < 0 || d%time.Second != 0 {
		return 0, usagef("--%s %s is not a number of seconds, such as 60s", flag, d)
	}
	if flag == "confirm-within" && d == 0 {
		return 0, usage("--confirm-within needs some time, such as 60s")
	}
	return spec.Seconds(d / time.Second), nil
}

// follow prints what was done and waits for the end of the change.
func (c changing) follow(cmd *cobra.Command, done api.Conversion, err error) error {
	if err != nil {
		return err
	}
	if done.Change == nil {
		return c.print(c.form.value, done, func() error { c.printPlan(done); return nil })
	}
	if *c.detach {
		return c.print(c.form.value, done, func() error { c.printArmed(done); return nil })
	}
	if c.form.value == asTable {
		c.printArmed(done)
	}
	end, err := c.await(cmd.Context(), *done.Change)
	if err != nil {
		return err
	}
	done.Change = &end
	err = c.print(c.form.value, done, func() error { c.printEnd(end); return nil })
	if err == nil && end.State != api.ChangeConfirmed {
		return fmt.Errorf("change %s (%s) was reverted: %s", end.ID, end.What, end.Why)
	}
	return err
}

func (c changing) printPlan(done api.Conversion) {
	for _, op := range done.Ops {
		c.say("%s", op)
	}
	if done.Files != "" {
		c.say("\n%s", strings.TrimSuffix(done.Files, "\n"))
	}
	c.say("\nfiles: %s", orNobody(done.Manager))
	c.say("outage: %s", done.Outage)
	c.warn(done.Warnings)
}

// orNobody names who has the configuration.
func orNobody(manager string) string {
	if manager == "" {
		return "none are written"
	}
	return "of " + manager
}

func (c changing) warn(warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(c.Stderr, "kvmnet: note: %s\n", w)
	}
}

func (c changing) printArmed(done api.Conversion) {
	ch := done.Change
	outage := ""
	if done.Outage != "" {
		outage = ", outage " + done.Outage
	}
	c.say("%s%s; change %s is reverted in %s unless it is confirmed:", ch.What, outage, ch.ID, ch.Left)
	c.say("  from a new SSH session: kvmnet bridge confirm %s", ch.ID)
	if done.Watches != "" {
		c.say("  or by itself, with a new connection from %s", done.Watches)
	}
	c.warn(done.Warnings)
}

func (c changing) printEnd(end api.HostChange) {
	if end.State != api.ChangeConfirmed {
		return
	}
	c.say("change %s (%s) confirmed: %s", end.ID, end.What, end.Why)
	if end.Failure != "" {
		fmt.Fprintf(c.Stderr, "kvmnet: it is not finished yet, and tried again: %s\n", end.Failure)
	}
}
