package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) eventsCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "events", Short: "print what happens, as it happens",
		Long: `Events prints a line for everything that happens to networks, ports, bridges,
routers, forwards and policies, until Ctrl-C. JSON is an object a line and includes progress.`,
		Example: `  kvmnet events
  kvmnet events -o json | jq -r 'select(.type == "repaired").object'`,
		Args: none}
	form := choose(cmd, "output", "o", "form of the output", asTable, asJSON)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return a.follow(cmd.Context(), form.value, func(string) bool { return true })
	}
	return cmd
}

// follow prints the events of some objects until ctx ends.
func (a *app) follow(ctx context.Context, form string, of func(object string) bool) error {
	return a.client().Events(ctx, func(e api.Event) {
		switch {
		case !of(e.Object):
		case form == asJSON:
			var b bytes.Buffer
			j := json.NewEncoder(&b)
			j.SetEscapeHTML(false)
			if j.Encode(e) == nil {
				a.Stdout.Write(b.Bytes())
			}
		case e.Type != "progress":
			line := fmt.Sprintf("%s  %-10s  %-20s  %s", e.Time.Local().Format("2006-01-02 15:04:05"), e.Type, e.Object, e.Message)
			fmt.Fprintln(a.Stdout, strings.TrimRight(line, " "))
		}
	})
}
