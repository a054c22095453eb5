package hostnet

import (
	"context"
	"errors"
	"slices"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/confirm"
)

// Recover ends what an interrupted daemon left, before anything else changes the
// network, and tells what became of it.
func (h *Host) Recover(ctx context.Context) ([]api.HostChange, error) {
	ended, err := h.journal.Recover(ctx)
	expired, late := h.expire(ctx)
	return told(slices.Concat(ended, expired)), errors.Join(err, late)
}

// Changes implements api.BridgeService.
func (h *Host) Changes(context.Context) ([]api.HostChange, error) {
	return told(slices.Concat(h.journal.Pending(), h.journal.History())), nil
}

// ConfirmChange implements api.BridgeService.
func (h *Host) ConfirmChange(ctx context.Context, id string) (api.HostChange, error) {
	e, err := h.journal.Confirm(ctx, id, "kvmnet bridge confirm")
	return tell(e), refuse(err)
}

// RollbackChange implements api.BridgeService.
func (h *Host) RollbackChange(ctx context.Context, id string) (api.HostChange, error) {
	e, err := h.journal.Rollback(ctx, id, "kvmnet bridge rollback")
	return tell(e), refuse(err)
}

func told(list []confirm.Entry) []api.HostChange {
	var all []api.HostChange
	for _, e := range list {
		all = append(all, tell(e))
	}
	return all
}

func tell(e confirm.Entry) api.HostChange {
	c := api.HostChange{ID: e.ID, What: e.What, Holds: e.Holds, State: string(e.State), Made: e.Made, Deadline: e.Deadline,
		Ended: e.Ended, Why: e.Why, Failure: e.Failure}
	if e.State == confirm.Armed && e.Within > 0 {
		c.Left = e.Left.Round(time.Second).String()
	}
	return c
}

// refuse gives errors of the journal their codes.
func refuse(err error) error {
	var coded *api.Error
	var held *confirm.HeldError
	switch {
	case err == nil, errors.As(err, &coded):
		return err
	case errors.Is(err, confirm.ErrUnknown):
		return &api.Error{Code: api.CodeNotFound, Message: err.Error()}
	case errors.Is(err, confirm.ErrLate), errors.Is(err, confirm.ErrState), errors.As(err, &held):
		return &api.Error{Code: api.CodeConflict, Message: err.Error()}
	}
	return &api.Error{Code: api.CodeInternal, Message: err.Error()}
}

func conflict(message string) error { return &api.Error{Code: api.CodeConflict, Message: message} }
