package libvirtxml

import (
	"reflect"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// giveWay leaves out what libvirt takes and kvmnet refuses: a record whose name is
// none, a host outside the subnet. Where guests go by it, in modes, addresses and
// NICs, nothing is left out: that is for the user to decide.
func (t *translation) giveWay() {
	const name = "network"
	for range maxPasses {
		problems := (&spec.Spec{Networks: map[string]*spec.Network{name: t.to}}).Validate()
		slices.Reverse(problems) // the later elements of a list first
		gone := absent{}
		for _, p := range problems {
			path := strings.TrimPrefix(p.Path, "networks."+name+".")
			if segments := spec.Split(path); path != p.Path && !p.Refers && yields(segments) {
				t.leave(segments, p.Message, gone)
			}
		}
		if len(gone) == 0 {
			return
		}
		t.moveUp(gone.elements())
	}
}

// maxPasses is more than what is left out can bring about.
const maxPasses = 16

// yields reports whether a network is the same network without a value.
func yields(path []string) bool {
	switch path[0] {
	case "title", "dns", "routes", "bandwidth", "isolated":
		return true
	case "bridge":
		return len(path) > 1 && (path[1] == "mtu" || path[1] == "mac")
	case "subnets":
		return len(path) > 2 && path[2] == "dhcp"
	}
	return false
}

// whole is the element that is nothing without a value: a route without its gateway,
// a host without its address.
func whole(path []string) []string {
	length := len(path)
	switch {
	case path[0] == "routes":
		length = 2 // routes[0]
	case path[0] == "dns" && len(path) > 2 && (path[1] == "srv" || path[1] == "mx"):
		length = 3 // dns.srv[0]
	case len(path) > 4 && path[3] == "hosts" && slices.Contains([]string{"mac", "duid", "clientID", "ip"}, path[len(path)-1]):
		length = 5 // subnets[0].dhcp.hosts.vm1
	}
	return path[:min(length, len(path))]
}

// absent are the paths of values that were taken out.
type absent map[string][]string

// has reports whether a value, or what is around it, was taken out.
func (a absent) has(path []string) bool {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if a[pathOf(path)] != nil {
			return true
		}
	}
	return false
}

// elements are the positions of those that were elements of lists, by the list.
func (a absent) elements() map[string][]int {
	gone := map[string][]int{}
	for _, path := range a {
		last := len(path) - 1
		if i, ok := position(path[last]); ok {
			gone[pathOf(path[:last])] = append(gone[pathOf(path[:last])], i)
		}
	}
	return gone
}

// leave takes a value out; where it is not there, it is missing, and what is around
// it goes.
func (t *translation) leave(path []string, because string, gone absent) {
	path = whole(path)
	if gone.has(path) {
		return
	}
	for len(path) > 0 && yields(path) {
		if removeAt(reflect.ValueOf(t.to).Elem(), path) {
			t.leftOut(t.placeOf(path), because)
			gone[pathOf(path)] = path
			return
		}
		path = path[:len(path)-1]
	}
}

// placeOf finds where a value, or what is around it, stands in the document.
func (t *translation) placeOf(path []string) string {
	for ; len(path) > 0; path = path[:len(path)-1] {
		if place, has := t.origin[pathOf(path)]; has {
			return place
		}
	}
	return ""
}

// pathOf writes segments as spec writes a path.
func pathOf(segments []string) string {
	path := ""
	for _, s := range segments {
		if i, ok := position(s); ok {
			path = spec.Index(path, i)
		} else {
			path = spec.Field(path, s)
		}
	}
	return path
}

func position(segment string) (int, bool) {
	inside, ok := strings.CutPrefix(segment, "[")
	if !ok {
		return 0, false
	}
	i, err := strconv.Atoi(strings.TrimSuffix(inside, "]"))
	return i, err == nil
}

// moveUp gives the elements of lists that are behind those that went the places of
// those they now are.
func (t *translation) moveUp(gone map[string][]int) {
	for list, indexes := range gone {
		slices.Sort(indexes)
		moved := map[string]string{}
		for path, place := range t.origin {
			rest, inside := strings.CutPrefix(path, list+"[")
			number, after, _ := strings.Cut(rest, "]")
			i, err := strconv.Atoi(number)
			if !inside || err != nil {
				moved[path] = place
				continue
			}
			if before, went := slices.BinarySearch(indexes, i); !went {
				moved[spec.Index(list, i-before)+after] = place
			}
		}
		t.origin = moved
	}
}

// removeAt is false when there is nothing at the path.
func removeAt(v reflect.Value, path []string) bool {
	if v.Kind() == reflect.Pointer && len(path) > 0 {
		return !v.IsNil() && removeAt(v.Elem(), path)
	}
	if len(path) == 0 {
		was := !v.IsZero()
		v.SetZero()
		return was
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if keyOfField(v.Type().Field(i)) == path[0] {
				return removeAt(v.Field(i), path[1:])
			}
		}
	case reflect.Map:
		return removeEntry(v, path)
	case reflect.Slice:
		return removeElement(v, path)
	}
	return false
}

func removeEntry(v reflect.Value, path []string) bool {
	name := reflect.ValueOf(path[0])
	old := v.MapIndex(name)
	if !old.IsValid() {
		return false
	}
	if len(path) == 1 {
		v.SetMapIndex(name, reflect.Value{})
		return true
	}
	entry := reflect.New(v.Type().Elem()).Elem()
	entry.Set(copied(old))
	if !removeAt(entry, path[1:]) {
		return false
	}
	v.SetMapIndex(name, entry)
	return true
}

func removeElement(v reflect.Value, path []string) bool {
	i, ok := position(path[0])
	if !ok || i >= v.Len() {
		return false
	}
	if len(path) > 1 {
		return removeAt(v.Index(i), path[1:])
	}
	v.Set(reflect.AppendSlice(v.Slice(0, i), v.Slice(i+1, v.Len())))
	return true
}
