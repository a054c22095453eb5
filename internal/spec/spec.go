package spec

import "net/netip"

// Spec is everything one file or one host may declare, by kind and name.
type Spec struct {
	Networks map[string]*Network    `yaml:"networks,omitempty" json:"networks,omitempty"`
	Bridges  map[string]*HostBridge `yaml:"bridges,omitempty" json:"bridges,omitempty"`
	Ports    map[string]*Port       `yaml:"ports,omitempty" json:"ports,omitempty"`
	Routers  map[string]*Router     `yaml:"routers,omitempty" json:"routers,omitempty"`
	Forwards map[string]*Forward    `yaml:"forwards,omitempty" json:"forwards,omitempty"`
	Policies map[string]*Policy     `yaml:"policies,omitempty" json:"policies,omitempty"`
	Sets     map[string]*AddressSet `yaml:"sets,omitempty" json:"sets,omitempty"`
}

// Mode says what the guests of a network can reach. The names are libvirt's.
type Mode string

// The modes; docs/glossary.md and the table in docs/modes.md tell who reaches whom.
const (
	Isolated Mode = "isolated" // guests reach each other and, if it has one, the gateway address
	NAT      Mode = "nat"      // guests leave with the host's address; nobody comes in
	Route    Mode = "route"    // guests leave with their own address; the outside may come in
	Open     Mode = "open"     // as route, but no rule of ours: the host firewall decides
	Bridge   Mode = "bridge"   // guests are hosts of the LAN behind an existing or declared host bridge
)

// Modes lists all modes in the order people explain them.
var Modes = []Mode{Isolated, NAT, Route, Open, Bridge}

// Forwards reports whether packets of the mode's guests are forwarded by the
// host, so that the kernel's forwarding must be on for the bridge.
func (m Mode) Forwards() bool { return m == NAT || m == Route || m == Open }

// Managed reports whether the bridge of the mode's networks is ours: made,
// changed and removed by us.
func (m Mode) Managed() bool { return m.Forwards() || m == Isolated }

// Network is one L2 segment for guests.
type Network struct {
	Title       string            `yaml:"title,omitempty" json:"title,omitempty"`
	Description string            `yaml:"description,omitempty" json:"description,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty" json:"labels,omitempty"`
	UUID        string            `yaml:"uuid,omitempty" json:"uuid,omitempty"` // made by the store when empty
	Mode        Mode              `yaml:"mode" json:"mode"`
	Bridge      BridgeSettings    `yaml:"bridge,omitempty" json:"bridge,omitzero"`
	Uplink      string            `yaml:"uplink,omitempty" json:"uplink,omitempty"`           // nat, route: the only interface guests may leave by; "" = wherever the host routes
	Subnets     []Subnet          `yaml:"subnets,omitempty" json:"subnets,omitempty"`         // none in bridge mode
	Routes      []StaticRoute     `yaml:"routes,omitempty" json:"routes,omitempty"`           // host routes to prefixes behind a guest
	NAT         *NATSettings      `yaml:"nat,omitempty" json:"nat,omitempty"`                 // mode nat only
	DHCP        *NetworkDHCP      `yaml:"dhcp,omitempty" json:"dhcp,omitempty"`               // what holds for the DHCP of all its subnets
	RA          *RA               `yaml:"ra,omitempty" json:"ra,omitempty"`                   // router advertisements; nil = the defaults
	DNS         *DNS              `yaml:"dns,omitempty" json:"dns,omitempty"`                 // nil = the defaults
	Policy      Stance            `yaml:"policy,omitempty" json:"policy,omitempty"`           // what becomes of connections that no policy decides; "" = outbound in mode nat, open in mode route, isolated in mode isolated
	Peers       []string          `yaml:"peers,omitempty" json:"peers,omitempty"`             // networks whose guests and ours reach each other without NAT
	Connections int               `yaml:"connections,omitempty" json:"connections,omitempty"` // most connections of the guests at a time; 0 = any number
	Isolated    bool              `yaml:"isolated,omitempty" json:"isolated,omitempty"`       // its guests do not reach each other on the bridge
	Bandwidth   *Bandwidth        `yaml:"bandwidth,omitempty" json:"bandwidth,omitempty"`     // between its guests and the host, all of them together
	Guard       Guard             `yaml:"guard,omitempty" json:"guard,omitempty"`             // what guests are kept from sending, those on adopted ports too; "" = off
	Storm       *Storm            `yaml:"storm,omitempty" json:"storm,omitempty"`             // what the guard against storms lets each guest send; nil = DefaultStorm
	Access      []Access          `yaml:"access,omitempty" json:"access,omitempty"`           // who may have ports without being root; without, nobody
	Direct      *Direct           `yaml:"direct,omitempty" json:"direct,omitempty"`           // mode bridge only: macvtap ports on NICs of the host instead of a bridge
	Libvirt     *Libvirt          `yaml:"libvirt,omitempty" json:"libvirt,omitempty"`         // what a libvirt definition says beyond all this
	Autostart   *bool             `yaml:"autostart,omitempty" json:"autostart,omitempty"`     // nil = true
	OnDemand    bool              `yaml:"onDemand,omitempty" json:"onDemand,omitempty"`       // runs only while it has a port
}

