package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) doctorCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "doctor", Short: "find what keeps guests from their network",
		Long: `Doctor looks at the host and at what is around our networks: settings, uplinks, other
firewalls, who holds the ports of our servers, MTUs, addresses and MACs that two have,
other managers of links of ours, stale files. Each finding comes with its way out.

With --fix it repairs what is ours; of the rest it tells the commands.

The exit code is 3 when something is broken.`,
		Example: `  kvmnet doctor
  kvmnet doctor --fix
  kvmnet doctor -o json`,
		Args: none}
	fix := cmd.Flags().Bool("fix", false, "repair what is ours")
	form := single(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		ask := a.client().Doctor
		if *fix {
			ask = a.client().Heal
		}
		findings, err := ask(cmd.Context())
		if err != nil {
			return err
		}
		doc := struct {
			Findings []api.Finding `json:"findings"`
		}{findings}
		if err := a.print(form.value, doc, func() error { return a.printFindings(findings) }); err != nil {
			return err
		}
		if slices.ContainsFunc(findings, func(f api.Finding) bool { return f.Level == api.Broken && !f.Fixed }) {
			return errPending
		}
		return nil
	}
	return cmd
}

// printFindings prints a line a finding, with the way out below; with --quiet not of
// what is well.
func (a *app) printFindings(findings []api.Finding) error {
	counts := map[string]int{}
	for _, f := range findings {
		level := string(f.Level)
		if f.Fixed {
			level = "fixed"
		}
		if counts[level]++; f.Level == api.Fine && a.quiet {
			continue
		}
		subject := ""
		if f.Subject != "" {
			subject = f.Subject + ": "
		}
		if _, err := fmt.Fprintf(a.Stdout, "%-8s %-13s %s%s\n", level, f.Check, subject, f.Message); err != nil {
			return err
		}
		if f.Fix != "" && !f.Fixed {
			if _, err := fmt.Fprintf(a.Stdout, "%-22s fix: %s\n", "", f.Fix); err != nil {
				return err
			}
		}
	}
	a.say("%s", diagnosis(counts))
	return nil
}

// diagnosis tells in one line how it stands.
func diagnosis(counts map[string]int) string {
	var parts []string
	for _, level := range []string{"fixed", "broken"} {
		if n := counts[level]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, level))
		}
	}
	if n := counts[string(api.Warning)]; n > 0 {
		parts = append(parts, count(n, "warning"))
	}
	if len(parts) == 0 {
		return "all is well"
	}
	return strings.Join(parts, ", ")
}
