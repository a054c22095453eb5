package manage

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// classes has networks as a school has them: with lines about who may have ports.
const classes = `networks:
  class:
    mode: nat
    subnets: [{address: 10.2.0.1/24}]
    guard: mac,address
    access:
    - {user: '3999999999', ports: 2}
    - group: '3999999998'
      ports: 1
      guards: [mac, off]
    - {group: '3999999999', guards: [server]}
  free: {mode: isolated, bridge: {mtu: 9000}, access: [{user: '3999999999'}]}
  mine: {mode: isolated}
  later: {mode: isolated, onDemand: true, access: [{user: '3999999999'}]}
  off: {mode: isolated, autostart: false, access: [{user: '3999999999'}]}
`

func TestOpenedPortLivesAsLongAsItsTap(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(classes)
	p, files := r.opens(nobody, api.OpenPort{Network: "free", Guest: "alpine", Queues: 3})
	if len(files) != 3 || p.Name != "free-1" || p.Spec.Owner != "3999999999" || p.Spec.MAC.IsZero() || p.Spec.Held != spec.HeldOutside || p.Spec.Guest != "alpine" {
		t.Errorf("%d descriptors of %+v", len(files), p.Spec)
	}
	if p.Status.State != "up" || p.Status.Bridge != "free" || p.Status.MTU != 9000 || !p.Status.Open {
		t.Errorf("status %+v", p.Status)
	}
	if l, _ := r.host.link("free-1"); l.Master != "free" || l.Owner() != "" {
		t.Errorf("the tap is %+v", l)
	}
	r.settled()
	r.untouched(func() { r.settled() })
	if list, err := r.Ports(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("listed %v, %v", list, err) // not as an adopted one, too
	}
	for i, f := range files {
		if got := r.ports(); len(got) != 1 {
			t.Errorf("gone with %d of its queues open", len(files)-i)
		}
		f.Close()
	}
	r.are()
	r.settled()
	if record, err := r.disk.Borrowed(); err != nil || len(record) > 1 { // the uplink's
		t.Errorf("left on record: %v, %v", record, err)
	}
}

// A port that is asked for by name has a tap of ours. It goes when nobody keeps it and
// nobody has it open.
func TestPortOpenedByName(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(classes)
	p, files := r.opens(nobody, api.OpenPort{Network: "free", ByName: true, Name: "vm1"})
	l, _ := r.host.link("vm1")
	if len(files) > 0 || p.Spec.Held != spec.HeldOpen || l.Owner() != "port/vm1" || l.TapOwner != "3999999999" {
		t.Errorf("%d descriptors, %+v, %+v", len(files), p.Spec, l)
	}
	r.KeepPort("vm1")
	if list, err := r.Orphans(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("orphans %v, %v", list, err)
	}
	r.host.alter("vm1", func(l *plan.Link) { l.Open = true })
	r.LeavePort(t.Context(), "vm1")
	r.are("vm1") // its guest goes on
	r.host.alter("vm1", func(l *plan.Link) { l.Open = false })
	list, err := r.Orphans(t.Context())
	if err != nil || len(list) != 1 || !strings.Contains(list[0].Object, "link vm1 type tap") {
		t.Errorf("orphans %v, %v", list, err)
	}
	list, err = r.Collect(t.Context())
	if err != nil || len(list) != 1 {
		t.Errorf("collected %v, %v", list, err)
	}
	r.are()
	r.gone("vm1")
	r.opens(nobody, api.OpenPort{Network: "free", ByName: true, Name: "vm1"})
	r.KeepPort("vm1")
	r.LeavePort(t.Context(), "vm1")
	if got := r.ports(); len(got) > 0 {
		t.Errorf("left behind, and never opened: %v", got)
	}
	r.settled()
}

