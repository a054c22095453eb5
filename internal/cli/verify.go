package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) verifyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "verify [NETWORK...]", Short: "prove with packets who reaches whom",
		Long: `Verify plugs test guests into the networks, all that run unless some are named,
and sends real packets: guest to guest, to the gateway, to the outside, to other
networks, with false sources, through routers and forwards. It compares what happens
with what modes, routers, forwards and policies promise. What cannot be proven from
here, for instance without an uplink, is unchecked; 'kvmnet demo' also proves who may
come in from outside.

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
	t, broken, unchecked := &table{head: []string{"NETWORK", "PROMISE", "EXPECTED", "SEEN", "RESULT"}}, 0, 0
	for _, c := range checks {
		result := "ok"
		switch {
		case !c.OK:
			broken++
			result = "BROKEN"
		case strings.HasPrefix(c.Seen, notChecked):
			unchecked++
			result = "unchecked"
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
	a.say("%s", sum(len(checks), broken, unchecked))
	return nil
}

// notChecked begins what was seen of a promise that could not be tried.
const notChecked = "not checked"

// sum tells in one line how it stands with the promises.
func sum(all, broken, unchecked int) string {
	switch kept := all - broken - unchecked; {
	case all == 0:
		return "no network runs"
	case kept == all:
		return count(all, "promise") + ", all kept"
	case unchecked == 0:
		return fmt.Sprintf("%s, %d broken", count(all, "promise"), broken)
	default:
		return fmt.Sprintf("%s, %d kept, %d broken, %d unchecked", count(all, "promise"), kept, broken, unchecked)
	}
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
