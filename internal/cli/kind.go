package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// kind is how the command line handles one kind of objects.
type kind struct {
	name       string   // as in files: networks
	short      string   // another word for it
	head, wide []string // of its table, behind the name
	list       func(context.Context, api.Service) ([]object, error)
	remove     func(context.Context, api.Service, string) error // nil = by Delete
}

// kinds are all of them, in the order in which they are listed.
var kinds = []kind{networks, bridges, ports, routers, forwards, policies, sets}

// listed makes a kind's list of a verb and a function that turns what it answers
// into objects.
func listed[T any](ask func(api.Service, context.Context) ([]T, error), as func(T) object) func(context.Context, api.Service) ([]object, error) {
	return func(ctx context.Context, s api.Service) ([]object, error) {
		list, err := ask(s, ctx)
		return objects(list, as), err
	}
}

// word is how one object of the kind is called: network.
func (k kind) word() string { return spec.Singular(k.name) }

// delete takes an object off the host and forgets it.
func (k kind) delete(ctx context.Context, s api.Service, name string) error {
	if k.remove != nil {
		return k.remove(ctx, s, name)
	}
	return s.Delete(ctx, k.word(), name)
}

// find returns the object of a name.
func (k kind) find(ctx context.Context, s api.Service, name string) (object, error) {
	list, err := k.list(ctx, s)
	return named(list, err, k.word(), name, func(o object) string { return o.name })
}

// named picks from a list the one of a name.
func named[T any](list []T, err error, word, name string, nameOf func(T) string) (T, error) {
	i := slices.IndexFunc(list, func(v T) bool { return nameOf(v) == name })
	if err == nil && i >= 0 {
		return list[i], nil
	}
	var none T
	if err == nil {
		err = &api.Error{Code: api.CodeNotFound, Message: fmt.Sprintf("no %s named %s", word, name)}
	}
	return none, err
}

// kindOf reads KIND or KIND/NAME, the form in which messages name objects.
func kindOf(word string) (k kind, name string, err error) {
	word, name, _ = strings.Cut(word, "/")
	for _, k := range kinds {
		if word == k.name || word == k.word() || word == k.short {
			return k, name, nil
		}
	}
	if near := spec.Nearest(word, kindWords()); near != "" {
		return kind{}, "", usagef("unknown kind %q; did you mean %s?", word, near)
	}
	return kind{}, "", usagef("unknown kind %q; there are %s", word, orList(kindWords()))
}

// kindWords are the words for one object of each kind.
func kindWords() []string {
	var words []string
	for _, k := range kinds {
		words = append(words, k.word())
	}
	return words
}

// orList is "a, b and c".
func orList(words []string) string {
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// complete offers objects of a kind, for one argument or for many.
func (a *app) complete(k kind, many bool) completer {
	return func(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 && !many {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return a.namesOf(k, args), cobra.ShellCompDirectiveNoFileComp
	}
}

// namesOf are the names of a kind's own objects.
func (a *app) namesOf(k kind, args []string) []cobra.Completion {
	ask := func(ctx context.Context) ([]object, error) { return k.list(ctx, a.client()) }
	return names(ask, func(o object) (string, string) {
		if o.adopted {
			return "", ""
		}
		return o.name, o.about
	}, args)
}

// listCommand makes a command that lists all objects of a kind.
func (a *app) listCommand(k kind, cmd *cobra.Command) *cobra.Command {
	cmd.Use, cmd.Args = "list", none
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		list, err := k.list(cmd.Context(), a.client())
		if err != nil {
			return err
		}
		return a.list(k, list, form.value)
	}
	return cmd
}

// delCommand makes a command that deletes objects of a kind.
func (a *app) delCommand(k kind, cmd *cobra.Command) *cobra.Command {
	cmd.Use, cmd.Aliases = "del NAME...", []string{"delete"}
	cmd.Args, cmd.ValidArgsFunction = some("NAME"), a.complete(k, true)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.each(cmd.Context(), args, k.word()+"/%s deleted", func(ctx context.Context, name string) error {
			return k.delete(ctx, a.client(), name)
		})
	}
	return cmd
}
