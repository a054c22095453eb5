package daemon_test

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/testhost"
)

// served is a NAT network of both families. Its leases are as short as clients
// bear: networkd rebinds on the server's timer only, and renews IPv6 up to 10 s
// late.
const served = `
networks:
  lab:
    mode: nat
    bridge: {name: lab0, mtu: 1400}
    dhcp: {leaseTime: 40s}
    dns: {domain: lab.internal}
    subnets:
      - {address: 10.9.0.1/24, dhcp: {ranges: [10.9.0.10-10.9.0.99]}}
      - {address: "fd09::1/64", dhcp: {ranges: ["fd09::1000-fd09::1fff"]}}
`

func TestRealClientsTakeRenewRebindReleaseAndTakeAgain(t *testing.T) {
	t.Parallel()
	l := nstest.NewLab(t)
	m := newMachine(t, l.Machine.NS())
	m.Start(0)
	m.Apply(served)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.Log)
		}
	})
	t.Run("clients", func(t *testing.T) { // ends before the daemon does
		for name, join := range peers.All() {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				c := join(t, l.Machine, "lab0")
				peers.Exercise(t, c, labWant(t, l, c.Family()))
				findByName(t, l, c)
			})
		}
	})
}

// labWant is what a client of the network above is given.
func labWant(t *testing.T, l *nstest.Lab, family int) peers.Want {
	t.Helper()
	if family == 6 {
		return peers.Want{Router: linkLocal(t, l.Machine, "lab0"), Prefix: netip.MustParsePrefix("fd09::1000/116"), Bits: 128, DNS: []netip.Addr{netip.MustParseAddr("fd09::1")},
			Domain: "lab.internal", Time: 40 * time.Second, Patience: time.Minute}
	}
	return peers.Want{Prefix: netip.MustParsePrefix("10.9.0.0/24"), Bits: 24, Router: netip.MustParseAddr("10.9.0.1"),
		DNS: []netip.Addr{netip.MustParseAddr("10.9.0.1")}, Domain: "lab.internal", MTU: 1400, Time: 40 * time.Second, Patience: time.Minute}
}

// findByName asks for the machine of a client that told its name.
func findByName(t *testing.T, l *nstest.Lab, c peers.Client) {
	t.Helper()
	if c.HostName() == "" || c.Family() != 4 {
		return
	}
	want := c.Trace().Last("ACK").V4.YourIPAddr.String()
	a, err := peers.Dig(t.Context(), t, l.Machine, netip.MustParseAddr("10.9.0.1"), c.HostName()+".lab.internal", "A")
	if err != nil || !slices.Equal(a.Values("A"), []string{want}) {
		t.Errorf("%s: %v: got %v, want %s", c.HostName(), err, a.Answer, want)
	}
}

// linkLocal is the address from which an interface sends router advertisements.
func linkLocal(t *testing.T, h *testhost.Host, ifname string) netip.Addr {
	t.Helper()
	list, err := h.Addresses(ifname)
	for _, p := range list {
		if p.Addr().IsLinkLocalUnicast() && p.Addr().Is6() {
			return p.Addr()
		}
	}
	t.Fatalf("%s has no link-local address: %v, %v", ifname, list, err)
	return netip.Addr{}
}

// named is a network with a record of every type.
const named = `
networks:
  lab:
    mode: nat
    bridge: {name: lab0}
    subnets:
      - {address: 10.9.0.1/24, dhcp: {hosts: {db: {mac: "52:54:00:00:00:77", ip: 10.9.0.77}}}}
      - {address: "fd09::1/64"}
    dns:
      domain: lab.internal
      localOnly: true
      hosts: {web: [10.9.0.7, "fd09::7"], "*.apps": 10.9.0.8}
      cnames: {www: web}
      txt: {note: "two words"}
      srv: [{name: _ldap._tcp, target: web, port: 389, priority: 1, weight: 2}]
      mx: [{host: web, preference: 10}]
`

