package lab

import (
	"slices"
	"strings"
	"testing"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
	"kvmnet/internal/testhost"
)

// laid reads a file and lays its networks out.
func laid(t *testing.T, text string) *layout {
	t.Helper()
	f, problems := specfile.Parse("f.yaml", []byte(text))
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	l := &layout{spec: f.Spec}
	var names []string
	for name := range f.Spec.Networks {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		must(t, l.settle(name, f.Spec.Networks[name], i))
	}
	return l
}

// kinds are a network of each mode.
const kinds = `
networks:
  silent:   {mode: isolated}
  isolated: {mode: isolated, subnets: [{address: 10.0.1.1/24}, {address: "fd00:1::1/64"}]}
  nat:      {mode: nat, subnets: [{address: 10.0.2.1/24}, {address: "fd00:2::1/64"}]}
  nat44:    {mode: nat, nat: {ipv6: false}, subnets: [{address: 10.0.3.1/24}, {address: "fd00:3::1/64"}]}
  route:    {mode: route, subnets: [{address: 10.0.4.1/24}, {address: "fd00:4::1/64"}]}
  open:     {mode: open, subnets: [{address: 10.0.5.1/24}, {address: "fd00:5::1/64"}]}
  bridge:   {mode: bridge, bridge: {name: br0}}
`

var anyTCP = traffic{testhost.TCP, testhost.EchoPort}

