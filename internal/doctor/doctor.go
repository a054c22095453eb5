package doctor

import (
	"fmt"

	"kvmnet/internal/api"
)

// check looks at one thing, and adds what it finds.
type check struct {
	name string // one word, for scripts, too
	fine string // what to say when it finds nothing
	look func(*Patient, *notes)
}

// checks are in the order in which they are told: what breaks most comes first.
var checks = []check{
	{"kernel", "the kernel is as it is wanted", (*Patient).drift},
	{"object", "every object is as it is defined", (*Patient).problems},
	{"uplink", "networks that leave the host have an uplink", (*Patient).uplink},
	{"forwarding", "packets of guests are forwarded", (*Patient).forwarding},
	{"firewall", "no other firewall drops by default", (*Patient).firewall},
	{"br_netfilter", "bridged frames do not pass the rules for routed packets", (*Patient).netfilter},
	{"rp_filter", "no answer is dropped for the way it comes", (*Patient).filter},
	{"mtu", "every link of a network takes the same packets", (*Patient).mtu},
	{"address", "no address is used twice", (*Patient).address},
	{"mac", "no MAC is used twice", (*Patient).mac},
	{"port", "nobody else holds the ports of our servers", (*Patient).holders},
	{"resolver", "guests' questions have somebody to go to", (*Patient).resolver},
	{"manager", "no other manager has links of ours", (*Patient).managers},
	{"change", "no change waits for a confirmation", (*Patient).changes},
	{"file", "no stale files", (*Patient).litter},
}

// Examine does all checks. One that finds nothing says so.
func Examine(p Patient) []api.Finding {
	var all []api.Finding
	for _, c := range checks {
		n := notes{check: c.name}
		c.look(&p, &n)
		if len(n.list) == 0 {
			n.list = []api.Finding{{Check: c.name, Level: api.Fine, Message: c.fine}}
		}
		all = append(all, n.list...)
	}
	return all
}

// notes collect what one check finds.
type notes struct {
	check string
	list  []api.Finding
}

// add notes a finding about something and returns it, for what is particular.
func (n *notes) add(level api.Level, subject, format string, args ...any) *api.Finding {
	n.list = append(n.list, api.Finding{Check: n.check, Level: level, Subject: subject, Message: fmt.Sprintf(format, args...)})
	return &n.list[len(n.list)-1]
}

func (n *notes) broken(subject, format string, args ...any) *api.Finding {
	return n.add(api.Broken, subject, format, args...)
}

func (n *notes) warn(subject, format string, args ...any) *api.Finding {
	return n.add(api.Warning, subject, format, args...)
}
