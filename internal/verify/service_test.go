package verify

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// withDHCP switches DHCP on, on every subnet.
func withDHCP(n *spec.Network) *spec.Network {
	for i := range n.Subnets {
		n.Subnets[i].DHCP = &spec.DHCP{}
	}
	return n
}

// offered are addresses that guests are offered.
var offered = regexp.MustCompile(`of (10\.|fd)[0-9a-f.:]*[0-9a-f]|of X`)

// served are the lines about services.
func served(lines []string) (list []string) {
	for _, l := range lines {
		if strings.Contains(l, "DHCP") || strings.Contains(l, "router advertisement") || strings.Contains(l, "by DNS") {
			list = append(list, offered.ReplaceAllString(l, "of X"))
		}
	}
	return list
}

func TestServicesOfANetworkArePromised(t *testing.T) {
	t.Parallel()
	off, never := false, spec.Seconds(0)
	named := withDHCP(network(spec.NAT, "lab0", "10.1.0.1/24", "fd00:1::1/64"))
	named.DNS = &spec.DNS{Domain: "lab.internal"}
	silent := network(spec.Route, "dmz0", "10.2.0.1/24", "fd00:2::1/64")
	silent.DNS, silent.RA = &spec.DNS{Enabled: &off}, &spec.RA{Enabled: &off}
	silent.Subnets[0].DHCP = &spec.DHCP{Enabled: &off}
	several := withDHCP(network(spec.NAT, "lab0", "10.1.0.1/24", "10.3.0.1/29", "fd00:3::1/64", "fd00:1::1/120"))
	several.RA = &spec.RA{Lifetime: &never}
	several.DNS = &spec.DNS{Enabled: &off}
	static := network(spec.NAT, "lab0", "10.1.0.1/24", "fd00:1::1/64")
	static.Subnets[0].DHCP, static.Subnets[1].DHCP = &spec.DHCP{Static: true}, &spec.DHCP{Static: true}
	static.DNS = silent.DNS
	for _, c := range []struct {
		name string
		nets map[string]*spec.Network
		only string
		want []string
	}{
		{"everything", map[string]*spec.Network{"lab": named, "cell": withDHCP(network(spec.Isolated, "cell0", "10.5.0.1/24", "fd00:5::1/64"))}, "", []string{
			"cell: guest → address by DHCP (10.5.0.0/24): an offer: an offer of X",
			"cell: guest → router advertisement: fd00:5::/64, no router: fd00:5::/64, no router",
			"cell: guest → address by DHCPv6: an advertise: an advertise of X",
			"cell: guest → name of the gateway by DNS 10.5.0.1 (udp): an answer of its own: an answer of its own",
			"cell: guest → name of the gateway by DNS 10.5.0.1 (tcp): an answer of its own: an answer of its own",
			"cell: guest → name of the gateway by DNS fd00:5::1 (udp): an answer of its own: an answer of its own",
			"cell: guest → name of the gateway by DNS fd00:5::1 (tcp): an answer of its own: an answer of its own",
			"cell: guest → names by DNS 10.1.0.1 of lab (udp): no answer: no answer",
			"cell: guest → names by DNS fd00:1::1 of lab (udp): no answer: no answer",
			"lab: guest → address by DHCP (10.1.0.0/24): an offer: an offer of X",
			"lab: guest → router advertisement: fd00:1::/64, router: fd00:1::/64, router",
			"lab: guest → address by DHCPv6: an advertise: an advertise of X",
			"lab: guest → SOA of lab.internal by DNS 10.1.0.1 (udp): an answer of its own: an answer of its own",
			"lab: guest → SOA of lab.internal by DNS 10.1.0.1 (tcp): an answer of its own: an answer of its own",
			"lab: guest → SOA of lab.internal by DNS fd00:1::1 (udp): an answer of its own: an answer of its own",
			"lab: guest → SOA of lab.internal by DNS fd00:1::1 (tcp): an answer of its own: an answer of its own",
			"lab: guest → names by DNS 10.5.0.1 of cell (udp): no answer: no answer",
			"lab: guest → names by DNS fd00:5::1 of cell (udp): no answer: no answer",
		}},
		{"nothing is on", map[string]*spec.Network{"dmz": silent, "quiet": network(spec.Isolated, "quiet0")}, "", nil},
		{"a network without an address asks another one", map[string]*spec.Network{
			"lab": network(spec.NAT, "lab0", "10.1.0.1/24"), "quiet": network(spec.Isolated, "quiet0"),
		}, "quiet", []string{
			"quiet: guest → names by DNS 10.1.0.1 of lab (udp): no answer: no answer",
		}},
		{"several subnets", map[string]*spec.Network{"lab": several}, "", []string{
			"lab: guest → address by DHCP (10.1.0.0/24 or 10.3.0.0/29): an offer: an offer of X",
			"lab: guest → router advertisement: fd00:1::/120, fd00:3::/64, no router: fd00:1::/120, fd00:3::/64, no router",
			"lab: guest → address by DHCPv6: an advertise: an advertise of X",
		}},
		{"only reserved addresses", map[string]*spec.Network{"lab": static}, "", []string{
			"lab: guest → address by DHCP (10.1.0.0/24): an offer: not checked: only reserved addresses are given",
			"lab: guest → router advertisement: fd00:1::/64, router: fd00:1::/64, router",
			"lab: guest → address by DHCPv6: an advertise: not checked: only reserved addresses are given",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, c.nets)
			o := l.options()
			if c.only != "" {
				o.Only = []string{c.only}
			}
			checks := verify(t, o)
			same(t, broken(checks), nil)
			if got := served(lines(checks)); !slices.Equal(got, c.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
		})
	}
}

