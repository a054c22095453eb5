package kernel

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

func TestDetourIsObservedAsAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.see().String()
	ifb := plan.Link{Mark: lab, Name: "ifb_lab", Type: "ifb", MAC: mac, MTU: 1400}
	w.again(plan.Add, ifb, plan.Up{Link: "ifb_lab"}, plan.Shape{Mark: lab, Link: "ifb_lab", Rate: 1e6})
	if d, err := w.device("ifb_lab"); err != nil || string(d.mac) != string(mac[:]) || d.mtu != 1400 || d.mark() != lab {
		t.Errorf("%+v, %v", d, err)
	}
	ifb.MTU = 9000
	w.again(plan.Set, ifb)
	w.again(plan.Del, ifb)
	equal(t, w.see().String(), before)
}

func TestIsolationIsObservedAsSet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	port := plan.Link{Mark: "port/vm1", Name: "p0", Type: "veth", Master: "lab0"}
	w.must(plan.Add, bridge("lab0"), bridge("lab1"), port)
	w.stranger("veth", "s0")
	w.must(plan.Set, plan.Link{Mark: lab, Name: "s0", Type: "veth", Master: "lab0", Foreign: true})
	before := w.see().String()
	ours := plan.Isolation{Mark: "port/vm1", Link: "p0", On: true}
	theirs := plan.Isolation{Mark: lab, Link: "s0", On: true, Foreign: true}
	w.again(plan.Add, ours, theirs)
	equal(t, w.see()[ours.Key()], plan.Object(ours))
	equal(t, w.see()[theirs.Key()], plan.Object(plan.Isolation{Link: "s0", On: true}))
	w.again(plan.Del, ours)
	theirs.On = false
	w.again(plan.Set, theirs)
	equal(t, w.see().String(), before)
}

func TestIsolationEndsWithThePortsPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	port := plan.Link{Mark: "port/vm1", Name: "p0", Type: "veth", Master: "lab0"}
	w.must(plan.Add, bridge("lab0"), bridge("lab1"), port)
	on := plan.Isolation{Mark: "port/vm1", Link: "p0", On: true}
	w.must(plan.Add, on)
	port.Master = "lab1"
	w.must(plan.Set, port)
	if w.has(on) {
		t.Error("the port brought it along")
	}
	port.Master = ""
	w.must(plan.Set, port)
	w.refuses(plan.Add, on, "port p0 isolated", "not a port")
	w.must(plan.Del, on, plan.Isolation{Link: "none"})
	w.refuses(plan.Add, plan.Isolation{Link: "none", On: true}, "find link none")
}

// rename applies the op that gives a link another name.
func (w *world) rename(from, to plan.Link) error {
	return w.Apply(w.Context(), []plan.Op{{Verb: plan.Set, Object: to, Old: from}})[0]
}

func TestRenameKeepsTheLinkAndWhatIsOnIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	port := plan.Link{Mark: "port/vm1", Name: "p0", Type: "veth", Peer: "p1", Master: "lab0"}
	w.must(plan.Add, bridge("lab0"), port, plan.Up{Link: "p0"}, plan.Up{Link: "lab0"},
		plan.Addr{Mark: lab, Link: "lab0", Prefix: pfx("10.0.0.1/24")},
		plan.Route{Mark: lab, Link: "lab0", Dst: pfx("10.9.0.0/16"), Via: ip("10.0.0.2")},
		plan.Sysctl{Mark: lab, Family: "ipv4", Link: "lab0", Name: "arp_ignore", Value: "1"})
	index := w.link("lab0").Index
	for range 2 { // what is done already is no error
		if err := w.rename(bridge("lab0"), bridge("new0")); err != nil {
			t.Fatal(err)
		}
	}
	got := w.link("new0")
	equal(t, managed(got), bridge("new0"))
	if got.Index != index || w.link("p0").Master != "new0" {
		t.Errorf("%+v is another link than %d, or has lost its port", got, index)
	}
	for _, o := range []plan.Object{plan.Up{Link: "new0"}, plan.Addr{Link: "new0", Prefix: pfx("10.0.0.1/24")},
		plan.Route{Link: "new0", Dst: pfx("10.9.0.0/16"), Via: ip("10.0.0.2")}} {
		if !w.has(o) {
			t.Errorf("%s is lost", o)
		}
	}
	if v := w.proc("/proc/sys/net/ipv4/conf/new0/arp_ignore"); v != "1" {
		t.Errorf("arp_ignore is %s", v)
	}
}

func TestRenameRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("bridge", "br0")
	w.must(plan.Add, bridge("lab0"))
	for _, c := range []struct{ from, to plan.Link }{{bridge("br0"), bridge("new0")}, {bridge("lab0"), bridge("br0")}} {
		before := w.see().String()
		if err := w.rename(c.from, c.to); err == nil {
			t.Errorf("%s became %s", c.from.Name, c.to.Name)
		}
		equal(t, w.see().String(), before)
	}
}

// TestRenameDownIsUpAgain is what kernels before 6.2 need.
func TestRenameDownIsUpAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"), plan.Up{Link: "lab0"})
	d, err := w.device("lab0")
	if err != nil {
		t.Fatal(err)
	}
	a := applier{k: w.Kernel, indexes: map[string]int{}}
	if err := a.renameDown(d, "new0"); err != nil {
		t.Fatal(err)
	}
	if now, err := w.device("new0"); err != nil || now.index != d.index || now.flags&unix.IFF_UP == 0 {
		t.Errorf("%+v, %v", now, err)
	}
}

func TestKernelWithoutATypeOfLinksSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := applier{k: w.Kernel, indexes: map[string]int{}}
	info, _ := linkInfo("nosuch")
	err := a.create(plan.Link{Mark: lab, Name: "x0", Type: "nosuch"}, nil, info)
	if err == nil || !strings.Contains(err.Error(), "no links of type nosuch") || !strings.Contains(err.Error(), "modprobe nosuch") {
		t.Errorf("says %v", err)
	}
}
