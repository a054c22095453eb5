package plan

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
)

// State is a set of kernel objects by key, desired or observed.
type State map[Key]Object

// Add puts objects into the state; a later one replaces an earlier one with the
// same key.
func (s State) Add(objs ...Object) {
	for _, o := range objs {
		s[o.Key()] = o
	}
}

// Sorted returns the objects in the order in which they are added to a kernel.
func (s State) Sorted() []Object {
	keys := slices.SortedFunc(maps.Keys(s), compareKeys)
	objs := make([]Object, len(keys))
	for i, k := range keys {
		objs[i] = s[k]
	}
	return objs
}

// String prints the state, a line an object.
func (s State) String() string {
	var b strings.Builder
	for _, o := range s.Sorted() {
		if ns := o.Key().NS; ns != "" {
			b.WriteString("netns " + ns + " ")
		}
		b.WriteString(o.String() + "\n")
	}
	return b.String()
}

// Owned returns the part of an observed state that is ours.
func (s State) Owned() State {
	owned := State{}
	for k, o := range s {
		if o.Owner() != "" {
			owned[k] = o
		}
	}
	return owned
}

// Of yields the objects of one type.
func Of[T Object](s State) iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, o := range s {
			if t, ok := o.(T); ok && !yield(t) {
				return
			}
		}
	}
}

// Link returns the link of that name, whatever its type.
func (s State) Link(ns, name string) (Link, bool) {
	for _, kind := range []Kind{KindBridge, KindPort} {
		if l, ok := s[Key{ns, kind, name}].(Link); ok {
			return l, true
		}
	}
	return Link{}, false
}

func compareKeys(a, b Key) int {
	return cmp.Or(cmp.Compare(a.NS, b.NS), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}
