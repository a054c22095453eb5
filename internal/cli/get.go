package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) getCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "get KIND [NAME]", Short: "list networks, ports, routers and others, or all",
		Long: `Get lists objects with their state. KIND is networks, ports, bridges, routers,
forwards, policies, sets or all.

JSON has the names of the YAML files and adds "status". YAML comes without
status: it is a file that 'kvmnet apply' takes, so it serves as a backup.`,
		Example: `  kvmnet get networks -o wide
  kvmnet get port vm1 -o json
  kvmnet get policies
  kvmnet get all -o yaml > backup.yaml`,
		Args: between(1, 2, "KIND: "+kindNames()+" or all"), ValidArgsFunction: a.completeKindAndName}
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		k, name, err := kind{}, "", error(nil)
		if args[0] != "all" {
			k, name, err = kindOf(args[0])
		}
		switch {
		case err != nil:
			return err
		case len(args) == 2 && (k.name == "" || name != ""):
			return usagef("unexpected argument %q", args[1])
		case len(args) == 2:
			name = args[1]
		}
		return a.get(cmd.Context(), k, name, form.value)
	}
	return cmd
}

func kindNames() string {
	var words []string
	for _, k := range kinds {
		words = append(words, k.name)
	}
	return strings.Join(words, ", ")
}

// get prints the objects of a kind, the zero kind for all, or the one with a name.
func (a *app) get(ctx context.Context, k kind, name, form string) error {
	if form == asYAML && (k.name == "") == (name == "") {
		word := ""
		if k.name != "" {
			word = k.word()
		}
		text, err := a.client().Export(ctx, word, name)
		fmt.Fprint(a.Stdout, text)
		return err
	}
	doc, err := a.gather(ctx, k, name)
	if err != nil {
		return err
	}
	if form == asYAML {
		doc = doc.definitions()
	}
	return a.listAll(doc, form, k.name == "")
}

// gather asks for the objects.
func (a *app) gather(ctx context.Context, k kind, name string) (document, error) {
	if name != "" {
		o, err := k.find(ctx, a.client(), name)
		return document{{k, []object{o}}}, err
	}
	wanted := []kind{k}
	if k.name == "" {
		wanted = kinds
	}
	var doc document
	for _, k := range wanted {
		list, err := k.list(ctx, a.client())
		if err != nil {
			return nil, err
		}
		doc = append(doc, section{k, list})
	}
	return doc, nil
}
