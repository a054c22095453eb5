package plan

import (
	"fmt"
	"strings"
)

// Verb is what an op does to its object.
type Verb string

// The verbs.
const (
	Add Verb = "add"
	Set Verb = "set" // change in place
	Del Verb = "del"
)

// Op is one change of one object. Applying an op that is already done is not an
// error.
type Op struct {
	Verb   Verb
	Object Object // wanted, or, when deleting, observed
	Old    Object // set: as observed; del of an up state: its link
}

// String prints the op as a line, the namespace first when it is not the
// daemon's own.
func (o Op) String() string {
	var b strings.Builder
	if ns := o.Object.Key().NS; ns != "" {
		b.WriteString("netns " + ns + " ")
	}
	if from, ok := o.Renames(); ok {
		l := o.Object.(Link)
		return b.String() + fmt.Sprintf("rename link %s to %s", from, strings.TrimPrefix(l.String(), "link "))
	}
	b.WriteString(string(o.Verb) + " " + o.Object.String())
	if o.Verb == Set && o.Old != nil {
		b.WriteString(" (was " + strings.TrimPrefix(o.Old.String(), firstWord(o.Object.String())+" ") + ")")
	}
	return b.String()
}

func firstWord(s string) string {
	w, _, _ := strings.Cut(s, " ")
	return w
}

// Lines prints ops, a line each.
func Lines(ops []Op) []string {
	lines := make([]string, len(ops))
	for i, o := range ops {
		lines[i] = o.String()
	}
	return lines
}
