package specgen

import (
	"net/netip"

	"pgregory.net/rapid"

	"kvmnet/internal/spec"
)

// Spec draws a Spec of readable values. It need not keep the rules: the
// writer must not depend on them.
func Spec(t *rapid.T) *spec.Spec {
	return &spec.Spec{
		Networks: rapid.MapOfN(anyText(), rapid.Custom(anyNetwork), 0, 3).Draw(t, "networks"),
		Bridges:  rapid.MapOfN(anyText(), rapid.Custom(anyBridge), 0, 2).Draw(t, "bridges"),
		Ports:    rapid.MapOfN(anyText(), rapid.Custom(anyPort), 0, 3).Draw(t, "ports"),
		Routers:  rapid.MapOfN(anyText(), rapid.Custom(anyRouter), 0, 2).Draw(t, "routers"),
		Forwards: rapid.MapOfN(anyText(), rapid.Custom(anyForward), 0, 3).Draw(t, "forwards"),
		Policies: rapid.MapOfN(anyText(), rapid.Custom(anyPolicy), 0, 2).Draw(t, "policies"),
		Sets:     rapid.MapOfN(anyText(), rapid.Custom(anySet), 0, 2).Draw(t, "sets"),
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
		Uplink:      anyText().Draw(t, "uplink"),
		Subnets:     rapid.SliceOfN(rapid.Custom(anySubnet), 0, 3).Draw(t, "subnets"),
		Routes:      rapid.SliceOfN(rapid.Custom(anyRoute), 0, 3).Draw(t, "routes"),
		NAT:         rapid.Ptr(rapid.Custom(anyNAT), true).Draw(t, "nat"),
		DHCP:        rapid.Ptr(rapid.Custom(anyNetworkDHCP), true).Draw(t, "dhcp"),
		RA:          rapid.Ptr(rapid.Custom(anyRA), true).Draw(t, "ra"),
		DNS:         rapid.Ptr(rapid.Custom(anyDNS), true).Draw(t, "dns"),
		Policy:      spec.Stance(anyText().Draw(t, "policy")),
		Peers:       rapid.SliceOfN(anyText(), 0, 2).Draw(t, "peers"),
		Connections: rapid.Int().Draw(t, "connections"),
		Isolated:    rapid.Bool().Draw(t, "isolated"),
		Bandwidth:   anyBandwidth().Draw(t, "bandwidth"),
		Guard:       anyGuard().Draw(t, "guard"),
		Storm:       rapid.Ptr(rapid.Custom(anyStorm), true).Draw(t, "storm"),
		Access:      rapid.SliceOfN(rapid.Custom(anyAccess), 0, 3).Draw(t, "access"),
		Direct:      rapid.Ptr(rapid.Custom(anyDirect), true).Draw(t, "direct"),
		Libvirt:     rapid.Ptr(rapid.Custom(anyLibvirt), true).Draw(t, "libvirt"),
		Autostart:   rapid.Ptr(rapid.Bool(), true).Draw(t, "autostart"),
		OnDemand:    rapid.Bool().Draw(t, "onDemand"),
	}
}

func anyDirect(t *rapid.T) spec.Direct {
	return spec.Direct{Mode: spec.DirectMode(anyText().Draw(t, "mode")), Devices: rapid.SliceOfN(anyText(), 0, 2).Draw(t, "devices")}
}

func anyLibvirt(t *rapid.T) spec.Libvirt {
	return spec.Libvirt{Metadata: anyText().Draw(t, "metadata"), Kept: anyText().Draw(t, "kept")}
}

func anySubnet(t *rapid.T) spec.Subnet {
	return spec.Subnet{
		Address: anyPrefix().Draw(t, "address"), SLAAC: anyBool().Draw(t, "slaac"),
		DHCP: rapid.Ptr(rapid.Custom(anyDHCP), true).Draw(t, "dhcp"),
	}
}

