package spec

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func dhcp(i int, change func(*DHCP)) func(*Spec) {
	return subnet(i, func(s *Subnet) {
		if s.DHCP == nil {
			s.DHCP = &DHCP{}
		}
		change(s.DHCP)
	})
}

func seconds(s Seconds) *Seconds { return &s }

func yes() *bool { b := true; return &b }
func no() *bool  { return new(bool) }

func TestServicesThatAreAllowed(t *testing.T) {
	t.Parallel()
	run(t, map[string]rule{
		"reservation by name": {change: dhcp(0, func(d *DHCP) { d.Hosts["db"] = Reservation{IP: addr("10.0.0.30")} })},
		"client ids and DUIDs": {change: func(s *Spec) {
			dhcp(0, func(d *DHCP) { d.Hosts["db"] = Reservation{ClientID: "vm-7", IP: addr("10.0.0.30")} })(s)
			dhcp(1, func(d *DHCP) {
				d.Hosts = map[string]Reservation{"db": {DUID: "00:03:00:01:52:54:00:00:00:01", IP: addr("fd00::30")}}
			})(s)
		}},
		"only what is reserved":     {change: dhcp(0, func(d *DHCP) { d.Ranges, d.Static = nil, true })},
		"range with a time":         {change: dhcp(0, func(d *DHCP) { d.Ranges[0].LeaseTime = Infinite })},
		"no limits":                 {change: lab(func(n *Network) { n.DHCP = &NetworkDHCP{PerPort: -1, Rate: -1, LeaseTime: Infinite} })},
		"option of one family":      {change: lab(func(n *Network) { n.DHCP = &NetworkDHCP{Options: map[string]string{"mtu": "1400", "66": "x"}} })},
		"DHCPv4 number, one family": {change: lab(func(n *Network) { n.DHCP = &NetworkDHCP{Options: map[string]string{"252": "x"}} })},
		"options without any DHCP": {change: func(s *Spec) {
			s.Networks["x"] = &Network{Mode: Isolated, DHCP: &NetworkDHCP{Options: map[string]string{"dns": "fd00::1", "router": "none"}}}
		}},
		"relay agents": {change: dhcp(0, func(d *DHCP) { d.Relays = []netip.Addr{addr("10.9.0.1"), addr("10.0.0.9")} })},
		"boot from the gateway": {change: dhcp(0, func(d *DHCP) {
			d.Boot = &Boot{TFTP: "/srv/tftp", File: "pxelinux.0", Files: map[string]string{"bios": "a", "ipxe": "http://[fd00::1]:8080/x"}}
		})},
		"boot from elsewhere": {change: dhcp(0, func(d *DHCP) { d.Boot = &Boot{Server: "boot.example", File: "pxelinux.0"} })},
		"slaac beside DHCPv6": {change: subnet(1, func(s *Subnet) { s.SLAAC, s.DHCP = yes(), &DHCP{} })},
		"no slaac in a /112":  {change: subnet(1, func(s *Subnet) { s.Address, s.SLAAC = prefix("fd00::1/112"), no() })},
		"no default router":   {change: lab(func(n *Network) { n.RA = &RA{Lifetime: seconds(0), Interval: 1800} })},
		"RA off without IPv6": {change: func(s *Spec) { s.Networks["x"] = &Network{Mode: Isolated, RA: &RA{Enabled: no()}} }},
		"default route advertised": {change: lab(func(n *Network) {
			n.RA = &RA{Routes: []RARoute{{To: prefix("::/0"), Lifetime: Infinite, Preference: "low"}}}
		})},
		"another server on the host": {change: lab(func(n *Network) { n.DNS.Forwarders = []Resolver{resolver("10.0.0.1:5353")} })},
		"name that is the domain":    {change: lab(func(n *Network) { n.DNS.Hosts = map[string]Addresses{"Lab.Internal": "10.0.0.5", "*": "10.0.0.6"} })},
		"alias of an alias":          {change: lab(func(n *Network) { n.DNS.CNAMEs = map[string]string{"a": "b", "b": "c.", "*.d": "b"} })},
		"service that is not there":  {change: lab(func(n *Network) { n.DNS.SRV = []SRV{{Name: "_imap._tcp.example.org."}} })},
		"mail for the domain":        {change: lab(func(n *Network) { n.DNS.MX = []MX{{Host: "mail.example.org."}} })},
		"domain that is not asked":   {change: lab(func(n *Network) { n.DNS.Domains = map[string][]Resolver{"ads.example": nil, "lab.internal": nil} })},
		"two networks of one domain": {change: func(s *Spec) { s.Networks["x"] = &Network{Mode: Isolated, DNS: &DNS{Domain: "lab.internal"}} }},
		"domain that is asked as others": {change: lab(func(n *Network) {
			n.DNS.Domains = map[string][]Resolver{"corp.example": {resolver("10.9.0.1")}, "www.corp.example": {DefaultResolver}}
		})},
		"nobody is asked": {change: lab(func(n *Network) {
			n.DNS.Forward, n.DNS.Domains = no(), map[string][]Resolver{"corp.example": {resolver("10.9.0.1")}}
		})},
		"names of addresses are asked": {change: lab(func(n *Network) { n.DNS.ForwardReverse, n.DNS.Forwarders = true, []Resolver{resolver("10.9.0.1")} })},
		"isolated, and others are asked": {change: func(s *Spec) {
			s.Networks["x"] = &Network{Mode: Isolated, DNS: &DNS{Forward: yes(), Domains: map[string][]Resolver{"x.example": {DefaultResolver}}}}
		}},
		"reservation without a name": {change: func(s *Spec) {
			dhcp(0, func(d *DHCP) {
				d.Hosts["10.0.0.30"] = Reservation{MAC: mac("52:54:00:00:00:09"), IP: addr("10.0.0.30")}
			})(s)
			dhcp(1, func(d *DHCP) {
				d.Hosts = map[string]Reservation{"fd00::30": {DUID: "00:03:00:01:52:54:00:00:00:01", IP: addr("fd00::30")}}
			})(s)
		}},
		"no mail at all": {change: lab(func(n *Network) { n.DNS.MX = []MX{{Host: "."}} })},
		"two addresses of one guest": {change: func(s *Spec) {
			dhcp(1, func(d *DHCP) { d.Hosts = map[string]Reservation{"VM1": {IP: addr("fd00::30")}} })(s)
		}},
		"no cache and no query limit": {change: lab(func(n *Network) { n.DNS.Cache, n.DNS.Rate, n.DNS.TTL = -1, -1, 86400 })},
	})
}

