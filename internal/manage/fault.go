package manage

import (
	"errors"
	"fmt"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/reconcile"
)

func notFound(kind, name string) error {
	reasons := map[string]string{"network": api.ReasonNoNetwork, "port": api.ReasonNoPort}
	return &api.Error{Code: api.CodeNotFound, Reason: reasons[kind], Message: fmt.Sprintf("no %s named %s", kind, name)}
}

func conflict(format string, args ...any) error {
	return &api.Error{Code: api.CodeConflict, Message: fmt.Sprintf(format, args...)}
}

// because gives an error of the user's a reason.
func because(reason string, err error) error {
	e := *err.(*api.Error)
	e.Reason = reason
	return &e
}

func invalid(message string, problems ...api.Problem) error {
	return &api.Error{Code: api.CodeInvalid, Message: message, Problems: problems}
}

// internal wraps what the kernel or the disk said; an error that is already for
// the user stays as it is.
func internal(err error) error {
	var known *api.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &api.Error{Code: api.CodeInternal, Message: err.Error()}
}

// told lists what a pass says of anybody.
func told(r reconcile.Report) []string {
	var list []string
	for _, owner := range r.Objects() {
		for _, problem := range r.Problems[owner] {
			list = append(list, owner+": "+problem)
		}
	}
	return list
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
