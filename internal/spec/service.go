package spec

import "net/netip"

// DHCP are the settings of the DHCP service on one subnet: DHCPv4 or DHCPv6, as
// the subnet's family is.
type DHCP struct {
	Enabled   *bool                  `yaml:"enabled,omitempty" json:"enabled,omitempty"`     // nil = true
	Ranges    []LeaseRange           `yaml:"ranges,omitempty" json:"ranges,omitempty"`       // none = the whole subnet, of IPv6 the part ::1000 to ::ffff
	Static    bool                   `yaml:"static,omitempty" json:"static,omitempty"`       // only reserved addresses are given
	Hosts     map[string]Reservation `yaml:"hosts,omitempty" json:"hosts,omitempty"`         // by guest name; where the guest keeps its own, by the address itself
	LeaseTime Seconds                `yaml:"leaseTime,omitempty" json:"leaseTime,omitempty"` // 0 = the network's
	Relays    []netip.Addr           `yaml:"relays,omitempty" json:"relays,omitempty"`       // trusted relay agents: their clients do not count against the port's limit
	Options   map[string]string      `yaml:"options,omitempty" json:"options,omitempty"`     // by name or number, see EncodeOption
	Boot      *Boot                  `yaml:"boot,omitempty" json:"boot,omitempty"`           // nil = the network's
}

// NetworkDHCP is what holds for the DHCP of all subnets of a network.
type NetworkDHCP struct {
	LeaseTime    Seconds           `yaml:"leaseTime,omitempty" json:"leaseTime,omitempty"`       // 0 = 1h
	PerPort      int               `yaml:"perPort,omitempty" json:"perPort,omitempty"`           // most addresses the guests behind one port may hold; 0 = 32, of small subnets half of their addresses, -1 = any number
	Rate         int               `yaml:"rate,omitempty" json:"rate,omitempty"`                 // most requests a second of one MAC; 0 = 500, -1 = any number
	DropWithPort bool              `yaml:"dropWithPort,omitempty" json:"dropWithPort,omitempty"` // the leases of a port that is deleted end with it
	Options      map[string]string `yaml:"options,omitempty" json:"options,omitempty"`
	Boot         *Boot             `yaml:"boot,omitempty" json:"boot,omitempty"`
}

// Reservation binds an address to a guest by MAC, client id or DUID. With none
// of them it is for the port of that name on the network, or else for the guest
// that says so by its host name.
type Reservation struct {
	MAC       MAC               `yaml:"mac,omitempty" json:"mac,omitzero"`
	ClientID  string            `yaml:"clientID,omitempty" json:"clientID,omitempty"` // IPv4: option 61, as 01:52:54:… or as text
	DUID      string            `yaml:"duid,omitempty" json:"duid,omitempty"`         // IPv6: as 00:03:00:01:52:54:…
	IP        netip.Addr        `yaml:"ip" json:"ip"`
	LeaseTime Seconds           `yaml:"leaseTime,omitempty" json:"leaseTime,omitempty"` // 0 = the subnet's
	Options   map[string]string `yaml:"options,omitempty" json:"options,omitempty"`
}

// Boot tells guests what to boot from the network.
type Boot struct {
	Server string            `yaml:"server,omitempty" json:"server,omitempty"` // address or name of the TFTP server; "" = the gateway address
	TFTP   string            `yaml:"tftp,omitempty" json:"tftp,omitempty"`     // directory that the gateway address serves, read only
	File   string            `yaml:"file,omitempty" json:"file,omitempty"`     // path or URL, for clients that have none of their own
	Files  map[string]string `yaml:"files,omitempty" json:"files,omitempty"`   // by kind of client: one of BootClients
}

// BootClients are the kinds of clients that can have a boot file of their own, by
// the architecture they tell (RFC 4578, option 93); ipxe is any architecture once
// iPXE runs.
var BootClients = []string{"bios", "uefi-x86", "uefi-x64", "uefi-arm64", "http-x64", "http-arm64", "ipxe"}

