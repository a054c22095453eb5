package lab

import (
	"slices"
	"testing"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

const policed = `
networks:
  web:   {mode: nat, subnets: [{address: 10.0.1.1/24}]}
  db:    {mode: nat, subnets: [{address: 10.0.2.1/24}]}
  open:  {mode: nat, policy: open, subnets: [{address: 10.0.3.1/24}]}
  shut:  {mode: route, policy: isolated, subnets: [{address: 10.0.4.1/24}]}
  out:   {mode: route, policy: outbound, subnets: [{address: 10.0.5.1/24}]}
  a:     {mode: nat, peers: [b], subnets: [{address: 10.0.6.1/24}]}
  b:     {mode: nat, subnets: [{address: 10.0.7.1/24}]}
  red:   {mode: isolated}
  blue:  {mode: isolated}
routers:
  r1:
    uplink: {bridge: br0, address: 192.168.1.100/24, gateway: 192.168.1.1}
    interfaces:
      - {network: red, address: 133.133.1.254/24, egress: masquerade}
      - {network: blue, address: 133.133.2.254/24}
policies:
  web-to-db:  {from: web, to: db, allow: [{protocol: tcp, ports: [5432, 6000-6010]}]}
  no-spam:    {from: web, to: outside, deny: [{protocol: tcp, ports: [25]}]}
  ping:       {from: outside, to: web/guests, allow: [{protocol: icmp}]}
  all:        {from: any, to: open, priority: 10, reject: [{protocol: udp}], allow: [{}]}
  never:      {from: set/office, to: open, priority: 5, deny: [{}]}
  red-blue:   {from: red, to: blue, allow: [{ports: 80}]}
  far:        {from: red, to: db, allow: [{}]}
sets:
  office: {addresses: [10.0.6.0/24, 10.0.7.0/24]}
`

func TestPoliciesDecide(t *testing.T) {
	t.Parallel()
	l := laid(t, policed)
	for _, c := range []struct {
		from, to string
		proto    testhost.Proto
		port     uint16
		want     string
	}{
		{"web", "db", testhost.TCP, 5432, kept},
		{"web", "db", testhost.TCP, 6005, kept},
		{"web", "db", testhost.UDP, 5432, no},
		{"web", "db", testhost.ICMP, 0, no},
		{"db", "web", testhost.TCP, 5432, no},
		{"web", "open", testhost.TCP, 1, kept},
		{"web", "open", testhost.UDP, 1, no},
		{"a", "open", testhost.TCP, 1, no},
		{"a", "b", testhost.UDP, 1, kept},
		{"b", "a", testhost.UDP, 1, kept},
		{"out", "shut", testhost.TCP, 1, no},
		{"shut", "out", testhost.TCP, 1, no},
		{"red", "blue", testhost.UDP, 80, kept},
		{"red", "blue", testhost.TCP, 81, no},
		{"red", "db", testhost.TCP, 1, untold}, // behind different gateways
	} {
		if got := l.between(l.find(c.from), l.find(c.to), v4, traffic{c.proto, c.port}); got != c.want {
			t.Errorf("%s to %s by %s/%d: got %q, want %q", c.from, c.to, c.proto, c.port, got, c.want)
		}
	}
	for _, c := range []struct {
		network  string
		t        traffic
		out, in_ string
	}{
		{"web", traffic{testhost.TCP, 25}, no, no},
		{"web", traffic{testhost.TCP, 26}, rewritten, no},
		{"web", traffic{proto: testhost.ICMP}, rewritten, kept},
		{"open", anyTCP, rewritten, kept},
		{"open", traffic{testhost.UDP, 1}, rewritten, no},
		{"shut", anyTCP, no, no},
		{"out", anyTCP, kept, no},
		{"blue", anyTCP, no, no},
	} {
		n := l.find(c.network)
		if out, in := l.toOutside(n, n.seats[0], v4, c.t), l.fromOutside(outsideAddr.addr(v4), n, n.seats[0], c.t); out != c.out || in != c.in_ {
			t.Errorf("%s by %v: got %q and %q, want %q and %q", c.network, c.t, out, in, c.out, c.in_)
		}
	}
}

func TestOpenedNetworksHaveARouter(t *testing.T) {
	t.Parallel()
	l := laid(t, policed)
	for name, want := range map[string]bool{"web": true, "shut": true, "red": true, "blue": true} {
		if got := l.leadsSomewhere(l.find(name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	l.spec.Policies = nil
	if l.leadsSomewhere(l.find("blue")) {
		t.Error("nobody is beyond the gateway of blue")
	}
}

// What policies say of single ports has rows of its own.
func TestPoliciesHaveRows(t *testing.T) {
	t.Parallel()
	l := laid(t, policed)
	d := newDemo(Options{}, &topology{spec: l.spec})
	d.layout = l
	d.world.outside = &testhost.Host{}
	for _, n := range l.networks {
		n.guests = [2]*party{{name: n.seats[0].name, addr: n.seats[0].addr}, {name: n.seats[1].name, addr: n.seats[1].addr}}
		for _, g := range n.guests {
			g.host = &testhost.Host{}
		}
	}
	s := &sheet{d: d}
	s.policed()
	var rows []string
	for _, c := range s.cells {
		rows = append(rows, c.column+" | "+c.row+" | "+c.promise)
	}
	want := []string{
		"web | policy no-spam: tcp/25 → outside | no",
		"web | policy ping: icmp from outside | yes",
		"red | policy red-blue: port/80 → blue | yes, kept",
		"web | policy web-to-db: tcp/5432, 6000-6010 → db | yes, kept",
	}
	if !slices.Equal(rows, want) {
		t.Errorf("got  %q\nwant %q", rows, want)
	}
}

func TestSamples(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind spec.Traffic
		want []traffic
	}{
		{spec.Traffic{}, everything},
		{spec.Traffic{Protocol: spec.TCP}, []traffic{anyTCP}},
		{spec.Traffic{Ports: "80-90, 443"}, []traffic{{testhost.TCP, 80}, {testhost.UDP, 80}}},
		{spec.Traffic{Protocol: spec.ICMP}, everything[:1]},
		{spec.Traffic{Protocol: spec.SCTP, Ports: "1"}, nil},
	} {
		if got := samples(c.kind); !slices.Equal(got, c.want) {
			t.Errorf("%+v: got %v, want %v", c.kind, got, c.want)
		}
	}
}
