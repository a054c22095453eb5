package hostnet

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/confirm"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// interfacesKind is the kind of the change that iface-begin opens, and its name in the
// journal: there is one at a time.
const interfacesKind = "interfaces"

// begun is what a change of interfaces goes back to.
type begun struct {
	Files map[string]netfiles.File      `json:"files"` // of network managers, below /etc
	Up    map[string]spec.HostInterface `json:"up"`    // interfaces that were up, as they were
	Bound []string                      `json:"bound"` // bridges that took the place of a NIC
}

// BeginInterfaces implements api.InterfaceService.
func (h *Host) BeginInterfaces(ctx context.Context) error {
	h.turns.Lock()
	defer h.turns.Unlock()
	if h.open() != nil {
		return because(api.ReasonBegun, "there is an open change of interfaces: 'kvmnet iface commit' or 'kvmnet iface rollback' first")
	}
	s, err := h.look()
	if err != nil {
		return refuse(err)
	}
	then := begun{Files: s.written(), Up: map[string]spec.HostInterface{}}
	for name, l := range s.live {
		if l.Up {
			then.Up[name] = l.HostInterface
		}
	}
	converted, err := h.Conversions(ctx)
	if err != nil {
		return refuse(err)
	}
	for _, c := range converted {
		then.Bound = append(then.Bound, c.Bridge)
	}
	data, err := json.Marshal(then)
	if err == nil {
		_, err = h.journal.Arm(ctx, confirm.Change{ID: interfacesKind, Kind: interfacesKind, What: "interfaces since iface-begin", Holds: []string{"interfaces"}, Lasting: true, Before: data})
	}
	return refuse(err)
}

// written are the files that people and managers write; those of packages stay as they
// are.
func (s sight) written() map[string]netfiles.File {
	files := map[string]netfiles.File{}
	for name, f := range s.tree.Files {
		if strings.HasPrefix(name, "/etc/") {
			files[name] = *f
		}
	}
	return files
}

// open is the open change of interfaces, nil when there is none.
func (h *Host) open() *confirm.Entry {
	for _, e := range h.journal.Pending() {
		if e.Kind == interfacesKind {
			return &e
		}
	}
	return nil
}

// CommitInterfaces implements api.InterfaceService. Bridges that wait for a confirmation
// are confirmed by it.
func (h *Host) CommitInterfaces(ctx context.Context) error {
	e := h.open()
	if e == nil {
		return because(api.ReasonNotBegun, "there is no open change of interfaces: 'kvmnet iface begin' opens one")
	}
	for _, made := range h.since(*e) {
		if _, err := h.journal.Confirm(ctx, made.ID, "iface-commit"); err != nil {
			return refuse(err)
		}
	}
	_, err := h.journal.Confirm(ctx, e.ID, "iface-commit")
	return refuse(err)
}

// RollbackInterfaces implements api.InterfaceService.
func (h *Host) RollbackInterfaces(ctx context.Context) error {
	e := h.open()
	if e == nil {
		return because(api.ReasonNotBegun, "there is no open change of interfaces: 'kvmnet iface begin' opens one")
	}
	_, err := h.journal.Rollback(ctx, e.ID, "iface-rollback")
	return refuse(err)
}

// since are the conversions that wait and were made after a change was opened, the
// newest first.
func (h *Host) since(opened confirm.Entry) []confirm.Entry {
	return slices.DeleteFunc(h.journal.Pending(), func(e confirm.Entry) bool {
		return e.Kind != bridgeKind || e.State != confirm.Armed || e.Made.Before(opened.Made)
	})
}

// expire rolls back what was opened before this boot: nobody committed it.
func (h *Host) expire(ctx context.Context) ([]confirm.Entry, error) {
	e := h.open()
	if e == nil || e.Boot == h.journal.Boot {
		return nil, nil
	}
	end, err := h.journal.Rollback(ctx, e.ID, "the machine was started anew before iface-commit")
	return []confirm.Entry{end}, err
}
