package manage

import (
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// QEMU made a tap and runs its script: it is plugged in, once, however often it is
// asked for, and goes with QEMU.
func TestPlugPort(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks)
	r.host.add(tapOf("vnet0.0"), tapOf("vnet1"))
	before, _ := r.host.link("vnet0.0")
	p := r.plugs("vnet0.0", "later")
	r.is("later", "running persistent")
	if p.Name != "vnet0.0" || p.Spec.Held != spec.HeldOutside || !p.Spec.MAC.IsZero() || p.Status.State != "up" || p.Status.Bridge != "later" {
		t.Errorf("%+v, %+v", p.Spec, p.Status)
	}
	r.untouched(func() {
		r.plugs("vnet0.0", "later")
		if again := r.plugs("vnet0.0", ""); again.Name != p.Name {
			t.Errorf("again it is %+v", again)
		}
	})
	r.plugs("vnet0.0", "lab")
	r.plugged("vnet0.0", "lab")
	r.is("later", "on demand persistent")
	r.plugs("vnet1", "later")
	r.ok(r.UnplugPort(t.Context(), "vnet0.0"))
	if l, _ := r.host.link("vnet0.0"); l != before {
		t.Errorf("given back it is %+v, was %+v", l, before)
	}
	r.untouched(func() { r.ok(r.UnplugPort(t.Context(), "vnet0.0")) })
	r.ok(r.UnplugPort(t.Context(), "vnet1")) // the last guest
	r.is("later", "on demand persistent")
	r.are()
	r.settled()
}

// A guest that is killed runs no script: its tap is gone, and so is the port.
func TestPluggedPortGoesWithItsInterface(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks)
	r.host.add(tapOf("vnet0"))
	r.plugs("vnet0", "later")
	events := r.events.listen()
	defer r.events.leave(events)
	r.host.vanish("vnet0")
	r.are()
	r.eventually("its network stops", func() bool { _, there := r.host.link("later"); return !there })
	r.eventually("it is told", func() bool {
		select {
		case e := <-events:
			return e.Type == "deleted" && e.Object == "port/vnet0"
		default:
			return false
		}
	})
	r.settled()
	if record, err := r.disk.Borrowed(); err != nil || record["plugged/vnet0"] != "" {
		t.Errorf("left on record: %v, %v", record, err)
	}
}

// A tap that somebody takes out of its bridge is put back.
func TestPluggedPortIsPutBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks)
	r.host.add(tapOf("vnet0"))
	r.plugs("vnet0", "lab")
	r.host.alter("vnet0", func(l *plan.Link) { l.Master = "" })
	r.eventually("it is back", func() bool { l, _ := r.host.link("vnet0"); return l.Master == "lab" })
}

// QEMU that opened a tap of ours by its name, and runs its script as well, finds it
// plugged in, and leaves it.
func TestPlugPortOfOurOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks + "ports: {vm1: {network: lab, interface: tap7}}\n")
	r.untouched(func() {
		for _, network := range []string{"", "lab"} {
			if p := r.plugs("tap7", network); p.Name != "vm1" || p.Status.Bridge != "lab" {
				t.Errorf("it is %+v", p)
			}
		}
		r.ok(r.UnplugPort(t.Context(), "tap7"))
		_, err := r.PlugPort(t.Context(), api.PlugPort{Interface: "tap7", Network: "later"})
		r.refused(err, api.CodeConflict, "tap7 is that of port vm1, on network lab", "kvmnet port set vm1 --network later")
	})
}

func TestPlugPortRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks + "  off: {mode: isolated, autostart: false}\n")
	r.host.add(tapOf("vnet0"), stranger("virbr0", "bridge"), plan.Link{Name: "vnet5", Type: "tap", Master: "virbr0"}, stranger("wg0", "wireguard"))
	for _, one := range []struct {
		req  api.PlugPort
		code string
		says []string
	}{
		{api.PlugPort{}, api.CodeInvalid, []string{"which interface"}},
		{api.PlugPort{Interface: "vnet0"}, api.CodeInvalid, []string{"vnet0 is of no port", "KVMNET_NETWORK"}},
		{api.PlugPort{Interface: "vnet0", Network: "none"}, api.CodeNotFound, []string{"no network named none"}},
		{api.PlugPort{Interface: "vnet9", Network: "lab"}, api.CodeNotFound, []string{"no interface named vnet9"}},
		{api.PlugPort{Interface: "vnet0", Network: "off"}, api.CodeConflict, []string{"network off does not run", "kvmnet net start off"}},
		{api.PlugPort{Interface: "vnet0", Network: "direct"}, api.CodeConflict, []string{"macvtap"}},
		{api.PlugPort{Interface: "eth0", Network: "lab"}, api.CodeConflict, []string{"eth0 is a NIC"}},
		{api.PlugPort{Interface: "wg0", Network: "lab"}, api.CodeConflict, []string{"wg0 is a wireguard"}},
		{api.PlugPort{Interface: "lab", Network: "lab"}, api.CodeConflict, []string{"lab is kvmnet's, of network lab"}},
		{api.PlugPort{Interface: "vnet5", Network: "lab"}, api.CodeConflict, []string{"vnet5 is a port of virbr0", "ip link set vnet5 nomaster"}},
	} {
		r.untouched(func() {
			_, err := r.PlugPort(t.Context(), one.req)
			r.refused(err, one.code, one.says...)
		})
	}
}

// An interface that somebody had plugged in already becomes a port, and stays where it
// was when it is none any more.
func TestPlugPortOfAnAdoptedInterface(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks)
	adopted := tapOf("vnet0")
	adopted.Master = "lab"
	r.host.add(adopted, plan.Up{Link: "vnet0"})
	if list, err := r.Ports(t.Context()); err != nil || len(list) != 1 || list[0].Status.State != "adopted" {
		t.Errorf("ports %v, %v", list, err)
	}
	r.plugs("vnet0", "lab")
	list, err := r.Ports(t.Context())
	if err != nil || len(list) != 1 || list[0].Status.State != "up" {
		t.Errorf("ports %v, %v", list, err)
	}
	r.ok(r.UnplugPort(t.Context(), "vnet0"))
	if l, _ := r.host.link("vnet0"); l != adopted {
		t.Errorf("given back it is %+v, was %+v", l, adopted)
	}
	r.settled()
}
