package kernel

import (
	"math/rand/v2"
	"strings"

	"kvmnet/internal/plan"
)

// How objects say that they are ours.
const (
	// aliasPrefix begins the alias (IFLA_IFALIAS) of a link of ours; the owner
	// follows, as in "kvmnet:network/lab".
	aliasPrefix = "kvmnet:"

	// protocol is the origin we give addresses (IFA_PROTO, kernel 5.18 and
	// later) and routes (rtm_protocol). Neither iproute2 nor a known routing
	// daemon uses the number.
	protocol = 107

	// birthGroup is the group (IFLA_GROUP) of a link that is not finished. The
	// kernel takes a group at creation but ignores an alias there
	// (rtnl_create_link), so a daemon killed between the two requests leaves a
	// link that is still known as ours. Finishing a link puts it in group 0.
	birthGroup = 0x6b766d01

	// doomedGroups is the base of the groups in which links are put to be
	// deleted together; the low 24 bits are drawn for each deletion, so that
	// what an interrupted one left behind is not deleted by a later one.
	doomedGroups = 0x6d000000
)

const (
	// Unfinished marks a link whose creation was interrupted before it got the
	// name of its owner.
	Unfinished plan.Mark = "unfinished"

	// Host marks an address or a route of ours on a link that is not.
	Host plan.Mark = "host"
)

// alias is the alias of a link of that owner.
func alias(m plan.Mark) string { return aliasPrefix + string(m) }

// markOf tells from its alias and group whose a link is; "" is foreign.
func markOf(alias string, group uint32) plan.Mark {
	owner, ours := strings.CutPrefix(alias, aliasPrefix)
	switch {
	case ours:
		return plan.Mark(owner)
	case group == birthGroup && alias == "":
		return Unfinished
	}
	return ""
}

func doomedGroup() uint32 { return doomedGroups | rand.Uint32N(1<<24) }
