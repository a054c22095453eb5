package cli

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

// filesFlag adds -f, which may be given several times.
func filesFlag(cmd *cobra.Command, text string) *[]string {
	names := cmd.Flags().StringArrayP("file", "f", nil, text)
	cmd.MarkFlagFilename("file", "yaml", "yml", "xml")
	return names
}

// readFiles reads every file, or tells all that cannot be read.
func (a *app) readFiles(names []string) ([]api.File, error) {
	var files []api.File
	var errs []error
	stdin := 0
	for _, name := range names {
		if name == "-" {
			stdin++
		}
		f, err := a.readFile(name)
		files, errs = append(files, f), append(errs, err)
	}
	if stdin > 1 {
		return nil, usagef("standard input can be read once, not %d times", stdin)
	}
	return files, errors.Join(errs...)
}

// readFile reads a file, or standard input for "-".
func (a *app) readFile(name string) (api.File, error) {
	if name != "-" {
		b, err := os.ReadFile(name)
		return api.File{Name: name, Text: string(b)}, err
	}
	b, err := io.ReadAll(a.Stdin)
	if err != nil {
		err = fmt.Errorf("read standard input: %w", err)
	}
	return api.File{Name: "<stdin>", Text: string(b)}, err
}

// completeFile completes the name of a definition file.
func completeFile(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return []cobra.Completion{"yaml", "yml", "xml"}, cobra.ShellCompDirectiveFilterFileExt
}
