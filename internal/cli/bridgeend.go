package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// ending makes cmd end a change by a call of the daemon.
func (a *app) ending(cmd *cobra.Command, client func() *api.Client, end func(*api.Client, context.Context, string) (api.HostChange, error)) *cobra.Command {
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id := ""
		if len(args) > 0 {
			id = args[0]
		}
		c, err := end(client(), cmd.Context(), id)
		if err != nil {
			return err
		}
		return a.print(form.value, c, func() error {
			a.say("%s (%s) %s", c.ID, c.What, c.State)
			if c.Failure != "" {
				fmt.Fprintf(a.Stderr, "kvmnet: it is not finished yet, and tried again: %s\n", c.Failure)
			}
			return nil
		})
	}
	return cmd
}
