package hostlink

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Rule is a rule of the routing policy that names an interface.
type Rule struct{ Object }

const (
	sizeofRule = 12  // struct fib_rule_hdr
	ruleInvert = 0x2 // FIB_RULE_INVERT: the one flag that is given
)

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
