package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

var sets = kind{name: "sets",
	head: []string{"ADDRESSES", "USED-BY"},
	wide: []string{"DESCRIPTION", "PROBLEMS"},
	list: listed(api.Service.Sets, setObject)}

func setObject(s api.Set) object {
	addresses := strings.ReplaceAll(string(s.Spec.Addresses), " ", "")
	return object{name: s.Name, spec: s.Spec, status: s.Status, about: addresses, rows: []row{{
		cells: []string{addresses, strings.Join(s.Status.Users, ",")},
		wide:  []string{s.Spec.Description, strings.Join(s.Status.Problems, "; ")}}}}
}

func (a *app) setCommand() *cobra.Command {
	return a.group("set", "sets of addresses for policies: list, add",
		`A set is a name for addresses and prefixes, which policies use as set/NAME. Those of
a network's guests and of its gateway are there by themselves: lab/guests,
lab/gateway.`,
		`  kvmnet set add office 192.0.2.0/24 2001:db8::/48
  kvmnet policy add admin --from set/office --to lab --allow tcp/22`,
		a.listCommand(sets, &cobra.Command{Short: "list sets",
			Long:    `List prints the sets, and the policies that use them.`,
			Example: `  kvmnet set list`}),
		a.setAddCommand(),
		a.delCommand(sets, &cobra.Command{Short: "delete sets",
			Long:    `Del forgets a set. One that a policy uses stays until that is deleted.`,
			Example: `  kvmnet set del office`}))
}

func (a *app) setAddCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "add NAME ADDRESS...", Short: "add a set",
		Long:    `Add defines a set of addresses and prefixes, of both families.`,
		Example: `  kvmnet set add office 192.0.2.0/24 198.51.100.7 2001:db8::/48`,
		Args:    between(2, 1<<20, "NAME", "ADDRESS")}
	description := cmd.Flags().String("description", "", "a few `words` about it")
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s := &spec.AddressSet{Description: *description, Addresses: spec.Prefixes(strings.Join(args[1:], ", "))}
		if _, err := s.Addresses.List(); err != nil {
			return usagef("%v", err)
		}
		made, err := a.client().AddSet(cmd.Context(), api.Definition[spec.AddressSet]{Name: args[0], Spec: s})
		if err != nil {
			return err
		}
		return a.added(form.value, sets, setObject(made), made.Status.Problems)
	}
	return cmd
}
