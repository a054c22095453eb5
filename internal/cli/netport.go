package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) netPortCreateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "port-create NETWORK FILE", Short: "add a port from a file of libvirt's XML",
		Long: `Port-create makes the port that a <networkport> document describes, and prints
what the guest needs. 'kvmnet port add' makes one without a file.`,
		Example: `  kvmnet net port-create lab port.xml`,
		Args:    between(2, 2, "NETWORK", "FILE"), ValidArgsFunction: a.completeNetworkAndXML}
	strict := cmd.Flags().Bool("strict", false, "refuse a file that says something in vain")
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := a.readFile(args[1])
		if err != nil {
			return err
		}
		p, err := a.client().AddPortXML(cmd.Context(), args[0], api.DefineRequest{File: f, Strict: *strict})
		if err != nil {
			return err
		}
		return a.print(form.value, portObject(p).alone(), func() error { return a.printNewPort(p, vhostAuto) })
	}
	return cmd
}

func (a *app) netPortDumpXMLCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "port-dumpxml NETWORK PORT", Short: "print a port as libvirt's XML",
		Long:    `Port-dumpxml prints a port as a <networkport> document. PORT is its name or its UUID.`,
		Example: `  kvmnet net port-dumpxml lab vm1`,
		Args:    between(2, 2, "NETWORK", "PORT"), ValidArgsFunction: a.completeNetworkAndPort}
	print := a.xmlFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := a.portOf(cmd.Context(), args[0], args[1])
		if err != nil {
			return err
		}
		text, err := a.client().PortXML(cmd.Context(), p.Name)
		if err != nil {
			return err
		}
		return print(text)
	}
	return cmd
}

func (a *app) netPortDeleteCommand() *cobra.Command {
	return &cobra.Command{Use: "port-delete NETWORK PORT", Short: "delete a port of a network",
		Long:    `Port-delete removes a port from the host and forgets it. PORT is its name or its UUID.`,
		Example: `  kvmnet net port-delete lab vm1`,
		Args:    between(2, 2, "NETWORK", "PORT"), ValidArgsFunction: a.completeNetworkAndPort,
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.portOf(cmd.Context(), args[0], args[1])
			if err == nil {
				err = a.client().DeletePort(cmd.Context(), p.Name)
			}
			if err == nil {
				a.say("port/%s deleted", p.Name)
			}
			return err
		}}
}

// portOf finds a port of a network by its name or its UUID.
func (a *app) portOf(ctx context.Context, network, port string) (api.Port, error) {
	n, err := a.client().Network(ctx, network)
	if err != nil {
		return api.Port{}, err
	}
	list, err := a.client().Ports(ctx)
	i := slices.IndexFunc(list, func(p api.Port) bool {
		return p.Spec.Network == n.Name && (p.Name == port || p.Spec.UUID == port)
	})
	if err == nil && i < 0 {
		err = &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("network %s has no port %s; see 'kvmnet net port-list %s'", n.Name, port, n.Name)}
	}
	if err != nil {
		return api.Port{}, err
	}
	return list[i], nil
}

func (a *app) completeNetworkAndXML(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch len(args) {
	case 0:
		return a.networkNames(isRunning, nil), cobra.ShellCompDirectiveNoFileComp
	case 1:
		return []cobra.Completion{"xml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) completeNetworkAndPort(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	only := cobra.ShellCompDirectiveNoFileComp
	switch len(args) {
	case 0:
		return a.networkNames(anyNetwork, nil), only
	case 1:
		of := func(p api.Port) (string, string) {
			if p.Spec.Network != args[0] {
				return "", ""
			}
			return p.Name, p.Status.State
		}
		return names(a.client().Ports, of, nil), only
	}
	return nil, only
}
