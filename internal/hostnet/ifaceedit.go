package hostnet

import (
	"bytes"
	"maps"
	"slices"

	"kvmnet/internal/netfiles"
)

// edits are changes of files that follow each other, as one list: of each file what it
// was before the first and is after the last.
type edits struct {
	tree netfiles.Tree // after them
	list []netfiles.Change
}

func newEdits(t netfiles.Tree) *edits {
	t.Files, t.Dirs = maps.Clone(t.Files), maps.Clone(t.Dirs)
	return &edits{tree: t}
}

// add adds changes that were worked out for the tree as it is after the earlier ones.
func (e *edits) add(changes []netfiles.Change) {
	for _, c := range changes {
		if i := slices.IndexFunc(e.list, func(o netfiles.Change) bool { return o.Path == c.Path }); i >= 0 {
			e.list[i].After, e.list[i].Mode = c.After, c.Mode
		} else {
			e.list = append(e.list, c)
		}
		if c.After == nil {
			delete(e.tree.Files, c.Path)
			continue
		}
		e.tree.Files[c.Path] = &netfiles.File{Text: c.After, Mode: c.Mode, UID: c.UID, GID: c.GID, Link: c.Link}
		for _, d := range c.Dirs {
			e.tree.Dirs[d] = true
		}
	}
}

// changes are those that are left: a file that is again as it was has none.
func (e *edits) changes() []netfiles.Change {
	return slices.DeleteFunc(slices.Clone(e.list), func(c netfiles.Change) bool {
		return (c.Before == nil) == (c.After == nil) && bytes.Equal(c.Before, c.After)
	})
}
