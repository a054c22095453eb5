package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) deleteCommand() *cobra.Command {
	return &cobra.Command{Use: "delete KIND NAME...", Short: "stop and forget networks, ports, routers and others",
		Long: `Delete removes objects from the host and forgets their definitions. KIND is
network, port, bridge, router, forward, policy or set. A network that runs is
stopped: its guests lose it. What another object names stays, until that one is
changed or deleted.`,
		Example: `  kvmnet delete network lab
  kvmnet delete port vm1 vm2
  kvmnet delete network/lab
  kvmnet delete router r1`,
		Args: between(1, 1<<20, "KIND: "+orList(kindWords())), ValidArgsFunction: a.completeKindAndName,
		RunE: func(cmd *cobra.Command, args []string) error {
			k, name, err := kindOf(args[0])
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
			return a.each(cmd.Context(), names, k.word()+"/%s deleted", func(ctx context.Context, name string) error {
				return k.delete(ctx, a.client(), name)
			})
		}}
}

// deleteNetwork undefines first: a network that is to start by itself would come
// back if it were only stopped.
func deleteNetwork(ctx context.Context, s api.Service, name string) error {
	n, err := s.Network(ctx, name)
	if err == nil && n.Status.Persistent {
		err = s.Undefine(ctx, name)
	}
	if err == nil && n.Status.State == api.Running {
		err = s.Stop(ctx, name)
	}
	return err
}

// each does something with every name and says so, unless the message is "". It
// goes on after an error with one of them, but not when the daemon cannot be asked
// at all.
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
