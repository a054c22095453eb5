package spec

// Merge returns a Spec with the objects of both; where both have an object of
// one kind and name, other's stands. Neither is changed, now or by a Default of
// the result; lists and maps inside the objects are shared.
func (s *Spec) Merge(other *Spec) *Spec {
	return &Spec{
		Networks: union(s.Networks, other.Networks),
		Bridges:  union(s.Bridges, other.Bridges),
		Ports:    union(s.Ports, other.Ports),
	}
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
func (s *Spec) Empty() bool { return len(s.Networks)+len(s.Bridges)+len(s.Ports) == 0 }
