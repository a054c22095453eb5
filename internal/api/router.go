package api

import (
	"net/netip"

	"kvmnet/internal/spec"
)

// Run states of a router. A network has other ones.
const (
	Up      = "up"
	Waits   = "waits"   // something it needs is not there yet; it goes on by itself
	Missing = "missing" // not made yet, or not to be made
)

// Router is a virtual router as the daemon sees it.
type Router struct {
	Name   string       `json:"name"`
	Spec   *spec.Router `json:"spec"`
	Status RouterStatus `json:"status"`
}

// RouterStatus is what the daemon observed of a router. Neighbours and counters
// are there of single routers only.
type RouterStatus struct {
	State      string       `json:"state"`               // Up, Waits or Missing
	Namespace  string       `json:"namespace,omitempty"` // path by which its namespace is entered
	Uplinks    []RouterLink `json:"uplinks,omitempty"`
	Interfaces []RouterLink `json:"interfaces,omitempty"`
	Routes     []string     `json:"routes,omitempty"` // as ip-route(8) prints them
	Rules      []string     `json:"rules,omitempty"`  // of policy routing, as ip-rule(8) prints them
	NAT        []RouterNAT  `json:"nat,omitempty"`
	Forwards   []string     `json:"forwards,omitempty"` // names of those it listens for
	Neighbours []Neighbour  `json:"neighbours,omitempty"`

	// Refused counts the packets that the router refused, by reason: "spoofed",
	// "inbound". Reasons without any are left out.
	Refused  map[string]uint64 `json:"refused,omitempty"`
	Problems []string          `json:"problems,omitempty"`
}

// RouterLink is an uplink or an interface of a router.
type RouterLink struct {
	Name      string         `json:"name"`  // inside the router
	On        string         `json:"on"`    // "network lab", "bridge br0", "nic eth1" or "host"
	State     string         `json:"state"` // Up, "down" or Missing
	MAC       spec.MAC       `json:"mac,omitzero"`
	MTU       int            `json:"mtu,omitempty"`
	Addresses []netip.Prefix `json:"addresses,omitempty"`
	Gateways  []netip.Addr   `json:"gateways,omitempty"` // of an uplink: the next hops of its default routes
	Acquired  bool           `json:"acquired,omitempty"` // of an uplink: it has addresses by DHCP or router advertisements
	Egress    string         `json:"egress,omitempty"`   // of an interface: how its network leaves
	Allow     []PolicyRule   `json:"allow,omitempty"`    // of an interface: what its network leaves to, where that is limited
	Traffic   *Traffic       `json:"traffic,omitempty"`
}

// RouterNAT is a rule by which a network leaves a router.
type RouterNAT struct {
	Interface string   `json:"interface"`
	Network   string   `json:"network"`
	Source    string   `json:"source"`           // address or range it leaves with; "" = the uplink's
	Uplink    string   `json:"uplink,omitempty"` // "" = as the router routes
	Counter   *Counter `json:"counter,omitempty"`
}

// Neighbour is a host that somebody has heard of on a link.
type Neighbour struct {
	Link    string     `json:"link"`
	Address netip.Addr `json:"address"`
	MAC     spec.MAC   `json:"mac"`
	State   string     `json:"state"` // as ip-neighbour(8) calls it
}

// Traffic counts what passed a link since it was made, in and out as seen from
// the namespace the link is in.
type Traffic struct {
	RxPackets uint64 `json:"rxPackets"`
	RxBytes   uint64 `json:"rxBytes"`
	TxPackets uint64 `json:"txPackets"`
	TxBytes   uint64 `json:"txBytes"`
	RxDropped uint64 `json:"rxDropped,omitempty"` // packets that found no room
	TxDropped uint64 `json:"txDropped,omitempty"`
}

// Counter counts what a rule or an element of a map was used for.
type Counter struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Definition asks for an object by its name and what it is to be.
type Definition[T any] struct {
	Name string `json:"name,omitempty"` // "" = made, where that is possible
	Spec *T     `json:"spec"`
}
