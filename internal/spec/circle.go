package spec

import (
	"slices"
	"strings"
)

// circles reports routers that leave by each other: packets would run in a circle.
func (c *checker) circles() {
	next := c.behind()
	for name, r := range sorted(c.spec.Routers) {
		r.eachWay(Field("routers", name), func(path, _ string, u *Uplink) {
			for _, end := range c.ends[u.Network] {
				if u.Network == "" || end.router == name {
					continue
				}
				if way := wayTo(name, end.router, next); way != nil {
					c.add(Field(path, "network"), "let one of them leave by something else", "the routers leave by each other: %s", strings.Join(append([]string{name}, way...), " → "))
					return
				}
			}
		})
	}
}

// behind finds the routers that each router leaves by.
func (c *checker) behind() map[string][]string {
	next := map[string][]string{}
	for name, r := range sorted(c.spec.Routers) {
		for _, u := range r.Ways() {
			for _, end := range c.ends[u.Network] {
				if u.Network != "" && end.router != name {
					next[name] = append(next[name], end.router)
				}
			}
		}
		slices.Sort(next[name])
		next[name] = slices.Compact(next[name])
	}
	return next
}

// wayTo returns the routers from one to another, nil when there is no way. Each is
// visited once.
func wayTo(to, from string, next map[string][]string) []string {
	before, queue := map[string]string{from: ""}, []string{from}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		if at == to {
			var way []string
			for ; at != ""; at = before[at] {
				way = append(way, at)
			}
			slices.Reverse(way)
			return way
		}
		for _, n := range next[at] {
			if _, seen := before[n]; !seen {
				before[n] = at
				queue = append(queue, n)
			}
		}
	}
	return nil
}
