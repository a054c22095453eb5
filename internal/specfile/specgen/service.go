package specgen

import (
	"net/netip"

	"pgregory.net/rapid"

	"kvmnet/internal/spec"
)

func lease() *rapid.Generator[spec.Seconds] {
	return rapid.SampledFrom([]spec.Seconds{0, 0, spec.Infinite, 60, 121, 300, 3600, 7200, 1<<32 - 2})
}

func subnetDHCP(t *rapid.T, p netip.Prefix) *spec.DHCP {
	d := &spec.DHCP{
		Enabled: anyBool().Draw(t, "enabled"), LeaseTime: lease().Draw(t, "leaseTime"),
		Static: rapid.IntRange(0, 3).Draw(t, "static") == 0,
		Boot:   rapid.Ptr(rapid.Custom(boot), true).Draw(t, "boot"),
	}
	if p.Addr().Is4() {
		d.Options = rapid.MapOfN(rapid.SampledFrom([]string{"ntp", "router", "domain", "224"}), rapid.SampledFrom([]string{"10.0.0.1", "none", "text: x <y>"}), 0, 2).Draw(t, "options")
	}
	for range rapid.IntRange(0, 2).Draw(t, "ranges") {
		a, b := inside(t, p), inside(t, p)
		if b.Less(a) {
			a, b = b, a
		}
		if !d.Static {
			d.Ranges = append(d.Ranges, spec.LeaseRange{AddrRange: spec.AddrRange{From: a, To: b}, LeaseTime: lease().Draw(t, "range lease")})
		}
	}
	for range rapid.IntRange(0, 3).Draw(t, "hosts") {
		if d.Hosts == nil {
			d.Hosts = map[string]spec.Reservation{}
		}
		key, r := reservation(t, p)
		d.Hosts[key] = r
	}
	return d
}

func reservation(t *rapid.T, p netip.Prefix) (string, spec.Reservation) {
	r := spec.Reservation{IP: inside(t, p), LeaseTime: lease().Draw(t, "host lease")}
	switch rapid.IntRange(0, 3).Draw(t, "by") {
	case 0:
		r.MAC = guestMAC().Draw(t, "mac")
	case 1:
		if p.Addr().Is4() {
			r.ClientID = rapid.SampledFrom([]string{"01:52:54:00:00:00:01", "vm-7"}).Draw(t, "client id")
		} else {
			r.DUID = rapid.SampledFrom([]string{"00:03:00:01:52:54:00:00:00:01", "00:04:AA:bb"}).Draw(t, "duid")
		}
	case 2:
		r.MAC = guestMAC().Draw(t, "mac")
		r.Options = map[string]string{"domain": "example.org"}
	}
	key := rapid.OneOf(rapid.SampledFrom([]string{"vm1", "VM.example.org", "7up", "_x"}), word()).Draw(t, "key")
	if rapid.IntRange(0, 2).Draw(t, "nameless") == 0 {
		key = r.IP.String()
	}
	return key, r
}

func boot(t *rapid.T) spec.Boot {
	return spec.Boot{
		Server: rapid.SampledFrom([]string{"", "192.0.2.1", "boot.example.org", "192.168.7.1"}).Draw(t, "server"),
		TFTP:   rapid.SampledFrom([]string{"", "/srv/tftp", "/srv/a & b"}).Draw(t, "tftp"),
		File:   rapid.SampledFrom([]string{"", "pxelinux.0", "http://boot.example.org/x"}).Draw(t, "file"),
		Files:  rapid.MapOfN(rapid.SampledFrom(spec.BootClients), rapid.Just("http://boot.example.org/y"), 0, 2).Draw(t, "files"),
	}
}

func networkDHCP(t *rapid.T) spec.NetworkDHCP {
	return spec.NetworkDHCP{
		LeaseTime: lease().Draw(t, "leaseTime"), PerPort: rapid.IntRange(-1, 3).Draw(t, "perPort"), DropWithPort: rapid.Bool().Draw(t, "dropWithPort"),
		Options: rapid.MapOfN(rapid.Just("dns"), rapid.Just("none"), 0, 1).Draw(t, "options"),
		Boot:    rapid.Ptr(rapid.Custom(boot), true).Draw(t, "boot"),
	}
}

