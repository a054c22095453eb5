package libvirtxml

import "kvmnet/internal/spec"

// Network is a <network> document as libvirt understands it. Fields are in the
// order in which libvirt writes them. A string that is empty was not written; what
// is yes or no keeps the word.
type Network struct {
	Connections         int    // output only: ports of a running network
	IPv6                string // yes: guests reach each other by IPv6 without an address of the host
	TrustGuestRxFilters string

	Name         string
	UUID         string
	Title        string
	Description  string
	Metadata     []Element // one for each foreign namespace
	Forward      *Forward
	Bridge       *Bridge
	MTU          int // 0 = none
	MAC          spec.MAC
	Domain       *Domain
	DNS          *DNS
	VLAN         *VLAN
	Bandwidth    *Bandwidth
	Isolated     string // <port isolated=…>
	IPs          []IP
	Routes       []Route
	VirtualPort  *VirtualPort
	PortGroups   []PortGroup
	DnsmasqLines []string // dnsmasq:options, one configuration line each
}

// Element is XML that is kept as it is: an element with all it holds, verbatim.
type Element struct {
	Namespace string // URI of its root
	Text      string // with the indentation of its place removed
}

// Forward is how guests leave the network.
type Forward struct {
	Mode       string // nat, route, open, bridge, private, vepa, passthrough, hostdev; without one nat
	Dev        string
	Managed    string // hostdev
	Driver     *Driver
	NAT        *NAT
	PFs        []Device
	Interfaces []Device
	Addresses  []PCIAddress
}

// Driver is what drives the devices of mode hostdev.
type Driver struct{ Name, Model string }

// NAT refines mode nat.
type NAT struct {
	IPv6       string
	Start, End string // source addresses, IPv4; both or none
	PortStart  int    // 0 = none was written
	PortEnd    int
}

// Device is a network device of the host.
type Device struct {
	Name        string
	Connections int // output only
}

// PCIAddress is a device of mode hostdev, its numbers as they are written.
type PCIAddress struct{ Type, Domain, Bus, Slot, Function string }

// Bridge is the bridge of the network.
type Bridge struct {
	Name, Zone, STP, Delay, MACTableManager string
}

// Domain is the DNS domain of the network.
type Domain struct{ Name, LocalOnly, Register string }

// DNS are the settings of the DNS service.
type DNS struct {
	Enable            string
	ForwardPlainNames string
	Forwarders        []Forwarder
	TXT               []TXT
	SRV               []SRV
	Hosts             []DNSHost
}

// Forwarder is a resolver, or the resolver of one domain.
type Forwarder struct {
	Domain, Addr string
	Port         int
}

// TXT is a text record.
type TXT struct{ Name, Value string }

// SRV is a service record; numbers that were not written are 0.
type SRV struct {
	Service, Protocol, Domain, Target string
	Port, Priority, Weight            int
}

// DNSHost gives names to an address.
type DNSHost struct {
	IP    string
	Names []string
}

// VLAN is what tags guests' frames.
type VLAN struct {
	Trunk string
	Tags  []Tag
}

// Tag is a VLAN; NativeMode is tagged, untagged or "".
type Tag struct {
	ID         int
	NativeMode string
}

// Bandwidth limits traffic, seen from the guests.
type Bandwidth struct{ In, Out *Limit }

// Limit is in kilobytes a second, Burst in kibibytes; 0 = not written.
type Limit struct{ Average, Peak, Burst, Floor int }

// IP is an address of the host on the network.
type IP struct {
	Family, Address, Netmask string
	Prefix                   string // decimal, "" = none
	LocalPtr                 string
	TFTPRoot                 string
	DHCP                     *DHCP
}

// DHCP are the settings of the DHCP service on one subnet.
type DHCP struct {
	Ranges []Range
	Hosts  []Host
	Bootp  *Bootp
}

// Range is addresses for whoever asks.
type Range struct {
	Start, End string
	Lease      *Lease
}

// Host is a reservation.
type Host struct {
	MAC, ID, Name, IP string
	Lease             *Lease
}

// Lease is how long an address is given; 0 = for ever. Unit is seconds, minutes or
// hours, "" = minutes.
type Lease struct {
	Expiry int
	Unit   string
}

// Bootp tells guests what to boot.
type Bootp struct{ File, Server string }

// Route is a route of the host to what lies behind a guest.
type Route struct {
	Family, Address, Netmask, Prefix, Gateway string
	Metric                                    int // 0 = none
}

// VirtualPort says how a switch outside is told of a guest.
type VirtualPort struct {
	Type       string
	Parameters []Attribute // in libvirt's order
}

// Attribute is a name and its value.
type Attribute struct{ Name, Value string }

// PortGroup is a class of ports.
type PortGroup struct {
	Name, Default, TrustGuestRxFilters string
	VLAN                               *VLAN
	Bandwidth                          *Bandwidth
	Isolated                           string
	VirtualPort                        *VirtualPort
}