// BridgeSettings describes the Linux bridge of a network. In mode bridge only
// Name is used, and names a bridge that exists or a declared host bridge.
type BridgeSettings struct {
	Name         string  `yaml:"name,omitempty" json:"name,omitempty"`                 // ≤15 characters; generated when empty
	MAC          MAC     `yaml:"mac,omitempty" json:"mac,omitzero"`                    // generated, stable, when zero
	MTU          int     `yaml:"mtu,omitempty" json:"mtu,omitempty"`                   // bytes, 68–65535; 0 = the kernel's 1500
	STP          bool    `yaml:"stp,omitempty" json:"stp,omitempty"`                   // off unless asked
	ForwardDelay Seconds `yaml:"forwardDelay,omitempty" json:"forwardDelay,omitempty"` // 0, or 2s–30s when STP is on
}

// Subnet is an address and prefix the host holds on the network.
type Subnet struct {
	Address netip.Prefix `yaml:"address" json:"address"`                 // gateway address and prefix, 192.168.100.1/24
	SLAAC   *bool        `yaml:"slaac,omitempty" json:"slaac,omitempty"` // IPv6: guests may make addresses of their own; nil = true for a /64 without DHCPv6 ranges
	DHCP    *DHCP        `yaml:"dhcp,omitempty" json:"dhcp,omitempty"`
}

// NATSettings refine mode nat.
type NATSettings struct {
	IPv6    *bool     `yaml:"ipv6,omitempty" json:"ipv6,omitempty"`      // nil = true; false = IPv6 leaves with its own source
	Address AddrRange `yaml:"address,omitempty" json:"address,omitzero"` // IPv4 source, or several to choose from; zero = that of the interface it leaves by
	Ports   PortRange `yaml:"ports,omitempty" json:"ports,omitzero"`     // source ports of TCP, UDP and SCTP; zero = any
}

// DirectMode says who hears a macvtap port of a NIC; the names are the kernel's.
type DirectMode string

// The modes of macvtap.
const (
	DirectBridge      DirectMode = "bridge"      // the other ports of the NIC, and the LAN
	DirectVEPA        DirectMode = "vepa"        // the LAN, whose switch sends back what is for another port
	DirectPrivate     DirectMode = "private"     // the LAN, never another port
	DirectPassthrough DirectMode = "passthrough" // the NIC is one port's alone
)

// Direct puts the ports of a network on NICs of the host by macvtap: the port that
// comes is put on the NIC that has the fewest.
type Direct struct {
	Mode    DirectMode `yaml:"mode,omitempty" json:"mode,omitempty"` // "" = bridge
	Devices []string   `yaml:"devices" json:"devices"`
}

// Libvirt is what a libvirt definition says that has no place in a Network. It is
// kept for libvirt's own tools, and changes nothing.
type Libvirt struct {
	Metadata string `yaml:"metadata,omitempty" json:"metadata,omitempty"` // the elements inside <metadata>, verbatim
	Kept     string `yaml:"kept,omitempty" json:"kept,omitempty"`         // a <network> or <networkport> document with the rest
}