// A tap that its program closed, and a guest that starts again may open again, is there
// for a while.
func TestClosedTapIsReapedAfterAGrace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(classes)
	p, _ := r.opens(nobody, api.OpenPort{Network: "later", ByName: true})
	for range 2 {
		r.host.alter(p.Spec.Interface, func(l *plan.Link) { l.Open = !l.Open })
	}
	aged := func(by time.Duration) { r.aged(p, by) }
	aged(grace / 2)
	r.are(p.Name)
	r.host.alter(p.Spec.Interface, func(l *plan.Link) { l.Open = true })
	r.eventually("it is seen open", func() bool {
		r.reaper.mu.Lock()
		defer r.reaper.mu.Unlock()
		return r.reaper.idle[p.Spec.UUID].IsZero()
	})
	r.host.alter(p.Spec.Interface, func(l *plan.Link) { l.Open = false })
	aged(grace / 2)
	r.are(p.Name) // the time begins anew
	aged(grace)
	r.are()
	r.eventually("its tap goes", func() bool { _, there := r.host.link(p.Spec.Interface); return !there })
	r.eventually("its network stops", func() bool { _, there := r.host.link("later"); return !there })
	if _, err := r.AddPort(t.Context(), api.AddPort{Name: "vm1", Transient: true, Port: &spec.Port{Network: "free"}}); err != nil {
		t.Fatal(err)
	}
	r.engine.Wake()
	r.settled()
	r.are("vm1") // is nobody's to reap
}

// A tap that others made to stay is not used any more when it is closed; one that waits
// for its first program is.
func TestStayingTapOfOthersIsForgottenAfterAGrace(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks)
	r.host.add(tapOf("vnet0"))
	p := r.plugs("vnet0", "later")
	r.engine.Wake()
	r.settled()
	if list, err := r.Orphans(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("before its first program: left over are %v, %v", list, err)
	}
	r.host.alter("vnet0", func(l *plan.Link) { l.Open = true })
	r.eventually("it is seen open", func() bool {
		r.reaper.mu.Lock()
		defer r.reaper.mu.Unlock()
		return r.reaper.used[p.Spec.UUID]
	})
	r.host.alter("vnet0", func(l *plan.Link) { l.Open = false })
	r.aged(p, grace/2)
	r.are("vnet0")
	r.aged(p, grace)
	r.are()
	r.eventually("the tap is given back", func() bool { l, there := r.host.link("vnet0"); return there && l.Master == "" })
}

func TestOpenPortNamesTheLineOfPolicy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(classes)
	me, other := nobody-1, nobody-2
	r.opens(nobody, api.OpenPort{Network: "class"})
	r.opens(nobody, api.OpenPort{Network: "class"})
	r.opens(nobody, api.OpenPort{Network: "class"}) // as a member of the group, which may have any number
	r.opens(me, api.OpenPort{Network: "class", Guard: "mac"})
	_, _, err := r.open(me, api.OpenPort{Network: "class"})
	r.refused(err, api.CodeConflict, "network class: group 3999999998 may have 1 port at a time, and user 3999999998 has 1 (class.yaml:")
	at := strings.SplitN(err.Error(), "class.yaml:", 2)[1]
	var line, column int
	if fmt.Sscanf(at, "%d:%d", &line, &column); !strings.Contains(strings.Split(r.text("networks/class.yaml"), "\n")[line-1], "3999999998") {
		t.Errorf("%s does not point at the line of access in\n%s", at, r.text("networks/class.yaml"))
	}
	for _, one := range []struct {
		uid  int
		req  api.OpenPort
		says []string
	}{
		{nobody, api.OpenPort{Network: "class", Guard: "off"}, []string{"group 3999999999 may not have a port with guard off", "the network's is mac,address", "class.yaml", "or choose server"}},
		{other, api.OpenPort{Network: "class"}, []string{"user 3999999997 may not have ports there", "- {user: 3999999997, ports: 5}", "kvmnet net edit class"}},
		{nobody, api.OpenPort{Network: "mine"}, []string{"network mine: user 3999999999 may not have ports there", "access: [{user: 3999999999, ports: 5}]"}},
		{nobody, api.OpenPort{Bridge: "mine"}, []string{"network mine: user 3999999999 may not"}},
		{nobody, api.OpenPort{Network: "off"}, []string{"network off does not run", "kvmnet net start off"}},
		{nobody, api.OpenPort{Bridge: "br7"}, []string{"bridge br7 is not of a network"}},
	} {
		r.untouched(func() {
			_, files, err := r.open(one.uid, one.req)
			r.refused(err, api.CodeConflict, one.says...)
			closeAll(files)
		})
	}
	_, _, err = r.open(nobody, api.OpenPort{Network: "nat"})
	r.refused(err, api.CodeNotFound, "no network named nat")
	_, _, err = r.open(nobody, api.OpenPort{})
	r.refused(err, api.CodeInvalid, "needs a network")
	r.opens(0, api.OpenPort{Network: "mine", Guard: "off"}) // root may have everything
}

