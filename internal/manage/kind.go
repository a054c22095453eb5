package manage

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// kind is how the objects of one kind are handled in a spec, whatever their type.
type kind struct {
	name  string // as in files: networks
	names func(*spec.Spec) []string
	// differing names the objects that are not one and the same in both.
	differing func(a, b *spec.Spec) []string
	// put puts the objects of one spec into another, which gets a map of its own if
	// it has none.
	put func(into, from *spec.Spec)
	// pick returns a spec with the object of that name only, empty when there is none.
	pick func(s *spec.Spec, name string) *spec.Spec
	drop func(s *spec.Spec, name string)
	// join gives one spec the objects of two; where both have one of that name, b's
	// stands. The map may be that of a or b.
	join func(into, a, b *spec.Spec)
}

// kinds are all of them, as package spec lists them.
var kinds = []kind{
	of("bridges", func(s *spec.Spec) *map[string]*spec.HostBridge { return &s.Bridges }),
	of("networks", func(s *spec.Spec) *map[string]*spec.Network { return &s.Networks }),
	of("ports", func(s *spec.Spec) *map[string]*spec.Port { return &s.Ports }),
	of("routers", func(s *spec.Spec) *map[string]*spec.Router { return &s.Routers }),
	of("sets", func(s *spec.Spec) *map[string]*spec.AddressSet { return &s.Sets }),
	of("forwards", func(s *spec.Spec) *map[string]*spec.Forward { return &s.Forwards }),
	of("policies", func(s *spec.Spec) *map[string]*spec.Policy { return &s.Policies }),
}

func of[T any](name string, shelf func(*spec.Spec) *map[string]*T) kind {
	return kind{
		name:      name,
		names:     func(s *spec.Spec) []string { return slices.Sorted(maps.Keys(*shelf(s))) },
		differing: func(a, b *spec.Spec) []string { return differing(*shelf(a), *shelf(b)) },
		put: func(into, from *spec.Spec) {
			if *shelf(into) == nil {
				*shelf(into) = map[string]*T{}
			}
			maps.Copy(*shelf(into), *shelf(from))
		},
		pick: func(s *spec.Spec, name string) *spec.Spec {
			one := &spec.Spec{}
			if object := (*shelf(s))[name]; object != nil {
				*shelf(one) = map[string]*T{name: object}
			}
			return one
		},
		drop: func(s *spec.Spec, name string) { delete(*shelf(s), name) },
		join: func(into, a, b *spec.Spec) { *shelf(into) = joined(*shelf(a), *shelf(b)) },
	}
}

func differing[T any](a, b map[string]*T) (names []string) {
	for name, object := range a {
		if b[name] != object {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	return names
}

func joined[T any](a, b map[string]*T) map[string]*T {
	switch {
	case len(a) == 0:
		return b
	case len(b) == 0:
		return a
	}
	all := make(map[string]*T, len(a)+len(b))
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// word is how one object of the kind is called: network.
func (k kind) word() string { return spec.Singular(k.name) }

// kindOf finds a kind by its word; the zero kind is none.
func kindOf(word string) kind {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.word() == word })
	if i < 0 {
		return kind{}
	}
	return kinds[i]
}

// errKind refuses a word that is no kind.
func errKind(word string) error {
	var words []string
	for _, k := range kinds {
		words = append(words, k.word())
	}
	return invalid(fmt.Sprintf("%s is not a kind of object; the kinds are %s", word, strings.Join(words, ", ")))
}

// cut takes the name of an object, such as network/lab, apart.
func cut(object string) (kind, string) {
	word, name, _ := strings.Cut(object, "/")
	return kindOf(word), name
}

// objects names the objects of a spec, such as network/lab, sorted.
func objects(s *spec.Spec) []string {
	var list []string
	for _, k := range kinds {
		for _, name := range k.names(s) {
			list = append(list, k.word()+"/"+name)
		}
	}
	slices.Sort(list)
	return list
}

// merge puts the objects of one spec into the maps of another.
func merge(into, from *spec.Spec) {
	for _, k := range kinds {
		k.put(into, from)
	}
}

// join returns a spec with the objects of two; where both have one of a kind and
// name, b's stands. It may share maps with them, so it must not be changed.
func join(a, b *spec.Spec) *spec.Spec {
	all := &spec.Spec{}
	for _, k := range kinds {
		k.join(all, a, b)
	}
	return all
}

// pick returns a spec with the one object of that name, such as network/lab;
// empty when there is none.
func pick(s *spec.Spec, object string) *spec.Spec {
	k, name := cut(object)
	if k.pick == nil {
		return &spec.Spec{}
	}
	return k.pick(s, name)
}
