package kernel

import (
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

var wan = plan.Link{Mark: r1, NS: "r1", Name: "wan", Type: "macvlan", Lower: "eth0", MAC: insideMAC, MTU: 1500}

// onNICs is a pair whose host has two NICs.
func onNICs(t *testing.T) *pair {
	p := newPair(t)
	p.home.stranger("veth", "eth0")
	p.home.stranger("veth", "eth1")
	return p
}

func TestMacvlanIsObservedAsAdded(t *testing.T) {
	t.Parallel()
	for _, mtu := range []int{0, 1400} {
		p := onNICs(t)
		home, router := p.home.see().String(), p.router.see().String()
		l := wan
		l.MTU = mtu
		p.router.again(plan.Add, l)
		if l.MTU == 0 {
			l.MTU = 1500
		}
		equal(t, managed(p.router.inside("wan")), l)
		equal(t, p.home.see().String(), home)
		p.router.again(plan.Del, l)
		equal(t, p.router.see().String(), router)
	}
}

func TestMacvlanIsABridgeAmongThoseOfItsNIC(t *testing.T) {
	t.Parallel()
	p := onNICs(t)
	p.router.must(plan.Add, wan)
	if mode := number(p.router.bridgeData("wan")[nl.IFLA_MACVLAN_MODE]); mode != nl.MACVLAN_MODE_BRIDGE {
		t.Errorf("mode %d", mode)
	}
	if d, err := p.router.device("wan"); err != nil || d.group != 0 {
		t.Errorf("group %x (%v)", d.group, err)
	}
}

func TestMacvlanIsChangedInPlaceUnlessItsNICIsAnother(t *testing.T) {
	t.Parallel()
	p := onNICs(t)
	p.router.must(plan.Add, wan)
	before := p.router.inside("wan")
	changed := wan
	changed.MAC, changed.MTU = otherMAC, 1300
	p.router.again(plan.Set, changed)
	got := p.router.inside("wan")
	equal(t, managed(got), changed)
	if got.Index != before.Index {
		t.Errorf("index %d became %d", before.Index, got.Index)
	}
	changed.Lower = "eth1"
	p.router.again(plan.Set, changed)
	equal(t, managed(p.router.inside("wan")), changed)
	changed.Lower = "eth9"
	p.router.refuses(plan.Set, changed, "netns r1 set link wan: ", "NIC eth9 of the host", "no such device")
}

// TestMacvlanMayHaveTheNameOfALinkOfTheHost: kernels before 6.13 need two steps.
func TestMacvlanMayHaveTheNameOfALinkOfTheHost(t *testing.T) {
	t.Parallel()
	p := onNICs(t)
	home := p.home.see().String()
	l := wan
	l.Name = "eth0"
	p.router.again(plan.Add, l)
	equal(t, managed(p.router.inside("eth0")), l)
	equal(t, p.home.see().String(), home)

	l.Name, l.MAC = "eth1", otherMAC
	nic, err := p.home.device("eth0")
	if err != nil {
		t.Fatal(err)
	}
	a := applier{k: p.router.Kernel, indexes: map[string]int{}}
	if err := a.moveMacvlan(p.home.Kernel, l, nic.index); err != nil {
		t.Fatal(err)
	}
	if got := p.router.inside("eth1"); got.Mark != Unfinished || got.MAC != otherMAC {
		t.Errorf("moved: %+v", got)
	}
	p.router.must(plan.Add, l)
	equal(t, managed(p.router.inside("eth1")), l)
	equal(t, p.home.see().String(), home)
}

func TestMacvlanThatCannotBeMovedLeavesNothing(t *testing.T) {
	t.Parallel()
	p := onNICs(t)
	p.router.stranger("bridge", "wan")
	home, router := p.home.see().String(), p.router.see().String()
	nic, err := p.home.device("eth0")
	if err != nil {
		t.Fatal(err)
	}
	a := applier{k: p.router.Kernel, indexes: map[string]int{}}
	if err := a.moveMacvlan(p.home.Kernel, wan, nic.index); err == nil {
		t.Error("two links have one name")
	}
	p.router.refuses(plan.Add, wan, "netns r1 add link wan: ", "type bridge", "not kvmnet's")
	equal(t, p.home.see().String(), home)
	equal(t, p.router.see().String(), router)
}

func TestMacvlanGoesWithItsNIC(t *testing.T) {
	t.Parallel()
	p := onNICs(t)
	p.router.must(plan.Add, wan)
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(p.home.link("eth0").Index)
	p.home.raw(unix.RTM_DELLINK, 0, msg)
	if _, there := p.router.see().Link("r1", "wan"); there {
		t.Error("it is still there")
	}
	p.router.must(plan.Del, wan)
	p.router.refuses(plan.Add, wan, "NIC eth0 of the host")
}