func TestServiceRules(t *testing.T) {
	t.Parallel()
	run(t, map[string]rule{
		"option of neither family": {lab(func(n *Network) { n.DHCP = &NetworkDHCP{Options: map[string]string{"rounter": "x"}} }),
			`networks.lab.dhcp.options.rounter: "rounter" is not an option of DHCPv4 (did you mean router?)`},
		"option that no subnet can have": {lab(func(n *Network) { n.DHCP = &NetworkDHCP{Options: map[string]string{"refresh-time": "60"}} }),
			`networks.lab.dhcp.options.refresh-time: DHCPv4 has no option refresh-time (write its number if there is one)`},
		"reservation by name of another port's address": {dhcp(0, func(d *DHCP) { d.Hosts = map[string]Reservation{"db": {IP: addr("10.0.0.20")}} }),
			`networks.lab.subnets[0].dhcp.hosts.db.ip: 10.0.0.20 is the address of port "vm1"`},
		"reservation by name that the port contradicts": {dhcp(0, func(d *DHCP) { d.Hosts["vm1"] = Reservation{IP: addr("10.0.0.30")} }),
			`networks.lab.subnets[0].dhcp.hosts.vm1.ip: 10.0.0.30 is not an address of port "vm1" (reserve the address the port has)`},
		"many relays": {dhcp(0, func(d *DHCP) { d.Relays = make([]netip.Addr, 257) }),
			"networks.lab.subnets[0].dhcp.relays: the list has 257 elements, at most 256 are allowed"},
		"many advertised routes": {lab(func(n *Network) { n.RA = &RA{Routes: make([]RARoute, 33)} }),
			"networks.lab.ra.routes: the list has 33 elements, at most 32 are allowed"},
		"long text": {lab(func(n *Network) { n.DNS.TXT = map[string]string{"x": strings.Repeat("x", 4097)} }),
			"networks.lab.dns.txt.x: the text has 4097 bytes, at most 4096 are allowed"},
		"long boot file": {dhcp(0, func(d *DHCP) { d.Boot = &Boot{TFTP: "/x", File: strings.Repeat("x", 256)} }),
			"networks.lab.subnets[0].dhcp.boot.file: the file has 256 characters, at most 255 can be told"},
		"long client id": {dhcp(0, func(d *DHCP) { d.Hosts["x"] = Reservation{ClientID: strings.Repeat("x", 256), IP: addr("10.0.0.5")} }),
			"networks.lab.subnets[0].dhcp.hosts.x.clientID: a client id has 2 to 255 bytes, not 256 (write it as bytes, 01:52:54:00:11:22:33, or as text)"},
		"alias of a reserved name": {lab(func(n *Network) { n.DNS.CNAMEs = map[string]string{"VM1.lab.internal": "x"} }),
			`networks.lab.dns.cnames["VM1.lab.internal"]: "VM1.lab.internal" cannot be an alias, it has a reserved address (remove one of them)`},
		"domain that leaves no room for names": {lab(func(n *Network) { n.DNS.Domain = strings.Repeat("abcdefghi.", 19) + "a" }),
			"networks.lab.dns.domain: the domain has 191 characters, at most 189 leave room for the names in it"},
		"default beside a server": {lab(func(n *Network) {
			n.DNS.Domains = map[string][]Resolver{"x.example": {DefaultResolver, resolver("10.9.0.1")}}
		}), `networks.lab.dns.domains["x.example"]: the default stands for servers of its own, beside it there can be none (remove the others)`},
		"default of default": {lab(func(n *Network) { n.DNS.Forwarders = []Resolver{DefaultResolver} }),
			"networks.lab.dns.forwarders[0]: the default is for single domains; without forwarders it is the host's resolvers (remove it)"},
		"default where nobody is asked": {func(s *Spec) {
			s.Networks["x"] = &Network{Mode: Isolated, DNS: &DNS{Domains: map[string][]Resolver{"x.example": {DefaultResolver}}}}
		}, `networks.x.dns.domains["x.example"]: there is no default: nobody is asked for names that are not known here (add forwarders, or forward: true)`},
		"forwarders that are not asked": {lab(func(n *Network) { n.DNS.Forward, n.DNS.Forwarders = no(), []Resolver{resolver("10.9.0.1")} }),
			"networks.lab.dns.forward: with forward: false nobody is asked, but there are forwarders (remove it, or forwarders)"},
		"plain names that are not asked": {lab(func(n *Network) { n.DNS.Forward, n.DNS.ForwardPlain = no(), true }),
			"networks.lab.dns.forwardPlain: with forward: false nobody is asked for plain names (remove it)"},
		"names of addresses that are not asked": {lab(func(n *Network) { n.DNS.Forward, n.DNS.ForwardReverse = no(), true }),
			"networks.lab.dns.forwardReverse: with forward: false nobody is asked for the names of addresses (remove it)"},
		"reservation of another address": {dhcp(0, func(d *DHCP) {
			d.Hosts["10.0.0.30"] = Reservation{MAC: mac("52:54:00:00:00:09"), IP: addr("10.0.0.31")}
		}),
			`networks.lab.subnets[0].dhcp.hosts["10.0.0.30"]: the name 10.0.0.30 is an address, and not the one that is reserved (write a host name, or the ip)`},
		"reservation for nobody": {dhcp(0, func(d *DHCP) { d.Hosts["10.0.0.30"] = Reservation{IP: addr("10.0.0.30")} }),
			`networks.lab.subnets[0].dhcp.hosts["10.0.0.30"]: 10.0.0.30 is reserved for nobody (add mac, clientID or duid, or write a host name)`},
		"domain with its final dot": {lab(func(n *Network) { n.DNS.Domain = "lab.internal." }),
			`networks.lab.dns.domain: "lab.internal." ends with a dot, write lab.internal`},
		"domain of the guest itself": {lab(func(n *Network) { n.DNS.Domain = "lab.localhost" }),
			`networks.lab.dns.domain: "lab.localhost" cannot be given: names of localhost mean the guest itself (RFC 6761)`},
		"domain of addresses": {lab(func(n *Network) { n.DNS.Domain = "10.IN-ADDR.arpa" }),
			`networks.lab.dns.domain: "10.IN-ADDR.arpa" is for the names of addresses, which come from hosts and leases`},
		"host of localhost": {lab(func(n *Network) { n.DNS.Hosts = map[string]Addresses{"Localhost": "10.0.0.5"} }),
			`networks.lab.dns.hosts.Localhost: "Localhost" cannot be given: names of localhost mean the guest itself (RFC 6761)`},
		"anything below nothing": {lab(func(n *Network) { n.DNS = &DNS{Hosts: map[string]Addresses{"*": "10.0.0.5"}} }),
			`networks.lab.dns.hosts["*"]: * is whatever is below the domain, and there is none (add domain)`},
		"alias of an address": {lab(func(n *Network) { n.DNS.CNAMEs = map[string]string{"a": "10.0.0.5"} }),
			"networks.lab.dns.cnames.a: 10.0.0.5 is an address, a record points to a name (give it a name in hosts)"},
		"service twice": {lab(func(n *Network) { n.DNS.SRV = []SRV{{Name: "_a._tcp"}, {Name: "_b._tcp"}, {Name: "_a._tcp"}} }),
			"networks.lab.dns.srv[2]: the record is listed twice (remove it)"},
		"mail server twice": {lab(func(n *Network) { n.DNS.MX = []MX{{Host: "a"}, {Host: "a"}} }),
			"networks.lab.dns.mx[1]: the record is listed twice (remove it)"},
		"name reserved in two ways": {dhcp(0, func(d *DHCP) {
			d.Hosts = map[string]Reservation{"DB": {IP: addr("10.0.0.30")}, "db": {IP: addr("10.0.0.31")}}
		}), `networks.lab.subnets[0].dhcp.hosts.db: "DB" and "db" are one name (remove one of them)`},
		"slaac without subnet address": {subnet(1, func(s *Subnet) { *s = Subnet{SLAAC: yes()} }),
			"networks.lab.subnets[1].address: the address is missing (write the gateway's address and prefix length, for instance 192.168.100.1/24)"},
	})
}

