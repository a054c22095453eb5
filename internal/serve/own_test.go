package serve

import (
	"net/netip"
	"testing"

	"kvmnet/internal/plan"
)

// Two routers may have the same addresses, and the host others.
func TestAddressesAreOwnPerNamespace(t *testing.T) {
	t.Parallel()
	host, inside := netip.MustParsePrefix("192.0.2.2/24"), netip.MustParsePrefix("10.9.0.1/24")
	have := plan.State{}
	for _, a := range []plan.Addr{{Link: "eth0", Prefix: host}, {NS: "r1", Link: "uplink", Prefix: netip.MustParsePrefix("192.0.2.9/24")}} {
		have[a.Key()] = a
	}
	var o own
	if o.holds("", host.Addr()) || o.isGateway(inside.Addr()) {
		t.Error("something is own before the first pass")
	}
	o.set([]plan.Service{{NS: "r1", Subnets: []netip.Prefix{inside}}, {Subnets: []netip.Prefix{netip.MustParsePrefix("10.8.0.1/24")}}}, have)
	for _, c := range []struct {
		ns, addr string
		want     bool
	}{
		{"", "192.0.2.2", true}, {"", "10.9.0.1", false}, {"", "10.8.0.1", true}, {"", "127.0.0.1", true},
		{"r1", "192.0.2.9", true}, {"r1", "10.9.0.1", true}, {"r1", "192.0.2.2", false}, {"r1", "10.8.0.1", false}, {"r2", "10.9.0.1", false}, {"r2", "127.0.0.1", true},
	} {
		if got := o.holds(c.ns, netip.MustParseAddr(c.addr)); got != c.want {
			t.Errorf("%q holds %s: %v", c.ns, c.addr, got)
		}
	}
	if !o.isGateway(netip.MustParseAddr("10.8.0.1")) || o.isGateway(inside.Addr()) || o.isGateway(host.Addr()) {
		t.Error("gateways of the host")
	}
}
