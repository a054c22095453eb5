package kernel

import (
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func shaped(rate spec.Rate) plan.Shape { return plan.Shape{Mark: lab, Link: "lab0", Rate: rate} }

func TestShapeIsObservedAsSetAndChangedInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"), plan.Up{Link: "lab0"})
	before := w.see().String()
	w.again(plan.Add, shaped(10e6))
	first := w.root("lab0")
	for _, s := range []plan.Shape{
		{Rate: 8000}, {Rate: 64e3}, {Rate: 1e9}, {Rate: 100e9}, {Rate: 1000e9},
		{Rate: 8e6, Burst: 512 << 10}, {Rate: 8e6, Peak: 16e6}, {Rate: 64e3, Peak: 100e9, Burst: 1 << 10},
		{Rate: 10e9, Peak: 50e9, Burst: 64 << 20}, {Rate: 64e3, Burst: 100 << 20}, {Rate: 1000e9, Peak: 2000e9},
	} {
		s.Mark, s.Link = lab, "lab0"
		w.again(plan.Set, s)
		have := w.see()
		have[s.Key()] = plan.Shape(have[s.Key()].(plan.Shape))
		if ops, _ := plan.Diff(plan.State{s.Key(): s}, plan.State{s.Key(): have[s.Key()]}); len(ops) > 0 {
			t.Errorf("to be done again: %s", ops)
		}
		if now := w.root("lab0"); now != first {
			t.Errorf("at %s qdisc %x took the place of %x", s, now, first)
		}
	}
	w.again(plan.Del, shaped(8000))
	equal(t, w.see().String(), before)
	w.must(plan.Del, plan.Shape{Mark: lab, Link: "none"})
}

func TestShapeWithAnotherBurstOrPeakIsAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"))
	all := []plan.Shape{shaped(8e6), shaped(8e6), shaped(8e6), shaped(9e6)}
	all[1].Burst, all[2].Peak = 512<<10, 9e6
	for i, s := range all {
		w.must(plan.Set, s)
		have := plan.State{s.Key(): w.see()[s.Key()]}
		for k, other := range all {
			if ops, _ := plan.Diff(plan.State{s.Key(): other}, have); len(ops) > 0 != (i != k) {
				t.Errorf("from %s to %s: %v", s, other, plan.Lines(ops))
			}
		}
	}
}

// root is the handle of a link's root qdisc.
func (w *world) root(link string) uint32 {
	w.Helper()
	msgs, err := w.dump(unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{})
	if err != nil {
		w.Fatal(err)
	}
	index := w.link(link).Index
	for _, m := range msgs {
		if number(m[4:]) == index && native.Uint32(m[12:]) == rootHandle {
			return native.Uint32(m[8:])
		}
	}
	return 0
}

func TestShapeRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"))
	w.refuses(plan.Add, plan.Shape{Mark: lab, Link: "none", Rate: 1e6}, "add qdisc tbf dev none", "find link none", "no such device")
	w.refuses(plan.Add, shaped(7), "less than a byte")
}

func TestShapesOfForeignLinksAndOtherQdiscsAreNotOurs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("bridge", "br0")
	w.must(plan.Add, bridge("lab0"), plan.Shape{Mark: lab, Link: "br0", Rate: 1e6})
	if got := lines[plan.Shape](w); got != nil {
		t.Errorf("seen on a foreign link: %q", got)
	}
	w.raw(unix.RTM_NEWQDISC, unix.NLM_F_CREATE, rootOf(w.link("lab0").Index), attrText(nl.TCA_KIND, "pfifo"))
	theirs := w.root("lab0")
	w.must(plan.Del, shaped(1e6))
	if now := w.root("lab0"); now != theirs || theirs == 0 {
		t.Errorf("qdisc %x became %x", theirs, now)
	}
	w.again(plan.Add, shaped(1e6))
	equal(t, lines[plan.Shape](w), []string{"qdisc tbf dev lab0 rate 1mbit"})
}

func TestShapeMakesRoomForLargerFrames(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.home.must(plan.Add, bridge("lab0"), hostEnd)
	p.router.must(plan.Add, inside, plan.Shape{Mark: r1, NS: "r1", Link: "eth0", Rate: 64e3})
	small := p.router.burst("eth0")
	large := inside
	large.MTU = 9000
	p.router.again(plan.Set, large)
	if now := p.router.burst("eth0"); small >= 9000 || now < 9000 {
		t.Errorf("the burst was %d bytes and is %d", small, now)
	}
	equal(t, lines[plan.Shape](p.router), []string{"qdisc tbf dev eth0 rate 64kbit"})
}

// burst is how many bytes a link may send at once.
func (w *world) burst(link string) uint64 {
	w.Helper()
	msgs, err := w.dump(unix.RTM_GETQDISC, unix.RTM_NEWQDISC, &nl.TcMsg{})
	if err != nil {
		w.Fatal(err)
	}
	for _, m := range msgs {
		if number(m[4:]) != w.inside(link).Index {
			continue
		}
		for kind, v := range attrs(m[nl.SizeofTcMsg:]) {
			if kind != nl.TCA_OPTIONS {
				continue
			}
			for kind, v := range attrs(v) {
				if kind == nl.TCA_TBF_PARMS {
					const tick = 64 // nanoseconds, of the time it takes to send the burst
					q := nl.DeserializeTcTbfQopt(v)
					return uint64(q.Buffer) * tick * uint64(q.Rate.Rate) / 1e9
				}
			}
		}
	}
	return 0
}

func TestBucketForGoesByRateAndMTU(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shape plan.Shape
		mtu   int
		want  bucket
	}{
		{plan.Shape{Rate: 8000}, 1500, bucket{rate: 1000, burst: 3036, limit: 6072}},
		{plan.Shape{Rate: 8000}, 9000, bucket{rate: 1000, burst: 18036, limit: 36072}},
		{plan.Shape{Rate: 100e6}, 1500, bucket{rate: 12.5e6, burst: 125000, limit: 750000}},
		{plan.Shape{Rate: 1e9}, 65535, bucket{rate: 125e6, burst: 1.25e6, limit: 7.5e6}},
		{plan.Shape{Rate: 1000e9}, 1500, bucket{rate: 125e9, burst: 1 << 30, limit: 1 << 30}},
		{plan.Shape{Rate: 8e6, Peak: 16e6, Burst: 1 << 20}, 1500, bucket{rate: 1e6, peak: 2e6, burst: 1 << 20, peakBurst: 20000, limit: 1<<20 + 50000}},
		{plan.Shape{Rate: 8e6, Burst: 1}, 1500, bucket{rate: 1e6, burst: 3036, limit: 53036}},
	} {
		if got := bucketFor(c.shape, c.mtu); got != c.want {
			t.Errorf("%s at %d: %+v, want %+v", c.shape, c.mtu, got, c.want)
		}
	}
}
