package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// completeTimeout is how long a shell waits for names when the daemon is busy.
const completeTimeout = time.Second

// completer is the function cobra asks for arguments.
type completer = cobra.CompletionFunc

// names offers those of the list that are not on the command line yet, with a
// word about each.
func names[T any](ask func(context.Context) ([]T, error), about func(T) (name, text string), args []string) []cobra.Completion {
	ctx, cancel := context.WithTimeout(context.Background(), completeTimeout)
	defer cancel()
	list, err := ask(ctx)
	if err != nil {
		return nil // a shell has no place for an error
	}
	var found []cobra.Completion
	for _, v := range list {
		if name, text := about(v); name != "" && !slices.Contains(args, name) {
			found = append(found, cobra.CompletionWithDesc(name, text))
		}
	}
	return found
}

// completeNetworks offers the networks that fit, for one argument or for many.
func (a *app) completeNetworks(fits func(api.Network) bool, many bool) completer {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.networkNames(fits, args), cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) networkNames(fits func(api.Network) bool, args []string) []cobra.Completion {
	return names(a.client().Networks, func(n api.Network) (string, string) {
		if !fits(n) {
			return "", ""
		}
		return n.Name, string(n.Spec.Mode) + ", " + n.Status.State
	}, args)
}

// completeKindAndName offers a kind first, then names of it.
func (a *app) completeKindAndName(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	only := cobra.ShellCompDirectiveNoFileComp
	if len(args) > 0 {
		k, _, err := kindOf(args[0])
		if err != nil {
			return nil, only
		}
		return a.namesOf(k, args[1:]), only
	}
	var words []cobra.Completion
	for _, k := range kinds {
		if cmd.Name() == "get" {
			words = append(words, k.name)
		} else {
			words = append(words, k.word())
		}
	}
	if cmd.Name() == "get" {
		words = append(words, "all")
	}
	return words, only
}

func anyNetwork(api.Network) bool     { return true }
func isRunning(n api.Network) bool    { return n.Status.State == api.Running }
func isNotRunning(n api.Network) bool { return n.Status.State != api.Running }
func isDefined(n api.Network) bool    { return n.Status.Persistent }
