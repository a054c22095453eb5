package netfiles

import (
	"strings"

	"github.com/rogpeppe/go-internal/diff"
)

// Diff prints changes as a unified diff.
func Diff(changes []Change) string {
	var b strings.Builder
	for _, c := range changes {
		before, after := "a"+c.Path, "b"+c.Path
		if c.Before == nil {
			before = "/dev/null"
		}
		if c.After == nil {
			after = "/dev/null"
		}
		// The library heads each diff with a line of its own, "diff old new".
		text := diff.Diff(before, c.Before, after, c.After)
		if _, rest, ok := strings.Cut(string(text), "\n"); ok {
			b.WriteString(rest)
		}
	}
	return b.String()
}
