package kernel

import (
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

func TestPairIsMadeFromEitherSide(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]plan.Link{"host end first": {hostEnd, inside}, "inside first": {inside, hostEnd}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			p.home.must(plan.Add, bridge("lab0"))
			for _, l := range append(order, order...) {
				p.on(l.NS).must(plan.Add, l)
			}
			p.isWhole(t)
		})
	}
}

func (p *pair) on(ns string) *world {
	if ns == "" {
		return p.home
	}
	return p.router
}

// isWhole checks both ends against what is wanted of them.
func (p *pair) isWhole(t *testing.T) {
	t.Helper()
	near, far := p.home.link("r1-eth0"), p.router.inside("eth0")
	if near.Index == 0 || near.Parent != "" || far.Parent != "" {
		t.Errorf("parents %q, %q", near.Parent, far.Parent)
	}
	want, wantFar := hostEnd, inside
	want.Peer, want.PeerNS, wantFar.Peer = "", "", ""
	equal(t, managed(near), want)
	equal(t, managed(far), wantFar)
	d, err := p.home.device("r1-eth0")
	if err != nil || d.mac[0] != 0xfe || d.group != 0 {
		t.Errorf("host end: MAC %x, group %x, %v", d.mac, d.group, err)
	}
	if e, err := p.router.device("eth0"); err != nil || e.group != 0 || e.lower != d.index {
		t.Errorf("inside: group %x, leads to %d, not %d (%v)", e.group, e.lower, d.index, err)
	}
}

func (w *world) inside(name string) plan.Link {
	w.Helper()
	l, ok := w.see().Link(w.name, name)
	if !ok {
		w.Fatalf("link %s is not there", name)
	}
	return l
}

func TestPairIsBornOursAtBothEnds(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	a := applier{k: p.home.Kernel, indexes: map[string]int{}}
	if err := a.createPair(hostEnd, p.router.Kernel); err != nil {
		t.Fatal(err)
	}
	if near, far := p.home.link("r1-eth0"), p.router.inside("eth0"); near.Mark != Unfinished || far.Mark != Unfinished {
		t.Errorf("marked %q and %q", near.Mark, far.Mark)
	}
	p.home.must(plan.Add, bridge("lab0"), hostEnd)
	p.router.must(plan.Set, inside)
	p.isWhole(t)
}

func TestPairKeepsTheGivenMACFromBirth(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	end := hostEnd
	end.Master, end.MAC = "", insideMAC
	p.home.must(plan.Add, end)
	if got := p.router.inside("eth0").MAC; got != insideMAC {
		t.Errorf("inside has %s", got)
	}
	d, err := p.home.device("r1-eth0")
	if want := append([]byte{0xfe}, insideMAC[1:]...); err != nil || string(d.mac) != string(want) {
		t.Errorf("host end has %x (%v)", d.mac, err)
	}
	changed := inside
	changed.MAC = otherMAC
	p.router.again(plan.Set, changed)
	if got := p.router.inside("eth0").MAC; got != otherMAC {
		t.Errorf("changed to %s", got)
	}
}

// TestPairIsMendedAfterItsNamespaceWasRecreated keeps the old namespace alive, as
// a process that was left in it does.
func TestPairIsMendedAfterItsNamespaceWasRecreated(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][]plan.Link{"host end": {hostEnd, inside}, "inside only": {inside}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t)
			p.home.must(plan.Add, bridge("lab0"), hostEnd, plan.Up{Link: "r1-eth0"})
			p.router.must(plan.Add, inside)
			old := p.router
			p.recreate(t)
			for _, l := range order {
				p.on(l.NS).must(plan.Add, l)
			}
			p.isWhole(t)
			if _, there := old.see().Link("r1", "eth0"); there {
				t.Error("the old end is still there")
			}
			if name == "inside only" && !p.home.has(plan.Up{Link: "r1-eth0"}) {
				t.Error("the host end is not up any more")
			}
		})
	}
}

