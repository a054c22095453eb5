package specfile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"kvmnet/internal/spec"
)

// known holds the fields of struct types by their YAML keys: reflection is slow, and
// a file has thousands of objects of the same few types.
var known sync.Map

// fieldsOf returns the fields of a struct type by their YAML keys.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	if fields, ok := known.Load(t); ok {
		return fields.(map[string]reflect.StructField)
	}
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "" && key != "-" {
			fields[key] = f
		}
	}
	known.Store(t, fields)
	return fields
}

// keys returns the YAML keys of a struct type in the order of its fields.
func keys(t reflect.Type) []string {
	var list []string
	for _, f := range reflect.VisibleFields(t) {
		if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "" && key != "-" {
			list = append(list, key)
		}
	}
	return list
}

// unknownKey reports a key that an object does not have, and looks for what was
// meant: another spelling, or another place.
func (d *decoder) unknownKey(path string, key *yaml.Node, name string, t reflect.Type) {
	known := keys(t)
	hint := "the keys here are " + strings.Join(known, ", ")
	near, found := spec.Nearest(name, known), d.belongs(path, name)
	switch {
	case near != "" && (strings.EqualFold(near, name) || near == name+"s" || len(found.inside) == 0):
		hint = fmt.Sprintf("did you mean %s?", near)
		d.file.faulty[spec.Field(path, near)] = true
	case len(found.inside) > 0:
		hint = fmt.Sprintf("%s belongs under %s", name, strings.Join(found.inside, " or "))
	case len(found.elsewhere) > 0:
		hint = fmt.Sprintf("%s belongs under %s", name, strings.Join(found.elsewhere, " or "))
	}
	d.add(placeOf(key), path, fmt.Sprintf("unknown key %q", name), hint)
}

// homes are the objects that do have a key: in the same object, and
// elsewhere.
type homes struct{ inside, elsewhere []string }

// belongs finds the objects that have a key, those nearest to path, as paths.
// Where path does not tell the name of an object, NAME stands for it. A single object
// may hold others of its kind without an end, and is not searched.
func (d *decoder) belongs(path, key string) (found homes) {
	if d.single {
		return homes{}
	}
	here := spec.Split(path)
	best := -1
	walk(reflect.TypeFor[spec.Spec](), nil, func(pattern []string, t reflect.Type) {
		if _, has := fieldsOf(t)[key]; !has {
			return
		}
		at, common := fill(pattern, here)
		if at == path || common < best {
			return
		}
		if common > best {
			found, best = homes{}, common
		}
		if common >= 2 {
			found.inside = append(found.inside, at)
		} else {
			found.elsewhere = append(found.elsewhere, at)
		}
	})
	return found
}

// walk visits every struct type below t with the pattern of its path, in which *
// stands for a name and [] for a position.
func walk(t reflect.Type, pattern []string, visit func([]string, reflect.Type)) {
	switch {
	case isText(reflect.New(t).Elem()):
	case t.Kind() == reflect.Pointer:
		walk(t.Elem(), pattern, visit)
	case t.Kind() == reflect.Map:
		walk(t.Elem(), append(slices.Clip(pattern), "*"), visit)
	case t.Kind() == reflect.Slice:
		walk(t.Elem(), append(slices.Clip(pattern), "[]"), visit)
	case t.Kind() == reflect.Struct:
		visit(pattern, t)
		for _, key := range keys(t) {
			walk(fieldsOf(t)[key].Type, append(slices.Clip(pattern), key), visit)
		}
	}
}

// fill fills a pattern with the names and positions of a path as far as
// the two go together, and returns how far that is.
func fill(pattern, here []string) (path string, common int) {
	together := true
	for i, p := range pattern {
		open := p == "*" || p == "[]"
		together = together && i < len(here) && (open || p == here[i])
		if together {
			common++
		}
		switch {
		case p == "[]" && together:
			path += here[i]
		case p == "[]":
			path = spec.Index(path, 0)
		case p == "*" && together:
			path = spec.Field(path, here[i])
		case p == "*":
			path = spec.Field(path, "NAME")
		default:
			path = spec.Field(path, p)
		}
	}
	return path, common
}