// Whoever follows aliases comes to an end, unless the rule says so.
func TestCirclesOfAliasesAreFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"})
		next := rapid.MapOf(name, name).Draw(t, "aliases")
		found := circles(next)
		for start := range next {
			at, back := start, false
			for range len(next) {
				if at = next[at]; at == start {
					back = true
				}
			}
			if found[start] != back {
				t.Fatalf("%s in %v: found %v", start, next, found)
			}
		}
	})
}

func TestLongChainsOfAliasesAreQuick(t *testing.T) {
	t.Parallel()
	next := map[string]string{}
	for i := range 200_000 {
		next[fmt.Sprint(i)] = fmt.Sprint(i + 1)
	}
	if found := circles(next); len(found) > 0 {
		t.Errorf("found %d", len(found))
	}
	next["200000"] = "100000"
	if found := circles(next); len(found) != 100_001 {
		t.Errorf("found %d", len(found))
	}
}

func TestNamesOfRecordsHaveOneForm(t *testing.T) {
	t.Parallel()
	d := &DNS{Domain: "Lab.Internal"}
	cases := map[string]string{
		"VM1": "vm1", "vm1.lab.internal": "vm1", "vm1.lab.internal.": "vm1", "*.apps": "*.apps", "*.apps.LAB.internal": "*.apps",
		"a.b.lab.internal": "a.b.lab.internal", "lab.internal": "lab.internal", "nas.example.org": "nas.example.org", "*.lab.internal": "*",
	}
	for name, want := range cases {
		if got := d.Key(name); got != want || d.Key(got) != want {
			t.Errorf("Key(%s) = %s, again %s, want %s", name, got, d.Key(got), want)
		}
	}
	if got := (*DNS)(nil).Key("A.b"); got != "a.b" {
		t.Errorf("without settings: %s", got)
	}
}