// RA are the settings of router advertisements on the IPv6 subnets of a network.
type RA struct {
	Enabled    *bool     `yaml:"enabled,omitempty" json:"enabled,omitempty"`       // nil = true
	Interval   Seconds   `yaml:"interval,omitempty" json:"interval,omitempty"`     // longest time between two, 4s–30m; 0 = 10m
	Lifetime   *Seconds  `yaml:"lifetime,omitempty" json:"lifetime,omitempty"`     // of the default route, 0–9000s; nil = 30m, isolated 0
	Preference string    `yaml:"preference,omitempty" json:"preference,omitempty"` // low, medium, high (RFC 4191); "" = medium
	HopLimit   int       `yaml:"hopLimit,omitempty" json:"hopLimit,omitempty"`     // 1–255; 0 = 64
	Managed    *bool     `yaml:"managed,omitempty" json:"managed,omitempty"`       // nil = when a subnet has DHCPv6 addresses
	Other      *bool     `yaml:"other,omitempty" json:"other,omitempty"`           // nil = when a subnet has DHCPv6
	Routes     []RARoute `yaml:"routes,omitempty" json:"routes,omitempty"`         // more specific routes by way of the gateway
}

// RARoute is a route that advertisements carry (RFC 4191).
type RARoute struct {
	To         netip.Prefix `yaml:"to" json:"to"`
	Lifetime   Seconds      `yaml:"lifetime,omitempty" json:"lifetime,omitempty"`     // 0 = three intervals
	Preference string       `yaml:"preference,omitempty" json:"preference,omitempty"` // low, medium, high; "" = medium
}

// DNS are the settings of the DNS service of a network.
type DNS struct {
	Enabled        *bool                 `yaml:"enabled,omitempty" json:"enabled,omitempty"`     // nil = true, where the network has a subnet
	Domain         string                `yaml:"domain,omitempty" json:"domain,omitempty"`       // "" = guests have plain names only
	LocalOnly      bool                  `yaml:"localOnly,omitempty" json:"localOnly,omitempty"` // names of the domain are never asked elsewhere
	Register       *bool                 `yaml:"register,omitempty" json:"register,omitempty"`   // tell systemd-resolved of the domain; nil = true
	Hosts          map[string]Addresses  `yaml:"hosts,omitempty" json:"hosts,omitempty"`         // names, also wildcards such as *.apps
	CNAMEs         map[string]string     `yaml:"cnames,omitempty" json:"cnames,omitempty"`       // alias → name
	TXT            map[string]string     `yaml:"txt,omitempty" json:"txt,omitempty"`             // name → text
	SRV            []SRV                 `yaml:"srv,omitempty" json:"srv,omitempty"`
	MX             []MX                  `yaml:"mx,omitempty" json:"mx,omitempty"`
	Forwarders     []Resolver            `yaml:"forwarders,omitempty" json:"forwarders,omitempty"`         // none = the host's resolvers
	Domains        map[string][]Resolver `yaml:"domains,omitempty" json:"domains,omitempty"`               // resolvers of single domains; an empty list = not asked anywhere; DefaultResolver = those that are asked for other names
	Forward        *bool                 `yaml:"forward,omitempty" json:"forward,omitempty"`               // ask others for names that are not known here; nil = true, in mode isolated only with forwarders
	ForwardPlain   bool                  `yaml:"forwardPlain,omitempty" json:"forwardPlain,omitempty"`     // for names without a dot, too
	ForwardReverse bool                  `yaml:"forwardReverse,omitempty" json:"forwardReverse,omitempty"` // for names of the network's own addresses, too; libvirt's localPtr is the opposite
	TTL            Seconds               `yaml:"ttl,omitempty" json:"ttl,omitempty"`                       // of our own records; 0 = 60s
	Cache          int                   `yaml:"cache,omitempty" json:"cache,omitempty"`                   // most answers kept; 0 = 4096, -1 = none
	Rate           int                   `yaml:"rate,omitempty" json:"rate,omitempty"`                     // most queries a second of one guest; 0 = 5000, -1 = any number
}

// SRV is a service record (RFC 2782).
type SRV struct {
	Name     string `yaml:"name" json:"name"`     // _ldap._tcp, below the domain, or a full name with a final dot
	Target   string `yaml:"target" json:"target"` // "" or "." = the service is not available
	Port     int    `yaml:"port,omitempty" json:"port,omitempty"`
	Priority int    `yaml:"priority,omitempty" json:"priority,omitempty"`
	Weight   int    `yaml:"weight,omitempty" json:"weight,omitempty"`
}

// MX is a mail exchanger.
type MX struct {
	Name       string `yaml:"name,omitempty" json:"name,omitempty"` // "" = the domain itself
	Host       string `yaml:"host" json:"host"`
	Preference int    `yaml:"preference,omitempty" json:"preference,omitempty"`
}
