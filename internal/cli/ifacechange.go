package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func (a *app) ifaceStartCommand() *cobra.Command {
	return &cobra.Command{Use: "start NAME", Short: "bring an interface up as it is defined",
		Long: `Start brings an interface up through whoever has its configuration, or, where that
does not run, by itself. When a bridge takes over a port that carries addresses
the change is taken back unless it is confirmed, as with 'kvmnet bridge convert'.`,
		Example: `  kvmnet iface start br0`,
		Args:    one("NAME"), ValidArgsFunction: a.completeInterfaces(isDown),
		RunE: func(cmd *cobra.Command, args []string) error {
			done, err := a.client().StartInterface(cmd.Context(), api.InterfaceAction{Name: args[0], Peer: sshPeer()})
			if err != nil {
				return err
			}
			a.say("interface/%s started", done.Interface)
			a.waits(done.Conversion)
			return nil
		}}
}

func (a *app) ifaceDestroyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "destroy NAME", Aliases: []string{"stop"}, Short: "take an interface down",
		Long: `Destroy takes an interface down, and takes bridges, bonds and VLANs away. Its
definition stays. An interface that your SSH session comes by is not taken down
unless you say --force.`,
		Example: `  kvmnet iface destroy br0`,
		Args:    one("NAME"), ValidArgsFunction: a.completeInterfaces(isUp)}
	force := cmd.Flags().Bool("force", false, "take it down even if your session comes by it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.client().StopInterface(cmd.Context(), api.InterfaceAction{Name: args[0], Peer: sshPeer(), Force: *force}); err != nil {
			return err
		}
		a.say("interface/%s destroyed", args[0])
		return nil
	}
	return cmd
}

func (a *app) ifaceBridgeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "bridge NAME BRIDGE", Short: "put an interface into a new bridge, which takes over its addresses",
		Long: `Bridge defines a bridge that has the interface as its port, and starts it. It does
what 'kvmnet bridge convert' does when the interface is up: your SSH session goes
on, and the change is taken back unless it is confirmed.

As with virsh the bridge speaks the spanning tree protocol unless you say --no-stp.`,
		Example: `  kvmnet iface bridge eth0 br0 --no-stp
  kvmnet iface bridge eth0 br0 --no-start`,
		Args: between(2, 2, "NAME", "BRIDGE"), ValidArgsFunction: a.completeInterfaces(func(i api.HostInterface) bool { return !isHostBridge(i) })}
	noSTP := cmd.Flags().Bool("no-stp", false, "do not speak the spanning tree protocol")
	noStart := cmd.Flags().Bool("no-start", false, "only define the bridge")
	delay := cmd.Flags().Duration("delay", 0, "forward delay of the bridge, a `time`")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *delay < 0 || *delay%time.Second != 0 {
			return usagef("--delay %s is not a number of seconds, such as 4s", *delay)
		}
		done, err := a.client().BridgeInterface(cmd.Context(), api.BridgeInterface{Interface: args[0], Bridge: args[1], STP: !*noSTP,
			Delay: spec.Seconds(*delay / time.Second), Start: !*noStart, Peer: sshPeer()})
		if err != nil {
			return err
		}
		a.say("interface/%s is a port of interface/%s", done.Port, done.Interface)
		a.waits(done.Conversion)
		return nil
	}
	return cmd
}

func (a *app) ifaceUnbridgeCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "unbridge BRIDGE", Short: "take an interface out of its bridge, and the bridge away",
		Long: `Unbridge defines the only port of a bridge with the addresses of the bridge, and the
bridge no more. When the bridge is up the change is made at once, and taken back
unless it is confirmed.`,
		Example: `  kvmnet iface unbridge br0`,
		Args:    one("BRIDGE"), ValidArgsFunction: a.completeInterfaces(isHostBridge)}
	noStart := cmd.Flags().Bool("no-start", false, "do not bring the interface up")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		done, err := a.client().UnbridgeInterface(cmd.Context(), api.UnbridgeInterface{Bridge: args[0], Start: !*noStart, Peer: sshPeer()})
		if err != nil {
			return err
		}
		a.say("interface/%s is out of interface/%s", done.Port, args[0])
		a.waits(done.Conversion)
		return nil
	}
	return cmd
}

// ifaceChangeCommand makes a command that begins or ends a change of all interfaces.
func (a *app) ifaceChangeCommand(use, short, long string, do func(*api.Client, context.Context) error, done string) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Long: long, Args: none,
		Example: `  kvmnet iface begin
  kvmnet iface edit eth0
  kvmnet iface commit`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := do(a.client(), cmd.Context()); err != nil {
				return err
			}
			a.say("change of interfaces %s", done)
			return nil
		}}
}