func TestIdentifiersAreBytes(t *testing.T) {
	t.Parallel()
	cases := map[string]Reservation{
		"\xff\x01\x02": {ClientID: "ff:01:02"}, "vm-7": {ClientID: "vm-7"}, "ab": {ClientID: "ab"}, "1:2": {ClientID: "1:2"},
		"\x00\x03\x00\x01R": {DUID: "00:03:00:01:52"}, "\x00\x03\x00\x01\x05": {DUID: "0:3:0:1:5"}, "": {MAC: mac("52:54:00:00:00:01")},
	}
	for want, r := range cases {
		if got := r.Identifier(); got != want {
			t.Errorf("%+v: got %q, want %q", r, got, want)
		}
	}
}

func TestAddressesAreTextOrAList(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Addresses{`"10.0.0.1"`: "10.0.0.1", `["10.0.0.1", "fd00::1"]`: "10.0.0.1, fd00::1", `"10.0.0.1,fd00::1"`: "10.0.0.1,fd00::1", `[]`: ""} {
		var a Addresses
		if err := json.Unmarshal([]byte(text), &a); err != nil || a != want {
			t.Errorf("%s reads as %q, %v", text, a, err)
		}
		list, err := a.List()
		if n := strings.Count(text, ".0.0.1") + strings.Count(text, "::1"); len(list) != n || (err == nil) != (n > 0) {
			t.Errorf("%s is %v, %v", text, list, err)
		}
	}
	var a Addresses
	if json.Unmarshal([]byte(`{}`), &a) == nil || json.Unmarshal([]byte(`[1]`), &a) == nil {
		t.Error("an object is accepted")
	}
}