// TestPairIsMendedWhenItsHalvesBelongToOthers gives both names to halves of two
// pairs, with numbers that fit by chance.
func TestPairIsMendedWhenItsHalvesBelongToOthers(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	third, fourth := open(t, "x"), open(t, "y")
	p.home.must(plan.Add, bridge("lab0"))
	for from, to := range map[*world]*world{p.home: third, p.router: fourth} {
		l := hostEnd
		l.NS, l.Name, l.Peer, l.PeerNS, l.Master = from.name, "r1-eth0", "eth0", to.name, ""
		if from == p.router {
			l.Name, l.Peer = "eth0", "r1-eth0"
		}
		a := applier{k: from.Kernel, indexes: map[string]int{}}
		if err := a.createPair(l, to.Kernel); err != nil {
			t.Fatal(err)
		}
	}
	p.home.must(plan.Add, hostEnd)
	p.router.must(plan.Add, inside)
	p.isWhole(t)
	for _, w := range []*world{third, fourth} {
		if s := w.see().Owned(); len(s) > 0 {
			t.Errorf("left in %s:\n%s", w.name, s)
		}
	}
}

func TestPairIsGoneFromBothSidesWhenOneIsDeleted(t *testing.T) {
	t.Parallel()
	for _, side := range []plan.Link{hostEnd, inside} {
		p := newPair(t)
		p.home.must(plan.Add, bridge("lab0"))
		before, beforeIn := p.home.see().String(), p.router.see().String()
		p.home.must(plan.Add, hostEnd)
		p.router.must(plan.Add, inside)
		p.on(side.NS).must(plan.Del, side)
		equal(t, p.home.see().String(), before)
		equal(t, p.router.see().String(), beforeIn)
		p.home.must(plan.Del, hostEnd)
		p.router.must(plan.Del, inside)
	}
}

func TestPairLeavesForeignLinksAlone(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.home.must(plan.Add, bridge("lab0"))
	p.router.stranger("bridge", "eth0")
	p.home.refuses(plan.Add, hostEnd, "add link r1-eth0: ", "link eth0 of type bridge", "in network namespace r1", "not kvmnet's")
	p.router.refuses(plan.Add, inside, "netns r1 add link eth0: ", "not kvmnet's")
	if _, there := p.home.see().Link("", "r1-eth0"); there {
		t.Error("half a pair was made")
	}
	q := newPair(t)
	q.home.stranger("veth", "r1-eth0")
	before := q.home.see().String()
	q.home.refuses(plan.Add, hostEnd, "not kvmnet's")
	q.router.refuses(plan.Add, inside, "link r1-eth0 of type veth is there and not kvmnet's")
	equal(t, q.home.see().String(), before)
}

func TestPairNeedsTheOtherNamespace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refuses(plan.Add, hostEnd, "add link r1-eth0: ", "network namespace r1 is not there")
	r := open(t, "r1")
	r.refuses(plan.Add, inside, "daemon's own network namespace is not known")
}

func TestPairOfAMasterThatIsGoneSaysSo(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.home.refuses(plan.Add, hostEnd, "add link r1-eth0: ", "find link lab0")
	p.home.must(plan.Add, bridge("lab0"), hostEnd)
	p.router.must(plan.Add, inside)
	p.isWhole(t)
}

func TestNumberOfTellsNamespacesApart(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	if id, err := p.home.numberOf(p.router.Kernel); id != unix.NETNSA_NSID_NOT_ASSIGNED || err != nil {
		t.Errorf("before: %d %v", id, err)
	}
	p.home.must(plan.Add, bridge("lab0"), hostEnd)
	id, err := p.home.numberOf(p.router.Kernel)
	if err != nil {
		t.Fatal(err)
	}
	if d, err := p.home.device("r1-eth0"); err != nil || !d.beyond || d.far != id {
		t.Errorf("link says %d, the kernel %d (%v)", d.far, id, err)
	}
}
