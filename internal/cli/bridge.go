package cli

import (
	"net"
	"time"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) bridgeCommand() *cobra.Command {
	return a.group("bridge", "bridges of the host's own NICs",
		`Convert moves a NIC of the host into a bridge, with its addresses, routes and all
else that it has, also when your SSH session comes by it: the session goes on.
Guests on the bridge are on the NIC's network.

Nothing is written to configuration files before the change is confirmed. A
change that nobody confirms in time is reverted, also when the daemon is killed;
after a reboot the host is as it was.`,
		`  kvmnet bridge convert eth0 --plan      see what it would do
  kvmnet bridge convert eth0
  kvmnet bridge confirm                  from a new SSH session
  kvmnet bridge unconvert br0`,
		a.convertCommand(), a.unconvertCommand(), a.confirmCommand(), a.rollbackCommand(), a.bridgeListCommand(), a.bridgeHistoryCommand())
}

func (a *app) confirmCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "confirm [ID]", Short: "keep a change of the host's network",
		Long: `Confirm keeps a change that waits. Call it from a new SSH session: that you could
open one is what shows that the host can still be reached. Without an ID it is
the only change that waits.

Now the configuration files are written, so that the change outlives a reboot.`,
		Example: `  kvmnet bridge confirm
  kvmnet bridge confirm b3f1`,
		Args: between(0, 1), ValidArgsFunction: a.completeChanges}
	return a.ending(cmd, a.client, (*api.Client).ConfirmChange)
}

func (a *app) rollbackCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "rollback [ID]", Short: "take a change of the host's network back at once",
		Long: `Rollback takes a change back that waits for a confirmation. Without an ID it is
the only change that waits.`,
		Example: `  kvmnet bridge rollback
  kvmnet bridge rollback b3f1`,
		Args: between(0, 1), ValidArgsFunction: a.completeChanges}
	return a.ending(cmd, a.client, (*api.Client).RollbackChange)
}

// completeChanges offers the changes that wait.
func (a *app) completeChanges(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names(a.client().Changes, func(c api.HostChange) (string, string) {
		if !c.Ended.IsZero() {
			return "", ""
		}
		return c.ID, c.What
	}, args), cobra.ShellCompDirectiveNoFileComp
}

// completeNICs offers the interfaces of the host.
func (a *app) completeNICs(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var found []cobra.Completion
	list, _ := net.Interfaces() // a shell has no place for an error
	for _, i := range list {
		if len(args) == 0 && i.Flags&net.FlagLoopback == 0 {
			found = append(found, cobra.CompletionWithDesc(i.Name, i.HardwareAddr.String()))
		}
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

// completeConverted offers the bridges that took the place of a NIC.
func (a *app) completeConverted(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return names(a.client().Conversions, func(b api.ConvertedBridge) (string, string) {
		return b.Bridge, "has " + b.Interface
	}, args), cobra.ShellCompDirectiveNoFileComp
}

// withinFlag is how long a change waits for its confirmation.
func withinFlag(cmd *cobra.Command) *time.Duration {
	return cmd.Flags().Duration("confirm-within", time.Minute, "revert the change unless it is confirmed in this `time`")
}