func TestRangesAndResolversReadBackWhatTheyPrint(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		bytes := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 4, 4), rapid.SliceOfN(rapid.Byte(), 16, 16)).Draw(t, "address")
		a, _ := netip.AddrFromSlice(bytes)
		r := LeaseRange{AddrRange{a, a}, Seconds(rapid.Int64Range(-1, 1<<32).Draw(t, "lease"))}
		if got, err := ParseLeaseRange(r.String()); err != nil || got != r {
			t.Fatalf("%s reads as %v, %v", r, got, err)
		}
		s := Resolver(netip.AddrPortFrom(a, rapid.OneOf(rapid.Just[uint16](53), rapid.Uint16Min(1)).Draw(t, "port")))
		if got, err := ParseResolver(s.String()); err != nil || got != s {
			t.Fatalf("%s reads as %v, %v", s, got, err)
		}
	})
	if got, err := ParseResolver(DefaultResolver.String()); err != nil || got != DefaultResolver {
		t.Errorf("the default reads as %v, %v", got, err)
	}
	for _, s := range []string{"", "lease 2h", "10.0.0.1 lease", "10.0.0.1 lease -1", "10.0.0.1lease 2h"} {
		if r, err := ParseLeaseRange(s); err == nil {
			t.Errorf("%q reads as the range %v", s, r)
		}
	}
	for _, s := range []string{"", "dns.example", "1.1.1.1:", "1.1.1.1:0", "1.1.1.1:70000", "fd00::1:5353x", "[fd00::1]"} {
		if r, err := ParseResolver(s); err == nil {
			t.Errorf("%q reads as the resolver %v", s, r)
		}
	}
}

func TestGuestAddresses(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"10.0.0.1/24": "10.0.0.1-10.0.0.254", "10.0.0.1/30": "10.0.0.1-10.0.0.2", "10.0.0.1/31": "10.0.0.0-10.0.0.1", "10.0.0.1/32": "10.0.0.1-10.0.0.1",
		"fd00::1/120": "fd00::1-fd00::ff", "fd00::1/127": "fd00::-fd00::1",
	}
	for _, p := range slices.Sorted(maps.Keys(cases)) {
		if got := GuestAddresses(prefix(p)).String(); got != cases[p] {
			t.Errorf("%s: got %s, want %s", p, got, cases[p])
		}
	}
}
