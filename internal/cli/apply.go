package cli

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) applyCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "apply -f FILE", Short: "make everything a file says",
		Long: `Apply stores the objects of one or more YAML files as definitions and makes the
host so. Objects that are not in the files stay as they are. Nothing changes
when any file has a fault.

Running guests keep their NIC through every change that the kernel can make in
place; --dry-run, like 'kvmnet diff', tells beforehand what they will notice.

With --confirm-within the objects become again what they were unless you confirm
in time, by 'kvmnet bridge confirm' or by logging in anew.`,
		Example: `  kvmnet apply -f lab.yaml
  kvmnet apply -f networks.yaml -f ports.yaml --dry-run
  kvmnet apply -f policy.yaml --confirm-within 60s
  generate-lab | kvmnet apply -f -`,
		Args: noFiles}
	names := filesFlag(cmd, "file to apply, - for standard input; may be repeated")
	dry := cmd.Flags().Bool("dry-run", false, "only tell what would change")
	verbose := cmd.Flags().BoolP("verbose", "v", false, "also print unchanged objects and every change of the kernel, as -o wide does")
	within := cmd.Flags().Duration("confirm-within", 0, "take it back unless it is confirmed in this `time`; 0 = it stays")
	detach := cmd.Flags().Bool("detach", false, "with --confirm-within: do not wait for the end")
	byHand := cmd.Flags().Bool("by-hand", false, "with --confirm-within: only 'kvmnet bridge confirm' confirms, no new connection")
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if len(*names) == 0 {
			return usage("missing -f FILE")
		}
		files, err := a.readFiles(*names)
		if err != nil {
			return err
		}
		c := changing{app: a, within: within, detach: detach, byHand: byHand, form: form}
		request, err := c.request(files, *dry)
		if err != nil {
			return err
		}
		done := a.progress(cmd.Context())
		result, err := a.client().Apply(cmd.Context(), request)
		done()
		if cmd.Context().Err() != nil && !*dry {
			fmt.Fprintln(a.Stderr, "kvmnet: the daemon goes on with what it has begun; see 'kvmnet status'")
		}
		if err != nil {
			return err
		}
		a.caution(result.Notes)
		err = a.print(form.value, result, func() error {
			a.printApplied(result, *dry, *verbose || form.value == asWide)
			return nil
		})
		return errors.Join(err, troubles(result), c.followApplied(cmd, result))
	}
	return cmd
}

// noFiles refuses arguments, most likely files without their flag.
func noFiles(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("unexpected argument %q; name files with -f", args[0])
	}
	return nil
}

// printApplied prints a line per object, and the changes of the kernel when
// asked for or when nothing else tells that something was done.
func (a *app) printApplied(r api.ApplyResult, dry, verbose bool) {
	suffix := ""
	if dry {
		suffix = " (dry run)"
	}
	n := 0
	for _, c := range r.Objects {
		if c.Verb != "unchanged" {
			n++
		}
		if c.Verb != "unchanged" || verbose {
			a.say("%s %s%s", c.Object, c.Verb, suffix)
		}
	}
	if verbose || n == 0 {
		for _, op := range r.Ops {
			a.say("  %s", op)
		}
	}
	a.printNotes(r)
	if n == 0 && len(r.Ops) == 0 {
		a.say("no changes")
	}
}

// printNotes prints what guests notice and what objects wait for.
func (a *app) printNotes(r api.ApplyResult) {
	for _, d := range r.Disturbs {
		a.say("note: %s", d)
	}
	for _, object := range slices.Sorted(maps.Keys(r.Waits)) {
		a.say("note: %s %s", object, r.Waits[object])
	}
}

// troubles returns what could not be made, an error per object.
func troubles(r api.ApplyResult) error {
	var errs []error
	for _, object := range slices.Sorted(maps.Keys(r.Problems)) {
		errs = append(errs, fmt.Errorf("%s: %s", object, r.Problems[object]))
	}
	return errors.Join(errs...)
}
