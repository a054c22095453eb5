package resolved

import (
	"net/netip"
	"testing"

	"kvmnet/internal/resolved/resolvedtest"
)

func TestWhatAServerOffersIsGivenAndTakenAway(t *testing.T) {
	t.Parallel()
	bus := resolvedtest.NewBus(t)
	bus.Start(t)
	f := newFake(t, bus)
	f.with(func() { f.shown[9] = registration{} })
	r := Resolvers{Options{Address: bus.Address}}
	server := netip.MustParseAddr("192.0.2.53")
	offered, err := r.Offered([]netip.Addr{server, server}, []string{"Example.org."})
	must(t, err)
	must(t, r.Give(t.Context(), 9, offered))
	const given = "SetLinkDomains(9, [{example.org false}]); SetLinkDNS(9, [{2 [192 0 2 53]}]); FlushCaches()"
	f.awaits(t, given)
	nothing, err := r.Offered(nil, nil)
	must(t, err)
	must(t, r.Give(t.Context(), 9, nothing))
	f.awaits(t, given+"; RevertLink(9); FlushCaches()")
}
