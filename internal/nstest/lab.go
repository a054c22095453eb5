package nstest

import (
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// Lab is a small world around a machine whose network is under test:
//
//	machine ── eth0 192.0.2.2/24 2001:db8:2::2/64 ─┐
//	                                               LAN (bridge lan0)
//	neighbour ─ eth0 192.0.2.3/24 2001:db8:2::3/64 ┤
//	outside ─── eth0 192.0.2.1/24 2001:db8:2::1/64 ┘ 198.51.100.1/32 2001:db8:ffff::1/128 on lo
//
// Machine and neighbour have their default routes through outside, which
// forwards nothing and has no route to any network of the machine, like a home
// router or the Internet.
type Lab struct {
	Machine   *testhost.Host // where kvmnet works
	LAN       *testhost.Host // the switch
	Outside   *testhost.Host
	Neighbour *testhost.Host

	OutsideEcho   *testhost.Echo
	NeighbourEcho *testhost.Echo
}

// Addresses of the lab (RFC 5737 and RFC 3849 keep them for documentation).
var (
	Machine4, Machine6     = netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("2001:db8:2::2")
	Outside4, Outside6     = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8:2::1")
	Neighbour4, Neighbour6 = netip.MustParseAddr("192.0.2.3"), netip.MustParseAddr("2001:db8:2::3")
	Internet4, Internet6   = netip.MustParseAddr("198.51.100.1"), netip.MustParseAddr("2001:db8:ffff::1") // behind the gateway
)

// NewLab builds a lab, taken down at the end of the test.
func NewLab(t testing.TB) *Lab {
	t.Helper()
	l := &Lab{Machine: Host(t, "machine"), LAN: Host(t, "lan"), Outside: Host(t, "outside"), Neighbour: Host(t, "neighbour")}
	try(t, l.LAN.Bridge("lan0"))
	for _, m := range []struct {
		host *testhost.Host
		four netip.Addr
		six  netip.Addr
	}{{l.Machine, Machine4, Machine6}, {l.Outside, Outside4, Outside6}, {l.Neighbour, Neighbour4, Neighbour6}} {
		Join(t, m.host, l.LAN, "lan0", netip.PrefixFrom(m.four, 24), netip.PrefixFrom(m.six, 64))
		if m.host != l.Outside {
			try(t, m.host.Gateways(Outside4, Outside6))
		}
	}
	try(t, l.Outside.AddAddress("lo", netip.PrefixFrom(Internet4, 32), netip.PrefixFrom(Internet6, 128)))
	l.OutsideEcho, l.NeighbourEcho = Serve(t, l.Outside), Serve(t, l.Neighbour)
	return l
}

// Guest plugs a new host into a bridge of the machine, with addresses as
// "10.9.0.2/24" and gateways as "10.9.0.1". Its MAC is derived from its name.
func (l *Lab) Guest(t testing.TB, name, bridge string, addresses ...string) *testhost.Host {
	t.Helper()
	g := Host(t, name)
	var prefixes []netip.Prefix
	var gateways []netip.Addr
	for _, a := range addresses {
		if strings.Contains(a, "/") {
			prefixes = append(prefixes, netip.MustParsePrefix(a))
		} else {
			gateways = append(gateways, netip.MustParseAddr(a))
		}
	}
	Join(t, g, l.Machine, bridge, prefixes...)
	try(t, g.Gateways(gateways...))
	return g
}

// Join plugs eth0 of a host into a bridge of another one, and gives it addresses.
// The port is called after the host, shortened to what a link name may be.
func Join(t testing.TB, h, to *testhost.Host, bridge string, addresses ...netip.Prefix) {
	t.Helper()
	try(t, h.Plug(testhost.Plug{
		MAC: spec.GenerateMAC(h.Name()), Outside: to.NS(), OutsideName: PortName(h.Name()), Bridge: bridge,
	}))
	try(t, h.AddAddress("eth0", addresses...))
}

// PortName is the name of a host's port on a bridge; long names end in a number
// instead, so that two of them stay two.
func PortName(host string) string {
	const most = 15 - len("v-")
	if len(host) > most {
		sum := spec.GenerateMAC(host)
		host = host[:most-6] + strconv.FormatInt(int64(sum[3])<<16|int64(sum[4])<<8|int64(sum[5])|1<<24, 16)[1:]
	}
	return "v-" + host
}

// Serve starts an Echo on a host, closed with it.
func Serve(t testing.TB, h *testhost.Host, ports ...uint16) *testhost.Echo {
	t.Helper()
	e, err := h.Serve(t.Context(), ports...)
	try(t, err)
	return e
}

func try(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
