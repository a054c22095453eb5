package manage

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// step is neighbouring changes that the store makes together: one that takes an
// object away, or any number that put objects into the same half.
type step []change

// steps takes changes apart into steps, in their order.
func steps(list []change) (all []step) {
	for len(list) > 0 {
		first := list[0]
		n := 1
		for n < len(list) && !first.now.Empty() && !list[n].now.Empty() && list[n].marks == first.marks {
			n++
		}
		all, list = append(all, list[:n]), list[n:]
	}
	return all
}

func (s step) do() error {
	if s[0].now.Empty() {
		k, name := cut(s[0].object)
		return s[0].drop(k.name, name)
	}
	objects := &spec.Spec{}
	for _, c := range s {
		merge(objects, c.now)
	}
	return s[0].put(objects)
}

// String names the objects; of many, the first few.
func (s step) String() string {
	const few = 5
	var names []string
	for _, c := range s[:min(len(s), few)] {
		names = append(names, c.object)
	}
	if len(s) > few {
		names = append(names, fmt.Sprintf("%d more", len(s)-few))
	}
	return strings.Join(names, ", ")
}

// undo takes changes back, the last one first, as far as the disk allows it.
func undo(list []change) error {
	var back []change
	for _, c := range slices.Backward(list) {
		c.old, c.now = c.now, c.old
		back = append(back, c)
	}
	var errs []error
	for _, s := range steps(back) {
		if err := s.do(); err != nil {
			errs = append(errs, fmt.Errorf("put %s back as it was: %w", s, err))
		}
	}
	return errors.Join(errs...)
}
