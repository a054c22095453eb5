package libvirtxml

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// differences are the settings that lead from a to b: the smallest values there are,
// but lists as a whole, unless their elements can be told by an address.
func differences(path []string, a, b reflect.Value) []setting {
	if same(a, b) {
		return nil
	}
	here := func(v reflect.Value) []setting { return []setting{{slices.Clone(path), encoded(v.Interface())}} }
	switch {
	case isWord(b):
		return here(b)
	case b.Kind() == reflect.Pointer && !a.IsNil() && !b.IsNil():
		return differences(path, a.Elem(), b.Elem())
	case b.Kind() == reflect.Pointer && !b.IsNil() && b.Elem().Kind() == reflect.Struct:
		if list := differences(path, reflect.Zero(b.Type().Elem()), b.Elem()); len(list) == 1 {
			return list
		}
		return here(b)
	case b.Kind() == reflect.Struct:
		var list []setting
		for i := range b.NumField() {
			list = append(list, differences(append(path, keyOfField(b.Type().Field(i))), a.Field(i), b.Field(i))...)
		}
		return list
	case b.Kind() == reflect.Map && a.Len() > 0 && b.Len() > 0:
		return mapDifferences(path, a, b)
	case b.Kind() == reflect.Slice && addressed(b) && slices.Equal(keysIn(a), keysIn(b)):
		var list []setting
		for i, key := range keysIn(b) {
			list = append(list, differences(append(path, key), a.Index(i), b.Index(i))...)
		}
		return list
	case b.Kind() == reflect.Slice && b.Len() == 0:
		return []setting{{slices.Clone(path), "[]"}}
	}
	return here(b)
}

func mapDifferences(path []string, a, b reflect.Value) []setting {
	var names []string
	for _, key := range append(a.MapKeys(), b.MapKeys()...) {
		names = append(names, key.String())
	}
	slices.Sort(names)
	var list []setting
	for _, name := range slices.Compact(names) {
		at := append(path, name)
		old, now := a.MapIndex(reflect.ValueOf(name)), b.MapIndex(reflect.ValueOf(name))
		switch {
		case !now.IsValid():
			list = append(list, setting{slices.Clone(at), "null"})
		case !old.IsValid() && now.Kind() == reflect.Slice && now.Len() == 0:
			list = append(list, setting{slices.Clone(at), "[]"})
		case !old.IsValid():
			list = append(list, setting{slices.Clone(at), encoded(now.Interface())})
		default:
			list = append(list, differences(at, old, now)...)
		}
	}
	return list
}

// isWord reports whether a value is written as one word.
func isWord(v reflect.Value) bool {
	_, text := v.Interface().(encoding.TextMarshaler)
	return text && v.Kind() != reflect.Pointer
}

// addressed reports whether the elements of a list are told by an address: subnets
// and routes are.
func addressed(list reflect.Value) bool {
	switch list.Type().Elem() {
	case reflect.TypeFor[spec.Subnet](), reflect.TypeFor[spec.StaticRoute]():
		return true
	}
	return false
}

func keyOfField(f reflect.StructField) string {
	key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return key
}

// assign sets the value at a path from JSON. It is false when there is no such place,
// or the value does not fit.
func assign(v reflect.Value, path []string, value string) bool {
	if v.Kind() == reflect.Pointer && len(path) > 0 {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		return assign(v.Elem(), path, value)
	}
	if len(path) == 0 {
		v.SetZero()
		return json.Unmarshal([]byte(value), v.Addr().Interface()) == nil
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if keyOfField(v.Type().Field(i)) == path[0] {
				return assign(v.Field(i), path[1:], value)
			}
		}
	case reflect.Map:
		return assignEntry(v, path, value)
	case reflect.Slice:
		if i := slices.Index(keysIn(v), path[0]); i >= 0 && addressed(v) {
			return assign(v.Index(i), path[1:], value)
		}
	}
	return false
}

// assignEntry sets an entry, or something in one that is there; null takes it away.
func assignEntry(v reflect.Value, path []string, value string) bool {
	name := reflect.ValueOf(path[0])
	old := v.MapIndex(name)
	entry := reflect.New(v.Type().Elem()).Elem()
	switch {
	case len(path) == 1 && value == "null":
		if !v.IsNil() {
			v.SetMapIndex(name, reflect.Value{})
		}
		return true
	case old.IsValid():
		entry.Set(copied(old))
	case len(path) > 1:
		return false
	}
	if !assign(entry, path[1:], value) {
		return false
	}
	if v.IsNil() {
		v.Set(reflect.MakeMap(v.Type()))
	}
	v.SetMapIndex(name, entry)
	return true
}
