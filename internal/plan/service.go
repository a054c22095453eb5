package plan

import (
	"net/netip"

	"kvmnet/internal/spec"
)

// Service is what the daemon serves on one network: desired state like a kernel
// object, in plain data, every default and every option worked out. The rooms of
// the protocols do what it says and decide nothing themselves.
type Service struct {
	NS      string // network namespace of the router that serves it, "" for the daemon's own
	Device  string // the interface it is served on, in NS: the bridge, or a router's interface
	Network string
	Bridge  string            // in the daemon's own namespace; its ports are the guests
	MAC     spec.MAC          // of the device
	Ports   map[string]string // ports of the network: interface → name
	Subnets []netip.Prefix    // gateway addresses with their prefix lengths

	DHCP4   *DHCP    // nil = not served
	DHCP6   *DHCP    // nil = not served
	RA      *RA      // nil = not sent
	DNS     *DNS     // nil = not served
	TFTP    []TFTP   // directories served
	Watch   bool     // only look who is there: a network of mode bridge
	Guarded bool     // some guest may not use an address before it is permitted
	Joins   []string // networks whose names its guests may ask for, sorted
}

// Owner is the object the service belongs to.
func (s Service) Owner() string { return "network/" + s.Network }

// DHCP is DHCPv4 or DHCPv6 on one network.
type DHCP struct {
	Scopes       []Scope
	PerPort      int // most addresses the guests behind one port may hold; 0 = any number
	Rate         int // most requests a second of one MAC; 0 = any number
	DropWithPort bool
}

// Scope is one subnet whose addresses are given out.
type Scope struct {
	Prefix       netip.Prefix // masked
	Server       netip.Addr   // the gateway address: server identifier and source of answers
	Far          bool         // behind a router of the guests': only relay agents ask for it, and are its routers unless Options say otherwise
	Ranges       []Range      // dynamic addresses; sorted, they do not overlap
	Excluded     []netip.Addr // never given dynamically: the host's own addresses; sorted
	Reservations []Reservation
	Lease        spec.Seconds // or spec.Infinite
	Relays       []netip.Addr // trusted relay agents
	Options      []Option     // by code; sent when asked for, of DHCPv6 DNS and search list always
	Boot         *Boot
	Domain       string // completes host names, "" = none
}

// Range is a part of a scope that is given out, first and last included.
type Range struct {
	From, To netip.Addr
	Lease    spec.Seconds
}

// Reservation is an address kept for one guest.
type Reservation struct {
	Name     string // the guest's host name, lower case
	MAC      spec.MAC
	ClientID string // raw bytes: option 61 with its type byte, or the DUID of DHCPv6
	ByName   bool   // for whoever says Name; MAC and ClientID are not set
	Addr     netip.Addr
	Lease    spec.Seconds
	Options  []Option // these replace the scope's of the same code
}

// Option is a DHCP option as it goes on the wire.
type Option struct {
	Code uint16
	Data string // raw bytes, maybe more than 255; "" in a reservation = the scope's is not sent
}

// Boot is what to tell clients that boot from the network.
type Boot struct {
	Server netip.Addr        // next server; zero when only its name is known
	Name   string            // its name, when it is given as one
	File   string            // for clients that have none of their own: a path on the server, or a URL
	Files  map[string]string // by one of spec.BootClients
}

// RA is what router advertisements say.
type RA struct {
	Interval       spec.Seconds // longest time between two
	Lifetime       spec.Seconds // of the default route; 0 = not a default router
	Preference     string       // low, medium, high
	HopLimit       int
	Managed, Other bool
	MTU            int // bytes
	Prefixes       []RAPrefix
	Routes         []spec.RARoute // lifetimes filled in
	DNS            []netip.Addr   // resolvers (RFC 8106)
	Search         []string
}

// RAPrefix is a prefix that is on the link.
type RAPrefix struct {
	Prefix           netip.Prefix
	Autonomous       bool         // guests may make addresses of their own
	Valid, Preferred spec.Seconds // lifetimes
}

// DNS is name service on one network. Names are lower case. A name without a dot
// (the "*." of a wildcard apart) is below Domain; one with a dot is complete, and
// may lie in Domain. Names in SRV and MX are complete, with a final dot.
type DNS struct {
	Listen       []netip.Addr   // the gateway addresses
	Allowed      []netip.Prefix // who may ask: the network's subnets and what lies behind them; the host may always
	Domain       string         // lower case, without final dot; "" = none
	LocalOnly    bool
	Shared       bool                        // another network has the same domain
	Register     bool                        // tell systemd-resolved
	Names        map[string][]netip.Addr     // fixed names: vm1, nas.example.org; wildcards as *.apps
	Aliases      map[string]string           // CNAME: alias → name
	TXT          map[string]string           // name → text
	SRV          []spec.SRV                  // target "." = not available
	MX           []spec.MX                   // the domain's own name is spelled out
	Reverse      []netip.Prefix              // prefixes whose reverse zones are ours
	Forwarders   []netip.AddrPort            // empty = the host's resolvers
	Domains      map[string][]netip.AddrPort // resolvers of single domains; empty = not asked anywhere, DefaultServers = as for other names
	Alone        bool                        // nobody is asked but the resolvers of Domains
	ForwardPlain bool
	ForwardBack  bool // ask elsewhere for names in Reverse that are not known here
	TTL          spec.Seconds
	Cache        int // most answers kept; 0 = none
	Rate         int // most queries a second of one guest; 0 = any number
}

// DefaultServers, as the only ones of a domain, are those that are asked for names of
// no domain.
var DefaultServers netip.AddrPort

// TFTP is a directory served read only.
type TFTP struct {
	Listen netip.Addr
	Dir    string
}
