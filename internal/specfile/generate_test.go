package specfile

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"kvmnet/internal/spec"
)

func TestGeneratedSpecsSurviveFormatAndParse(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) { roundTrip(t, anySpec(t)) })
}

// anySpec draws a Spec of readable values. It need not keep the rules: the
// writer must not depend on them.
func anySpec(t *rapid.T) *spec.Spec {
	return &spec.Spec{
		Networks: rapid.MapOfN(anyText(), rapid.Custom(anyNetwork), 0, 3).Draw(t, "networks"),
		Bridges:  rapid.MapOfN(anyText(), rapid.Custom(anyBridge), 0, 2).Draw(t, "bridges"),
		Ports:    rapid.MapOfN(anyText(), rapid.Custom(anyPort), 0, 3).Draw(t, "ports"),
	}
}

func anyNetwork(t *rapid.T) *spec.Network {
	return &spec.Network{
		Title:       anyText().Draw(t, "title"),
		Description: anyText().Draw(t, "description"),
		Labels:      rapid.MapOfN(anyText(), anyText(), 0, 3).Draw(t, "labels"),
		UUID:        anyText().Draw(t, "uuid"),
		Mode:        rapid.SampledFrom(spec.Modes).Draw(t, "mode"),
		Bridge: spec.BridgeSettings{
			Name: anyText().Draw(t, "bridge"), MAC: anyMAC().Draw(t, "mac"), MTU: rapid.IntRange(0, 70000).Draw(t, "mtu"),
			STP: rapid.Bool().Draw(t, "stp"), ForwardDelay: anySeconds().Draw(t, "delay"),
		},
		Uplink:    anyText().Draw(t, "uplink"),
		Subnets:   rapid.SliceOfN(rapid.Custom(anySubnet), 0, 3).Draw(t, "subnets"),
		Routes:    rapid.SliceOfN(rapid.Custom(anyRoute), 0, 3).Draw(t, "routes"),
		NAT:       rapid.Ptr(rapid.Custom(anyNAT), true).Draw(t, "nat"),
		DNS:       rapid.Ptr(rapid.Custom(anyDNS), true).Draw(t, "dns"),
		Autostart: rapid.Ptr(rapid.Bool(), true).Draw(t, "autostart"),
		OnDemand:  rapid.Bool().Draw(t, "onDemand"),
	}
}

func anySubnet(t *rapid.T) spec.Subnet {
	return spec.Subnet{Address: anyPrefix().Draw(t, "address"), DHCP: rapid.Ptr(rapid.Custom(anyDHCP), true).Draw(t, "dhcp")}
}

func anyDHCP(t *rapid.T) spec.DHCP {
	return spec.DHCP{
		Enabled:   rapid.Ptr(rapid.Bool(), true).Draw(t, "enabled"),
		Ranges:    rapid.SliceOfN(rapid.Custom(anyRange), 0, 3).Draw(t, "ranges"),
		Hosts:     rapid.MapOfN(anyText(), rapid.Custom(anyReservation), 0, 3).Draw(t, "hosts"),
		LeaseTime: anySeconds().Draw(t, "leaseTime"),
	}
}

func anyReservation(t *rapid.T) spec.Reservation {
	return spec.Reservation{MAC: anyMAC().Draw(t, "mac"), ClientID: anyText().Draw(t, "clientID"), IP: anyAddr().Draw(t, "ip")}
}

func anyDNS(t *rapid.T) spec.DNS {
	return spec.DNS{
		Enabled: rapid.Ptr(rapid.Bool(), true).Draw(t, "enabled"), Domain: anyText().Draw(t, "domain"),
		LocalOnly:  rapid.Bool().Draw(t, "localOnly"),
		Hosts:      rapid.MapOfN(anyText(), anyAddr(), 0, 3).Draw(t, "hosts"),
		Forwarders: rapid.SliceOfN(anyAddr(), 0, 3).Draw(t, "forwarders"),
	}
}

func anyNAT(t *rapid.T) spec.NATSettings {
	return spec.NATSettings{IPv6: rapid.Ptr(rapid.Bool(), true).Draw(t, "ipv6")}
}

func anyRoute(t *rapid.T) spec.StaticRoute {
	return spec.StaticRoute{To: anyPrefix().Draw(t, "to"), Via: anyAddr().Draw(t, "via"), Metric: rapid.Int().Draw(t, "metric")}
}

func anyBridge(t *rapid.T) *spec.HostBridge {
	return &spec.HostBridge{
		Ports:     rapid.SliceOfN(anyText(), 0, 3).Draw(t, "ports"),
		Addresses: rapid.SliceOfN(anyPrefix(), 0, 3).Draw(t, "addresses"),
		Gateway:   rapid.SliceOfN(anyAddr(), 0, 2).Draw(t, "gateway"),
		MAC:       anyMAC().Draw(t, "mac"), MTU: rapid.Int().Draw(t, "mtu"),
		STP: rapid.Bool().Draw(t, "stp"), ForwardDelay: anySeconds().Draw(t, "delay"),
	}
}

func anyPort(t *rapid.T) *spec.Port {
	return &spec.Port{
		Network: anyText().Draw(t, "network"), Type: spec.PortType(anyText().Draw(t, "type")),
		Interface: anyText().Draw(t, "interface"), Peer: anyText().Draw(t, "peer"), MAC: anyMAC().Draw(t, "mac"),
		Addresses: rapid.SliceOfN(anyAddr(), 0, 3).Draw(t, "addresses"), Owner: anyText().Draw(t, "owner"),
	}
}

// anyText favours text that YAML reads as something else.
func anyText() *rapid.Generator[string] {
	tricky := rapid.SampledFrom([]string{"", "yes", "true", "~", "null", "1e3", "0x10", "1_000", "12:30:45", "<<", "- a", "a: b",
		"#c", " lead", "trail ", "a\nb", "a\n", "\n", "\ttab", "%", "@x", "`", "\"", "'", "é", "\u2028", "\u00a0", "\ufeff", "🐧", "\x00", "\x7f", "[", "{}", "&a", "*a", "!t", "|", ">", "?", ":", "-", "...", "---", "a\r\nb"})
	return rapid.OneOf(rapid.String(), tricky, rapid.StringMatching(`[a-z0-9.-]{0,8}`))
}

func anySeconds() *rapid.Generator[spec.Seconds] {
	return rapid.Map(rapid.Int64Range(-1, 1<<32), func(n int64) spec.Seconds { return spec.Seconds(n) })
}

func anyMAC() *rapid.Generator[spec.MAC] {
	return rapid.Map(rapid.SliceOfN(rapid.Byte(), 6, 6), func(b []byte) spec.MAC { return spec.MAC(b) })
}

func anyAddr() *rapid.Generator[netip.Addr] {
	addr := func(b []byte) netip.Addr { a, _ := netip.AddrFromSlice(b); return a }
	return rapid.Map(rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 4, 4), rapid.SliceOfN(rapid.Byte(), 16, 16)), addr)
}

func anyPrefix() *rapid.Generator[netip.Prefix] {
	return rapid.Custom(func(t *rapid.T) netip.Prefix {
		a := anyAddr().Draw(t, "address")
		return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
	})
}

func anyRange(t *rapid.T) spec.AddrRange {
	a := anyAddr().Draw(t, "from")
	b := a
	for i := rapid.IntRange(0, 5).Draw(t, "length"); i > 0 && b.Next().IsValid(); i-- {
		b = b.Next()
	}
	return spec.AddrRange{From: a, To: b}
}