func advertisements(t *rapid.T) spec.RA {
	return spec.RA{
		Enabled: anyBool().Draw(t, "enabled"), Interval: rapid.SampledFrom([]spec.Seconds{0, 30}).Draw(t, "interval"),
		Lifetime:   rapid.SampledFrom([]*spec.Seconds{nil, new(spec.Seconds)}).Draw(t, "lifetime"),
		Preference: rapid.SampledFrom([]string{"", "high"}).Draw(t, "preference"), Managed: anyBool().Draw(t, "managed"),
		Routes: rapid.SliceOfN(rapid.Just(spec.RARoute{To: netip.MustParsePrefix("fd00:77::/48")}), 0, 1).Draw(t, "routes"),
	}
}

func dnsSettings(t *rapid.T) spec.DNS {
	name := rapid.OneOf(rapid.SampledFrom([]string{"www", "*.apps", "nas.example.org", "_dmarc"}), word())
	return spec.DNS{
		Enabled: anyBool().Draw(t, "enabled"), Domain: rapid.SampledFrom([]string{"", "lab.internal", "Example.org"}).Draw(t, "domain"),
		LocalOnly: rapid.Bool().Draw(t, "localOnly"), Register: anyBool().Draw(t, "register"),
		Hosts:  rapid.MapOfN(name, rapid.SampledFrom([]spec.Addresses{"10.0.0.1", "10.0.0.1, fd00::1", "fd00::2,10.0.0.9", "0.0.0.0"}), 0, 3).Draw(t, "hosts"),
		CNAMEs: rapid.MapOfN(rapid.SampledFrom([]string{"ftp", "mail"}), rapid.Just("www"), 0, 1).Draw(t, "cnames"),
		TXT:    rapid.MapOfN(name, rapid.SampledFrom([]string{"v=DMARC1; p=none", "", "a \"b\" <c>"}), 0, 2).Draw(t, "txt"),
		SRV:    rapid.SliceOfN(rapid.Custom(service), 0, 2).Draw(t, "srv"),
		MX:     rapid.SliceOfN(rapid.Just(spec.MX{Name: "example.net", Host: "mail.example.net", Preference: 10}), 0, 1).Draw(t, "mx"),

		Forwarders:   resolvers(false).Draw(t, "forwarders"),
		Domains:      rapid.MapOfN(rapid.SampledFrom([]string{"corp.example", "ads.example", "Big.Corp.example"}), resolvers(true), 0, 2).Draw(t, "domains"),
		Forward:      rapid.SampledFrom([]*bool{nil, nil, new(bool)}).Draw(t, "forward"),
		ForwardPlain: rapid.Bool().Draw(t, "forwardPlain"), ForwardReverse: rapid.Bool().Draw(t, "forwardReverse"),
		TTL: rapid.SampledFrom([]spec.Seconds{0, 300}).Draw(t, "ttl"), Cache: rapid.SampledFrom([]int{0, -1, 150}).Draw(t, "cache"),
	}
}

func service(t *rapid.T) spec.SRV {
	return spec.SRV{
		Name:   rapid.SampledFrom([]string{"_ldap._tcp", "_ldap._tcp.example.org.", "_x._udp.sub", "_y._tcp."}).Draw(t, "name"),
		Target: rapid.SampledFrom([]string{"", ".", "www", "dc.example.org."}).Draw(t, "target"), Port: rapid.SampledFrom([]int{1, 389}).Draw(t, "port"),
		Priority: rapid.IntRange(0, 2).Draw(t, "priority"), Weight: rapid.IntRange(0, 2).Draw(t, "weight"),
	}
}

func resolvers(ofDomain bool) *rapid.Generator[[]spec.Resolver] {
	texts := []string{"9.9.9.9", "1.1.1.1", "10.0.0.53:5353", "[fd00::1]:5353", "fd00::53"}
	if ofDomain {
		texts = append(texts, "default")
	}
	one := rapid.Map(rapid.SampledFrom(texts), func(s string) spec.Resolver { r, _ := spec.ParseResolver(s); return r })
	return rapid.SliceOfNDistinct(one, 0, 2, func(r spec.Resolver) string { return r.String() })
}
