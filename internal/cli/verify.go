package cli

import (
	"errors"
	"fmt"
	"slices"

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
		checks, done := []api.Check{}, a.counter("proving %d promises")
		err := a.client().Verify(cmd.Context(), api.VerifyRequest{Networks: args, Outside: *outside}, func(c api.Check) {
			checks = append(checks, c)
			done(len(checks))
		})
		done(0)
		doc := struct {
			Checks []api.Check `json:"checks"`
		}{checks}
		told := a.print(form.value, doc, func() error { return a.printChecks(checks) })
		if err := errors.Join(err, told); err != nil {
			return err
		}
		if slices.ContainsFunc(checks, func(c api.Check) bool { return !c.OK }) {
			return errPending
		}
		return nil
	}
	return cmd
}

// printChecks prints a line a promise, with --quiet of the broken ones only, and
// how many there are.
func (a *app) printChecks(checks []api.Check) error {
	t, broken := &table{head: []string{"NETWORK", "PROMISE", "EXPECTED", "SEEN", "RESULT"}}, 0
	for _, c := range checks {
		result := "ok"
		if !c.OK {
			broken++
			result = "BROKEN"
		}
		if !c.OK || !a.quiet {
			t.add(c.Network, c.Promise, c.Expected, c.Seen, result)
		}
	}
	if a.quiet {
		t.head = nil
	}
	if err := t.write(a.Stdout, coloured(a.Stdout)); err != nil {
		return err
	}
	switch {
	case len(checks) == 0:
		a.say("no network runs")
	case broken > 0:
		a.say("%s, %d broken", count(len(checks), "promise"), broken)
	default:
		a.say("%s, all kept", count(len(checks), "promise"))
	}
	return nil
}

// counter returns a function that shows on a terminal how many there are so far,
// and for 0 leaves nothing of it.
func (a *app) counter(format string) func(n int) {
	if a.quiet || !isTerminal(a.Stderr) {
		return func(int) {}
	}
	return func(n int) {
		fmt.Fprint(a.Stderr, eraseLine)
		if n > 0 {
			fmt.Fprintf(a.Stderr, format, n)
		}
	}
}
