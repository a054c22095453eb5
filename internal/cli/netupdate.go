package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// copyFlags are --live and --config.
type copyFlags struct{ live, config bool }

func (f *copyFlags) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.live, "live", false, "the network as it runs")
	cmd.Flags().BoolVar(&f.config, "config", false, "its definition")
}

func (f copyFlags) copies() api.Copies { return api.Copies{Live: f.live, Config: f.config} }

func (a *app) netUpdateCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "update NAME COMMAND SECTION XML|FILE", Short: "change one section of a network, also while it runs",
		Long: `Update changes one section of a network: the element in the arguments, or in a
file, is added (add, add-first, add-last), changed (modify) or taken out
(delete). It does so on the network as it runs (--live), its definition
(--config) or both; with neither on the running one, or the definition of one
that does not run. Guests lose neither their NIC nor a packet, where the kernel
can make the change in place; --dry-run prints what would change.

Sections are those of virsh, of which it refuses some, and more:
  ` + sectionLines(),
		Example: `  kvmnet net update lab add ip-dhcp-host "<host name='vm1' ip='192.168.100.20'/>" --live --config
  kvmnet net update lab delete dns-txt "<txt name='old'/>" --config
  kvmnet net update lab modify forward "<forward mode='route'/>" --dry-run`,
		Args: between(4, 4, "NAME", "COMMAND: add, add-first, modify or delete", "SECTION", "XML or FILE"), ValidArgsFunction: a.completeUpdate}
	var of copyFlags
	of.add(cmd)
	parent := cmd.Flags().Int("parent-index", -1, "which subnet, from 0; without it the one that fits")
	dry := cmd.Flags().Bool("dry-run", false, "only tell what would change")
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		u := api.NetworkUpdate{Copies: of.copies(), Command: args[1], Section: args[2], Parent: *parent, DryRun: *dry}
		var err error
		if u.XML, err = a.elementOf(args[3]); err != nil {
			return err
		}
		if u.Command == "add" {
			u.Command = "add-last"
		}
		done, err := a.client().UpdateNetwork(cmd.Context(), args[0], u)
		if err != nil {
			return err
		}
		return a.print(form.value, done, func() error { a.printUpdated(args[0], done, *dry); return nil })
	}
	return cmd
}

// sectionLines lists the sections, six a line.
func sectionLines() string {
	var lines []string
	for six := range slices.Chunk(updateSections, 6) {
		lines = append(lines, strings.Join(six, ", "))
	}
	return strings.Join(lines, ",\n  ")
}

// elementOf is an argument that is XML, or names a file of it.
func (a *app) elementOf(word string) (string, error) {
	if strings.HasPrefix(strings.TrimSpace(word), "<") {
		return word, nil
	}
	f, err := a.readFile(word)
	return f.Text, err
}

func (a *app) printUpdated(name string, done api.Updated, dry bool) {
	if dry {
		for _, op := range done.Ops {
			a.say("%s", op)
		}
		a.say("network/%s would change: %s; %s of the kernel", name, copiesText(done.Copies), count(len(done.Ops), "change"))
		return
	}
	a.say("network/%s changed: %s", name, copiesText(done.Copies))
}

func (a *app) completeUpdate(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	only := cobra.ShellCompDirectiveNoFileComp
	switch len(args) {
	case 0:
		return a.networkNames(anyNetwork, nil), only
	case 1:
		return updateCommands, only
	case 2:
		return updateSections, only
	case 3:
		return []cobra.Completion{"xml"}, cobra.ShellCompDirectiveFilterFileExt
	}
	return nil, only
}

func (a *app) netDescCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "desc NAME [WORDS...]", Short: "print or set the description or the title of a network",
		Long: `Desc prints the description of a network, or with --title its title, or sets it
to the words that follow; a single empty word takes it away.`,
		Example: `  kvmnet net desc lab
  kvmnet net desc lab "Where we break things" --config
  kvmnet net desc lab --title the lab`,
		Args: some("NAME"), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	var of copyFlags
	of.add(cmd)
	title := cmd.Flags().Bool("title", false, "the title instead of the description")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		n, err := a.client().Network(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if len(args) == 1 {
			return a.printWords(n, of, *title)
		}
		words := strings.Join(args[1:], " ")
		change := api.NetworkWords{Copies: of.copies(), Description: &words}
		if *title {
			change.Title, change.Description = &words, nil
		}
		if err = a.client().DescribeNetwork(cmd.Context(), n.Name, change); err == nil {
			a.say("network/%s described", n.Name)
		}
		return err
	}
	return cmd
}

func (a *app) printWords(n api.Network, of copyFlags, title bool) error {
	s := n.Spec
	if of.config && n.Definition != nil {
		s = n.Definition
	}
	text := s.Description
	if title {
		text = s.Title
	}
	if text = strings.TrimRight(text, "\n"); text != "" {
		fmt.Fprintln(a.Stdout, text)
	}
	return nil
}

func (a *app) netMetadataCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "metadata NAME URI", Short: "print, set or remove XML that others keep with a network",
		Long: `Metadata prints the element of a namespace that a program keeps with a network.
--set puts another in its place, --remove takes it out.`,
		Example: `  kvmnet net metadata lab http://example.org/owner
  kvmnet net metadata lab http://example.org/owner --key own --set '<owner>alice</owner>'
  kvmnet net metadata lab http://example.org/owner --remove`,
		Args: between(2, 2, "NAME", "URI"), ValidArgsFunction: a.completeNetworks(anyNetwork, false)}
	var of copyFlags
	of.add(cmd)
	set := cmd.Flags().String("set", "", "the `element`")
	key := cmd.Flags().String("key", "", "`prefix` for the namespace of --set")
	remove := cmd.Flags().Bool("remove", false, "take it out")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		change := api.MetadataChange{Copies: of.copies(), URI: args[1], Key: *key}
		switch {
		case *set != "" && *remove:
			return usage("--set and --remove exclude each other")
		case *set != "" && *key == "":
			return usage("--set needs --key: the prefix of the namespace")
		case *set == "" && !*remove:
			text, err := a.client().Metadata(cmd.Context(), args[0], args[1], of.copies())
			if err == nil {
				fmt.Fprintln(a.Stdout, strings.TrimRight(text, "\n"))
			}
			return err
		case *set != "":
			change.XML = set
		}
		err := a.client().SetMetadata(cmd.Context(), args[0], change)
		if err == nil {
			a.say("network/%s metadata of %s changed", args[0], args[1])
		}
		return err
	}
	return cmd
}
