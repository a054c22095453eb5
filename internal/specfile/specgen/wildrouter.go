package specgen

import (
	"pgregory.net/rapid"

	"kvmnet/internal/spec"
)

func anyRouter(t *rapid.T) *spec.Router {
	return &spec.Router{
		Title: anyText().Draw(t, "title"), Description: anyText().Draw(t, "description"), Labels: anyTexts().Draw(t, "labels"),
		Uplink:      rapid.Ptr(rapid.Custom(anyUplink), true).Draw(t, "uplink"),
		Uplinks:     rapid.MapOfN(anyText(), rapid.Ptr(rapid.Custom(anyUplink), false), 0, 2).Draw(t, "uplinks"),
		Interfaces:  rapid.SliceOfN(rapid.Custom(anyInterface), 0, 2).Draw(t, "interfaces"),
		Routes:      rapid.SliceOfN(rapid.Custom(anyRouterRoute), 0, 2).Draw(t, "routes"),
		Connections: rapid.Int().Draw(t, "connections"),
	}
}

func anyUplink(t *rapid.T) spec.Uplink {
	return spec.Uplink{
		Bridge: anyText().Draw(t, "bridge"), Network: anyText().Draw(t, "network"), NIC: anyText().Draw(t, "nic"),
		Host:    spec.HostLink(anyText().Draw(t, "host")),
		Address: spec.Prefixes(anyText().Draw(t, "address")), Gateway: anyAddresses().Draw(t, "gateway"),
		DHCP: rapid.Bool().Draw(t, "dhcp"), SLAAC: rapid.Bool().Draw(t, "slaac"), Metric: rapid.Int().Draw(t, "metric"),
		MAC: anyMAC().Draw(t, "mac"), MTU: rapid.Int().Draw(t, "mtu"), Bandwidth: anyBandwidth().Draw(t, "bandwidth"),
	}
}

func anyInterface(t *rapid.T) spec.Interface {
	return spec.Interface{
		Network: anyText().Draw(t, "network"), Name: anyText().Draw(t, "name"),
		Address: spec.Prefixes(anyText().Draw(t, "address")),
		DHCP:    rapid.Ptr(rapid.Custom(anyDHCP), true).Draw(t, "dhcp"),
		Subnets: rapid.SliceOfN(rapid.Custom(anySubnet), 0, 2).Draw(t, "subnets"),
		MAC:     anyMAC().Draw(t, "mac"), Egress: spec.Egress(anyText().Draw(t, "egress")),
		SNAT:   rapid.Ptr(rapid.Custom(anySNAT), true).Draw(t, "snat"),
		Uplink: anyText().Draw(t, "uplink"), KillSwitch: rapid.Bool().Draw(t, "killSwitch"),
		Allow:     rapid.SliceOfN(rapid.Custom(anyTraffic), 0, 2).Draw(t, "allow"),
		Bandwidth: anyBandwidth().Draw(t, "bandwidth"), Connections: rapid.Int().Draw(t, "connections"),
	}
}

func anySNAT(t *rapid.T) spec.SNAT {
	return spec.SNAT{Address: anyRange(t).AddrRange, IPv6: anyRange(t).AddrRange, Ports: anyPorts().Draw(t, "ports")}
}

func anyRouterRoute(t *rapid.T) spec.RouterRoute {
	r := spec.RouterRoute{To: anyPrefix().Draw(t, "to"), Uplink: anyText().Draw(t, "uplink"),
		Blackhole: rapid.Bool().Draw(t, "blackhole"), Metric: rapid.Int().Draw(t, "metric")}
	if rapid.Bool().Draw(t, "gateway") {
		r.Via = anyAddr().Draw(t, "via")
	}
	return r
}

func anyForward(t *rapid.T) *spec.Forward {
	f := &spec.Forward{
		Description: anyText().Draw(t, "description"), Network: anyText().Draw(t, "network"), Router: anyText().Draw(t, "router"),
		Protocol: spec.Protocol(anyText().Draw(t, "protocol")),
		To:       spec.Target{Port: rapid.Uint16().Draw(t, "port")},
	}
	switch rapid.IntRange(0, 2).Draw(t, "form") {
	case 0:
		f.Floating = anyAddr().Draw(t, "floating")
	case 1:
		f.Listen = spec.Listen{Addr: anyAddr().Draw(t, "on"), Ports: anyPorts().Draw(t, "ports")}
	default:
		f.Listen = spec.Listen{Ports: anyPorts().Draw(t, "ports")}
	}
	if rapid.Bool().Draw(t, "by name") {
		f.To.Name = rapid.StringMatching(`[a-z][a-z0-9]{0,8}`).Draw(t, "guest")
	} else {
		f.To.Addr = anyAddr().Draw(t, "guest")
	}
	return f
}

func anyPolicy(t *rapid.T) *spec.Policy {
	traffic := rapid.SliceOfN(rapid.Custom(anyTraffic), 0, 2)
	return &spec.Policy{
		Description: anyText().Draw(t, "description"),
		From:        spec.Parties(anyText().Draw(t, "from")), To: spec.Parties(anyText().Draw(t, "to")),
		Priority: rapid.Int().Draw(t, "priority"),
		Deny:     traffic.Draw(t, "deny"), Reject: traffic.Draw(t, "reject"), Allow: traffic.Draw(t, "allow"),
		Log: rapid.Bool().Draw(t, "log"),
	}
}

func anyTraffic(t *rapid.T) spec.Traffic {
	ports := rapid.OneOf(anyText(), rapid.Just("80"), rapid.Just("080"), rapid.Just("80, 8000-8099"))
	return spec.Traffic{
		Protocol: spec.Protocol(anyText().Draw(t, "protocol")),
		Ports:    spec.PortRanges(ports.Draw(t, "ports")), To: spec.Prefixes(anyText().Draw(t, "to")),
	}
}

func anySet(t *rapid.T) *spec.AddressSet {
	return &spec.AddressSet{Description: anyText().Draw(t, "description"), Addresses: spec.Prefixes(anyText().Draw(t, "addresses"))}
}

func anyBandwidth() *rapid.Generator[*spec.Bandwidth] {
	rate := rapid.Map(rapid.Int64Range(8000, 1e12), func(n int64) spec.Rate { return spec.Rate(n) })
	rate = rapid.OneOf(rate, rapid.SampledFrom([]spec.Rate{8000, 10e6, 1e9, 1e12}))
	limit := rapid.Custom(func(t *rapid.T) (l spec.Limit) {
		if rapid.Bool().Draw(t, "limited") {
			l.Rate = rate.Draw(t, "rate")
			l.Peak = rapid.OneOf(rapid.Just(spec.Rate(0)), rate).Draw(t, "peak")
			l.Burst = rapid.Int64Range(0, 4<<20-1).Draw(t, "burst") * 1024
		}
		return l
	})
	return rapid.Ptr(rapid.Custom(func(t *rapid.T) spec.Bandwidth {
		return spec.Bandwidth{In: limit.Draw(t, "in"), Out: limit.Draw(t, "out")}
	}), true)
}

func anyPorts() *rapid.Generator[spec.PortRange] {
	return rapid.Custom(func(t *rapid.T) spec.PortRange {
		from := rapid.Uint16Min(1).Draw(t, "from")
		return spec.PortRange{From: from, To: rapid.Uint16Range(from, 65535).Draw(t, "to")}
	})
}
