package resolved

import (
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
	h, err := Hold(t.Context(), Options{Address: bus.Address}, 2)
	must(t, err)
	f.with(func() { delete(f.shown, 2) }) // the link may be gone by then
	must(t, h.Give(t.Context(), 9))
	f.awaits(t, "SetLinkDomains(9, [{example.org false} {10.in-addr.arpa true}]); SetLinkDNS(9, [{2 [192 0 2 53]} {10 [32 1 13 184 0 0 0 0 0 0 0 0 0 0 0 83]}]); FlushCaches()")
	must(t, h.Give(t.Context(), 9)) // has it
	f.with(func() {
		if len(f.calls) != 3 {
			t.Errorf("calls %v", f.calls)
		}
	})
}

func TestNothingIsHeldWhereThereIsNothing(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	for _, next := range []func(testing.TB){bus.Start, func(testing.TB) {}} { // without a bus, then without systemd-resolved
		h, err := Hold(t.Context(), Options{Address: bus.Address}, 2)
		must(t, err)
		must(t, h.Give(t.Context(), 9))
		next(t)
	}
	f := newFake(t, bus)
	h, err := Hold(t.Context(), Options{Address: bus.Address}, 2)
	must(t, err)
	must(t, h.Give(t.Context(), 9))
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
	h, err := Hold(t.Context(), Options{Address: bus.Address}, 2)
	must(t, err)
	must(t, h.Give(t.Context(), 9))
	f.with(func() { f.refuse[9] = noSuchLink })
	if err := h.Give(t.Context(), 9); err == nil {
		t.Error("a link that is not there was given resolvers")
	}
}
