package hostlink

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Rule is a rule of the routing policy that names an interface.
type Rule struct {
	Object
	Rank int `json:"rank,omitempty"` // how many of the same priority come before it
}

const (
	sizeofRule = 12  // struct fib_rule_hdr
	ruleInvert = 0x2 // FIB_RULE_INVERT: the one flag that is given
)

func (r Rule) priority() string { return fmt.Sprint(r.family(), r.Attrs.number(unix.FRA_PRIORITY)) }

// rulesOf lists the rules that name an interface.
func (e everything) rulesOf(name string) (list []Rule) {
	seen := map[string]int{}
	for _, o := range e.rules {
		r := Rule{Object: o}
		r.Rank = seen[r.priority()]
		seen[r.priority()]++
		if r, ok := r.bare(name); ok {
			list = append(list, r)
		}
	}
	return list
}

// bare is the rule without the name of an interface, if it has that name.
func (r Rule) bare(name string) (Rule, bool) {
	r.Object = r.clone()
	native.PutUint32(r.Head[8:], native.Uint32(r.Head[8:])&ruleInvert)
	found := false
	for _, kind := range []uint16{unix.FRA_IIFNAME, unix.FRA_OIFNAME} {
		if r.Attrs.text(kind) == name {
			r.Attrs, found = r.Attrs.with(kind, bytesText("")), true
		}
	}
	r.Attrs = r.Attrs.without(unix.FRA_PAD)
	return r, found
}

// on is the rule for an interface.
func (r Rule) on(name string) Rule {
	r.Object = r.clone()
	for i, a := range r.Attrs {
		if slices.Contains([]uint16{unix.FRA_IIFNAME, unix.FRA_OIFNAME}, a.Type) && r.Attrs.text(a.Type) == "" {
			r.Attrs[i].Data = bytesText(name)
		}
	}
	return r
}