func anyDHCP(t *rapid.T) spec.DHCP {
	return spec.DHCP{
		Enabled:   rapid.Ptr(rapid.Bool(), true).Draw(t, "enabled"),
		Ranges:    rapid.SliceOfN(rapid.Custom(anyRange), 0, 3).Draw(t, "ranges"),
		Static:    rapid.Bool().Draw(t, "static"),
		Hosts:     rapid.MapOfN(anyText(), rapid.Custom(anyReservation), 0, 3).Draw(t, "hosts"),
		LeaseTime: anySeconds().Draw(t, "leaseTime"),
		Relays:    rapid.SliceOfN(anyAddr(), 0, 2).Draw(t, "relays"),
		Options:   anyTexts().Draw(t, "options"),
		Boot:      rapid.Ptr(rapid.Custom(anyBoot), true).Draw(t, "boot"),
	}
}

func anyNetworkDHCP(t *rapid.T) spec.NetworkDHCP {
	return spec.NetworkDHCP{
		LeaseTime: anySeconds().Draw(t, "leaseTime"), PerPort: rapid.Int().Draw(t, "perPort"), Rate: rapid.Int().Draw(t, "rate"),
		DropWithPort: rapid.Bool().Draw(t, "dropWithPort"),
		Options:      anyTexts().Draw(t, "options"),
		Boot:         rapid.Ptr(rapid.Custom(anyBoot), true).Draw(t, "boot"),
	}
}

func anyBoot(t *rapid.T) spec.Boot {
	return spec.Boot{
		Server: anyText().Draw(t, "server"), TFTP: anyText().Draw(t, "tftp"), File: anyText().Draw(t, "file"),
		Files: anyTexts().Draw(t, "files"),
	}
}

func anyRA(t *rapid.T) spec.RA {
	return spec.RA{
		Enabled: anyBool().Draw(t, "enabled"), Interval: anySeconds().Draw(t, "interval"),
		Lifetime:   rapid.Ptr(anySeconds(), true).Draw(t, "lifetime"),
		Preference: anyText().Draw(t, "preference"), HopLimit: rapid.Int().Draw(t, "hopLimit"),
		Managed: anyBool().Draw(t, "managed"), Other: anyBool().Draw(t, "other"),
		Routes: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) spec.RARoute {
			return spec.RARoute{To: anyPrefix().Draw(t, "to"), Lifetime: anySeconds().Draw(t, "lifetime"), Preference: anyText().Draw(t, "preference")}
		}), 0, 2).Draw(t, "routes"),
	}
}

func anyReservation(t *rapid.T) spec.Reservation {
	return spec.Reservation{
		MAC: anyMAC().Draw(t, "mac"), ClientID: anyText().Draw(t, "clientID"), DUID: anyText().Draw(t, "duid"), IP: anyAddr().Draw(t, "ip"),
		LeaseTime: anySeconds().Draw(t, "leaseTime"), Options: anyTexts().Draw(t, "options"),
	}
}

func anyDNS(t *rapid.T) spec.DNS {
	return spec.DNS{
		Enabled: rapid.Ptr(rapid.Bool(), true).Draw(t, "enabled"), Domain: anyText().Draw(t, "domain"),
		LocalOnly: rapid.Bool().Draw(t, "localOnly"), Register: anyBool().Draw(t, "register"),
		Hosts:  rapid.MapOfN(anyText(), anyAddresses(), 0, 3).Draw(t, "hosts"),
		CNAMEs: anyTexts().Draw(t, "cnames"), TXT: anyTexts().Draw(t, "txt"),
		SRV: rapid.SliceOfN(rapid.Custom(anySRV), 0, 2).Draw(t, "srv"), MX: rapid.SliceOfN(rapid.Custom(anyMX), 0, 2).Draw(t, "mx"),
		Forwarders: anyResolvers().Draw(t, "forwarders"),
		Domains:    rapid.MapOfN(anyText(), anyResolvers(), 0, 2).Draw(t, "domains"),
		Forward:    anyBool().Draw(t, "forward"), ForwardPlain: rapid.Bool().Draw(t, "forwardPlain"),
		ForwardReverse: rapid.Bool().Draw(t, "forwardReverse"), TTL: anySeconds().Draw(t, "ttl"),
		Cache: rapid.Int().Draw(t, "cache"), Rate: rapid.Int().Draw(t, "rate"),
	}
}

