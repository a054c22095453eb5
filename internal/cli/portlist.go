package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) portDelCommand() *cobra.Command {
	return a.delCommand(ports, &cobra.Command{Short: "delete ports",
		Long: `Del removes a port from the host and forgets it. A guest that runs loses the NIC.
What somebody else plugged in (state adopted) is not ours to remove.`,
		Example: `  kvmnet port del vm1 vm2`})
}

// deletePort deletes a port of ours, and tells of another why it stays.
func deletePort(ctx context.Context, s api.Service, name string) error {
	err := s.Delete(ctx, "port", name)
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeNotFound {
		return err
	}
	list, _ := s.Ports(ctx)
	for _, p := range list {
		if p.Name == name && p.Status.State == adopted {
			return notOurs(p, "removes")
		}
	}
	return err
}

// notOurs tells why nothing is done to an interface that somebody else plugged in.
func notOurs(p api.Port, does string) error {
	return &api.Error{Code: api.CodeConflict, Message: "port " + p.Name + " is adopted: somebody else plugged it into bridge " + p.Status.Bridge +
		", and kvmnet never " + does + " it; 'ip link set " + p.Name + " nomaster' takes it out"}
}

func (a *app) portListCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "list [NETWORK]", Short: "list ports",
		Long: `List prints all ports, or those of one network, and the interfaces somebody
else plugged into the bridges of networks (state adopted).

LINK is up while the cable is in and a guest is at its end; a tap that no program
has open is down, and one whose cable is out is unplugged. -o wide adds limits and
guards, what the guest received and sent, and how many packets its guards refused.`,
		Example: `  kvmnet port list
  kvmnet port list lab -o wide`,
		Args: between(0, 1, ""), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	form := listing(cmd)
	jsonFlag(cmd, form)
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
