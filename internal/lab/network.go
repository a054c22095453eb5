package lab

import (
	"cmp"
	"slices"

	"kvmnet/internal/spec"
)

// network is a network under proof, with its guests.
type network struct {
	name   string
	spec   *spec.Network
	index  int
	router string          // whose interface is the gateway; "" = the host holds it
	face   *spec.Interface // that interface
	seats  [2]seat
	guests [2]*party
}

// lan reports whether the guests are hosts of the LAN, with its router for a
// gateway.
func (n *network) lan() bool { return n.spec.Mode == spec.Bridge }

// subnets are the subnets that the network's gateway has an address in.
func (n *network) subnets() []spec.Subnet {
	if n.face != nil {
		return n.face.Gateways()
	}
	return n.spec.Subnets
}

// gateways returns the first gateway address of each family.
func (n *network) gateways() (d duo) {
	for _, s := range n.subnets() {
		if f := familyOf(s.Address.Addr()); !d.has(f) {
			d[f] = s.Address
		}
	}
	return d
}

// via is the default gateway of the guests in each family: what kvmnet holds, the
// LAN's router, or, where there is none, an address nobody has.
func (n *network) via() duo {
	switch {
	case n.lan():
		return lanGateway
	case n.silent():
		return chosen(n.index, 1)
	}
	return n.gateways()
}

// silent reports whether nobody has an address on the network but its guests.
func (n *network) silent() bool { return !n.lan() && len(n.subnets()) == 0 }

// stance is what becomes of connections that no policy decides.
func (n *network) stance() spec.Stance {
	switch {
	case n.lan() || n.spec.Mode == spec.Open:
		return spec.StanceOpen
	case n.face == nil && n.spec.Mode == spec.Isolated, n.face != nil && n.egress() == spec.EgressNone:
		return spec.StanceIsolated
	case n.spec.Policy != "":
		return n.spec.Policy
	case n.spec.Mode == spec.Route || n.egress() == spec.EgressRoute:
		return spec.StanceOpen
	}
	return spec.StanceOutbound
}

// egress is how the network leaves its router, "" for one that has none.
func (n *network) egress() spec.Egress {
	if n.face == nil {
		return ""
	}
	return cmp.Or(n.face.Egress, spec.EgressNone)
}

// translates reports whether guests leave under another address than their own.
func (n *network) translates(f family) bool {
	switch n.egress() {
	case "":
		return n.spec.Mode == spec.NAT && (f == v4 || n.spec.NAT == nil || spec.Truth(n.spec.NAT.IPv6))
	case spec.EgressMasquerade, spec.EgressSNAT:
		return true
	}
	return false
}

// hides reports whether the guests of a network meet others under its name only:
// other networks are not theirs to reach.
func (n *network) hides() bool { return n.translates(v4) }

// box is what holds the gateway of the network: the host, or a router. What is on
// a LAN has a box of its own.
func (n *network) box() string {
	switch {
	case n.lan():
		return "lan/" + n.name
	case n.face != nil:
		return "router/" + n.router
	}
	return "host"
}

// judged reports whether policies are asked about what enters and leaves.
func (n *network) judged() bool { return !n.lan() && n.spec.Mode != spec.Open }

// guarded reports whether kvmnet keeps the guests of a network from leaving it
// under false colours. In mode open the host's firewall decides, and in mode
// bridge guests are hosts of the LAN.
func (n *network) guarded() bool { return n.judged() }

// column is the network's head in the table.
func (n *network) column() column {
	c := column{name: n.name, mode: string(n.spec.Mode)}
	if n.face != nil {
		c.mode = n.router + ", " + string(n.egress())
	}
	switch {
	case n.lan():
		c.note = n.spec.Bridge.Name
	case n.silent():
		c.note = "no address"
	default:
		c.note = n.gateways().list()[0].String()
	}
	return c
}

// byMode orders networks as people explain the modes, the emptier one first, and
// those of routers behind them.
func byMode(a, b *network) int {
	mode := func(n *network) int { return slices.Index(spec.Modes, n.spec.Mode) }
	return cmp.Or(cmp.Compare(a.router, b.router), cmp.Compare(mode(a), mode(b)),
		cmp.Compare(len(a.subnets()), len(b.subnets())), cmp.Compare(a.name, b.name))
}
