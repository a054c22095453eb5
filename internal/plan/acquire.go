package plan

import (
	"net/netip"

	"kvmnet/internal/spec"
)

// Acquire asks for what a router's uplink gets by DHCP. The link is there and up
// once the ops of the same pass are done.
type Acquire struct {
	NS     string // network namespace of the router
	Link   string // its interface there, named as the uplink is
	MAC    spec.MAC
	Router string
	Uplink string
}

// Key is the name under which the facts tell what was got: "r1/uplink".
func (a Acquire) Key() string { return a.Router + "/" + a.Uplink }

// Acquired is what an uplink got by DHCP.
type Acquired struct {
	Address netip.Prefix // with the length of the segment's prefix
	Gateway netip.Addr   // next hop of the default route; zero = none
	DNS     []netip.Addr // resolvers
	Routes  []AcquiredRoute
}

// AcquiredRoute is a classless static route (RFC 3442); a zero Via is on the link.
type AcquiredRoute struct {
	To  netip.Prefix
	Via netip.Addr
}
