package kernel

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/plan"
)

// routing is a router with an uplink that is up.
func routing(t *testing.T) *world {
	p := newPair(t)
	p.home.must(plan.Add, bridge("lab0"), hostEnd, plan.Up{Link: "r1-eth0"})
	p.router.must(plan.Add, inside, plan.Up{NS: "r1", Link: "eth0"},
		plan.Addr{Mark: r1, NS: "r1", Link: "eth0", Prefix: pfx("10.1.0.2/24")},
		plan.Addr{Mark: r1, NS: "r1", Link: "eth0", Prefix: pfx("fd01::2/64")})
	settled := plan.Route{NS: "r1", Link: "eth0", Dst: pfx("fe80::/64"), Metric: 256}
	nstest.Eventually(t, patience, func() error {
		if !p.router.has(settled) {
			return errors.New("no link-local address yet")
		}
		return nil
	})
	return p.router
}

func inTable(table int, kind, dst, gw string, metric int) plan.Route {
	r := plan.Route{Mark: r1, NS: "r1", Table: table, Type: kind, Dst: pfx(dst), Metric: metric}
	if kind == "" {
		r.Link = "eth0"
	}
	if gw != "" {
		r.Via = ip(gw)
	}
	return r
}

func TestRouteOfARouterIsObservedAsAdded(t *testing.T) {
	t.Parallel()
	for _, r := range []plan.Route{
		inTable(0, "", "0.0.0.0/0", "10.1.0.1", 0),
		inTable(101, "", "0.0.0.0/0", "10.1.0.1", 0),
		inTable(101, "", "10.1.0.0/24", "", 0),
		inTable(355, "", "0.0.0.0/0", "10.1.0.1", 10),
		inTable(101, "", "::/0", "fd01::1", 0),
		inTable(300, "", "fd01::/64", "", 0),
		inTable(101, "unreachable", "0.0.0.0/0", "", 4278198272),
		inTable(101, "unreachable", "::/0", "", 4278198272),
		inTable(0, "unreachable", "0.0.0.0/0", "", 4278198272),
		inTable(0, "blackhole", "10.9.0.0/16", "", 0),
		inTable(0, "blackhole", "fd09::/48", "", 0),
		inTable(0, "blackhole", "fd09::/48", "", 7),
	} {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			w := routing(t)
			before := w.see().String()
			w.again(plan.Add, r)
			equal(t, w.see()[r.Key()], plan.Object(r))
			w.again(plan.Del, r)
			equal(t, w.see().String(), before)
		})
	}
}

// TestRouteDelTakesNoOtherOfItsDestination deletes each of several routes to the
// same place and finds the others.
func TestRouteDelTakesNoOtherOfItsDestination(t *testing.T) {
	t.Parallel()
	for dst, gw := range map[string]string{"0.0.0.0/0": "10.1.0.1", "::/0": "fd01::1"} {
		all := []plan.Route{
			inTable(0, "", dst, gw, 0), inTable(0, "", dst, gw, 5), inTable(0, "blackhole", dst, "", 9),
			inTable(101, "", dst, gw, 0), inTable(101, "unreachable", dst, "", 9), inTable(101, "unreachable", dst, "", 0),
			inTable(102, "", dst, gw, 0),
		}
		if pfx(dst).Addr().Is4() {
			all = append(all, inTable(102, "", dst, "", 0))
		}
		for _, doomed := range all {
			t.Run(doomed.String(), func(t *testing.T) {
				t.Parallel()
				w := routing(t)
				before := w.see()
				for _, r := range all {
					w.must(plan.Add, r)
					before.Add(r)
				}
				w.again(plan.Del, doomed)
				delete(before, doomed.Key())
				equal(t, w.see().String(), before.String())
			})
		}
	}
}

func TestRoutesOfStrangersAreSeenInOurTablesOnly(t *testing.T) {
	t.Parallel()
	w := routing(t)
	d, err := w.device("eth0")
	if err != nil {
		t.Fatal(err)
	}
	before := w.see()
	for _, table := range []int{unix.RT_TABLE_MAIN, 99, 100, 253, 355, 356} {
		r := inTable(table, "", "10.9.0.0/16", "10.1.0.1", 0)
		msg := &nl.RtMsg{RtMsg: unix.RtMsg{Table: unix.RT_TABLE_UNSPEC, Type: unix.RTN_UNICAST, Protocol: unix.RTPROT_STATIC}}
		w.raw(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, routeRequest(msg, d.index, r)...)
		switch r.Mark = ""; table {
		case unix.RT_TABLE_MAIN:
			r.Table = 0
			before.Add(r)
		case 100, 355:
			before.Add(r)
		}
	}
	equal(t, w.see().String(), before.String())
}

func TestRouteSaysThatItsNextHopCannotBeReached(t *testing.T) {
	t.Parallel()
	w := routing(t)
	for _, r := range []plan.Route{
		inTable(0, "", "0.0.0.0/0", "192.0.2.1", 0), inTable(101, "", "10.9.0.0/16", "192.0.2.1", 0), inTable(0, "", "::/0", "fd77::1", 0),
	} {
		w.refuses(plan.Add, r, "netns r1 add "+r.String()+": ", "the next hop "+r.Via.String()+" cannot be reached on eth0")
	}
	w.refuses(plan.Add, inTable(0, "throw", "10.9.0.0/16", "", 0), "type throw is not one to make")
	w.must(plan.Del, plan.Up{NS: "r1", Link: "eth0"})
	w.refuses(plan.Add, inTable(0, "", "10.8.0.0/16", "10.1.0.1", 0), "the next hop 10.1.0.1 cannot be reached on eth0")
	w.refuses(plan.Add, inTable(0, "", "10.8.0.0/16", "", 0), "network is down")
}
