package spec

import (
	"crypto/sha256"
	"fmt"
	"iter"
	"net/netip"
	"strconv"
	"strings"
)

// Router is a virtual router in a network namespace of its own: interfaces on
// networks, and uplinks by which they leave.
type Router struct {
	Title       string             `yaml:"title,omitempty" json:"title,omitempty"`
	Description string             `yaml:"description,omitempty" json:"description,omitempty"`
	Labels      map[string]string  `yaml:"labels,omitempty" json:"labels,omitempty"`
	Uplink      *Uplink            `yaml:"uplink,omitempty" json:"uplink,omitempty"`           // the only one; its interface is named uplink
	Uplinks     map[string]*Uplink `yaml:"uplinks,omitempty" json:"uplinks,omitempty"`         // several, by the name of their interface
	Interfaces  []Interface        `yaml:"interfaces,omitempty" json:"interfaces,omitempty"`   // one for each network
	Routes      []RouterRoute      `yaml:"routes,omitempty" json:"routes,omitempty"`           // beyond those of interfaces and uplinks
	Connections int                `yaml:"connections,omitempty" json:"connections,omitempty"` // most connections at a time; 0 = any number
}

// OnlyUplink is the name of the uplink of a router that has one.
const OnlyUplink = "uplink"

// Ways returns the uplinks of a router by name, however they are written.
func (r *Router) Ways() map[string]*Uplink {
	ways := map[string]*Uplink{}
	for name, u := range r.Uplinks {
		if u != nil {
			ways[name] = u
		}
	}
	if r.Uplink != nil {
		ways[OnlyUplink] = r.Uplink
	}
	return ways
}

// Uplink is a way out of a router: an interface on one of four things, of which
// exactly one is named.
type Uplink struct {
	Bridge  string   `yaml:"bridge,omitempty" json:"bridge,omitempty"`   // a bridge of the host, such as br0
	Network string   `yaml:"network,omitempty" json:"network,omitempty"` // a network of kvmnet
	NIC     string   `yaml:"nic,omitempty" json:"nic,omitempty"`         // a NIC of the host, shared by macvlan
	Host    HostLink `yaml:"host,omitempty" json:"host,omitempty"`       // the host itself, by a link of two ends

	Address Prefixes  `yaml:"address,omitempty" json:"address,omitempty"` // of the router, with prefix length
	Gateway Addresses `yaml:"gateway,omitempty" json:"gateway,omitempty"` // the next hop for the rest of the world, one a family; with host the host's end
	DHCP    bool      `yaml:"dhcp,omitempty" json:"dhcp,omitempty"`       // IPv4 address and gateway by DHCP
	SLAAC   bool      `yaml:"slaac,omitempty" json:"slaac,omitempty"`     // IPv6 address and gateway by router advertisements
	Metric  int       `yaml:"metric,omitempty" json:"metric,omitempty"`   // of several uplinks that lead everywhere the one with the smallest is used, and of those with the same the first by name

	MAC       MAC        `yaml:"mac,omitempty" json:"mac,omitzero"` // generated, stable, when zero
	MTU       int        `yaml:"mtu,omitempty" json:"mtu,omitempty"`
	Bandwidth *Bandwidth `yaml:"bandwidth,omitempty" json:"bandwidth,omitempty"`
}

// HostLink says how the host treats a router behind a link to it.
type HostLink string

// The ways to treat it.
const (
	HostNAT   HostLink = "nat"   // leaves with the host's address
	HostRoute HostLink = "route" // leaves with its own address
)

// Interface is a router's interface on a network. Its addresses are the gateways
// of the network's guests.
type Interface struct {
	Network string   `yaml:"network" json:"network"`
	Name    string   `yaml:"name,omitempty" json:"name,omitempty"`       // inside the router; eth0, eth1, … when empty
	Address Prefixes `yaml:"address,omitempty" json:"address,omitempty"` // short for subnets without settings of their own
	DHCP    *DHCP    `yaml:"dhcp,omitempty" json:"dhcp,omitempty"`       // for guests, in the subnet of address, of several in the first
	Subnets []Subnet `yaml:"subnets,omitempty" json:"subnets,omitempty"` // further addresses of the router, with DHCP of their own
	MAC     MAC      `yaml:"mac,omitempty" json:"mac,omitzero"`          // generated, stable, when zero

	Egress     Egress    `yaml:"egress,omitempty" json:"egress,omitempty"`         // "" = none
	SNAT       *SNAT     `yaml:"snat,omitempty" json:"snat,omitempty"`             // egress snat only
	Uplink     string    `yaml:"uplink,omitempty" json:"uplink,omitempty"`         // leaves by that one; "" = as the router routes
	KillSwitch bool      `yaml:"killSwitch,omitempty" json:"killSwitch,omitempty"` // leaves by nothing else when the uplink is down
	Allow      []Traffic `yaml:"allow,omitempty" json:"allow,omitempty"`           // leaves to nothing else; none = to everything

	Bandwidth   *Bandwidth `yaml:"bandwidth,omitempty" json:"bandwidth,omitempty"`
	Connections int        `yaml:"connections,omitempty" json:"connections,omitempty"` // most connections of the network at a time; 0 = any number
}

