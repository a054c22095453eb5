package kernel

import (
	"fmt"
	"maps"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

func TestLinkIsObservedAsAdded(t *testing.T) {
	t.Parallel()
	for _, l := range []plan.Link{
		bridge("lab0"),
		{Mark: lab, Name: "jumbo", Type: "bridge", MAC: mac, MTU: 9000},
		{Mark: "bridge/br0", Name: "stp", Type: "bridge", MAC: mac, MTU: 1500, STP: true, ForwardDelay: 4},
		{Mark: lab, Name: "a.b", Type: "bridge", MAC: mac, MTU: 1280},
		{Mark: "port/vm1", Name: "v1", Type: "veth", MTU: 1400, Peer: "v1p"},
		{Mark: "port/vm1", Name: "v2", Type: "veth", MTU: 1500, Peer: "v2p", Master: "master"},
	} {
		t.Run(l.Name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must(plan.Add, bridge("master"), l)
			got := w.link(l.Name)
			if got.Index == 0 || got.Parent != l.Peer {
				t.Errorf("index %d, parent %q", got.Index, got.Parent)
			}
			l.Peer = ""
			equal(t, managed(got), l)
			if up := (plan.Up{Link: l.Name}); w.has(up) {
				t.Error("a new link is up")
			}
			w.must(plan.Add, l)
			equal(t, w.link(l.Name), got)
		})
	}
}

func TestLinkAddOfABridgeKeepsItsMTUWhateverThePorts(t *testing.T) {
	t.Parallel()
	for _, mtu := range []int{1500, 1501, 9000} {
		w := newWorld(t)
		l := bridge("lab0")
		l.MTU = mtu
		w.must(plan.Add, l, plan.Link{Mark: lab, Name: "p0", Type: "veth", Peer: "p1", MTU: 1300, Master: "lab0"})
		if got := w.link("lab0").MTU; got != mtu {
			t.Errorf("mtu %d became %d", mtu, got)
		}
	}
}

func TestLinkAddOfABridgeChoosesItsMACAndHooksOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, bridge("lab0"))
	w.must(plan.Add, plan.Link{Mark: lab, Name: "p0", Type: "veth", Master: "lab0"})
	if got := w.link("lab0").MAC; got != mac {
		t.Errorf("the first port changed the MAC to %s", got)
	}
	for _, hook := range []int{nl.IFLA_BR_NF_CALL_IPTABLES, nl.IFLA_BR_NF_CALL_IP6TABLES, nl.IFLA_BR_NF_CALL_ARPTABLES} {
		if v := w.bridgeData("lab0")[hook]; len(v) != 1 || v[0] != 0 {
			t.Errorf("attribute %d is %v", hook, v)
		}
	}
	if v := w.bridgeData("lab0")[nl.IFLA_BR_FORWARD_DELAY]; number(v) != 0 {
		t.Errorf("forward delay %v", v)
	}
}

// bridgeData are the bridge's own attributes.
func (w *world) bridgeData(name string) map[int][]byte {
	w.Helper()
	msgs, err := w.request(unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC), attrText(unix.IFLA_IFNAME, name)).
		Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil {
		w.Fatal(err)
	}
	data := map[int][]byte{}
	for kind, v := range attrs(msgs[0][unix.SizeofIfInfomsg:]) {
		if kind != unix.IFLA_LINKINFO {
			continue
		}
		for kind, v := range attrs(v) {
			if kind == unix.IFLA_INFO_DATA {
				data = maps.Collect(attrs(v))
			}
		}
	}
	return data
}

func TestLinkAddGivesTheGuestsMACToTheVethsPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, plan.Link{Mark: "port/vm1", Name: "v0", Type: "veth", Peer: "v0p", MAC: mac, MTU: 1400})
	peer := w.link("v0p")
	equal(t, managed(peer), plan.Link{Name: "v0p", Type: "veth", MAC: mac, MTU: 1400})
	if peer.Parent != "v0" {
		t.Errorf("parent of the peer is %q", peer.Parent)
	}
	host, err := w.device("v0")
	if err != nil || string(host.mac) == string(mac[:]) {
		t.Errorf("host end has the guest's MAC (%v)", err)
	}
}

func TestLinkAddNamesNoPeer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(plan.Add, plan.Link{Mark: "port/vm1", Name: "v0", Type: "veth"})
	if w.link("v0").Parent == "" {
		t.Error("no peer")
	}
}

func TestLinkAddRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("bridge", "br0")
	w.must(plan.Add, bridge("ours"), plan.Link{Mark: lab, Name: "p0", Type: "veth", Peer: "p1"})
	for _, c := range []struct {
		l     plan.Link
		words []string
	}{
		{bridge("br0"), []string{"add link br0: ", "type bridge", "not kvmnet's", "file exists"}},
		{plan.Link{Mark: lab, Name: "ours", Type: "veth"}, []string{"add link ours: ", "type bridge"}},
		{plan.Link{Mark: lab, Name: "new", Type: "veth", Peer: "br0"}, []string{"add link new: ", "file exists"}},
		{plan.Link{Mark: lab, Name: "v", Type: "vlan"}, []string{"add link v: ", "vlan"}},
		{plan.Link{Name: "x", Type: "bridge"}, []string{"no owner"}},
		{plan.Link{Mark: lab, Name: "x/y", Type: "bridge"}, []string{"add link x/y: ", "invalid argument"}},
		{plan.Link{Mark: lab, Name: "x", Type: "bridge", MTU: 66000}, []string{"add link x: ", "mtu"}},
	} {
		before := w.see()
		w.refuses(plan.Add, c.l, c.words...)
		equal(t, w.see().String(), before.String())
	}
}

func TestLinkSetChangesEachFieldInPlace(t *testing.T) {
	t.Parallel()
	base := bridge("lab0")
	port := plan.Link{Mark: "port/vm1", Name: "p0", Type: "veth", MTU: 1500, Master: "lab0"}
	for name, c := range map[string]struct{ from, to plan.Link }{
		"mtu":      {base, with(base, func(l *plan.Link) { l.MTU = 1400 })},
		"mac":      {base, with(base, func(l *plan.Link) { l.MAC[5] = 9 })},
		"alias":    {base, with(base, func(l *plan.Link) { l.Mark = "network/other" })},
		"stp on":   {base, with(base, func(l *plan.Link) { l.STP, l.ForwardDelay = true, 4 })},
		"stp off":  {with(base, func(l *plan.Link) { l.STP, l.ForwardDelay = true, 4 }), base},
		"delay":    {with(base, func(l *plan.Link) { l.STP, l.ForwardDelay = true, 4 }), with(base, func(l *plan.Link) { l.STP, l.ForwardDelay = true, 7 })},
		"release":  {port, with(port, func(l *plan.Link) { l.Master = "" })},
		"move":     {port, with(port, func(l *plan.Link) { l.Master = "lab1" })},
		"enslave":  {with(port, func(l *plan.Link) { l.Master = "" }), port},
		"port mtu": {port, with(port, func(l *plan.Link) { l.MTU = 1400 })},
		"all": {base, with(base, func(l *plan.Link) {
			*l = plan.Link{Mark: "network/x", Name: l.Name, Type: l.Type, MAC: l.MAC, MTU: 2000, STP: true, ForwardDelay: 30}
		})},
		"unchanged": {base, base},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.must(plan.Add, bridge("lab1"))
			if c.from.Type != "bridge" {
				w.must(plan.Add, base)
			}
			w.must(plan.Add, c.from)
			before := w.link(c.from.Name)
			w.must(plan.Set, c.to)
			got := w.link(c.to.Name)
			equal(t, managed(got), c.to)
			if got.Index != before.Index {
				t.Errorf("index %d became %d", before.Index, got.Index)
			}
			w.must(plan.Set, c.to)
			equal(t, w.link(c.to.Name), got)
		})
	}
}

func with(l plan.Link, change func(*plan.Link)) plan.Link {
	change(&l)
	return l
}

func TestLinkSetKeepsWhatIsNotManaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := with(bridge("lab0"), func(l *plan.Link) { l.MTU, l.STP, l.ForwardDelay = 1400, true, 4 })
	w.must(plan.Add, l)
	w.must(plan.Set, plan.Link{Mark: lab, Name: "lab0", Type: "bridge", STP: true})
	equal(t, managed(w.link("lab0")), l)
}

