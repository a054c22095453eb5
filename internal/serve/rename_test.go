package serve

import (
	"slices"
	"testing"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
)

// A bridge of the host that gets another name is served on by the same sockets, and
// guests are not told that their router goes.
func TestBridgeThatIsRenamedIsServedOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.machine.AddAddress("red0", subnets...))
	i := slices.IndexFunc(w.want, func(s plan.Service) bool { return s.Network == "red" })
	old := w.want[i]
	old.NS, old.Device = "", "red0"
	w.want = []plan.Service{old}
	w.settle()
	guest, first := w.guest("red")
	before := w.networks[addressOf(old)]
	link, dns := before.link, before.dns

	renamed := old
	renamed.Bridge, renamed.Device = "new0", "new0"
	nstest.Run(t, w.machine.NS(), "ip", "link", "set", "red0", "name", "new0")
	w.want = []plan.Service{renamed}
	w.Farewell(w.want)
	w.settle()
	after := w.networks[addressOf(renamed)]
	if after != before || after.link != link || after.dns != dns || len(w.networks) != 1 {
		t.Errorf("%d networks are served, with other sockets: %v", len(w.networks), after != before)
	}
	if again := w.lease(guest); again.Address != first.Address {
		t.Errorf("leased %s, had %s", again.Address, first.Address)
	}
	if got := w.ask(guest, "vm1.red.internal", "A"); got != first.Address.Addr().String() {
		t.Errorf("its name is %s", got)
	}
}
