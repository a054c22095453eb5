package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{Use: "version", Short: "print the version",
		Long:    `Version prints the version of this command. 'kvmnet status' tells the daemon's.`,
		Example: `  kvmnet version`,
		Args:    none,
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintf(a.Stdout, "kvmnet %s\n", a.Version)
			return nil
		}}
}

func (a *app) helpCommand() *cobra.Command {
	return &cobra.Command{Use: "help [COMMAND]", Short: "explain a command",
		Long:    `Help prints what --help prints.`,
		Example: `  kvmnet help net add`,
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(about, rest[0])
			}
			if v := verbCalled(about.Name()); v != nil && !about.Parent().HasParent() {
				return a.speak(cmd.Context(), v, []string{"--help"})
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		}}
}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{Use: "completion SHELL", Short: "print a completion script for bash, zsh or fish",
		Long: `Completion prints a script that makes a shell complete commands, flags and, by
asking the daemon, names.`,
		Example: `  source <(kvmnet completion bash)
  kvmnet completion bash > /etc/bash_completion.d/kvmnet
  kvmnet completion zsh > "${fpath[1]}/_kvmnet"
  kvmnet completion fish > ~/.config/fish/completions/kvmnet.fish`,
		Args: one("SHELL: bash, zsh or fish"), ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.Stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.Stdout)
			case "fish":
				return root.GenFishCompletion(a.Stdout, true)
			}
			return usagef("unknown shell %q; there are bash, zsh and fish", args[0])
		}}
}
