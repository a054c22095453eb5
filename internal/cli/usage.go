package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/spec"
)

// Exit codes.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitPending = 3 // diff: changes pending; verify: a promise broken
)

// errPending ends a command with exit code 3; what is pending has been printed.
var errPending = errors.New("changes pending")

// usage is an error of how the command was called.
type usage string

func (u usage) Error() string { return string(u) }

func usagef(format string, args ...any) error { return usage(fmt.Sprintf(format, args...)) }

// exit prints the error of a command and returns its exit code.
func (a *app) exit(ctx context.Context, cmd *cobra.Command, err error) int {
	var wrong usage
	var end ended
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errPending):
		return exitPending
	case errors.As(err, &end):
		return int(end)
	case errors.Is(err, errSaid):
		return exitFailed
	case a.Told != nil && a.Told(err):
		return exitFailed
	case errors.As(err, &wrong) || !a.running:
		fmt.Fprintf(a.Stderr, "kvmnet: %s\nsee '%s --help'\n", err, cmd.CommandPath())
		return exitUsage
	}
	for _, e := range each(err) {
		if ctx.Err() == nil || !errors.Is(e, context.Canceled) {
			a.complain(e)
			continue
		}
		fmt.Fprintln(a.Stderr, "kvmnet: interrupted")
	}
	return exitFailed
}

// complain prints an error, each of several on its own.
func (a *app) complain(err error) {
	for _, e := range each(err) {
		fmt.Fprintf(a.Stderr, "kvmnet: %s\n", e)
	}
}

// each takes apart what errors.Join put together: errors whose text is that of
// their parts, a line each. What fmt wraps has words of its own.
func each(err error) []error {
	several, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var parts []error
	var text []string
	for _, e := range several.Unwrap() {
		parts, text = append(parts, each(e)...), append(text, e.Error())
	}
	if err.Error() != strings.Join(text, "\n") {
		return []error{err}
	}
	return parts
}

// group returns a command that only holds others.
func (a *app) group(use, short, long, example string, subs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Example: example,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(subs...)
	return cmd
}

// unknownCommand names the commands that are near.
func unknownCommand(cmd *cobra.Command, name string) error {
	near := nearCommands(cmd, name)
	message := fmt.Sprintf("unknown command %q", name)
	if len(near) > 0 {
		message += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	return usage(message)
}

// nearCommands finds what a misspelled command may have meant. virsh's names are
// hidden, so that cobra does not look at them.
func nearCommands(cmd *cobra.Command, name string) []string {
	cmd.SuggestionsMinimumDistance = 2
	near := cmd.SuggestionsFor(name)
	if (strings.HasPrefix(name, "net-") || strings.HasPrefix(name, "iface-")) && !cmd.HasParent() {
		var known []string
		for _, v := range verbs() {
			known = append(known, v.name)
		}
		if v := spec.Nearest(name, known); v != "" {
			near = append(near, v)
		}
	}
	slices.Sort(near)
	return slices.Compact(near)
}

// flagError says that the command is unknown when it is: then the flag after it
// is unknown only for that reason.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return unknownCommand(cmd, cmd.Flags().Arg(0))
	}
	return err
}

// none refuses arguments.
func none(_ *cobra.Command, args []string) error { return between(0, 0, "")(nil, args) }

// one wants exactly one argument.
func one(what string) cobra.PositionalArgs { return between(1, 1, what) }

// some wants one argument or more.
func some(what string) cobra.PositionalArgs { return between(1, 1<<20, what) }

// between wants from least to most arguments; what names the first missing one.
func between(least, most int, what ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("missing %s", what[min(len(args), len(what)-1)])
		case len(args) > most:
			return usagef("unexpected argument %q", args[most])
		}
		return nil
	}
}

// choice is a flag that takes one of a few words.
type choice struct {
	value   string
	allowed []string
}

func (c *choice) String() string { return c.value }

func (c *choice) Type() string { return strings.Join(c.allowed, "|") }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.allowed, s) {
		return fmt.Errorf("must be one of %s", strings.Join(c.allowed, ", "))
	}
	c.value = s
	return nil
}

// choose adds such a flag, with its completion. The first word is the default.
func choose(cmd *cobra.Command, name, short, text string, allowed ...string) *choice {
	c := &choice{allowed[0], allowed}
	cmd.Flags().VarP(c, name, short, text)
	cmd.RegisterFlagCompletionFunc(name, cobra.FixedCompletions(allowed, cobra.ShellCompDirectiveNoFileComp))
	return c
}