func anySRV(t *rapid.T) spec.SRV {
	return spec.SRV{Name: anyText().Draw(t, "name"), Target: anyText().Draw(t, "target"), Port: rapid.Int().Draw(t, "port"),
		Priority: rapid.Int().Draw(t, "priority"), Weight: rapid.Int().Draw(t, "weight")}
}

func anyMX(t *rapid.T) spec.MX {
	return spec.MX{Name: anyText().Draw(t, "name"), Host: anyText().Draw(t, "host"), Preference: rapid.Int().Draw(t, "preference")}
}

func anyTexts() *rapid.Generator[map[string]string] { return rapid.MapOfN(anyText(), anyText(), 0, 2) }

func anyBool() *rapid.Generator[*bool] { return rapid.Ptr(rapid.Bool(), true) }

func anyAddresses() *rapid.Generator[spec.Addresses] {
	return rapid.Map(rapid.OneOf(anyText(), rapid.Just("10.0.0.1, fd00::1")), func(s string) spec.Addresses { return spec.Addresses(s) })
}

func anyResolvers() *rapid.Generator[[]spec.Resolver] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) spec.Resolver {
		if rapid.IntRange(0, 9).Draw(t, "default") == 0 {
			return spec.DefaultResolver
		}
		port := rapid.OneOf(rapid.Just[uint16](53), rapid.Uint16Min(1)).Draw(t, "port")
		return spec.Resolver(netip.AddrPortFrom(anyAddr().Draw(t, "address"), port))
	}), 0, 2)
}

func anyNAT(t *rapid.T) spec.NATSettings {
	n := spec.NATSettings{IPv6: rapid.Ptr(rapid.Bool(), true).Draw(t, "ipv6")}
	if rapid.Bool().Draw(t, "source") {
		n.Address, n.Ports = anyRange(t).AddrRange, anyPorts().Draw(t, "ports")
	}
	return n
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
		UUID: anyText().Draw(t, "uuid"), Guest: anyText().Draw(t, "guest"), Device: anyText().Draw(t, "device"),
		Queues: rapid.Int().Draw(t, "queues"), Bandwidth: anyBandwidth().Draw(t, "bandwidth"),
		Guard: anyGuard().Draw(t, "guard"), Storm: rapid.Ptr(rapid.Custom(anyStorm), true).Draw(t, "storm"),
		Unplugged: rapid.Bool().Draw(t, "unplugged"), Held: spec.Held(anyText().Draw(t, "held")),
		Libvirt: rapid.Ptr(rapid.Custom(anyLibvirt), true).Draw(t, "libvirt"),
	}
}

func anyGuard() *rapid.Generator[spec.Guard] {
	return rapid.Map(rapid.OneOf(anyText(), rapid.SampledFrom([]string{"off", "strict", "mac, address", "tag,storm", "on, off"})), func(s string) spec.Guard { return spec.Guard(s) })
}

func anyStorm(t *rapid.T) spec.Storm {
	return spec.Storm{Broadcast: rapid.Int().Draw(t, "broadcast"), Multicast: rapid.Int().Draw(t, "multicast")}
}

func anyAccess(t *rapid.T) spec.Access {
	return spec.Access{User: anyText().Draw(t, "user"), Group: anyText().Draw(t, "group"), Ports: rapid.Int().Draw(t, "ports"),
		Guards: rapid.SliceOfN(anyGuard(), 0, 3).Draw(t, "guards")}
}