// Of a link of others its bridge is ours to set, and what is said of MTU and MAC.
func TestLinkSetOfAForeignLinkTouchesOnlyWhatIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("veth", "eth0")
	w.must(plan.Add, bridge("br0"))
	before := w.link("eth0")
	want := plan.Link{Mark: "bridge/br0", Name: "eth0", Type: "veth", Master: "br0", Foreign: true}
	w.must(plan.Set, want)
	equal(t, w.link("eth0"), with(before, func(l *plan.Link) { l.Master = "br0" }))
	want.MTU, want.MAC, want.Master = 1400, mac, ""
	w.must(plan.Set, want)
	equal(t, w.link("eth0"), with(before, func(l *plan.Link) { l.MTU, l.MAC = 1400, mac }))
	want.MTU, want.MAC = before.MTU, before.MAC
	w.must(plan.Set, want)
	equal(t, w.link("eth0"), before)
}

func TestLinkSetRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("bridge", "br0")
	w.must(plan.Add, bridge("lab0"))
	w.refuses(plan.Set, bridge("br0"), "set link br0: ", "not kvmnet's")
	w.refuses(plan.Set, bridge("none"), "set link none: ", "no such device")
	w.refuses(plan.Set, with(bridge("lab0"), func(l *plan.Link) { l.Master = "none" }), "set link lab0: ", "find link none")
	w.must(plan.Set, with(bridge("lab0"), func(l *plan.Link) { l.STP = true }))
	w.refuses(plan.Set, with(bridge("lab0"), func(l *plan.Link) { l.STP, l.ForwardDelay = true, 99 }), "set link lab0: ", "numerical result out of range")
	w.refuses(plan.Set, with(bridge("lab0"), func(l *plan.Link) { l.Master = "lab0" }), "set link lab0: ")
}

func TestLinkLeftUnfinishedIsOursAndCanBeFinishedOrDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := applier{k: w.Kernel, indexes: map[string]int{}}
	for _, name := range []string{"lab0", "lab1", "lab2"} {
		if err := a.create(bridge(name), nil, bridgeInfo(bridge(name))); err != nil {
			t.Fatal(err)
		}
		if got := w.link(name); got.Mark != Unfinished {
			t.Fatalf("%s is marked %q", name, got.Mark)
		}
	}
	w.must(plan.Add, bridge("lab0"))
	w.must(plan.Set, bridge("lab1"))
	w.must(plan.Del, w.link("lab2"))
	equal(t, managed(w.link("lab0")), bridge("lab0"))
	equal(t, managed(w.link("lab1")), bridge("lab1"))
	for _, name := range []string{"lab0", "lab1"} {
		if d, err := w.device(name); err != nil || d.group != 0 {
			t.Errorf("%s is still in group %x (%v)", name, d.group, err)
		}
	}
	if _, there := w.see().Link("", "lab2"); there {
		t.Error("lab2 is still there")
	}
}

func TestLinkDelLeavesForeignLinksAlone(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, together + 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.stranger("bridge", "br0")
			w.stranger("veth", "eth0")
			w.must(plan.Add, bridge("stays"))
			before := w.see()
			var links []plan.Object
			for i := range n {
				links = append(links, bridge(fmt.Sprintf("lab%d", i)))
			}
			w.must(plan.Add, links...)
			w.must(plan.Del, links...)
			equal(t, w.see().String(), before.String())
			w.must(plan.Del, links...)
		})
	}
}

func TestLinkDelTakesBothEndsOfAVethAndItsPortsAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.see()
	a := plan.Link{Mark: "port/a", Name: "a", Type: "veth", Peer: "b", Master: "lab0"}
	b := plan.Link{Mark: "port/b", Name: "b", Type: "veth"}
	for _, del := range [][]plan.Object{{a, b, bridge("lab0")}, {b, a, bridge("lab0")}, {bridge("lab0"), a}, {a, bridge("lab0")}} {
		w.must(plan.Add, bridge("lab0"), a)
		w.ours(b)
		w.must(plan.Del, del...)
		equal(t, w.see().String(), before.String())
		w.must(plan.Del, b)
	}
}

// ours marks a link that is there.
func (w *world) ours(l plan.Link) {
	w.Helper()
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(w.link(l.Name).Index)
	w.raw(unix.RTM_NEWLINK, 0, msg, attr(unix.IFLA_IFALIAS, []byte(alias(l.Mark))))
}

