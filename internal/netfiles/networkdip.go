package netfiles

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// networkdIP is the part of a .network file that an interface's addresses make up.
func networkdIP(i spec.HostInterface) string {
	b := &strings.Builder{}
	b.WriteString("[Network]\n")
	v4, v6 := ip(i.IPv4), ip(i.IPv6)
	dhcp := map[[2]bool]string{{true, true}: "yes", {true, false}: "ipv4", {false, true}: "ipv6", {false, false}: "no"}
	fmt.Fprintf(b, "DHCP=%s\nIPv6AcceptRA=%s\n", dhcp[[2]bool{v4.DHCP, v6.DHCP}], yes(v6.Autoconf || v6.DHCP))
	for _, f := range []spec.InterfaceIP{v4, v6} {
		for _, a := range f.DNS {
			fmt.Fprintf(b, "DNS=%s\n", a)
		}
		if len(f.Search) > 0 {
			fmt.Fprintf(b, "Domains=%s\n", strings.Join(f.Search, " "))
		}
	}
	for _, f := range []spec.InterfaceIP{v4, v6} {
		for _, a := range f.Addresses {
			fmt.Fprintf(b, "\n[Address]\nAddress=%s\n", a)
		}
		for _, r := range f.Routes {
			b.WriteString("\n" + networkdRoute(r))
		}
	}
	if v4.DHCP && v4.PeerDNS != nil {
		fmt.Fprintf(b, "\n[DHCPv4]\nUseDNS=%s\n", yes(*v4.PeerDNS))
	}
	if v6.PeerDNS != nil {
		fmt.Fprintf(b, "\n[DHCPv6]\nUseDNS=%s\n\n[IPv6AcceptRA]\nUseDNS=%[1]s\n", yes(*v6.PeerDNS))
	}
	return b.String()
}

// ip is a family, of which there may be nothing.
func ip(f *spec.InterfaceIP) spec.InterfaceIP {
	if f == nil {
		return spec.InterfaceIP{}
	}
	return *f
}

func networkdRoute(r spec.InterfaceRoute) string {
	b := &strings.Builder{}
	b.WriteString("[Route]\n")
	fmt.Fprintf(b, "Destination=%s\n", r.To)
	if r.Via.IsValid() {
		fmt.Fprintf(b, "Gateway=%s\n", r.Via)
	} else {
		b.WriteString("Scope=link\n")
	}
	if r.OnLink {
		b.WriteString("GatewayOnLink=yes\n")
	}
	if r.Metric > 0 {
		fmt.Fprintf(b, "Metric=%d\n", r.Metric)
	}
	if r.Source.IsValid() {
		fmt.Fprintf(b, "PreferredSource=%s\n", r.Source)
	}
	return b.String()
}

// readNetworkdIP is networkdIP the other way round.
func readNetworkdIP(s sections, i *spec.HostInterface) {
	v4, v6 := &spec.InterfaceIP{}, &spec.InterfaceIP{}
	of := func(a netip.Addr) *spec.InterfaceIP {
		if a.Is4() {
			return v4
		}
		return v6
	}
	switch s.get("Network", "DHCP") {
	case "yes", "true", "1", "on", "both":
		v4.DHCP, v6.DHCP = true, true
	case "ipv4", "v4":
		v4.DHCP = true
	case "ipv6", "v6":
		v6.DHCP = true
	}
	accept, said := s.find("Network", "IPv6AcceptRA")
	linkLocal := s.get("Network", "LinkLocalAddressing")
	v6.Autoconf = !said && (linkLocal == "" || linkLocal == "ipv6" || isYes(linkLocal)) || isYes(accept)
	for _, text := range s.list("Network", "Address") {
		addAddress(of, text)
	}
	s.each("Address", func(part sections) { addAddress(of, part.get("Address", "Address")) })
	for _, text := range s.list("Network", "Gateway") {
		addRoute(of, "", text, 0, false, "")
	}
	s.each("Route", func(part sections) {
		metric, _ := strconv.Atoi(part.get("Route", "Metric"))
		addRoute(of, part.get("Route", "Destination"), part.get("Route", "Gateway"), metric, isYes(part.get("Route", "GatewayOnLink")), part.get("Route", "PreferredSource"))
	})
	for _, text := range s.list("Network", "DNS") {
		addDNS(of, text)
	}
	readSearch(s.list("Network", "Domains"), v4, v6)
	v4.PeerDNS, v6.PeerDNS = choice(s, "DHCPv4", "UseDNS"), choice(s, "DHCPv6", "UseDNS")
	settle(i, v4, v6)
}

// readSearch gives the search domains to the family that has resolvers of its own.
func readSearch(words []string, v4, v6 *spec.InterfaceIP) {
	to := v4
	if len(v4.DNS) == 0 && (len(v6.DNS) > 0 || !v4.DHCP && len(v4.Addresses) == 0) {
		to = v6
	}
	for _, w := range words {
		if !strings.HasPrefix(w, "~") { // that one routes questions only
			to.Search = append(to.Search, w)
		}
	}
}

func choice(s sections, section, key string) *bool {
	text, ok := s.find(section, key)
	if !ok {
		return nil
	}
	value := isYes(text)
	return &value
}

// settle leaves out a family about which nothing is said.
func settle(i *spec.HostInterface, v4, v6 *spec.InterfaceIP) {
	if !empty(*v4) {
		i.IPv4 = v4
	}
	if !empty(*v6) {
		i.IPv6 = v6
	}
}

func empty(f spec.InterfaceIP) bool {
	return !f.DHCP && !f.Autoconf && f.PeerDNS == nil && len(f.Addresses)+len(f.Routes)+len(f.DNS)+len(f.Search) == 0
}

func isYes(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "true", "on", "1", "y", "t":
		return true
	}
	return false
}

// The three below add what a text says to its family; what is no address of an
// interface as spec knows it is left out.

func addAddress(of func(netip.Addr) *spec.InterfaceIP, text string) {
	if p, ok := prefixOf(text); ok {
		f := of(p.Addr())
		f.Addresses = append(f.Addresses, p)
	}
}

// prefixOf reads an address that may lack its length.
func prefixOf(text string) (netip.Prefix, bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p, true
	}
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a, a.BitLen()), true
}

func addRoute(of func(netip.Addr) *spec.InterfaceIP, to, via string, metric int, onLink bool, source string) {
	r := spec.InterfaceRoute{Metric: metric, OnLink: onLink}
	r.Via, _ = netip.ParseAddr(via)
	r.Source, _ = netip.ParseAddr(source)
	p, ok := prefixOf(to)
	switch {
	case ok:
		r.To = p.Masked()
	case !r.Via.IsValid():
		return // by DHCP, or something that is no route by an interface
	case r.Via.Is4():
		r.To = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	default:
		r.To = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	f := of(r.To.Addr())
	f.Routes = append(f.Routes, r)
}

func addDNS(of func(netip.Addr) *spec.InterfaceIP, text string) {
	if a, err := netip.ParseAddr(text); err == nil {
		f := of(a)
		f.DNS = append(f.DNS, a)
	}
}
