package cli

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) portDelCommand() *cobra.Command {
	return a.delCommand(ports, &cobra.Command{Short: "delete ports",
		Long:    `Del removes a port from the host and forgets it. A guest that runs loses the NIC.`,
		Example: `  kvmnet port del vm1 vm2`})
}

func (a *app) portListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list [NETWORK]", Short: "list ports",
		Long: `List prints all ports, or those of one network, and the interfaces somebody
else plugged into the bridges of networks (state adopted).`,
		Example: `  kvmnet port list
  kvmnet port list lab -o wide`,
		Args: between(0, 1, ""), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.listPorts(cmd.Context(), strings.Join(args, ""), form.value)
	}
	return cmd
}

// listPorts prints the ports of a network, of all when it is "".
func (a *app) listPorts(ctx context.Context, network, form string) error {
	if network != "" { // so that a misspelled name is not an empty list
		if _, err := a.client().Network(ctx, network); err != nil {
			return err
		}
	}
	list, err := a.client().Ports(ctx)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(p api.Port) bool { return network != "" && p.Spec.Network != network })
	return a.list(ports, objects(list, portObject), form)
}

func (a *app) portShowCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "show one port",
		Long:    `Show prints a port with what its guest needs, as 'kvmnet port add' does.`,
		Example: `  kvmnet port show vm1`,
		Args:    one("NAME"), ValidArgsFunction: a.complete(ports, false)}
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := a.client().Ports(cmd.Context())
		p, err := named(list, err, "port", args[0], func(p api.Port) string { return p.Name })
		if err != nil {
			return err
		}
		return a.print(form.value, portObject(p).alone(), func() error { return a.fields(portFields(p)...) })
	}
	return cmd
}
