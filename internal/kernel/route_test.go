package kernel

import (
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// routed is a world with lab0 and the foreign br0, up and with addresses.
func routed(t *testing.T) *world {
	w := newWorld(t)
	w.stranger("bridge", "br0")
	w.must(plan.Add, bridge("lab0"),
		addr("lab0", "10.1.0.1/24"), addr("lab0", "fd01::1/64"),
		plan.Up{Link: "lab0"}, plan.Up{Link: "br0"})
	w.strangersAddr("br0", "10.2.0.1/24")
	w.strangersAddr("br0", "fd02::1/64")
	return w
}

func via(link, dst, gw string, metric int) plan.Route {
	r := plan.Route{Mark: lab, Dst: pfx(dst), Link: link, Metric: metric}
	if gw != "" {
		r.Via = ip(gw)
	}
	if link == "br0" {
		r.Mark = Host
	}
	return r
}

func TestRouteIsObservedAsAdded(t *testing.T) {
	t.Parallel()
	for _, r := range []plan.Route{
		via("lab0", "10.9.0.0/16", "10.1.0.9", 0),
		via("lab0", "10.9.0.0/16", "10.1.0.9", 50),
		via("lab0", "10.9.0.0/16", "", 0),
		via("lab0", "0.0.0.0/0", "10.1.0.9", 0),
		via("lab0", "fd09::/48", "fd01::9", 0),
		via("lab0", "fd09::/48", "fd01::9", 50),
		via("lab0", "fd09::/48", "", 0),
		via("lab0", "::/0", "fd01::9", 0),
		via("lab0", "10.9.0.0/16", "fd01::9", 0),
		via("br0", "0.0.0.0/0", "10.2.0.9", 700),
		via("br0", "::/0", "fd02::9", 0),
	} {
		t.Run(r.String(), func(t *testing.T) {
			t.Parallel()
			w := routed(t)
			before := w.see()
			for range 2 {
				w.must(plan.Add, r)
				equal(t, w.see()[r.Key()], plan.Object(r))
			}
			for range 2 {
				w.must(plan.Del, r)
				equal(t, w.see().String(), before.String())
			}
		})
	}
}

func TestRouteObservesWhatTheKernelMade(t *testing.T) {
	t.Parallel()
	w := routed(t)
	got := map[string]plan.Mark{}
	for r := range plan.Of[plan.Route](w.see()) {
		if !r.Dst.Addr().IsLinkLocalUnicast() {
			got[r.String()] = r.Mark
		}
	}
	equal(t, got, map[string]plan.Mark{
		"route 10.1.0.0/24 dev lab0":          "",
		"route 10.2.0.0/24 dev br0":           "",
		"route fd01::/64 dev lab0 metric 256": "",
		"route fd02::/64 dev br0 metric 256":  "",
	})
}

// strangersRoute adds a route without our number.
func (w *world) strangersRoute(r plan.Route, extra ...nl.NetlinkRequestData) {
	w.Helper()
	d, err := w.device(r.Link)
	if err != nil {
		w.Fatal(err)
	}
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST, Protocol: unix.RTPROT_STATIC}}
	w.raw(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL, append(routeRequest(msg, d.index, r), extra...)...)
}

func TestRouteOfOursStandsBesideAStrangersAndGoesAlone(t *testing.T) {
	t.Parallel()
	for _, dst := range []struct{ dst, theirs, ours string }{
		{"0.0.0.0/0", "10.1.0.8", "10.1.0.9"}, {"::/0", "fd01::8", "fd01::9"},
	} {
		w := routed(t)
		theirs, ours := via("lab0", dst.dst, dst.theirs, 0), via("lab0", dst.dst, dst.ours, 0)
		theirs.Mark = ""
		w.strangersRoute(theirs)
		before := w.see()
		equal(t, before[theirs.Key()], plan.Object(theirs))
		w.must(plan.Add, ours)
		for _, r := range []plan.Route{theirs, ours} {
			if !w.has(r) {
				t.Errorf("no %s", r)
			}
		}
		w.must(plan.Del, ours)
		equal(t, w.see().String(), before.String())
		same := theirs
		same.Mark = lab
		w.must(plan.Del, same) // not of our number, so it is not there
		equal(t, w.see().String(), before.String())
		w.must(plan.Del, theirs)
		if w.has(theirs) {
			t.Error("a foreign route could not be deleted on demand")
		}
	}
}

func TestRouteChangesItsNextHopByAddBeforeDelete(t *testing.T) {
	t.Parallel()
	for _, r := range [][2]plan.Route{
		{via("lab0", "10.9.0.0/16", "10.1.0.8", 0), via("lab0", "10.9.0.0/16", "10.1.0.9", 0)},
		{via("lab0", "fd09::/48", "fd01::8", 0), via("lab0", "fd09::/48", "fd01::9", 0)},
	} {
		w := routed(t)
		w.must(plan.Add, r[0], r[1])
		w.must(plan.Del, r[0])
		if s := w.see(); s[r[0].Key()] != nil || s[r[1].Key()] == nil {
			t.Errorf("left\n%s", s)
		}
	}
}

