package dhcpclient

import (
	"net/netip"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Interface asks for the address of an interface of the host.
type Interface struct {
	// Key is the name under which the lease is kept: who comes again by it on another
	// link, with the same MAC, is the same client there and goes on with its lease.
	Key  string
	Link string
	MAC  spec.MAC
	Host string     // name that servers are told; "" = none
	Wish netip.Addr // address that is asked for first; zero = any
}

// want is what a client is to get, for a router or for the host.
type want struct {
	key, ns, link string
	mac           spec.MAC
	host          string
	wish          netip.Addr // for the first lease only
}

func wantsOf(list []plan.Acquire) (wants []want) {
	for _, a := range list {
		wants = append(wants, want{key: a.Key(), ns: a.NS, link: a.Link, mac: a.MAC, host: a.Router})
	}
	return wants
}

// sameClient reports whether servers take both for the same client.
func (w want) sameClient(other want) bool {
	return w.key == other.key && w.mac == other.mac && w.host == other.host
}

// samePlace reports whether both are on the same link.
func (w want) samePlace(other want) bool { return w.ns == other.ns && w.link == other.link }

// SetInterfaces is Set for interfaces of the host, which are in the namespace that
// Options.Namespace finds by "".
func (c *Clients) SetInterfaces(list []Interface) {
	var wants []want
	for _, i := range list {
		wants = append(wants, want{key: i.Key, link: i.Link, mac: i.MAC, host: i.Host, wish: i.Wish})
	}
	c.set(wants)
}