func TestPromisesOfAMode(t *testing.T) {
	t.Parallel()
	l := laid(t, kinds)
	for name, want := range map[string][4]string{
		// to its gateway, to the outside over IPv4 and IPv6, from the outside
		"silent":   {untold, no, no, no},
		"isolated": {yes, no, no, no},
		"nat":      {yes, rewritten, rewritten, no},
		"nat44":    {yes, rewritten, kept, no},
		"route":    {yes, kept, kept, kept},
		"open":     {yes, kept, kept, kept},
		"bridge":   {untold, kept, kept, kept},
	} {
		n := l.find(name)
		got := [4]string{atGateway(n), l.toOutside(n, n.seats[0], v4, anyTCP), l.toOutside(n, n.seats[0], v6, anyTCP), l.fromOutside(outsideAddr.addr(v4), n, n.seats[0], anyTCP)}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestPromisesBetweenNetworks(t *testing.T) {
	t.Parallel()
	l := laid(t, kinds)
	to := []string{"silent", "isolated", "nat", "route", "open", "bridge"}
	for from, want := range map[string][6]string{
		"silent":   {no, no, no, no, no, no},
		"isolated": {no, no, no, no, no, no},
		"nat":      {no, no, no, no, no, rewritten},
		"route":    {no, no, no, kept, kept, kept},
		"open":     {no, no, no, kept, kept, kept},
		"bridge":   {no, no, no, kept, kept, kept},
	} {
		for i, other := range to {
			for _, f := range families {
				if got := l.between(l.find(from), l.find(other), f, anyTCP); from != other && got != want[i] {
					t.Errorf("%s to %s over %s: got %q, want %q", from, other, f, got, want[i])
				}
			}
		}
	}
	if got := l.between(l.find("nat44"), l.find("bridge"), v6, anyTCP); got != kept {
		t.Errorf("nat without IPv6 to bridge over IPv6: got %q, want %q", got, kept)
	}
}

func TestRoutedAreThoseWhoKeepTheirAddresses(t *testing.T) {
	t.Parallel()
	l := laid(t, kinds)
	for name, want := range map[string][2]bool{"silent": {}, "isolated": {}, "nat": {}, "nat44": {false, true},
		"route": {true, true}, "open": {true, true}, "bridge": {}} {
		if got := [2]bool{l.routed(l.find(name), v4), l.routed(l.find(name), v6)}; got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

// routers is a world of networks behind routers, beside those of the host.
const routers = `
networks:
  nat:    {mode: nat, subnets: [{address: 192.168.100.1/24}]}
  route:  {mode: route, subnets: [{address: 10.0.4.1/24}]}
  lan:    {mode: bridge, bridge: {name: br0}}
  masq:   {mode: isolated}
  twin:   {mode: isolated}
  snat:   {mode: isolated}
  kept:   {mode: isolated}
  alone:  {mode: isolated}
  shut:   {mode: isolated, policy: outbound}
  inner:  {mode: isolated}
  linked: {mode: isolated}
routers:
  r1:
    uplink: {bridge: br0, address: 192.168.1.100/24, gateway: 192.168.1.1}
    interfaces:
      - {network: masq, address: 133.133.1.254/24, egress: masquerade}
      - {network: kept, address: 133.133.2.254/24, egress: route}
      - {network: alone, address: 133.133.3.254/24}
      - {network: shut, address: 133.133.4.254/24, egress: route}
  r2:
    uplink: {bridge: br0, address: 192.168.1.101/24, gateway: 192.168.1.1}
    interfaces:
      - {network: twin, address: 133.133.1.254/24, egress: masquerade}
      - {network: snat, address: 10.2.0.1/24, egress: snat, snat: {address: 192.168.1.110-192.168.1.112}, allow: [{protocol: tcp, ports: 443}]}
  r3:
    uplink: {network: nat, address: 192.168.100.50/24, gateway: 192.168.100.1}
    interfaces:
      - {network: inner, address: 10.3.0.1/24, egress: masquerade}
  r4:
    uplink: {host: route, address: 10.255.0.2/30, gateway: 10.255.0.1}
    interfaces:
      - {network: linked, address: 10.4.0.1/24, egress: route}
`

func TestPromisesOfRouters(t *testing.T) {
	t.Parallel()
	l := laid(t, routers)
	const r1, range2 = as + "192.168.1.100", as + "192.168.1.110-192.168.1.112"
	for name, want := range map[string][4]string{
		// to its gateway, to the outside, there by tcp/443, from the outside
		"masq":   {yes, r1, r1, no},
		"kept":   {yes, kept, kept, kept},
		"alone":  {yes, no, no, no},
		"shut":   {yes, kept, kept, no},
		"snat":   {yes, no, range2, no},
		"inner":  {yes, rewritten, rewritten, no},
		"linked": {yes, kept, kept, kept},
	} {
		n := l.find(name)
		got := [4]string{atGateway(n), l.toOutside(n, n.seats[0], v4, anyTCP),
			l.toOutside(n, n.seats[0], v4, traffic{testhost.TCP, 443}), l.fromOutside(outsideAddr.addr(v4), n, n.seats[0], anyTCP)}
		if got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if got := l.toOutside(n, n.seats[0], v6, anyTCP); got != no {
			t.Errorf("%s over IPv6, which its router has not: %q", name, got)
		}
	}
}

func TestPromisesBetweenRouters(t *testing.T) {
	t.Parallel()
	l := laid(t, routers)
	const r1, r3 = as + "192.168.1.100", as + "192.168.100.50"
	for pair, want := range map[string]string{
		// behind one router
		"masq kept": no, "kept masq": no, "kept alone": no, "alone kept": no, "kept shut": no, "shut kept": kept,
		// behind another one, over the LAN
		"snat kept": no, "twin kept": as + "192.168.1.101", "kept twin": untold, "masq twin": untold, "inner kept": rewritten, "linked kept": kept,
		// with networks of the host
		"masq route": r1, "masq nat": no, "nat kept": rewritten, "route kept": kept, "route masq": no, "kept lan": kept, "lan kept": kept,
		// over a network of the host, and over a link to it
		"inner nat": r3, "inner route": no, "nat inner": no, "linked route": kept, "route linked": kept, "nat linked": no, "linked nat": no,
	} {
		from, to, _ := strings.Cut(pair, " ")
		if got := l.between(l.find(from), l.find(to), v4, anyTCP); got != want {
			t.Errorf("%s: got %q, want %q", pair, got, want)
		}
	}
}

func TestWhereTheOutsideSendsPackets(t *testing.T) {
	t.Parallel()
	l := laid(t, routers)
	for name, want := range map[string]string{"masq": "false 192.168.1.100", "kept": "true 192.168.1.100", "shut": "true 192.168.1.100",
		"snat": "false 192.168.1.101", "inner": "false 192.0.2.2", "linked": "true 192.0.2.2", "route": "true 192.0.2.2"} {
		n := l.find(name)
		if got := map[bool]string{true: "true ", false: "false "}[l.routed(n, v4)] + l.next(n, v4).String(); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
}

func TestTheSourceMayBeOneOfARange(t *testing.T) {
	t.Parallel()
	r, err := spec.ParseAddrRange("192.168.1.110-192.168.1.112")
	must(t, err)
	promise := outcome(r)
	for source, want := range map[string]string{"192.168.1.111": promise, "192.168.1.113": as + "192.168.1.113"} {
		a := spec.AddrRange{}
		must(t, a.UnmarshalText([]byte(source)))
		if got := plain(promise, verdict{outcome: outcome(a), source: a.From}); got.outcome != want {
			t.Errorf("%s: got %q, want %q", source, got.outcome, want)
		}
	}
}
