package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "verify [NETWORK...]", Short: "prove with packets who reaches whom",
		Long: `Verify plugs test guests into the networks, all that run unless some are named,
and sends real packets: guest to guest, to the gateway, to the outside, from
the outside, to other networks. It compares what happens with what the mode of
each network promises.

The exit code is 3 when a promise is broken.`,
		Example: `  kvmnet verify
  kvmnet verify lab
  kvmnet verify --outside 192.0.2.1`,
		ValidArgsFunction: a.completeNetworks(isRunning, true)}
	outside := cmd.Flags().String("outside", "", "address outside to probe (default: the uplink's gateway)")
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		checks, broken := []api.Check{}, 0
		if form.value == asTable {
			a.say(checkRow, "NETWORK", "PROMISE", "EXPECTED", "SEEN", "RESULT")
		}
		err := a.client().Verify(cmd.Context(), api.VerifyRequest{Networks: args, Outside: *outside}, func(c api.Check) {
			checks = append(checks, c)
			if !c.OK {
				broken++
			}
			if form.value == asTable && (!a.quiet || !c.OK) {
				a.printCheck(c)
			}
		})
		if form.value != asTable {
			doc := struct {
				Checks []api.Check `json:"checks"`
			}{checks}
			if err := a.print(form.value, doc, nil); err != nil {
				return err
			}
		}
		switch {
		case err != nil:
			return err
		case broken > 0:
			a.summary(form, "%s, %d broken", count(len(checks), "promise"), broken)
			return errPending
		}
		a.summary(form, "%s, all kept", count(len(checks), "promise"))
		return nil
	}
	return cmd
}

// checkRow has fixed widths, because lines are printed while the next ones are
// still being proven.
const checkRow = "%-12s  %-44s  %-22s  %-22s  %s"

func (a *app) printCheck(c api.Check) {
	result := "ok"
	if !c.OK {
		result = "BROKEN"
	}
	if coloured(a.Stdout) {
		result = paint(result, true)
	}
	fmt.Fprintf(a.Stdout, checkRow+"\n", c.Network, c.Promise, c.Expected, c.Seen, result)
}

// summary prints the last line, below a table only.
func (a *app) summary(form *choice, format string, args ...any) {
	if form.value == asTable {
		a.say(format, args...)
	}
}