func TestNoLeaseIsTaken(t *testing.T) {
	t.Parallel()
	l := newLab(t, map[string]*spec.Network{"lab": withDHCP(network(spec.NAT, "lab0", "10.1.0.1/24", "fd00:1::1/64"))})
	same(t, broken(verify(t, l.options())), nil)
	if leases := l.book.Table("lab").Leases(); len(leases) > 0 {
		t.Errorf("leases after it: %+v", leases)
	}
}

// TestAllAddressesLeasedIsNoBrokenPromise has subnets with one address each, which
// the guest of the first run is offered, and so the next one is not.
func TestAllAddressesLeasedIsNoBrokenPromise(t *testing.T) {
	t.Parallel()
	n := withDHCP(network(spec.NAT, "lab0", "10.1.0.1/24", "fd00:1::1/64"))
	four, six := netip.MustParseAddr("10.1.0.50"), netip.MustParseAddr("fd00:1::50")
	n.Subnets[0].DHCP.Ranges = []spec.LeaseRange{{AddrRange: spec.AddrRange{From: four, To: four}}}
	n.Subnets[1].DHCP.Ranges = []spec.LeaseRange{{AddrRange: spec.AddrRange{From: six, To: six}}}
	l := newLab(t, map[string]*spec.Network{"lab": n})
	same(t, broken(verify(t, l.options())), nil)
	o := l.options()
	same(t, broken(verify(t, o)), []string{
		"lab: guest → address by DHCP (10.1.0.0/24): no answer",
		"lab: guest → address by DHCPv6: an advertise: no address",
	})
	o.Held = map[netip.Addr]bool{four: true, six: true}
	checks := verify(t, o)
	same(t, broken(checks), nil)
	full := 0
	for _, c := range checks {
		if c.Seen == "not checked: every address is leased" {
			full++
		}
	}
	if full != 2 {
		t.Errorf("%d promises were not checked, want 2:\n%s", full, strings.Join(lines(checks), "\n"))
	}
}

