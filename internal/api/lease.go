package api

import (
	"net/netip"
	"time"

	"kvmnet/internal/spec"
)

// Lease is an address a guest holds, or one that was declined and is out of use
// for a while.
type Lease struct {
	Network  string       `json:"network"`
	Address  netip.Prefix `json:"address"`  // with the prefix length of the subnet
	Protocol string       `json:"protocol"` // ipv4 or ipv6
	MAC      spec.MAC     `json:"mac"`
	IAID     uint32       `json:"iaid,omitempty"`     // DHCPv6 only
	ClientID string       `json:"clientID,omitempty"` // client id, or DUID of DHCPv6, as 01:52:54:…
	Hostname string       `json:"hostname,omitempty"`
	Port     string       `json:"port,omitempty"` // the port it was last seen behind
	Begun    time.Time    `json:"begun"`
	Expires  *time.Time   `json:"expires,omitempty"` // none = never
	State    string       `json:"state"`             // bound or declined
}

// LeaseRelease asks to end leases by hand: those of an address, a MAC or a host
// name, on one network or, when Network is empty, on any.
type LeaseRelease struct {
	Network string `json:"network,omitempty"`
	Guest   string `json:"guest"`
}

// AddressRequest asks for the addresses of a guest.
type AddressRequest struct {
	Guest string        `json:"guest"`          // a port's name, a MAC, a host name or a reservation's name
	Wait  time.Duration `json:"wait,omitempty"` // how long to wait for a first one, nanoseconds; 0 = not at all
}

// Address is an address of a guest, and how it is known.
type Address struct {
	Address netip.Addr `json:"address"`
	Network string     `json:"network"`
	MAC     spec.MAC   `json:"mac"`
	Port    string     `json:"port,omitempty"`
	Source  string     `json:"source"` // lease, neighbour (the host's ARP and ND tables) or wire (seen passing the bridge)
}
