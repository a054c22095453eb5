package spec

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Problem is one broken rule. Path names the value at fault, or, when a value
// is missing, the value that should be there. Message tells what is wrong
// without repeating the path; Hint, which may be empty, is the way out. A problem
// that Refers would be none if another object was there, or was another.
type Problem struct {
	Path    string `json:"path"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Refers  bool   `json:"-"`
}

// String prints the problem on one line.
func (p Problem) String() string {
	s := p.Message
	if p.Path != "" {
		s = p.Path + ": " + s
	}
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// Object returns the kind (one of Kinds) and the name of the object
// the problem is in; the name is "" for a problem above all objects.
func (p Problem) Object() (kind, name string) {
	segments := Split(p.Path)
	if len(segments) > 0 {
		kind = segments[0]
	}
	if len(segments) > 1 {
		name = segments[1]
	}
	return kind, name
}

// checker collects problems while the rules walk a Spec.
type checker struct {
	spec     *Spec
	ends     map[string][]routerEnd // of routers on networks, by network
	holders  Holders
	problems []Problem
}

func (c *checker) add(path, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// refer reports a problem that another object would solve.
func (c *checker) refer(path, hint, format string, args ...any) {
	c.problems = append(c.problems, Problem{Path: path, Message: fmt.Sprintf(format, args...), Hint: hint, Refers: true})
}

// addError reports an error as a problem, with its own hint if it has one, and
// tells whether there was one.
func (c *checker) addError(path, hint string, err error) bool {
	var a advice
	switch {
	case errors.As(err, &a):
		c.add(path, a.hint, "%s", a.message)
	case err != nil:
		c.add(path, hint, "%v", err)
	}
	return err != nil
}

// sorted returns the problems by path and then by message. Paths are split
// once, not at each comparison.
func (c *checker) sorted() []Problem {
	type keyed struct {
		segments []string
		Problem
	}
	list := make([]keyed, len(c.problems))
	for i, p := range c.problems {
		list[i] = keyed{Split(p.Path), p}
	}
	slices.SortStableFunc(list, func(a, b keyed) int {
		return cmp.Or(comparePaths(a.segments, b.segments), cmp.Compare(a.Message, b.Message))
	})
	var problems []Problem
	for _, k := range list {
		problems = append(problems, k.Problem)
	}
	return slices.Compact(problems)
}