// Gateways are all subnets of the interface, those of address first.
func (i *Interface) Gateways() []Subnet {
	var subnets []Subnet
	for _, s := range i.gatewaysAt("") {
		subnets = append(subnets, s)
	}
	return subnets
}

// gatewaysAt yields the subnets of an interface with the paths of the objects that
// say what holds for them.
func (i *Interface) gatewaysAt(path string) iter.Seq2[string, Subnet] {
	return func(yield func(string, Subnet) bool) {
		list, _ := i.Address.List()
		for k, p := range list {
			s := Subnet{Address: p}
			if k == 0 {
				s.DHCP = i.DHCP
			}
			if !yield(path, s) {
				return
			}
		}
		for k, s := range i.Subnets {
			if !yield(Index(Field(path, "subnets"), k), s) {
				return
			}
		}
	}
}

// InterfaceNames are the names of the interfaces in their order: those that are
// written, and eth0, eth1, … for the others.
func (r *Router) InterfaceNames() []string {
	taken, next := map[string]bool{}, 0
	for name := range r.Ways() {
		taken[name] = true
	}
	for _, i := range r.Interfaces {
		taken[i.Name] = true
	}
	var names []string
	for _, i := range r.Interfaces {
		name := i.Name
		for ; name == ""; next++ {
			if free := "eth" + strconv.Itoa(next); !taken[free] {
				name = free
			}
		}
		names = append(names, name)
	}
	return names
}

// HostEnd is the name of the host's end of the pair by which a router is plugged
// in: r1-eth0, or the beginning of that and a hash.
func HostEnd(router, name string) string {
	whole := router + "-" + name
	if len(whole) <= MaxInterfaceName {
		return whole
	}
	sum := sha256.Sum256([]byte(whole))
	hash := fmt.Sprintf("%x", sum)[:6]
	return strings.TrimLeft(router[:min(len(router), MaxInterfaceName-len(hash)-1)], "-") + "-" + hash
}

// Egress says how a network leaves a router.
type Egress string

// The ways to leave.
const (
	EgressNone       Egress = "none"       // not at all
	EgressRoute      Egress = "route"      // with the guests' own addresses
	EgressMasquerade Egress = "masquerade" // with the uplink's address
	EgressSNAT       Egress = "snat"       // with a chosen address, or one of several
)

// SNAT is the source that guests leave with.
type SNAT struct {
	Address AddrRange `yaml:"address,omitempty" json:"address,omitzero"` // IPv4: an address of the uplink's segment, or several; zero = masqueraded
	IPv6    AddrRange `yaml:"ipv6,omitempty" json:"ipv6,omitzero"`       // the same for IPv6
	Ports   PortRange `yaml:"ports,omitempty" json:"ports,omitzero"`     // source ports of TCP, UDP and SCTP; zero = any
}

// RouterRoute is a route of a router.
type RouterRoute struct {
	To        netip.Prefix `yaml:"to" json:"to"`
	Via       netip.Addr   `yaml:"via,omitempty" json:"via,omitzero"`
	Uplink    string       `yaml:"uplink,omitempty" json:"uplink,omitempty"`       // the uplink whose gateway is the next hop, in place of via
	Blackhole bool         `yaml:"blackhole,omitempty" json:"blackhole,omitempty"` // packets to it are dropped
	Metric    int          `yaml:"metric,omitempty" json:"metric,omitempty"`
}

// Bandwidth limits a network or an interface of a router; zero is no limit.
type Bandwidth struct {
	In  Limit `yaml:"in,omitempty" json:"in,omitzero"`   // towards the guests, or from the outside
	Out Limit `yaml:"out,omitempty" json:"out,omitzero"` // from the guests, or to the outside
}
