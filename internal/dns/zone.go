package dns

import (
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"kvmnet/internal/plan"
)

// Names are the dynamic names of a network: those of its leases. All methods are
// called by several goroutines.
type Names interface {
	Lookup(hostname string) []netip.Addr // addresses of the guest that has this host name now
	Hostname(netip.Addr) string          // of the guest that has this address, "" = none
	Generation() uint64                  // another one whenever an answer of the other two may be
}

// zone is a plan.DNS made ready for questions. It never changes.
type zone struct {
	domain     string // "" = none
	gateway    string // name of the gateway, for SOA and NS
	localOnly  bool
	shared     bool // the host's resolvers know our domain by other networks, too
	plain      bool // plain names are asked elsewhere, too
	back       bool // names of our own addresses, too
	alone      bool // nobody is asked but the servers of domains
	ttl        uint32
	serial     uint32
	nodes      map[string]*node
	pointers   map[netip.Addr]string
	reverse    []netip.Prefix
	domains    map[string]*route
	forwarders *route
	private    func(zone string) bool // nil = no zone is
	joined     func(zone string) (Neighbour, bool)
}

// node is what a name stands for by configuration. An empty one is there because
// there are names below it (RFC 4592 section 2.2.2).
type node struct {
	addrs   []netip.Addr
	alias   string
	records []dns.RR // TXT, SRV, MX; the owner is filled in when they are answered
}

// compile makes a zone. The serial number is that of its SOA records; private tells
// the zones of other networks.
func compile(c *plan.DNS, serial uint32, private func(zone string) bool) *zone {
	z := &zone{
		localOnly: c.LocalOnly, shared: c.Shared && len(c.Forwarders) == 0, plain: c.ForwardPlain, back: c.ForwardBack, alone: c.Alone, ttl: uint32(max(0, c.TTL)), serial: serial,
		nodes: map[string]*node{}, pointers: map[netip.Addr]string{},
		reverse: c.Reverse, private: private,
		forwarders: &route{servers: c.Forwarders, host: len(c.Forwarders) == 0},
	}
	if c.Domain != "" {
		z.domain = dns.Fqdn(strings.ToLower(c.Domain))
		z.at(z.domain)
	}
	z.addRecords(c)
	z.addPointers(c)
	z.addGateway(c.Listen)
	if len(c.Domains) > 0 {
		z.domains = make(map[string]*route, len(c.Domains))
	}
	for name, servers := range c.Domains {
		z.domains[dns.Fqdn(strings.ToLower(name))] = z.routeTo(servers)
	}
	return z
}

// routeTo is the way to the servers of a domain.
func (z *zone) routeTo(servers []netip.AddrPort) *route {
	if len(servers) == 1 && servers[0] == plan.DefaultServers {
		return z.forwarders
	}
	return &route{servers: servers}
}

// full completes a name of the plan: one without a dot, the "*." of a wildcard
// apart, is below the domain.
func (z *zone) full(name string) string {
	if dns.IsFqdn(name) {
		return strings.ToLower(name)
	}
	name = dns.Fqdn(strings.ToLower(name))
	if z.domain != "" && isPlain(strings.TrimPrefix(name, "*.")) {
		return name + z.domain
	}
	return name
}

// isOurs tells whether a name is in the domain.
func (z *zone) isOurs(name string) bool { return z.domain != "" && below(name, z.domain) }

// at returns the node of a name. Inside the domain the names above it exist from
// then on, too.
func (z *zone) at(name string) *node {
	n := z.nodes[name]
	if n == nil {
		n = &node{}
		z.nodes[name] = n
		if up := parent(name); up != "" && name != z.domain && z.isOurs(name) {
			z.at(up)
		}
	}
	return n
}