// Dig asks for every type of record, over UDP and TCP, IPv4 and IPv6.
func TestDigIsAnsweredForEveryRecordType(t *testing.T) {
	t.Parallel()
	l := nstest.NewLab(t)
	m := newMachine(t, l.Machine.NS())
	m.Start(0)
	m.Apply(named)
	guest := l.Guest(t, "asker", "lab0", "10.9.0.2/24", "fd09::2/64")
	for _, c := range []struct{ name, kind, status, want string }{
		{"web.lab.internal", "A", "NOERROR", "web.lab.internal. A 10.9.0.7"},
		{"web.lab.internal", "AAAA", "NOERROR", "web.lab.internal. AAAA fd09::7"},
		{"db.lab.internal", "A", "NOERROR", "db.lab.internal. A 10.9.0.77"},
		{"db.lab.internal", "AAAA", "NOERROR", ""},
		{"x.apps.lab.internal", "A", "NOERROR", "x.apps.lab.internal. A 10.9.0.8"},
		{"www.lab.internal", "A", "NOERROR", "www.lab.internal. CNAME web.lab.internal.|web.lab.internal. A 10.9.0.7"},
		{"note.lab.internal", "TXT", "NOERROR", `note.lab.internal. TXT "two words"`},
		{"_ldap._tcp.lab.internal", "SRV", "NOERROR", "_ldap._tcp.lab.internal. SRV 1 2 389 web.lab.internal."},
		{"lab.internal", "MX", "NOERROR", "lab.internal. MX 10 web.lab.internal."},
		{"7.0.9.10.in-addr.arpa", "PTR", "NOERROR", "7.0.9.10.in-addr.arpa. PTR web.lab.internal."},
		{"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.d.f.ip6.arpa", "PTR", "NOERROR",
			"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.9.0.d.f.ip6.arpa. PTR web.lab.internal."},
		{"none.lab.internal", "A", "NXDOMAIN", ""},
	} {
		for _, at := range []string{"10.9.0.1", "fd09::1"} {
			for _, over := range []string{"+notcp", "+tcp"} {
				a, err := peers.Dig(t.Context(), t, guest, netip.MustParseAddr(at), c.name, c.kind, over)
				var got []string
				for _, r := range a.Answer {
					got = append(got, r.String())
				}
				slices.Sort(got)
				want := strings.FieldsFunc(c.want, func(r rune) bool { return r == '|' })
				slices.Sort(want)
				if err != nil || a.Status != c.status || !slices.Equal(got, want) || a.TCP != (over == "+tcp") {
					t.Errorf("%s %s at %s %s: %v, %s %q, want %s %q", c.name, c.kind, at, over, err, a.Status, got, c.status, want)
				}
				if len(want) == 0 && (len(a.Authority) != 1 || a.Authority[0].Type != "SOA") {
					t.Errorf("%s %s at %s %s: authority %v, want a SOA", c.name, c.kind, at, over, a.Authority)
				}
			}
		}
	}
}

// A daemon that is killed comes back with all leases: nobody needs to ask anew.
func TestClientsRenewTheSameAddressAfterAKill(t *testing.T) {
	t.Parallel()
	l := nstest.NewLab(t)
	m := newMachine(t, l.Machine.NS())
	m.Start(0)
	m.Apply(served)
	had := map[peers.Client]peers.Lease{}
	for _, name := range []string{"udhcpc", "dhcpcd", "networkd", "strict", "dhcpcd6"} {
		c := peers.All()[name](t, l.Machine, "lab0")
		lease, err := c.Take(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		had[c] = lease
	}
	m.Kill()
	m.Start(0)
	m.Settled()
	for c, before := range had {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		lease, err := c.Renew(ctx)
		cancel()
		if err != nil || lease.Address != before.Address {
			t.Errorf("%s: renewed %s, %v; had %s", c.Name(), lease.Address, err, before.Address)
		}
		if nak := c.Trace().Last("NAK"); nak != nil {
			t.Errorf("%s: was refused: %s", c.Name(), nak)
		}
	}
}
