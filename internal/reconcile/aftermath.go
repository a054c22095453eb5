package reconcile

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// Guests tell where guests are: those that forwards lead to by name, and those whose
// addresses are guarded.
type Guests interface {
	// Addresses returns the addresses that guests hold, by network and name, of
	// the networks that live has forwards to.
	Addresses(live *spec.Spec) map[string]map[string][]netip.Addr
	// Leases returns what guests have leased, by network and sorted, of the networks of
	// live on which addresses are guarded.
	Leases(live *spec.Spec) map[string][]plan.Leased
}

// Uplinks get for routers what their uplinks have by DHCP.
type Uplinks interface {
	// Farewell gives back what is wanted no more, while the links are still there.
	Farewell(want []plan.Acquire)
	// Set asks for just that; it is told with every pass.
	Set(want []plan.Acquire)
	// Acquired returns what is held now, by router and uplink ("r1/wan").
	Acquired() map[string]plan.Acquired
	// Problems tells what keeps uplinks from it.
	Problems() map[string]string
}

// Aftermath does what the kernel leaves to do after a change.
type Aftermath interface {
	// Announce tells the segments of addresses that they are here now. It does not
	// wait.
	Announce(addrs []plan.Addr)
	// Sever ends the connections of the namespaces that stale says would not begin
	// any more.
	Sever(ctx context.Context, namespaces []string, stale func(plan.Flow) bool) error
}

// farewell tells what goes with the ops of a pass, before they are done.
func (e *Engine) farewell(r *Report) {
	if e.o.Servers != nil {
		e.o.Servers.Farewell(r.Services)
	}
	if e.o.Uplinks != nil {
		e.o.Uplinks.Farewell(plan.Acquires(r.live, r.Facts))
	}
}

// learn adds to the facts what others know.
func (e *Engine) learn(facts plan.Facts, live *spec.Spec) plan.Facts {
	if e.o.Guests != nil {
		facts.Guests = e.o.Guests.Addresses(live)
		facts.Leases = e.o.Guests.Leases(live)
	}
	if e.o.Uplinks != nil {
		facts.Acquired = e.o.Uplinks.Acquired()
	}
	return facts
}

// after does what the ops of a pass leave to do. Connections are looked at when an
// op took away what some may live by, and once after the start: a daemon that was
// killed may have done the op, and no more.
func (e *Engine) after(ctx context.Context, r *Report, want plan.State) {
	if e.o.Uplinks != nil {
		e.o.Uplinks.Set(plan.Acquires(r.live, r.Facts))
		for uplink, problem := range e.o.Uplinks.Problems() {
			router, name, _ := strings.Cut(uplink, "/")
			r.Note("router/"+router, fmt.Sprintf("uplink %s: %s", name, problem))
		}
	}
	if e.o.Aftermath == nil {
		return
	}
	if addrs := plan.Announce(r.Ops, want); len(addrs) > 0 {
		e.o.Aftermath.Announce(addrs)
	}
	if e.severed && !plan.Severs(r.Ops) {
		return
	}
	where := touched(r.Ops)
	if !e.severed {
		where = namespaces(want)
	}
	e.cut = append(e.cut, r.Ops...)
	err := e.o.Aftermath.Sever(ctx, where, plan.NewJudge(r.live, r.Facts, want, e.cut).Stale)
	if e.severed = err == nil; err != nil {
		r.fail("host", fmt.Errorf("end connections that are not permitted any more: %w", err))
		return
	}
	e.cut = nil
}

// namespaces are the daemon's own and those of the routers.
func namespaces(want plan.State) []string {
	list := []string{""}
	for n := range plan.Of[plan.Netns](want) {
		list = append(list, n.Name)
	}
	return list
}

// touched are the namespaces that ops were done in. To list the connections of one
// takes the kernel milliseconds, however few there are: it goes through all there are
// on the machine.
func touched(ops []plan.Op) []string {
	seen := map[string]bool{}
	for _, op := range ops {
		seen[op.Object.Key().NS] = true
	}
	return slices.Sorted(maps.Keys(seen))
}
