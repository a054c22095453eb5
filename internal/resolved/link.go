package resolved

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Link is the wanted registration of a link. One with servers and without zones
// is a link of ours that must not have any: what an earlier daemon registered
// there is taken away.
type Link struct {
	Index   int          // of the interface; 0 is left out
	Name    string       // for messages; "" is the index
	Servers []netip.Addr // who answers, most often the addresses of the link itself
	Domain  string       // of the network: names in it, and names without a dot
	Reverse []string     // zones that are only routed here, such as 100.168.192.in-addr.arpa
}

// registration is a Link in the form in which systemd-resolved shows it.
type registration struct {
	name    string
	servers []netip.Addr
	domains []domain
}

// domain is an element of SetLinkDomains, D-Bus type (sb).
type domain struct {
	Name        string
	RoutingOnly bool // not a suffix for names without a dot
}

// server is an element of SetLinkDNS, D-Bus type (iay).
type server struct {
	Family  int32
	Address []byte
}

func register(l Link) registration {
	r := registration{name: l.Name}
	if r.name == "" {
		r.name = "link " + strconv.Itoa(l.Index)
	}
	for _, a := range l.Servers {
		r.addServer(a)
	}
	if l.Domain != "" {
		r.addDomain(l.Domain, false)
	}
	for _, zone := range l.Reverse {
		r.addDomain(zone, true)
	}
	return r
}

// addServer leaves the zone out: the link of a link-local server is the link it
// is registered on.
func (r *registration) addServer(a netip.Addr) {
	a = a.Unmap().WithZone("")
	if a.IsValid() && !slices.Contains(r.servers, a) {
		r.servers = append(r.servers, a)
	}
}

// addDomain writes the name as systemd-resolved does, without the final dot;
// case does not tell names apart (RFC 4343).
func (r *registration) addDomain(name string, routingOnly bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	known := slices.ContainsFunc(r.domains, func(d domain) bool { return d.Name == name })
	if !known {
		r.domains = append(r.domains, domain{name, routingOnly})
	}
}

// empty tells that there is nothing to register: servers nobody is sent to, or
// zones nobody answers for.
func (r registration) empty() bool { return len(r.servers) == 0 || len(r.domains) == 0 }

func (r registration) wireServers() []server {
	list := make([]server, 0, len(r.servers))
	for _, a := range r.servers {
		family := int32(unix.AF_INET)
		if a.Is6() {
			family = unix.AF_INET6
		}
		list = append(list, server{family, a.AsSlice()})
	}
	return list
}
