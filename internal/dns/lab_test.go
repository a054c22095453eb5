package dns

import (
	"net/netip"
	"slices"
	"sync"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func addr(s string) netip.Addr       { return netip.MustParseAddr(s) }
func prefix(s string) netip.Prefix   { return netip.MustParsePrefix(s) }
func server(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }
func addrs(list ...string) (out []netip.Addr) {
	for _, s := range list {
		out = append(out, addr(s))
	}
	return out
}

// leases are dynamic names for tests.
type leases struct {
	mu         sync.Mutex
	hosts      map[string][]netip.Addr
	generation uint64
}

func (l *leases) Lookup(host string) []netip.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hosts[host]
}

func (l *leases) Hostname(a netip.Addr) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	for host, list := range l.hosts {
		for _, b := range list {
			if a == b {
				return host
			}
		}
	}
	return ""
}

func (l *leases) Generation() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.generation
}

func (l *leases) set(host string, list ...netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hosts == nil {
		l.hosts = map[string][]netip.Addr{}
	}
	l.hosts[host] = list
	l.generation++
}

// labPlan is the network most tests ask.
func labPlan() *plan.DNS {
	return &plan.DNS{
		Listen:    addrs("192.168.100.1", "fd00:100::1"),
		Allowed:   []netip.Prefix{prefix("192.168.100.0/24"), prefix("fd00:100::/64")},
		Domain:    "lab.internal",
		LocalOnly: true,
		Names: map[string][]netip.Addr{
			"vm1":                   addrs("192.168.100.20"),
			"nas":                   addrs("192.168.100.30", "fd00:100::30"),
			"*.apps":                addrs("192.168.100.40"),
			"one.apps.lab.internal": addrs("192.168.100.41"),
			"host.example.org":      addrs("10.99.0.5"),
			"*.pool.example.org":    addrs("10.99.0.6"),
			"ads.example.net":       addrs("0.0.0.0", "::"),
			"more.example.net":      addrs("127.0.0.1", "::1"),
		},
		Aliases: map[string]string{
			"www": "nas", "far": "www.example.com", "twice": "www", "away.example.org": "nas",
			"dead": "nobody", "ring1": "ring2", "ring2": "ring1", "x.wild.lab.internal": "nas", "*.alias": "vm1",
		},
		TXT: map[string]string{"vm1": `say "hi" \o/`, "long": long},
		SRV: []spec.SRV{
			{Name: "_ldap._tcp.lab.internal.", Target: "nas.lab.internal.", Port: 389, Priority: 1, Weight: 2},
			{Name: "_none._udp.lab.internal.", Target: "."},
		},
		MX:      []spec.MX{{Name: "lab.internal.", Host: "nas.lab.internal.", Preference: 10}},
		Reverse: []netip.Prefix{prefix("192.168.100.0/24"), prefix("fd00:100::/64"), prefix("10.8.0.0/25"), prefix("172.20.0.0/14")},
		Domains: map[string][]netip.AddrPort{"corp.example": {server("10.1.1.1:53")}, "void.example": nil, "void.pool.example.org": nil, "sub.red.internal": {server("10.1.1.2:53")}, "10.in-addr.arpa": {server("10.1.1.3:53")}},
		TTL:     60,
		Cache:   64,
	}
}

// labPrivate are the zones of other networks.
var labPrivate = zones("red.internal.", "200.168.192.in-addr.arpa.", "internal.")

func zones(list ...string) func(string) bool {
	return func(zone string) bool { return slices.Contains(list, zone) }
}

const long = "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" +
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" +
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

// labNames are the leases beside it: vm1 has also an address of IPv6, and
// somebody else says to be nas.
func labNames() *leases {
	return &leases{hosts: map[string][]netip.Addr{
		"vm1": addrs("192.168.100.20", "fd00:100::20"), "guest": addrs("192.168.100.77", "fd00:100::77"),
		"nas": addrs("192.168.100.66", "fd00:100::66"), "wpad": addrs("192.168.100.67"), "localhost": addrs("192.168.100.68"),
		"com": addrs("192.168.100.69"),
	}}
}
