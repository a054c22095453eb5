package manage

import (
	"net/netip"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// twoNetworks are one that runs and one that runs for its ports only.
const twoNetworks = `networks:
  lab: {mode: isolated, subnets: [{address: 10.2.0.1/24}]}
  later: {mode: isolated, onDemand: true, bridge: {mtu: 9000}}
  direct: {mode: bridge, direct: {devices: [eth0]}}
`

// A port goes from one network to another with the device its guest has; networks on
// demand start and stop with it. Persistent ports and transient ones do alike.
func TestSetPortMovesTheCable(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks)
	for _, name := range []string{"vm1", "~vm2"} {
		p := r.add(name + " lab")
		moved, err := r.set(p.Name, api.SetPort{Network: at("later")})
		r.ok(err)
		r.is("later", "running persistent")
		if moved.Spec.MAC != p.Spec.MAC || moved.Spec.UUID != p.Spec.UUID || moved.Status.Bridge != "later" || moved.Status.MTU != 9000 || moved.Status.State != "up" {
			t.Errorf("%+v, %+v", moved.Spec, moved.Status)
		}
		r.untouched(func() { r.set(p.Name, api.SetPort{Network: at("later")}) })
		_, err = r.set(p.Name, api.SetPort{Network: at("lab")})
		r.ok(err)
		r.is("later", "on demand persistent")
		r.plugged(p.Spec.Interface, "lab")
	}
	if w, err := r.world(); err != nil || w.running.Ports["vm1"] != nil || w.defined.Ports["vm2"] != nil {
		t.Errorf("they are in the other half of the store (%v)", err)
	}
	r.settled()
}

func TestSetPortChangesOnlyWhatIsSaid(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks)
	r.add("vm1 lab")
	addr := netip.MustParseAddr("10.2.0.9")
	limit := spec.Bandwidth{In: spec.Limit{Rate: 8e6}}
	p, err := r.set("vm1", api.SetPort{Guard: at(spec.GuardStrict), Bandwidth: &limit, Storm: &spec.Storm{Broadcast: 7},
		Addresses: &[]netip.Addr{addr}, Guest: at("alpine"), Owner: at("root")})
	r.ok(err)
	s := p.Spec
	if s.Guard != spec.GuardStrict || *s.Bandwidth != limit || s.Storm.Broadcast != 7 || s.Addresses[0] != addr || s.Guest != "alpine" || s.Owner != "root" {
		t.Errorf("the port is %+v", s)
	}
	p, err = r.set("vm1", api.SetPort{Unplugged: at(true)})
	r.ok(err)
	if *p.Spec.Bandwidth != limit || p.Spec.Guest != "alpine" || p.Status.State != "down" {
		t.Errorf("unplugged: %+v, %+v", p.Spec, p.Status)
	}
	r.plugged("vm1", "")
	p, err = r.set("vm1", api.SetPort{Unplugged: at(false), Guard: at(spec.Guard("")), Bandwidth: &spec.Bandwidth{}, Storm: &spec.Storm{},
		Addresses: &[]netip.Addr{}, Guest: at(""), Owner: at("")})
	r.ok(err)
	if s := p.Spec; s.Guard != "" || s.Bandwidth != nil || s.Storm != nil || len(s.Addresses) > 0 || s.Guest != "" || s.Owner != "" {
		t.Errorf("back to nothing, the port is %+v", s)
	}
	r.plugged("vm1", "lab")
	r.settled()
}

func TestSetPortRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks + "ports: {vm1: {network: lab, addresses: [10.2.0.9]}, vm2: {network: lab}, pair: {network: lab, type: veth}, mv: {network: direct}}\n")
	r.host.add(tapOf("vnet0"))
	r.plugs("vnet0", "lab")
	for _, one := range []struct {
		port string
		req  api.SetPort
		code string
		says []string
	}{
		{"vm9", api.SetPort{}, api.CodeNotFound, []string{"no port named vm9"}},
		{"vm1", api.SetPort{Network: at("none")}, api.CodeNotFound, []string{"no network named none"}},
		{"vm1", api.SetPort{Network: at("direct")}, api.CodeConflict, []string{"network direct", "macvtap", "port vm1 is a tap"}},
		{"mv", api.SetPort{Network: at("lab")}, api.CodeConflict, []string{"port mv is a macvtap", "add one on network lab"}},
		{"mv", api.SetPort{Bandwidth: &spec.Bandwidth{In: spec.Limit{Rate: 8e6}}}, api.CodeInvalid, []string{"not for a macvtap"}},
		{"pair", api.SetPort{Owner: at("root")}, api.CodeConflict, []string{"port pair is a veth"}},
		{"vnet0", api.SetPort{Owner: at("root")}, api.CodeConflict, []string{"port vnet0 is held by a program"}},
		{"vm2", api.SetPort{Addresses: &[]netip.Addr{netip.MustParseAddr("10.2.0.9")}}, api.CodeInvalid, []string{"vm1"}},
		{"vm2", api.SetPort{Addresses: &[]netip.Addr{netip.MustParseAddr("10.3.0.9")}}, api.CodeInvalid, []string{"10.3.0.9"}},
		{"vm2", api.SetPort{Guard: at(spec.Guard("doors"))}, api.CodeInvalid, []string{"doors"}},
	} {
		r.untouched(func() {
			_, err := r.set(one.port, one.req)
			r.refused(err, one.code, one.says...)
		})
	}
}

// What the host refuses is as before.
func TestSetPortThatFailsIsTakenBack(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks)
	r.add("vm1 lab")
	r.untouched(func() {
		r.host.change(func() { r.host.refuse = "add link later " })
		_, err := r.set("vm1", api.SetPort{Network: at("later")})
		r.refused(err, api.CodeInternal, "set port vm1", "refused")
		r.host.change(func() { r.host.refuse = "" })
		r.settled()
	})
}

// A port that programs hold is changed as any other, while its guest runs.
func TestSetPortOfAHeldOne(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(twoNetworks)
	r.host.add(tapOf("vnet0"))
	r.plugs("vnet0", "lab")
	before, _ := r.host.link("vnet0")
	_, err := r.set("vnet0", api.SetPort{Network: at("later")})
	r.ok(err)
	if l, _ := r.host.link("vnet0"); l.Master != "later" || l.MTU != 9000 || l.Index != before.Index || l.MAC[0] != 0xfe {
		t.Errorf("the interface is %+v", l)
	}
	_, err = r.set("vnet0", api.SetPort{Unplugged: at(true)})
	r.ok(err)
	r.plugged("vnet0", "")
	r.host.mu.Lock()
	_, up := r.host.state[plan.Up{Link: "vnet0"}.Key()]
	r.host.mu.Unlock()
	if up {
		t.Error("it is up without a bridge")
	}
	r.host.vanish("vnet0")
	r.are()
	r.settled()
	r.is("later", "on demand persistent")
}