// Access is as it is defined, whatever runs: who is taken off the list has no more.
func TestOpenPortGoesByTheDefinition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(classes)
	r.edit("networks/mine.yaml", strings.Replace(r.text("networks/mine.yaml"), "mode: isolated", "mode: isolated\n    access: [{user: '3999999999'}]", 1))
	r.opens(nobody, api.OpenPort{Network: "mine"})
	r.edit("networks/free.yaml", strings.Replace(r.text("networks/free.yaml"), "3999999999", "3999999990", 1))
	_, _, err := r.open(nobody, api.OpenPort{Network: "free"})
	r.refused(err, api.CodeConflict, "may not have ports there")
	r.create("networks: {tmp: {mode: isolated, access: [{user: '3999999999', ports: 1}]}}")
	r.opens(nobody, api.OpenPort{Network: "tmp"})
	_, _, err = r.open(nobody, api.OpenPort{Network: "tmp"})
	r.refused(err, api.CodeConflict, "network tmp: user 3999999999 may have 1 port at a time")
}

func TestAccess(t *testing.T) {
	t.Parallel()
	n := &spec.Network{Guard: "mac, address", Access: []spec.Access{
		{User: "alice", Ports: 1}, {Group: "students", Ports: 5}, {Group: "staff", Ports: 2, Guards: []spec.Guard{"mac"}}, {User: "1003"},
	}}
	student := asker{name: "alice", users: []string{"alice", "1001"}, groups: []string{"students", "100"}}
	both := student
	both.groups = append([]string{"staff"}, student.groups...)
	for _, one := range []struct {
		who  asker
		wish wish
		line int // that refuses; -2 = none does
		says string
	}{
		{student, wish{has: 4}, -2, ""},
		{student, wish{has: 5}, 1, "group students may have 5 ports at a time, and alice has 5"},
		{student, wish{guard: "address,mac"}, -2, ""},
		{student, wish{guard: spec.GuardStrict}, -2, ""},
		{student, wish{guard: "mac"}, 1, "group students may not have a port with guard mac"},
		{both, wish{guard: "mac", has: 1}, -2, ""},
		{both, wish{guard: "mac,server", has: 1}, -2, ""},
		{both, wish{guard: "mac", has: 2}, 1, "group students may not have a port with guard mac"},
		{asker{name: "bob", users: []string{"bob", "1003"}}, wish{has: 999}, -2, ""},
		{asker{name: "eve", users: []string{"eve", "1004"}, groups: []string{"alice"}}, wish{}, -1, "eve may not have ports there"},
		{asker{name: "root", all: true}, wish{has: 99, guard: spec.GuardOff}, -2, ""},
	} {
		r := access("class", n, one.who, one.wish)
		if (r == nil) != (one.line == -2) || r != nil && (r.line != one.line || !strings.HasPrefix(r.why, one.says)) {
			t.Errorf("%s, %+v: %+v, want line %d: %s", one.who.name, one.wish, r, one.line, one.says)
		}
	}
}

func TestOpenPortRefusesWhatIsAnothers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(classes + "ports: {vm1: {network: class, mac: '52:54:00:00:00:01', addresses: [10.2.0.9]}}\n")
	r.apply(strings.Replace(classes, "{address: 10.2.0.1/24}", "{address: 10.2.0.1/24, dhcp: {hosts: {nas: {mac: '52:54:00:00:00:02', ip: 10.2.0.7}}}}", 1))
	r.host.add(tapOf("free-1"), tapOf("vnet0"))
	for _, one := range []struct {
		req  api.OpenPort
		code string
		says []string
	}{
		{api.OpenPort{Network: "free", MAC: spec.MAC{0x52, 0x54, 0, 0, 0, 1}}, api.CodeInvalid, []string{"52:54:00:00:00:01", "vm1"}},
		{api.OpenPort{Network: "class", Addresses: []netip.Addr{netip.MustParseAddr("10.9.0.1")}}, api.CodeInvalid, []string{"10.9.0.1"}},
		{api.OpenPort{Network: "class", Addresses: []netip.Addr{netip.MustParseAddr("10.2.0.9")}}, api.CodeInvalid, []string{"vm1"}},
		{api.OpenPort{Network: "class", Addresses: []netip.Addr{netip.MustParseAddr("10.2.0.7")}}, api.CodeInvalid, []string{"10.2.0.7"}},
		{api.OpenPort{Network: "class", Addresses: []netip.Addr{netip.MustParseAddr("10.2.0.1")}}, api.CodeInvalid, []string{"10.2.0.1"}},
		{api.OpenPort{Network: "free", Name: "vm1"}, api.CodeConflict, []string{"port vm1 exists, on network class"}},
		{api.OpenPort{Network: "free", Name: "vnet0"}, api.CodeConflict, []string{"interface vnet0 exists"}},
		{api.OpenPort{Network: "free", Name: "no name"}, api.CodeInvalid, []string{"no name"}},
		{api.OpenPort{Network: "free", Queues: 300}, api.CodeInvalid, []string{"300 queues"}},
		{api.OpenPort{Network: "free", ByName: true, AnyMAC: true}, api.CodeInvalid, []string{"leave the MAC out"}},
	} {
		r.untouched(func() {
			_, files, err := r.open(nobody, one.req)
			r.refused(err, one.code, one.says...)
			closeAll(files)
		})
	}
	p, _ := r.opens(nobody, api.OpenPort{Network: "free"}) // whose made name is taken by a stranger
	if !strings.HasPrefix(p.Name, "free-") || p.Name == "free-1" {
		t.Errorf("it is called %s", p.Name)
	}
}

