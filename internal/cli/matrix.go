package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"kvmnet/internal/api"
)

func (a *app) policyMatrixCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "matrix", Short: "show who may open connections to whom",
		Long: `Matrix prints who (down) may open connections to whom (across), from policies,
peers, modes and routers together: all connections, none, or some; -o wide tells
which, and what decides. 'kvmnet verify' proves it with packets.`,
		Example: `  kvmnet policy matrix
  kvmnet policy matrix -o wide
  kvmnet policy matrix -o json`,
		Args: none}
	form := listing(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		m, err := a.client().Matrix(cmd.Context())
		if err != nil {
			return err
		}
		return a.print(form.value, m, func() error {
			if form.value == asWide {
				return a.show(pairTable(m))
			}
			return a.show(matrixTable(m))
		})
	}
	return cmd
}

// matrixTable has a line for who begins and a column for whom.
func matrixTable(m api.Matrix) *table {
	verdicts := map[[2]string]string{}
	for _, c := range m.Cells {
		verdicts[[2]string{c.From, c.To}] = c.Verdict
	}
	t := &table{head: append([]string{"FROM"}, m.Parties...)}
	for _, from := range m.Parties {
		line := []string{from}
		for _, to := range m.Parties {
			line = append(line, verdicts[[2]string{from, to}])
		}
		t.add(line...)
	}
	return t
}

// pairTable has a line for each pair, with what decides.
func pairTable(m api.Matrix) *table {
	t := &table{head: []string{"FROM", "TO", "VERDICT", "ROUTER", "ONLY", "BUT", "REASON"}}
	for _, c := range m.Cells {
		t.add(c.From, c.To, c.Verdict, c.Router, permitText(c.Only), permitText(c.But), c.Reason)
	}
	return t
}

func permitText(list []api.Permit) string {
	return strings.ReplaceAll(lines(list, func(p api.Permit) string { return p.Traffic + " (" + p.By + ")" }), "\n", ", ")
}
