package resolved

import (
	"encoding/json"
	"net/netip"
	"testing"

	"kvmnet/internal/resolved/resolvedtest"
)

// of is a link with two servers and two domains.
func of() registration {
	return registration{servers: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("2001:db8::53")}, domains: []domain{{"example.org", false}, {"10.in-addr.arpa", true}}}
}

func TestHeldIsGivenToAnotherLink(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	f.with(func() { f.shown[2] = of() })
	r := Resolvers{Options{Address: bus.Address}}
	h, err := r.Hold(t.Context(), 2)
	must(t, err)
	f.with(func() { delete(f.shown, 2) }) // the link may be gone by then
	must(t, r.Give(t.Context(), 9, h))
	const given = "SetLinkDomains(9, [{example.org false} {10.in-addr.arpa true}]); SetLinkDNS(9, [{2 [192 0 2 53]} {10 [32 1 13 184 0 0 0 0 0 0 0 0 0 0 0 83]}]); FlushCaches()"
	f.awaits(t, given)
	must(t, r.Give(t.Context(), 9, h, h)) // has it
	f.with(func() {
		if len(f.calls) != 3 {
			t.Errorf("calls %v", f.calls)
		}
	})
	must(t, r.Give(t.Context(), 9)) // back to nothing
	f.awaits(t, given+"; RevertLink(9); FlushCaches()")
}

// Two links that become one have the servers and domains of both, and each its own again.
func TestWhatTwoLinksHaveIsGivenTogether(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	own := registration{servers: []netip.Addr{netip.MustParseAddr("192.0.2.53"), netip.MustParseAddr("10.7.0.53")}}
	f.with(func() { f.shown[2], f.shown[9] = of(), own })
	r := Resolvers{Options{Address: bus.Address}}
	nic, err := r.Hold(t.Context(), 2)
	must(t, err)
	bridge, err := r.Hold(t.Context(), 9)
	must(t, err)
	must(t, r.Give(t.Context(), 9, bridge, nic))
	const given = "SetLinkDomains(9, [{example.org false} {10.in-addr.arpa true}]); SetLinkDNS(9, [{2 [192 0 2 53]} {2 [10 7 0 53]} {10 [32 1 13 184 0 0 0 0 0 0 0 0 0 0 0 83]}]); FlushCaches()"
	f.awaits(t, given)
	all, err := r.Hold(t.Context(), 9)
	must(t, err)
	rest, err := r.Without(all, bridge)
	must(t, err)
	if want := `{"servers":["2001:db8::53"],"domains":[{"Name":"example.org","RoutingOnly":false},{"Name":"10.in-addr.arpa","RoutingOnly":true}]}`; string(rest) != want {
		t.Errorf("the rest is %s", rest)
	}
	must(t, r.Give(t.Context(), 9, bridge))
	f.with(func() {
		if !same(f.shown[9], own) {
			t.Errorf("the link has %+v", f.shown[9])
		}
	})
	if none, err := r.Without(bridge, all); string(none) != "{}" || err != nil {
		t.Errorf("%s, %v", none, err)
	}
	if err := r.Give(t.Context(), 9, json.RawMessage("{")); err == nil {
		t.Error("what is no JSON was given")
	}
}

func TestNothingIsHeldWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	r := Resolvers{Options{Address: bus.Address}}
	nothing := func() {
		t.Helper()
		h, err := r.Hold(t.Context(), 2)
		if must(t, err); h != nil {
			t.Errorf("held %s", h)
		}
		must(t, r.Give(t.Context(), 9, h))
	}
	nothing() // without a bus
	bus.Start(t)
	nothing() // without systemd-resolved
	f := newFake(t, bus)
	h, err := r.Hold(t.Context(), 2)
	if must(t, err); string(h) != "{}" {
		t.Errorf("of a link without any, held %s", h)
	}
	must(t, r.Give(t.Context(), 9, h))
	f.with(func() {
		if len(f.calls) != 0 {
			t.Errorf("calls %v", f.calls)
		}
	})
}

func TestLinkOfNetworkdIsLeftToIt(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	f.with(func() { f.shown[2], f.refuse[9] = of(), linkBusy })
	r := Resolvers{Options{Address: bus.Address}}
	h, err := r.Hold(t.Context(), 2)
	must(t, err)
	must(t, r.Give(t.Context(), 9, h))
	f.with(func() { f.refuse[9] = noSuchLink })
	if err := r.Give(t.Context(), 9, h); err == nil {
		t.Error("a link that is not there was given resolvers")
	}
}
