package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) diffCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "diff [-f FILE]", Short: "show what apply, or the next repair, would change",
		Long: `Diff prints, a line each, the changes that 'kvmnet apply' would make with the
same files. Without a file it prints how the kernel has drifted from what it
should be: what the daemon will repair, or would if it were not paused. And it
prints how networks will run from their next start on that were defined anew
while they ran.

The exit code is 3 when there are changes to make now and 0 when there are none.`,
		Example: `  kvmnet diff -f lab.yaml
  kvmnet diff                       what somebody changed behind our back
  kvmnet diff -f lab.yaml -q || kvmnet apply -f lab.yaml`,
		Args: noFiles}
	names := filesFlag(cmd, "file to compare with, - for standard input; may be repeated")
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		result, err := a.difference(cmd.Context(), *names)
		if err != nil {
			return err
		}
		n := 0
		err = a.print(form.value, result, func() error { a.printDiff(result); return nil })
		for _, c := range result.Objects {
			if c.Verb != "unchanged" {
				n++
			}
		}
		if trouble := troubles(result); trouble != nil {
			a.complain(trouble) // told, but to compare has not failed
		}
		if n+len(result.Ops) > 0 {
			return errors.Join(err, errPending)
		}
		return err
	}
	return cmd
}

func (a *app) difference(ctx context.Context, names []string) (api.ApplyResult, error) {
	if len(names) == 0 {
		return a.client().Drift(ctx)
	}
	files, err := a.readFiles(names)
	if err != nil {
		return api.ApplyResult{}, err
	}
	return a.client().Apply(ctx, api.ApplyRequest{Files: files, DryRun: true})
}

// printDiff prints definitions that change, then the kernel's changes, and
// their number.
func (a *app) printDiff(r api.ApplyResult) {
	n := len(r.Ops)
	for _, c := range r.Objects {
		if c.Verb != "unchanged" {
			n++
			a.say("%s %s", c.Object, c.Verb)
		}
	}
	for _, op := range r.Ops {
		a.say("%s", op)
	}
	a.printNotes(r)
	a.printNext(r.Next)
	if n == 0 {
		a.say("no changes")
		return
	}
	a.say("%s", count(n, "change"))
}

// printNext shows what changes at the next start of networks.
func (a *app) printNext(list []api.Next) {
	for _, next := range list {
		a.say("note: %s changes at its next start:", next.Object)
		for _, line := range next.Lines {
			a.say("  %s", line)
		}
	}
}
