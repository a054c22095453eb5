package spec

import (
	"iter"
	"maps"
	"slices"
	"strings"
)

// Kinds are the kinds of objects, by the keys of a Spec, in the order in which
// objects are made: what others refer to comes first.
var Kinds = []string{"bridges", "networks", "ports", "routers", "sets", "forwards", "policies"}

// Singular names one object of a kind: network, policy.
func Singular(kind string) string {
	if kind == "policies" {
		return "policy"
	}
	return strings.TrimSuffix(kind, "s")
}

// Ref refers to an object by its kind (networks) and name.
type Ref struct{ Kind, Name string }

// Owner is how kernel objects name the object they serve: network/lab.
func (r Ref) Owner() string { return Singular(r.Kind) + "/" + r.Name }

// Each yields every object as a Spec that holds nothing else, kind by kind and
// sorted by name. A nil object is left out.
func (s *Spec) Each() iter.Seq2[Ref, *Spec] {
	return func(yield func(Ref, *Spec) bool) {
		_ = each("bridges", s.Bridges, func(m map[string]*HostBridge) *Spec { return &Spec{Bridges: m} }, yield) &&
			each("networks", s.Networks, func(m map[string]*Network) *Spec { return &Spec{Networks: m} }, yield) &&
			each("ports", s.Ports, func(m map[string]*Port) *Spec { return &Spec{Ports: m} }, yield) &&
			each("routers", s.Routers, func(m map[string]*Router) *Spec { return &Spec{Routers: m} }, yield) &&
			each("sets", s.Sets, func(m map[string]*AddressSet) *Spec { return &Spec{Sets: m} }, yield) &&
			each("forwards", s.Forwards, func(m map[string]*Forward) *Spec { return &Spec{Forwards: m} }, yield) &&
			each("policies", s.Policies, func(m map[string]*Policy) *Spec { return &Spec{Policies: m} }, yield)
	}
}

func each[T any](kind string, m map[string]*T, alone func(map[string]*T) *Spec, yield func(Ref, *Spec) bool) bool {
	for name, object := range sorted(m) {
		if !yield(Ref{kind, name}, alone(map[string]*T{name: object})) {
			return false
		}
	}
	return true
}

// Names returns the names of the objects of a kind, sorted.
func (s *Spec) Names(kind string) []string {
	switch kind {
	case "networks":
		return slices.Sorted(maps.Keys(s.Networks))
	case "bridges":
		return slices.Sorted(maps.Keys(s.Bridges))
	case "ports":
		return slices.Sorted(maps.Keys(s.Ports))
	case "routers":
		return slices.Sorted(maps.Keys(s.Routers))
	case "forwards":
		return slices.Sorted(maps.Keys(s.Forwards))
	case "policies":
		return slices.Sorted(maps.Keys(s.Policies))
	case "sets":
		return slices.Sorted(maps.Keys(s.Sets))
	}
	return nil
}

// Count is the number of objects.
func (s *Spec) Count() int {
	n := 0
	for _, kind := range Kinds {
		n += len(s.Names(kind))
	}
	return n
}
