package spec

import "net/netip"

// InterfaceType is what an interface of the host is.
type InterfaceType string

// The interface types, by libvirt's words.
const (
	EthernetInterface InterfaceType = "ethernet"
	BridgeInterface   InterfaceType = "bridge"
	BondInterface     InterfaceType = "bond"
	VLANInterface     InterfaceType = "vlan"
)

// StartMode is when an interface of the host comes up.
type StartMode string

// The start modes, by libvirt's words.
const (
	StartOnBoot  StartMode = "onboot"  // the default
	StartHotplug StartMode = "hotplug" // when the device appears
	StartNone    StartMode = "none"    // by hand
)

// HostInterface is an interface of the host as it is to be: what libvirt's interface XML
// says, and what network managers keep in their files.
type HostInterface struct {
	Name  string        `yaml:"name" json:"name"`
	Type  InterfaceType `yaml:"type,omitempty" json:"type,omitempty"`   // "" = ethernet
	Start StartMode     `yaml:"start,omitempty" json:"start,omitempty"` // "" = onboot; not of a port of a bridge or bond
	MAC   MAC           `yaml:"mac,omitempty" json:"mac,omitzero"`      // zero = the hardware's, of a bridge its first port's
	MTU   int           `yaml:"mtu,omitempty" json:"mtu,omitempty"`     // bytes, 0 = the kernel's

	IPv4 *InterfaceIP `yaml:"ipv4,omitempty" json:"ipv4,omitempty"` // nil = none
	IPv6 *InterfaceIP `yaml:"ipv6,omitempty" json:"ipv6,omitempty"` // nil = link-local only

	Bridge *BridgeDetails `yaml:"bridge,omitempty" json:"bridge,omitempty"` // of type bridge
	Bond   *BondDetails   `yaml:"bond,omitempty" json:"bond,omitempty"`     // of type bond
	VLAN   *VLANDetails   `yaml:"vlan,omitempty" json:"vlan,omitempty"`     // of type vlan
}

// InterfaceIP is one family of an interface.
type InterfaceIP struct {
	DHCP      bool             `yaml:"dhcp,omitempty" json:"dhcp,omitempty"`
	PeerDNS   *bool            `yaml:"peerDNS,omitempty" json:"peerDNS,omitempty"`   // take resolvers from DHCP; nil = yes
	Autoconf  bool             `yaml:"autoconf,omitempty" json:"autoconf,omitempty"` // IPv6 only: router advertisements
	Addresses []netip.Prefix   `yaml:"addresses,omitempty" json:"addresses,omitempty"`
	Routes    []InterfaceRoute `yaml:"routes,omitempty" json:"routes,omitempty"`
	DNS       []netip.Addr     `yaml:"dns,omitempty" json:"dns,omitempty"`
	Search    []string         `yaml:"search,omitempty" json:"search,omitempty"`
}

// InterfaceRoute is a route by an interface. The default route is 0.0.0.0/0 or ::/0.
type InterfaceRoute struct {
	To     netip.Prefix `yaml:"to" json:"to"`
	Via    netip.Addr   `yaml:"via,omitempty" json:"via,omitzero"` // zero = on the link
	Metric int          `yaml:"metric,omitempty" json:"metric,omitempty"`
	OnLink bool         `yaml:"onLink,omitempty" json:"onLink,omitempty"` // Via is on the link although no address says so
	Source netip.Addr   `yaml:"source,omitempty" json:"source,omitzero"`
}

// BridgeDetails is what a bridge has beyond an interface.
type BridgeDetails struct {
	STP   bool            `yaml:"stp,omitempty" json:"stp,omitempty"`
	Delay Seconds         `yaml:"delay,omitempty" json:"delay,omitempty"` // forward delay
	Ports []HostInterface `yaml:"ports,omitempty" json:"ports,omitempty"` // without addresses of their own
}

// BondDetails is what a bond has beyond an interface.
type BondDetails struct {
	Mode  string          `yaml:"mode,omitempty" json:"mode,omitempty"` // balance-rr, active-backup, …; "" = balance-rr
	MII   *BondMII        `yaml:"mii,omitempty" json:"mii,omitempty"`
	ARP   *BondARP        `yaml:"arp,omitempty" json:"arp,omitempty"`
	Ports []HostInterface `yaml:"ports,omitempty" json:"ports,omitempty"`
}

// BondMII watches the link of each port.
type BondMII struct {
	Every     int    `yaml:"every,omitempty" json:"every,omitempty"` // milliseconds
	UpDelay   int    `yaml:"upDelay,omitempty" json:"upDelay,omitempty"`
	DownDelay int    `yaml:"downDelay,omitempty" json:"downDelay,omitempty"`
	Carrier   string `yaml:"carrier,omitempty" json:"carrier,omitempty"` // ioctl or netif; "" = netif
}

// BondARP watches each port by asking for an address.
type BondARP struct {
	Every    int        `yaml:"every,omitempty" json:"every,omitempty"` // milliseconds
	Target   netip.Addr `yaml:"target,omitempty" json:"target,omitzero"`
	Validate string     `yaml:"validate,omitempty" json:"validate,omitempty"` // none, active, backup or all
}

// VLANDetails is what a VLAN has beyond an interface.
type VLANDetails struct {
	Tag int    `yaml:"tag" json:"tag"` // 1–4094
	On  string `yaml:"on" json:"on"`   // the interface below
}