func TestLinkDelRefusesWhatIsNotOursAnyMore(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("bridge", "br0")
	w.must(plan.Add, bridge("lab0"), bridge("lab1"), with(bridge("other"), func(l *plan.Link) { l.Mark = "network/other" }))
	errs := w.try(plan.Del, bridge("lab0"), bridge("br0"), bridge("other"), bridge("gone"), bridge("lab1"))
	for i, refused := range []bool{false, true, true, false, false} {
		if (errs[i] != nil) != refused {
			t.Errorf("op %d: %v", i, errs[i])
		}
	}
	state := w.see()
	for name, want := range map[string]bool{"lab0": false, "lab1": false, "br0": true, "other": true} {
		if _, there := state.Link("", name); there != want {
			t.Errorf("%s there: %v", name, there)
		}
	}
	w.refuses(plan.Del, bridge("br0"), "del link br0: ", "not kvmnet's")
	w.refuses(plan.Del, bridge("other"), "network/other")
}

func TestLinkTypesOfStrangers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("bridge", "br0")
	w.stranger("veth", "eth0")
	for name, want := range map[string]string{"lo": "loopback", "br0": "bridge", "eth0": "veth"} {
		if l := w.link(name); l.Type != want || l.Mark != "" || l.Foreign {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if w.link("eth0").MAC.IsZero() {
		t.Error("the MAC of a foreign link is not observed")
	}
	if got := (&device{arp: unix.ARPHRD_ETHER}).linkType(); got != "device" {
		t.Errorf("a physical device is a %q", got)
	}
}

func TestVethPeerOfAnotherNamespaceIsNoParent(t *testing.T) {
	t.Parallel()
	w, far := newWorld(t), newWorld(t)
	w.must(plan.Add, plan.Link{Mark: lab, Name: "v0", Type: "veth", Peer: "v0p"})
	peer := w.link("v0p")
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(peer.Index)
	w.raw(unix.RTM_NEWLINK, 0, msg, attr32(unix.IFLA_NET_NS_FD, far.ns.Fd()))
	if got := w.link("v0").Parent; got != "" {
		t.Errorf("parent %q", got)
	}
	if got := far.link("v0p").Parent; got != "" {
		t.Errorf("parent %q", got)
	}
}

func TestUpIsAppliedTwiceAndTakenBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stranger("bridge", "br0")
	w.must(plan.Add, bridge("lab0"))
	up, foreign := plan.Up{Mark: lab, Link: "lab0"}, plan.Up{Mark: "bridge/br0", Link: "br0"}
	for range 2 {
		w.must(plan.Add, up, foreign)
		equal(t, w.see()[up.Key()], plan.Object(up))
		equal(t, w.see()[foreign.Key()], plan.Object(plan.Up{Link: "br0"}))
	}
	for range 2 {
		w.must(plan.Del, up, foreign, plan.Up{Link: "none"})
		if w.has(up) || w.has(foreign) {
			t.Error("still up")
		}
	}
	w.refuses(plan.Add, plan.Up{Link: "none"}, "add link none up: ", "no such device")
}

func TestApplyRefusesOpsOfAnotherNamespaceAndOtherRooms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := w.see()
	w.refuses(plan.Add, with(bridge("lab0"), func(l *plan.Link) { l.NS = "r1" }), "another namespace")
	w.refuses(plan.Add, plan.Program{Fingerprint: "x"}, "Program")
	equal(t, w.see().String(), before.String())
	r1, err := Open(w.ns, "r1")
	if err != nil {
		t.Fatal(err)
	}
	defer r1.Close()
	in := &world{t, w.ns, r1}
	in.must(plan.Add, with(bridge("lab0"), func(l *plan.Link) { l.NS = "r1" }))
	if _, there := in.see().Link("r1", "lab0"); !there {
		t.Error("link is not observed in its namespace's name")
	}
	in.refuses(plan.Add, plan.Up{NS: "r1", Link: "none"}, "netns r1 add link none up: ")
}

func TestPortsHaveTheGuestsAddressWithTheHighestFirstByte(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"veth", "tap"} {
		if kind == "tap" {
			needTun(t)
		}
		w := newWorld(t)
		w.must(plan.Add, plan.Link{Mark: "port/vm1", Name: "vm1", Type: kind, MAC: mac})
		have, err := w.device("vm1")
		if err != nil {
			t.Fatal(err)
		}
		want := mac
		want[0] = 0xfe
		equal(t, [6]byte(have.mac), [6]byte(want))
	}
}
