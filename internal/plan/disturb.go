package plan

import (
	"fmt"
	"strings"
)

// Disturbs tells what running guests will notice of ops, a sentence each; none
// means that no packet is lost.
func Disturbs(ops []Op) []string {
	var notes []string
	fresh, rules := map[place]bool{}, map[string]bool{} // links and chains that are new
	for _, op := range ops {
		switch o := op.Object.(type) {
		case Link:
			fresh[placeOf(o)] = op.Verb == Add
		case Chain:
			rules[o.Digest] = rules[o.Digest] || op.Verb == Add
		}
	}
	for _, op := range ops {
		i, isolates := op.Object.(Isolation)
		c, ends := op.Object.(Chain)
		switch note := disturbs(op); {
		case isolates && op.Verb == Add && !fresh[placeOf(i)]:
			notes = append(notes, i.Link+" does not reach the other guests of its network any more")
		case ends && op.Verb == Del && rules[c.Digest]: // the same by another name
		case note != "":
			notes = append(notes, note)
		}
	}
	return notes
}

func disturbs(op Op) string {
	switch o := op.Object.(type) {
	case Netns:
		if op.Verb == Del {
			return o.Owner() + " stops: its networks lose their gateway"
		}
	case Link:
		return disturbsLink(op, o)
	case Addr:
		return disturbsAddr(op, o)
	case Element:
		return disturbsElement(op, o)
	case Chain:
		if op.Verb != Add {
			return disturbsChain(o)
		}
	}
	return ""
}

func disturbsAddr(op Op, a Addr) string {
	switch {
	case op.Verb != Del:
		return ""
	case strings.HasPrefix(a.Owner(), "network/"):
		return fmt.Sprintf("%s loses the gateway address %s", a.Owner(), a.Prefix.Addr())
	}
	return fmt.Sprintf("%s loses the address %s on %s; connections that use it end", a.Owner(), a.Prefix.Addr(), a.Link)
}

func disturbsElement(op Op, e Element) string {
	was, changed := op.Old.(Element)
	where := ""
	if e.NS != "" {
		where = " of " + routerOwner(e.NS)
	}
	switch {
	case changed && e.Map == "from" && e.NS == "":
		return fmt.Sprintf("%s changes its mode from %s to %s; connections the new mode forbids end", e.Owner(), mode(was), mode(e))
	case changed && e.Map == "from":
		return fmt.Sprintf("%s%s is judged as %s, not %s any more; connections that forbids end", e.ID, where, mode(e), mode(was))
	case changed && forwards(e.Map):
		return fmt.Sprintf("the forward of %s%s leads to %s, not %s any more; its connections end", e.ID, where, e.Value, was.Value)
	case op.Verb == Del && forwards(e.Map):
		return fmt.Sprintf("the forward of %s%s ends, with its connections", e.ID, where)
	case op.Verb == Del && strings.HasPrefix(e.Map, "masquerade") && e.NS != "":
		return fmt.Sprintf("%s%s does not leave with the uplink's address any more; its connections end", e.ID, where)
	}
	return ""
}

// forwards reports whether elements of a map lead connections to guests.
func forwards(set string) bool {
	return strings.HasPrefix(set, "forward") || set == "floating4" || set == "floating6"
}

func disturbsChain(c Chain) string {
	where := ""
	if c.NS != "" {
		where = " of " + routerOwner(c.NS)
	}
	kind, _, _ := strings.Cut(c.Name, "_")
	switch kind {
	case "policy":
		return fmt.Sprintf("the policies in chain %s%s change; connections they permit no more end", c.Name, where)
	case "source":
		if c.NS == "" {
			return "" // connections keep the source they have
		}
		return fmt.Sprintf("the source chosen in chain %s%s changes; connections that leave with another end", c.Name, where)
	}
	return ""
}

func disturbsLink(op Op, l Link) string {
	old, _ := op.Old.(Link)
	switch {
	case op.Verb == Del && l.Type == "bridge":
		return fmt.Sprintf("%s stops: bridge %s goes, its ports lose their cable", l.Owner(), l.Name)
	case l.Type == "ifb":
		return ""
	case op.Verb == Del:
		return fmt.Sprintf("%s loses its device %s", l.Owner(), l.Name)
	case op.Verb == Set && l.Type == "macvtap" && l.Lower != old.Lower:
		return fmt.Sprintf("%s loses its device %s for another one, on %s", l.Owner(), l.Name, l.Lower)
	case op.Verb == Set && l.Master != old.Master && old.Master != "":
		return fmt.Sprintf("%s is re-plugged from %s to %s", l.Name, old.Master, orNowhere(l.Master))
	case op.Verb == Set && l.MTU > 0 && l.MTU != old.MTU:
		return fmt.Sprintf("%s changes its MTU from %d to %d", l.Name, old.MTU, l.MTU)
	case op.Verb == Set && networkBridge(l):
		return "" // it goes on hearing to the MAC it had, and STP leaves ports forwarding that do
	case op.Verb == Set && !sameMAC(l, old):
		return fmt.Sprintf("%s changes the MAC of %s to %s", l.Owner(), l.Name, l.MAC)
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
