package plan

import (
	"reflect"
	"slices"
	"strings"
)

// DiffServices lists what is served anew and what no more, a line each in the
// manner of ops.
func DiffServices(have, want []Service) []string {
	old, now := serviceLines(have, want), serviceLines(want, have)
	var lines []string
	for _, l := range old {
		if _, stays := slices.BinarySearch(now, l); !stays {
			lines = append(lines, "del "+l)
		}
	}
	for _, l := range now {
		if _, there := slices.BinarySearch(old, l); !there {
			lines = append(lines, "add "+l)
		}
	}
	slices.SortStableFunc(lines, func(a, b string) int { return strings.Compare(a[len("add "):], b[len("add "):]) })
	return lines
}

// serviceLines prints the services that are not the same in another list.
func serviceLines(services, other []Service) []string {
	same := map[string]*Service{}
	for i := range other {
		same[other[i].Network] = &other[i]
	}
	var lines []string
	for i := range services {
		if o := same[services[i].Network]; o == nil || !reflect.DeepEqual(*o, services[i]) {
			lines = append(lines, services[i].Lines()...)
		}
	}
	slices.Sort(lines)
	return lines
}
