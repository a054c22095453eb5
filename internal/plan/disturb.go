package plan

import (
	"fmt"
	"strings"
)

// Disturbs tells what running guests will notice of ops, a sentence each; none
// means that no packet is lost.
func Disturbs(ops []Op) []string {
	var notes []string
	for _, op := range ops {
		if note := disturbs(op); note != "" {
			notes = append(notes, note)
		}
	}
	return notes
}

func disturbs(op Op) string {
	switch o := op.Object.(type) {
	case Link:
		return disturbsLink(op, o)
	case Addr:
		if op.Verb == Del {
			return fmt.Sprintf("%s loses the gateway address %s", o.Owner(), o.Prefix.Addr())
		}
	case Element:
		if was, ok := op.Old.(Element); ok && o.Map == "from" {
			return fmt.Sprintf("%s changes its mode from %s to %s; connections the new mode forbids end", o.Owner(), mode(was), mode(o))
		}
	}
	return ""
}

func disturbsLink(op Op, l Link) string {
	old, _ := op.Old.(Link)
	switch {
	case op.Verb == Del && l.Type == "bridge":
		return fmt.Sprintf("%s stops: bridge %s goes, its ports lose their cable", l.Owner(), l.Name)
	case op.Verb == Del:
		return fmt.Sprintf("%s loses its device %s", l.Owner(), l.Name)
	case op.Verb == Set && l.Master != old.Master && old.Master != "":
		return fmt.Sprintf("%s is re-plugged from %s to %s", l.Name, old.Master, orNowhere(l.Master))
	case op.Verb == Set && l.MTU > 0 && l.MTU != old.MTU:
		return fmt.Sprintf("%s changes its MTU from %d to %d", l.Name, old.MTU, l.MTU)
	case op.Verb == Set && !l.MAC.IsZero() && l.MAC != old.MAC && l.Type == "bridge":
		return fmt.Sprintf("%s changes its gateway MAC to %s", l.Owner(), l.MAC)
	}
	return ""
}

func orNowhere(master string) string {
	if master == "" {
		return "nowhere"
	}
	return master
}

func mode(e Element) string { return strings.TrimPrefix(e.Value, "jump from_") }
