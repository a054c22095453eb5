package api

import (
	"net/netip"

	"kvmnet/internal/spec"
)

// Port is a guest NIC as the daemon sees it.
type Port struct {
	Name   string     `json:"name"`
	Spec   *spec.Port `json:"spec"`
	Status PortStatus `json:"status"`
}

// PortStatus is what the daemon observed of a port.
type PortStatus struct {
	State    string   `json:"state"` // "up", "down" (network inactive or link down), "adopted", "missing"
	Bridge   string   `json:"bridge,omitempty"`
	NIC      string   `json:"nic,omitempty"`      // of a macvtap: the one below it
	Node     string   `json:"node,omitempty"`     // of a macvtap: the device by which a program opens it
	Gateways []string `json:"gateways,omitempty"` // gateway addresses with prefix length, for the guest
	MTU      int      `json:"mtu,omitempty"`
	Open     bool     `json:"open,omitempty"`  // of a tap: a program has it open
	Guard    []string `json:"guard,omitempty"` // what its guest is kept from sending, as spec.GuardWords
	Problems []string `json:"problems,omitempty"`

	Leases   []netip.Addr      `json:"leases,omitempty"`   // that its guests have by DHCP
	Received *Tally            `json:"received,omitempty"` // by the guest
	Sent     *Tally            `json:"sent,omitempty"`     // by the guest
	Refused  map[string]uint64 `json:"refused,omitempty"`  // packets of the guest that guards dropped, by reason, since it was plugged in; see the table in docs/guards.md
}

// Tally is what passed in one direction.
type Tally struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
	Dropped uint64 `json:"dropped"` // packets that found no room
}

// AddPort asks for a port, generating what is not given.
type AddPort struct {
	Name      string     `json:"name,omitempty"`
	Port      *spec.Port `json:"port"`
	Transient bool       `json:"transient,omitempty"` // gone at reboot
}

// SetPort changes a port, on a running guest, too. What is nil stays.
type SetPort struct {
	Network   *string         `json:"network,omitempty"` // the cable moves to another network
	Unplugged *bool           `json:"unplugged,omitempty"`
	Guard     *spec.Guard     `json:"guard,omitempty"`     // "" = the network's
	Bandwidth *spec.Bandwidth `json:"bandwidth,omitempty"` // the limits there are, zero = none
	Storm     *spec.Storm     `json:"storm,omitempty"`     // zero = the network's
	Addresses *[]netip.Addr   `json:"addresses,omitempty"`
	Guest     *string         `json:"guest,omitempty"`
	Owner     *string         `json:"owner,omitempty"` // of the tap, from when it is made again
}

// PlugPort plugs an interface that others made, such as the tap of a QEMU that runs
// its script, into a network. It is the same after being asked twice.
type PlugPort struct {
	Interface string `json:"interface"`
	Network   string `json:"network,omitempty"` // "" = that of the port that has the interface
}

// OpenPort asks for a port that lives as long as it is used, and for its tap.
type OpenPort struct {
	Network   string       `json:"network,omitempty"`
	Bridge    string       `json:"bridge,omitempty"` // instead of Network: the bridge of one
	Name      string       `json:"name,omitempty"`   // "" = made
	Guest     string       `json:"guest,omitempty"`
	MAC       spec.MAC     `json:"mac,omitzero"`     // zero = made
	AnyMAC    bool         `json:"anyMAC,omitempty"` // the guest has a MAC that the asker does not know
	Addresses []netip.Addr `json:"addresses,omitempty"`
	Queues    int          `json:"queues,omitempty"` // 0 = 1
	Plain     bool         `json:"plain,omitempty"`  // frames without virtio's header
	Guard     spec.Guard   `json:"guard,omitempty"`  // "" = the network's
	Vhost     bool         `json:"vhost,omitempty"`  // with /dev/vhost-net opened, where the host has it

	// Owner is whose port it is, who may open its tap; "" = who asks. Only root names
	// another one.
	Owner string `json:"owner,omitempty"`

	// ByName asks for a tap that a program opens by its name, and for no descriptor.
	ByName bool `json:"byName,omitempty"`
}

// Opened is the answer to an OpenPort. The descriptors come beside it, those of the
// tap first.
type Opened struct {
	Port   Port `json:"port"`
	Taps   int  `json:"taps"`   // how many descriptors are the tap's, one a queue
	Vhosts int  `json:"vhosts"` // how many are /dev/vhost-net's; 0 = the host has none
}

// Caller is who asks, as the kernel tells it of the other end of a socket.
type Caller struct {
	PID    int
	UID    int
	Groups []int // the primary one first
}