// A guest with a MAC that nobody knows has none in the port, and no reservation.
func TestOpenPortOfAnyMAC(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(classes)
	for range 2 {
		p, _ := r.opens(nobody, api.OpenPort{Bridge: "free", AnyMAC: true})
		if !p.Spec.MAC.IsZero() || p.Spec.Network != "free" {
			t.Errorf("the port is %+v", p.Spec)
		}
	}
	r.settled()
}

// When anything fails on the way, there is neither port nor tap, nor the network that
// was started for it.
func TestOpenPortThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, refuse := range []string{"tap", "link later ", "set link later-1 ", "link later-1 up"} {
		r := newRig(t)
		r.apply(classes)
		r.ok(r.Pause(t.Context(), true))
		r.host.change(func() { r.host.refuse = refuse })
		_, files, err := r.open(nobody, api.OpenPort{Network: "later"})
		r.refused(err, api.CodeInternal)
		if len(files) > 0 || len(r.ports()) > 0 {
			t.Errorf("%s: %d descriptors, ports %v", refuse, len(files), r.ports())
		}
		r.host.change(func() { r.host.refuse = "" })
		r.ok(r.Pause(t.Context(), false))
		r.eventually("no tap", func() bool { _, there := r.host.link("later-1"); return !there })
		r.settled()
		r.is("later", "on demand persistent")
		_, files = r.opens(nobody, api.OpenPort{Network: "later"})
		r.is("later", "running persistent")
		closeAll(files)
		r.eventually("the network stops", func() bool { _, there := r.host.link("later"); return !there })
		r.is("later", "on demand persistent")
	}
}

// A daemon that starts again finds the ports whose taps are there, and forgets the
// others at once.
func TestHeldPortsOverARestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(classes)
	_, stays := r.opens(nobody, api.OpenPort{Network: "free", Name: "stays"})
	_, goes := r.opens(nobody, api.OpenPort{Network: "free", Name: "goes"})
	r.opens(nobody, api.OpenPort{Network: "free", Name: "named", ByName: true})
	r.host.alter("named", func(l *plan.Link) { l.Open = true })
	next := &rig{t: t, host: r.host, guests: r.guests, kernel: r.kernel, dirs: r.dirs}
	r.stop()
	closeAll(goes)
	r.eventually("a tap is gone", func() bool { _, there := r.host.link("goes"); return !there })
	next.boot()
	next.are("named", "stays")
	closeAll(stays)
	next.are("named")
	next.settled()
}

// What programs hold is not written in files: it is neither read from them nor exported.
func TestHeldPortsAreNotInFiles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(classes)
	r.opens(nobody, api.OpenPort{Network: "free", Name: "vm1"})
	all, err := r.Export(t.Context(), "", "")
	r.ok(err)
	if strings.Contains(all, "vm1") {
		t.Errorf("exported:\n%s", all)
	}
	r.untouched(func() {
		_, err = r.try(false, "ports:\n  vm2:\n    network: free\n    held: open\n")
		r.refused(err, api.CodeInvalid, "a.yaml:4:", "not held by a program")
		_, err = r.try(false, "ports: {vm1: {network: free}}")
		r.refused(err, api.CodeConflict, "port vm1 is held by a program")
		_, err = r.AddPort(t.Context(), api.AddPort{Name: "vm3", Port: &spec.Port{Network: "free", Held: spec.HeldOpen}})
		r.refused(err, api.CodeInvalid, "held")
	})
}
