package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) deleteCommand() *cobra.Command {
	return &cobra.Command{Use: "delete KIND NAME...", Short: "stop and forget networks, ports or bridges",
		Long: `Delete removes objects from the host and forgets their definitions. KIND is
network, port or bridge. A network that runs is stopped: its guests lose it.`,
		Example: `  kvmnet delete network lab
  kvmnet delete port vm1 vm2
  kvmnet delete network/lab`,
		Args: between(1, 1<<20, "KIND: network, port or bridge"), ValidArgsFunction: a.completeKindAndName,
		RunE: func(cmd *cobra.Command, args []string) error {
			kind, name, err := kindOf(args[0])
			names := args[1:]
			if name != "" {
				names = append([]string{name}, names...)
			}
			switch {
			case err != nil:
				return err
			case len(names) == 0:
				return usage("missing NAME")
			}
			remove := map[string]func(context.Context, string) error{
				"network": a.deleteNetwork, "port": a.client().DeletePort, "bridge": a.client().DeleteBridge}[kind]
			return a.each(cmd.Context(), names, kind+"/%s deleted", remove)
		}}
}

// deleteNetwork undefines first: a network that is to start by itself would come
// back if it were only stopped.
func (a *app) deleteNetwork(ctx context.Context, name string) error {
	n, err := a.client().Network(ctx, name)
	if err == nil && n.Status.Persistent {
		err = a.client().Undefine(ctx, name)
	}
	if err == nil && n.Status.State == api.Running {
		err = a.client().Stop(ctx, name)
	}
	return err
}

// each does something with every name and says so, unless the message is "". It goes on after an error
// with one of them, but not when the daemon cannot be asked at all.
func (a *app) each(ctx context.Context, names []string, message string, do func(context.Context, string) error) error {
	var errs []error
	for _, name := range names {
		err := do(ctx, name)
		errs = append(errs, err)
		var refused *api.Error
		switch {
		case err == nil && message == "": // do has said it
		case err == nil:
			a.say(message, name)
		case !errors.As(err, &refused):
			return errors.Join(errs...)
		}
	}
	return errors.Join(errs...)
}