// StaticRoute is a route the host gets to a prefix that lies behind a guest.
type StaticRoute struct {
	To     netip.Prefix `yaml:"to" json:"to"`
	Via    netip.Addr   `yaml:"via" json:"via"` // a guest's address inside one of the network's subnets
	Metric int          `yaml:"metric,omitempty" json:"metric,omitempty"`
	DHCP   *DHCP        `yaml:"dhcp,omitempty" json:"dhcp,omitempty"` // addresses for hosts there, whom a relay agent asks for
}

// Subnet is the prefix as a subnet on which the host has no address: that of the
// Address is the network address.
func (r StaticRoute) Subnet() Subnet { return Subnet{Address: r.To.Masked(), DHCP: r.DHCP} }

// HostBridge is a bridge of the host that carries physical NICs, for networks
// of mode bridge.
type HostBridge struct {
	Ports        []string       `yaml:"ports,omitempty" json:"ports,omitempty"`         // host interfaces to enslave
	Addresses    []netip.Prefix `yaml:"addresses,omitempty" json:"addresses,omitempty"` // the host's own addresses on the bridge
	Gateway      []netip.Addr   `yaml:"gateway,omitempty" json:"gateway,omitempty"`     // default routes, one a family
	MAC          MAC            `yaml:"mac,omitempty" json:"mac,omitzero"`              // zero = the first port's
	MTU          int            `yaml:"mtu,omitempty" json:"mtu,omitempty"`
	STP          bool           `yaml:"stp,omitempty" json:"stp,omitempty"`
	ForwardDelay Seconds        `yaml:"forwardDelay,omitempty" json:"forwardDelay,omitempty"`
}

// PortType is how a port appears on the host.
type PortType string

// The port types.
const (
	Tap     PortType = "tap"     // a tap device for QEMU, Firecracker, Cloud Hypervisor
	Veth    PortType = "veth"    // a veth pair; the peer end goes into a namespace
	Macvtap PortType = "macvtap" // a tap on a NIC of the host, on a network that is direct
)

// Port is one guest NIC on a network.
type Port struct {
	Network   string       `yaml:"network" json:"network"`
	UUID      string       `yaml:"uuid,omitempty" json:"uuid,omitempty"`           // made by the store when empty
	Guest     string       `yaml:"guest,omitempty" json:"guest,omitempty"`         // the virtual machine it is for, for people
	Type      PortType     `yaml:"type,omitempty" json:"type,omitempty"`           // "" = tap; on a direct network macvtap
	Interface string       `yaml:"interface,omitempty" json:"interface,omitempty"` // ≤15 characters; generated from the port's name when empty
	Peer      string       `yaml:"peer,omitempty" json:"peer,omitempty"`           // veth only: name of the other end at creation; generated when empty
	MAC       MAC          `yaml:"mac,omitempty" json:"mac,omitzero"`              // the guest's address; generated when zero
	Addresses []netip.Addr `yaml:"addresses,omitempty" json:"addresses,omitempty"` // the guest's fixed addresses, for reservations and guards
	Owner     string       `yaml:"owner,omitempty" json:"owner,omitempty"`         // tap only: user name or number that may open it
	Queues    int          `yaml:"queues,omitempty" json:"queues,omitempty"`       // tap only: pairs of queues a guest may open it with, 1–256, heeded when it is made; 0 = 1
	Bandwidth *Bandwidth   `yaml:"bandwidth,omitempty" json:"bandwidth,omitempty"` // of this guest: in is what it receives, out what it sends
	Guard     Guard        `yaml:"guard,omitempty" json:"guard,omitempty"`         // "" = the network's
	Storm     *Storm       `yaml:"storm,omitempty" json:"storm,omitempty"`         // nil = the network's
	Unplugged bool         `yaml:"unplugged,omitempty" json:"unplugged,omitempty"` // the cable is out
	Held      Held         `yaml:"held,omitempty" json:"held,omitempty"`           // it lives no longer than what uses it; transient ports only
	Device    string       `yaml:"device,omitempty" json:"device,omitempty"`       // macvtap only: the NIC below; chosen when empty
	Libvirt   *Libvirt     `yaml:"libvirt,omitempty" json:"libvirt,omitempty"`     // what libvirt said of it beyond all this
}

// Truth returns the value a *bool with default true stands for.
func Truth(b *bool) bool { return b == nil || *b }