func TestRouteDeleteWithoutMetricSparesTheOneWithAMetric(t *testing.T) {
	t.Parallel()
	w := routed(t)
	for _, r := range []plan.Route{via("lab0", "10.9.0.0/16", "10.1.0.9", 0), via("lab0", "fd09::/48", "fd01::9", 0)} {
		other := r
		other.Metric = 50
		w.must(plan.Add, r, other)
		w.must(plan.Del, r, r)
		if !w.has(other) || w.has(r) {
			t.Errorf("after deleting %s:\n%s", r, w.see())
		}
	}
}

func TestRouteOfSeveralHopsIsOneRouteAHop(t *testing.T) {
	t.Parallel()
	w := routed(t)
	d, err := w.device("lab0")
	if err != nil {
		t.Fatal(err)
	}
	var hops []byte
	for _, gw := range []string{"10.1.0.8", "10.1.0.9"} {
		hop := nl.RtNexthop{RtNexthop: unix.RtNexthop{Ifindex: int32(d.index)}}
		hop.Children = []nl.NetlinkRequestData{attr(unix.RTA_GATEWAY, ip(gw).AsSlice())}
		hops = append(hops, hop.Serialize()...)
	}
	msg := &nl.RtMsg{RtMsg: unix.RtMsg{
		Family: unix.AF_INET, Dst_len: 16, Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST, Protocol: unix.RTPROT_STATIC,
	}}
	w.raw(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, msg,
		attr(unix.RTA_DST, netip.MustParseAddr("10.9.0.0").AsSlice()), attr(unix.RTA_MULTIPATH, hops))
	for _, gw := range []string{"10.1.0.8", "10.1.0.9"} {
		want := via("lab0", "10.9.0.0/16", gw, 0)
		want.Mark = ""
		equal(t, w.see()[want.Key()], plan.Object(want))
	}
}

func TestRouteLeavesOutOtherTablesAndTypes(t *testing.T) {
	t.Parallel()
	w := routed(t)
	before := w.see()
	for _, m := range []unix.RtMsg{
		{Table: 100, Type: unix.RTN_UNICAST}, {Table: unix.RT_TABLE_MAIN, Type: unix.RTN_BLACKHOLE},
		{Table: unix.RT_TABLE_MAIN, Type: unix.RTN_UNICAST, Tos: 0x10},
	} {
		m.Protocol = unix.RTPROT_STATIC
		r := via("lab0", "10.9.0.0/16", "10.1.0.9", 0)
		d, err := w.device("lab0")
		if err != nil {
			t.Fatal(err)
		}
		data := routeRequest(&nl.RtMsg{RtMsg: m}, d.index, r)
		if m.Type == unix.RTN_BLACKHOLE {
			data = routeRequest(&nl.RtMsg{RtMsg: m}, 0, via("", "10.9.0.0/16", "", 0))[:2]
			data[0].(*nl.RtMsg).Scope = unix.RT_SCOPE_UNIVERSE
		}
		w.raw(unix.RTM_NEWROUTE, unix.NLM_F_CREATE, data...)
	}
	equal(t, w.see().String(), before.String())
}

func TestRouteRefuses(t *testing.T) {
	t.Parallel()
	w := routed(t)
	w.refuses(plan.Add, via("lab0", "10.9.0.0/16", "192.0.2.1", 0), "add route 10.9.0.0/16 via 192.0.2.1 dev lab0: ", "Nexthop has invalid gateway")
	w.refuses(plan.Add, via("none", "10.9.0.0/16", "", 0), "find link none", "no such device")
	w.must(plan.Del, via("none", "10.9.0.0/16", "", 0))
}

func TestObserveOfAnEmptyNamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.see()
	if l, ok := s.Link("", "lo"); !ok || l.Type != "loopback" {
		t.Errorf("lo: %+v", l)
	}
	for r := range plan.Of[plan.Route](s) {
		t.Errorf("unexpected %s", r)
	}
}

func TestRouteToTheHostIsOursBesideTheKernels(t *testing.T) {
	t.Parallel()
	for _, r := range []plan.Route{
		{Mark: lab, Table: unix.RT_TABLE_LOCAL, Type: "local", Dst: pfx("::1/128"), Link: "lab0"},
		{Mark: lab, Table: unix.RT_TABLE_LOCAL, Type: "local", Dst: pfx("192.0.2.0/24"), Link: "lab0"},
	} {
		w := routed(t)
		before := w.see().String()
		w.again(plan.Add, r)
		equal(t, w.see()[r.Key()], plan.Object(r))
		w.again(plan.Del, r)
		equal(t, w.see().String(), before)
		w.must(plan.Add, r)
		w.must(plan.Del, bridge("lab0"))
		if w.has(r) {
			t.Errorf("%s outlived its link", r)
		}
	}
}
