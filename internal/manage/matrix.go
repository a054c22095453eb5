package manage

import (
	"context"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
)

// Matrix implements api.Service.
func (m *Manager) Matrix(ctx context.Context) (api.Matrix, error) {
	v, err := m.look(ctx)
	if err != nil {
		return api.Matrix{}, err
	}
	matrix := api.Matrix{Parties: []string{}, Cells: []api.Reach{}}
	for _, c := range plan.Matrix(v.live(), v.report.Facts) {
		if !slices.Contains(matrix.Parties, c.From) {
			matrix.Parties = append(matrix.Parties, c.From)
		}
		matrix.Cells = append(matrix.Cells, api.Reach{From: c.From, To: c.To, Verdict: c.Reach, Router: c.Where,
			Only: permits(c.Only), But: permits(c.But), Reason: c.Reason})
	}
	return matrix, nil
}

func permits(list []plan.Permit) (all []api.Permit) {
	for _, p := range list {
		all = append(all, api.Permit{Traffic: p.Traffic, By: p.By})
	}
	return all
}
