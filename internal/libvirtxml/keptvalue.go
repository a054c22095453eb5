package libvirtxml

import (
	"reflect"
)

// equal compares values; a list or a map that is empty equals one that is not there.
func equal[T any](a, b T) bool { return same(reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem()) }

func same(a, b reflect.Value) bool {
	switch a.Kind() {
	case reflect.Pointer:
		return a.IsNil() == b.IsNil() && (a.IsNil() || same(a.Elem(), b.Elem()))
	case reflect.Struct:
		if a.Comparable() && a.Equal(b) {
			return true
		}
		for i := range a.NumField() {
			if !a.Type().Field(i).IsExported() || !same(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !same(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	case reflect.Map:
		return sameMap(a, b)
	}
	return a.Equal(b)
}

func sameMap(a, b reflect.Value) bool {
	if a.Len() != b.Len() {
		return false
	}
	for _, key := range a.MapKeys() {
		if other := b.MapIndex(key); !other.IsValid() || !same(a.MapIndex(key), other) {
			return false
		}
	}
	return true
}

// cloned copies a value with all that it points to.
func cloned[T any](v T) T { return copied(reflect.ValueOf(&v).Elem()).Interface().(T) }

func copied(v reflect.Value) reflect.Value {
	c := reflect.New(v.Type()).Elem()
	c.Set(v)
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		c.Set(reflect.New(v.Type().Elem()))
		c.Elem().Set(copied(v.Elem()))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				c.Field(i).Set(copied(v.Field(i)))
			}
		}
	case v.Kind() == reflect.Slice && !v.IsNil():
		c.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			c.Index(i).Set(copied(v.Index(i)))
		}
	case v.Kind() == reflect.Map && !v.IsNil():
		c.Set(reflect.MakeMap(v.Type()))
		for _, key := range v.MapKeys() {
			c.SetMapIndex(key, copied(v.MapIndex(key)))
		}
	}
	return c
}

// subtract takes out of a value what plus has and zero has not.
func subtract(v, zero, plus reflect.Value) {
	if same(zero, plus) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		subtractPointer(v, zero, plus)
	case reflect.Struct:
		if same(v, plus) {
			v.Set(copied(zero))
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				subtract(v.Field(i), zero.Field(i), plus.Field(i))
			}
		}
	case reflect.Slice:
		subtractList(v, zero, plus)
	case reflect.Map:
		for _, key := range plus.MapKeys() {
			if old := zero.MapIndex(key); v.MapIndex(key).IsValid() && !old.IsValid() && same(v.MapIndex(key), plus.MapIndex(key)) {
				v.SetMapIndex(key, reflect.Value{})
			}
		}
	default:
		if same(v, plus) {
			v.Set(zero)
		}
	}
}

func subtractPointer(v, zero, plus reflect.Value) {
	if v.IsNil() || plus.IsNil() {
		return
	}
	base := reflect.New(v.Type().Elem()).Elem()
	if !zero.IsNil() {
		base = zero.Elem()
	}
	subtract(v.Elem(), base, plus.Elem())
	if zero.IsNil() && same(v.Elem(), base) {
		v.SetZero()
	}
}

// subtractList goes element by element where the lists belong together, as those of
// subnets do; else it takes elements out.
func subtractList(v, zero, plus reflect.Value) {
	if v.Len() == zero.Len() && zero.Len() == plus.Len() {
		for i := range v.Len() {
			subtract(v.Index(i), zero.Index(i), plus.Index(i))
		}
		return
	}
	left := reflect.MakeSlice(v.Type(), 0, v.Len())
	for i := range v.Len() {
		if e := v.Index(i); contains(zero, e) || !contains(plus, e) {
			left = reflect.Append(left, e)
		}
	}
	v.Set(left)
}

func contains(list, e reflect.Value) bool {
	for i := range list.Len() {
		if same(list.Index(i), e) {
			return true
		}
	}
	return false
}
