package hostnet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"kvmnet/internal/confirm"
	"kvmnet/internal/netfiles"
)

// definitionKind is the kind of changes of definitions: of files, and of the record of
// how to take them back.
const definitionKind = "definition"

// rewriting is a change of a definition. It is made as a whole or not at all: of one
// that was stopped between two files the first ones are taken back.
type rewriting struct {
	Name   string            `json:"name"`
	Files  []netfiles.Change `json:"files"`
	Before *definition       `json:"before,omitempty"` // the record; nil = none
	After  *definition       `json:"after,omitempty"`
}

// writeWithin is how long the disk may take.
const writeWithin = time.Minute

// rewrite writes files and the record of a definition, armed before the first of them.
func (h *Host) rewrite(ctx context.Context, verb string, r rewriting) error {
	c, err := r.arming(verb)
	if err != nil {
		return err
	}
	e, err := h.journal.Make(ctx, c, func(context.Context, confirm.Change) error { return r.write(h) })
	if err != nil {
		return fmt.Errorf("%s %s: %w", verb, r.Name, err)
	}
	if _, err = h.journal.Confirm(ctx, e.ID, "its files are written"); err != nil {
		_, undo := h.journal.Rollback(ctx, e.ID, err.Error())
		return errors.Join(err, undo)
	}
	return nil
}

// arming is the entry of the journal.
func (r rewriting) arming(verb string) (confirm.Change, error) {
	data, err := json.Marshal(r)
	return confirm.Change{Kind: definitionKind, What: verb + " " + r.Name, Holds: []string{r.Name}, Within: writeWithin, Lasting: true, Before: data}, err
}

// write keeps the record first, so that there is always a way back.
func (r rewriting) write(h *Host) error {
	if r.After != nil {
		if err := h.keepDefinition(*r.After); err != nil {
			return err
		}
	}
	if err := netfiles.Write(h.Root, r.Files); err != nil || r.After != nil {
		return err
	}
	return h.forgetDefinition(r.Name)
}

// defining reverts and finishes changes of definitions.
type defining struct{ h *Host }

// Finish implements confirm.Kind: all is written.
func (defining) Finish(context.Context, confirm.Change) error { return nil }

// Revert implements confirm.Kind. A file that is not as the change left it is not
// written yet, or somebody else's by now: it stays.
func (d defining) Revert(_ context.Context, c confirm.Change) error {
	var r rewriting
	if err := json.Unmarshal(c.Before, &r); err != nil {
		return fmt.Errorf("read what there was before %s: %w", c.What, err)
	}
	tree, err := netfiles.Read(d.h.Root, d.h.OwnDir)
	if err != nil {
		return err
	}
	undo := slices.DeleteFunc(netfiles.Undo(r.Files), func(c netfiles.Change) bool { return !sameFile(textOf(tree, c.Path), c.Before) })
	if err := netfiles.Write(d.h.Root, undo); err != nil {
		return err
	}
	if r.Before == nil {
		return d.h.forgetDefinition(r.Name)
	}
	return d.h.keepDefinition(*r.Before)
}

// textOf is what a file says, nil when there is none.
func textOf(t netfiles.Tree, path string) []byte {
	f := t.Files[path]
	if f == nil {
		return nil
	}
	return append([]byte{}, f.Text...)
}