// TestABrokenServiceIsReportedAndNoOther breaks services one way at a time.
func TestABrokenServiceIsReportedAndNoOther(t *testing.T) {
	t.Parallel()
	nat := func() *spec.Network { return withDHCP(network(spec.NAT, "lab0", "10.1.0.1/24", "fd00:1::1/64")) }
	for _, c := range []struct {
		name  string
		nets  map[string]*spec.Network
		spoil func(l *lab)
		want  []string
	}{
		{"nobody serves", map[string]*spec.Network{"lab": nat()}, func(l *lab) { l.unserve() }, []string{
			"lab: guest → address by DHCP (10.1.0.0/24): no answer",
			"lab: guest → router advertisement: no answer",
			"lab: guest → address by DHCPv6: no answer",
			"lab: guest → name of the gateway by DNS 10.1.0.1 (udp): no answer: connection refused",
			"lab: guest → name of the gateway by DNS 10.1.0.1 (tcp): no answer: connection refused",
			"lab: guest → name of the gateway by DNS fd00:1::1 (udp): no answer: connection refused",
			"lab: guest → name of the gateway by DNS fd00:1::1 (tcp): no answer: connection refused",
		}},
		{"the bridge drops answers of DHCP", map[string]*spec.Network{"lab": nat()}, func(l *lab) {
			l.nft("add table bridge x; add chain bridge x f { type filter hook postrouting priority 0; }; add rule bridge x f udp dport { 68, 546 } drop")
		}, []string{
			"lab: guest → address by DHCP (10.1.0.0/24): no answer",
			"lab: guest → address by DHCPv6: no answer",
		}},
		{"the bridge drops solicitations", map[string]*spec.Network{"lab": nat()}, func(l *lab) {
			l.nft("add table bridge x; add chain bridge x f { type filter hook prerouting priority 0; }; add rule bridge x f icmpv6 type nd-router-solicit drop")
		}, []string{
			"lab: guest → router advertisement: no answer",
		}},
		{"the host's firewall closes a port", map[string]*spec.Network{"lab": nat()}, func(l *lab) {
			l.nft("add table inet x; add chain inet x f { type filter hook input priority -10; }; add rule inet x f iifname lab0 tcp dport 53 drop")
		}, []string{
			"lab: guest → name of the gateway by DNS 10.1.0.1 (tcp): no answer: silence",
			"lab: guest → name of the gateway by DNS fd00:1::1 (tcp): no answer: silence",
		}},
		{"another resolver has the port", map[string]*spec.Network{
			"lab":  network(spec.NAT, "lab0", "10.1.0.1/24"),
			"wild": network(spec.Open, "wild0", "10.4.0.1/24"),
		}, func(l *lab) {
			l.unserve()
			l.resolver()
		}, []string{
			"lab: guest → name of the gateway by DNS 10.1.0.1 (udp): an answer of somebody else: Success",
			"lab: guest → name of the gateway by DNS 10.1.0.1 (tcp): no answer: connection refused",
			"wild: guest → name of the gateway by DNS 10.4.0.1 (udp): an answer of somebody else: Success",
			"wild: guest → name of the gateway by DNS 10.4.0.1 (tcp): no answer: connection refused",
			"wild: guest → names by DNS 10.1.0.1 of lab (udp): answered: Success",
		}},
		{"a router where there is none", map[string]*spec.Network{"lab": network(spec.NAT, "lab0", "fd00:1::1/64")}, func(l *lab) {
			never := spec.Seconds(0)
			promised := network(spec.NAT, "lab0", "fd00:1::1/64")
			promised.RA = &spec.RA{Lifetime: &never}
			l.running = map[string]*spec.Network{"lab": promised}
		}, []string{
			"lab: guest → router advertisement: fd00:1::/64, router",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l := newLab(t, c.nets)
			c.spoil(l)
			same(t, broken(verify(t, l.options())), c.want)
		})
	}
}

// resolver is a resolver on the machine that listens everywhere, as many do, and
// knows nothing by itself.
func (l *lab) resolver() {
	l.t.Helper()
	var conn net.PacketConn
	nstest.Eventually(l.t, 5*time.Second, func() error { // a socket closes when its last reader has gone
		return l.Machine.NS().Do(func() (err error) { conn, err = net.ListenPacket("udp4", ":53"); return err })
	})
	l.t.Cleanup(func() { conn.Close() })
	go func() {
		for buf := make([]byte, 512); ; {
			n, from, err := conn.ReadFrom(buf)
			var m dnsmessage.Message
			if err != nil || m.Unpack(buf[:n]) != nil {
				return
			}
			m.Response = true
			if answer, err := m.Pack(); err == nil {
				conn.WriteTo(answer, from)
			}
		}
	}()
}
