package libvirtxml

import (
	"fmt"
	"reflect"

	"kvmnet/internal/spec"
)

// merge does to kept what leads from old to now: what is the same in both stays as it
// was kept, in its order and with what only it can say.
func merge(kept, old, now reflect.Value) reflect.Value {
	switch {
	case same(old, now):
		return kept
	case same(kept, old):
		return now
	}
	switch kept.Kind() {
	case reflect.Pointer:
		if kept.IsNil() || now.IsNil() {
			return now
		}
		from := reflect.New(kept.Type().Elem())
		if !old.IsNil() {
			from = old
		}
		merged := reflect.New(kept.Type().Elem())
		merged.Elem().Set(merge(kept.Elem(), from.Elem(), now.Elem()))
		return merged
	case reflect.Struct:
		merged := reflect.New(kept.Type()).Elem()
		for i := range kept.NumField() {
			merged.Field(i).Set(merge(kept.Field(i), old.Field(i), now.Field(i)))
		}
		return merged
	case reflect.Slice:
		return mergeList(kept, old, now)
	}
	return now
}

// mergeList keeps the order of what was kept, without what went, and adds what came.
func mergeList(kept, old, now reflect.Value) reflect.Value {
	before, after, stayed := byKey(old), byKey(now), map[string]bool{}
	merged := reflect.MakeSlice(kept.Type(), 0, now.Len())
	for i, key := range keysIn(kept) {
		b, was := before[key]
		a, is := after[key]
		switch stayed[key] = true; {
		case was && is:
			merged = reflect.Append(merged, merge(kept.Index(i), b, a))
		case !was:
			merged = reflect.Append(merged, kept.Index(i))
		}
	}
	for i, key := range keysIn(now) {
		if _, was := before[key]; !was && !stayed[key] {
			merged = reflect.Append(merged, now.Index(i))
		}
	}
	return merged
}

func byKey(list reflect.Value) map[string]reflect.Value {
	found := map[string]reflect.Value{}
	for i, key := range keysIn(list) {
		found[key] = list.Index(i)
	}
	return found
}

// keysIn tells the elements of a list from each other; of several with one key the
// later ones get a number.
func keysIn(list reflect.Value) []string {
	count, keys := map[string]int{}, make([]string, list.Len())
	for i := range list.Len() {
		key := keyOf(list.Index(i).Interface())
		if count[key]++; count[key] > 1 {
			keys[i] = fmt.Sprintf("%s #%d", key, count[key])
			continue
		}
		keys[i] = key
	}
	return keys
}

// keyOf is what stays of an element when it is changed.
func keyOf(e any) string {
	switch e := e.(type) {
	case IP:
		return e.Address
	case Range:
		return e.Start + "-" + e.End
	case Host:
		return e.IP
	case DNSHost:
		return e.IP
	case TXT:
		return e.Name
	case Route:
		return subnetOf(e.Address, e.Netmask, e.Prefix).String()
	case PortGroup:
		return e.Name
	case Device:
		return e.Name
	case spec.Subnet:
		return e.Address.String()
	case spec.StaticRoute:
		return e.To.String()
	}
	return fmt.Sprint(e)
}
