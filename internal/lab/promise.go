package lab

import "kvmnet/internal/spec"

// What came of a question, in the words of the table. What the other side saw as
// the source matters wherever packets leave a network.
const (
	yes       = "yes"
	no        = "no"
	kept      = "yes, kept"      // under the guest's own address
	rewritten = "yes, rewritten" // under the machine's address
	arrived   = "arrives, unanswered"
)

// untold is what a mode promises nothing about.
const untold = ""

// atGateway is what guests are promised at their own gateway address.
func atGateway(n *spec.Network) string {
	if n.Mode == spec.Bridge || len(n.Subnets) == 0 {
		return untold
	}
	return yes
}

// toOutside is what guests are promised of the outside. For mode open it is what
// a host without a firewall decides.
func toOutside(n *spec.Network, f family) string {
	switch {
	case n.Mode == spec.Isolated:
		return no
	case masquerades(n, f):
		return rewritten
	}
	return kept
}

func masquerades(n *spec.Network, f family) bool {
	return n.Mode == spec.NAT && (f == v4 || n.NAT == nil || spec.Truth(n.NAT.IPv6))
}

// fromOutside is what the outside is promised of guests. It has routes to the
// networks that need them.
func fromOutside(n *spec.Network) string {
	if n.Mode == spec.Isolated || n.Mode == spec.NAT {
		return no
	}
	return kept
}

// routed reports whether the outside must have a route to a network for its
// guests to be answered.
func routed(n *spec.Network, f family) bool {
	return n.Mode.Forwards() && !masquerades(n, f)
}

// between is what guests of one network are promised of the guests of another.
func between(from, to *spec.Network, f family) string {
	switch {
	case from.Mode == spec.Isolated || to.Mode == spec.Isolated || to.Mode == spec.NAT:
		return no
	case from.Mode == spec.NAT && to.Mode != spec.Bridge: // the LAN is the outside to it
		return no
	}
	return toOutside(from, f)
}

// guarded reports whether kvmnet keeps the guests of a network from leaving it
// under false colours. In mode open the host's firewall decides, and in mode
// bridge guests are hosts of the LAN.
func guarded(n *spec.Network) bool {
	return n.Mode == spec.Isolated || n.Mode == spec.NAT || n.Mode == spec.Route
}
