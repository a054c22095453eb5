package spec

import "slices"

// Merge returns a Spec with the objects of both; where both have an object of
// one kind and name, other's stands. Neither is changed, now or by a Default of
// the result; other lists and maps inside the objects are shared.
func (s *Spec) Merge(other *Spec) *Spec {
	m := &Spec{
		Networks: union(s.Networks, other.Networks),
		Bridges:  union(s.Bridges, other.Bridges),
		Ports:    union(s.Ports, other.Ports),
		Routers:  union(s.Routers, other.Routers),
		Forwards: union(s.Forwards, other.Forwards),
		Policies: union(s.Policies, other.Policies),
		Sets:     union(s.Sets, other.Sets),
	}
	for _, r := range sorted(m.Routers) {
		r.Interfaces = slices.Clone(r.Interfaces) // Default names them
	}
	return m
}

func union[T any](a, b map[string]*T) map[string]*T {
	if len(a)+len(b) == 0 {
		return nil
	}
	u := make(map[string]*T, len(a)+len(b))
	for _, m := range []map[string]*T{a, b} {
		for name, object := range m {
			if object != nil {
				c := *object
				object = &c
			}
			u[name] = object
		}
	}
	return u
}

// Empty reports whether there is no object at all.
func (s *Spec) Empty() bool {
	return len(s.Networks)+len(s.Bridges)+len(s.Ports)+len(s.Routers)+len(s.Forwards)+len(s.Policies)+len(s.Sets) == 0
}
