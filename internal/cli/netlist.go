package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// netFilter are the flags of net list that choose networks.
type netFilter struct {
	all, inactive, persistent, transient, autostart, noAutostart bool
}

func (a *app) netListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "list networks",
		Long: `List prints the networks that run or wait for their first port; --all adds
those that are defined and do not run. The other flags choose among them.`,
		Example: `  kvmnet net list --all
  kvmnet net list --all --autostart -o wide
  kvmnet net list --uuid
  for n in $(kvmnet net list -q); do kvmnet verify $n; done`,
		Args: none}
	var chosen netFilter
	chosen.flags(cmd)
	uuid := cmd.Flags().Bool("uuid", false, "print UUIDs only")
	name := cmd.Flags().Bool("name", false, "print names only, as --quiet does")
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := exclusive(cmd, [][2]string{{"all", "inactive"}, {"persistent", "transient"}, {"autostart", "no-autostart"}, {"uuid", "name"}}); err != nil {
			return err
		}
		list, err := a.client().Networks(cmd.Context())
		if err != nil {
			return err
		}
		var shown []api.Network
		for _, n := range list {
			if chosen.takes(n) {
				shown = append(shown, n)
			}
		}
		if *uuid {
			for _, n := range shown {
				fmt.Fprintln(a.Stdout, n.Spec.UUID)
			}
			return nil
		}
		a.quiet = a.quiet || *name
		return a.list(networks, objects(shown, networkObject), form.value)
	}
	return cmd
}

func (f *netFilter) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.all, "all", false, "also networks that do not run")
	flags.BoolVar(&f.inactive, "inactive", false, "only networks that do not run")
	flags.BoolVar(&f.persistent, "persistent", false, "only networks with a definition")
	flags.BoolVar(&f.transient, "transient", false, "only networks without a definition")
	flags.BoolVar(&f.autostart, "autostart", false, "only networks that start with the daemon")
	flags.BoolVar(&f.noAutostart, "no-autostart", false, "only networks that do not")
}

// exclusive refuses flags that exclude each other.
func exclusive(cmd *cobra.Command, pairs [][2]string) error {
	for _, p := range pairs {
		if cmd.Flags().Changed(p[0]) && cmd.Flags().Changed(p[1]) {
			return usagef("--%s and --%s exclude each other", p[0], p[1])
		}
	}
	return nil
}

func (f *netFilter) takes(n api.Network) bool {
	return (f.all || f.inactive == (n.Status.State == api.Inactive)) &&
		(!f.persistent || n.Status.Persistent) && (!f.transient || !n.Status.Persistent) &&
		(!f.autostart || n.Status.Autostart) && (!f.noAutostart || !n.Status.Autostart)
}

func (a *app) netUUIDCommand() *cobra.Command {
	return &cobra.Command{Use: "uuid NAME", Short: "print the UUID of a network",
		Long:    `Uuid prints the UUID of the network with that name.`,
		Example: `  kvmnet net uuid lab`,
		Args:    one("NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := a.client().Network(cmd.Context(), args[0])
			if err == nil {
				fmt.Fprintln(a.Stdout, n.Spec.UUID)
			}
			return err
		}}
}

func (a *app) netNameCommand() *cobra.Command {
	return &cobra.Command{Use: "name UUID", Short: "print the name of a network",
		Long:    `Name prints the name of the network with that UUID.`,
		Example: `  kvmnet net name 6f9c1f0e-3d5b-4c35-9c59-2f1d3a8c0b11`,
		Args:    one("UUID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := a.client().Network(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case n.Name == args[0]:
				return fmt.Errorf("%s is a name; its UUID is %s", n.Name, n.Spec.UUID)
			}
			fmt.Fprintln(a.Stdout, n.Name)
			return nil
		}}
}
