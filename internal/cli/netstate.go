package cli

import (
	"context"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// onNetworks makes a command that does something with each network named.
func (a *app) onNetworks(cmd *cobra.Command, message string, fits func(api.Network) bool, do func(context.Context, string) error) *cobra.Command {
	cmd.Args, cmd.ValidArgsFunction = some("NAME"), a.completeNetworks(fits, true)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.each(cmd.Context(), args, message, do)
	}
	return cmd
}

func (a *app) netStartCommand() *cobra.Command {
	return a.onNetworks(&cobra.Command{Use: "start NAME...", Short: "start networks that are defined",
		Long: `Start makes the bridge of a network, its addresses and rules. It refuses when
the subnet is in use elsewhere on the host.`,
		Example: `  kvmnet net start lab red`},
		"network/%s started", isNotRunning,
		func(ctx context.Context, name string) error { return a.client().Start(ctx, name) })
}

func (a *app) netDestroyCommand() *cobra.Command {
	return a.onNetworks(&cobra.Command{Use: "destroy NAME...", Aliases: []string{"stop"}, Short: "stop networks",
		Long: `Destroy (or stop) takes a network down: its guests lose it. The definition
stays, and 'kvmnet net start' brings it back; a transient network is gone.`,
		Example: `  kvmnet net destroy lab
  kvmnet net stop lab`},
		"network/%s stopped", isRunning,
		func(ctx context.Context, name string) error { return a.client().Stop(ctx, name) })
}

func (a *app) netUndefineCommand() *cobra.Command {
	return a.onNetworks(&cobra.Command{Use: "undefine NAME...", Short: "forget the definition of networks",
		Long: `Undefine forgets a definition. A network that runs goes on as a transient one
until it is stopped; 'kvmnet delete network' does both.`,
		Example: `  kvmnet net undefine lab`},
		"network/%s undefined", isDefined,
		func(ctx context.Context, name string) error { return a.client().Undefine(ctx, name) })
}

func (a *app) netAutostartCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "autostart NAME...", Short: "start networks with the daemon, or not",
		Long: `Autostart marks a network to be started when the daemon first starts after a
boot; --disable takes the mark away. It neither starts nor stops it now.`,
		Example: `  kvmnet net autostart lab
  kvmnet net autostart lab --disable`}
	disable := cmd.Flags().Bool("disable", false, "do not start it with the daemon")
	a.onNetworks(cmd, "", isDefined, nil)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		message := "network/%s marked as autostarted"
		if *disable {
			message = "network/%s unmarked as autostarted"
		}
		return a.each(cmd.Context(), args, message, func(ctx context.Context, name string) error {
			return a.client().SetAutostart(ctx, name, !*disable)
		})
	}
	return cmd
}
