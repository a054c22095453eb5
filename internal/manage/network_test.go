package manage

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func addNetwork(r *rig, name string, n spec.Network, start bool) error {
	_, err := r.AddNetwork(r.t.Context(), api.AddNetwork{Name: name, Network: &n, Start: start})
	return err
}

func addPort(r *rig, name string, p spec.Port) error {
	_, err := r.AddPort(r.t.Context(), api.AddPort{Name: name, Port: &p})
	return err
}

func defineFile(r *rig, text string, transient bool) error {
	_, err := r.Define(r.t.Context(), api.DefineRequest{File: api.File{Name: "a.yaml", Text: text}, Transient: transient})
	return err
}

// refusals are requests that must change nothing: on a host with the networks run
// (which runs), off (which does not), tmp (transient) and od (on demand, with the
// port p1), the host bridge br0 with its users, definitions that cannot be read,
// bad and p9, and one that breaks a rule, odd.
var refusals = []struct {
	name string
	do   func(r *rig) error
	code string
	says []string
}{
	{"add a network that exists", func(r *rig) error { return addNetwork(r, "off", spec.Network{Mode: spec.Isolated}, true) },
		api.CodeConflict, []string{"network off exists", "kvmnet net edit off"}},
	{"add a transient network that exists", func(r *rig) error { return addNetwork(r, "tmp", spec.Network{Mode: spec.Isolated}, false) },
		api.CodeConflict, []string{"network tmp exists"}},
	{"add a network without a subnet", func(r *rig) error { return addNetwork(r, "x", spec.Network{Mode: spec.NAT}, true) },
		api.CodeInvalid, []string{"networks.x.subnets: mode nat needs a subnet", "1 problem"}},
	{"add a network with another's subnet", func(r *rig) error {
		return addNetwork(r, "x", spec.Network{Mode: spec.NAT, Subnets: []spec.Subnet{{Address: netip.MustParsePrefix("10.4.0.1/25")}}}, false)
	}, api.CodeInvalid, []string{"overlaps", "pin"}},
	{"add a network of a name that is no file", func(r *rig) error { return addNetwork(r, "../x", spec.Network{Mode: spec.Isolated}, true) },
		api.CodeInvalid, []string{"../x"}},
	{"add a network over a file that cannot be read", func(r *rig) error { return addNetwork(r, "bad", spec.Network{Mode: spec.Isolated}, true) },
		api.CodeConflict, []string{"network/bad cannot be read", "bad.yaml:1"}},
	{"apply over a file that cannot be read", func(r *rig) error {
		_, err := r.try(false, "networks: {bad: {mode: isolated}, ok: {mode: isolated}}")
		return err
	},
		api.CodeConflict, []string{"network/bad cannot be read", "bad.yaml:1"}},
	{"define over a file that cannot be read", func(r *rig) error { return defineFile(r, "networks: {bad: {mode: isolated}}", false) },
		api.CodeConflict, []string{"network/bad cannot be read"}},
	{"add a port over a file that cannot be read", func(r *rig) error { return addPort(r, "p9", spec.Port{Network: "run"}) },
		api.CodeConflict, []string{"port/p9 cannot be read", "p9.yaml:1"}},
	{"delete a port that cannot be read", func(r *rig) error { return r.Delete(r.t.Context(), "port", "p9") },
		api.CodeConflict, []string{"port/p9 cannot be read"}},
	{"add a port to a network that cannot be read", func(r *rig) error { return addPort(r, "x", spec.Port{Network: "bad"}) },
		api.CodeConflict, []string{"network/bad cannot be read"}},
	{"start one that cannot be read", func(r *rig) error { return r.Start(r.t.Context(), "bad") }, api.CodeConflict, []string{"network/bad cannot be read"}},
	{"undefine one that cannot be read", func(r *rig) error { return r.Undefine(r.t.Context(), "bad") }, api.CodeConflict, []string{"network/bad cannot be read"}},

	{"define nothing", func(r *rig) error { return defineFile(r, "networks: {}", false) }, api.CodeInvalid, []string{"a.yaml must hold exactly one network"}},
	{"define two", func(r *rig) error {
		return defineFile(r, "networks: {x: {mode: isolated}, y: {mode: isolated}}", false)
	},
		api.CodeInvalid, []string{"exactly one network"}},
	{"define a port", func(r *rig) error {
		return defineFile(r, "networks: {x: {mode: isolated}}\nports: {y: {network: x}}", true)
	},
		api.CodeInvalid, []string{"exactly one network"}},
	{"define what is no YAML", func(r *rig) error { return defineFile(r, "networks: [", false) }, api.CodeInvalid, []string{"a.yaml:1:"}},
	{"define a network of null", func(r *rig) error { return defineFile(r, "networks: {x: null}", false) }, api.CodeInvalid, []string{"the mode is missing"}},
	{"create one that runs", func(r *rig) error { return defineFile(r, "networks: {run: {mode: isolated}}", true) },
		api.CodeConflict, []string{"network run runs already"}},
	{"create one on the host's subnet", func(r *rig) error {
		return defineFile(r, "networks: {x: {mode: isolated, subnets: [{address: 192.0.2.1/24}]}}", true)
	}, api.CodeConflict, []string{"a.yaml:1:", "192.0.2.0/24 is in use on this host"}},

	{"start nothing", func(r *rig) error { return r.Start(r.t.Context(), "nil") }, api.CodeNotFound, []string{"no network named nil"}},
	{"start one that runs", func(r *rig) error { return r.Start(r.t.Context(), "run") }, api.CodeConflict, []string{"runs already"}},
	{"start a transient one", func(r *rig) error { return r.Start(r.t.Context(), "tmp") }, api.CodeConflict, []string{"runs already"}},
	{"start one that breaks a rule", func(r *rig) error { return r.Start(r.t.Context(), "odd") },
		api.CodeConflict, []string{`networks.odd.subnets[0].address: 10.2.0.9/24 overlaps`}},
	{"stop nothing", func(r *rig) error { return r.Stop(r.t.Context(), "nil") }, api.CodeNotFound, []string{"no network named nil"}},
	{"stop one that does not run", func(r *rig) error { return r.Stop(r.t.Context(), "off") }, api.CodeConflict, []string{"does not run"}},
	{"stop one on demand with a port", func(r *rig) error { return r.Stop(r.t.Context(), "od") }, api.CodeConflict, []string{"on demand and has ports"}},
	{"undefine nothing", func(r *rig) error { return r.Undefine(r.t.Context(), "nil") }, api.CodeNotFound, []string{"no network named nil"}},
	{"undefine a transient one", func(r *rig) error { return r.Undefine(r.t.Context(), "tmp") }, api.CodeConflict, []string{"network tmp is transient"}},
	{"autostart nothing", func(r *rig) error { return r.SetAutostart(r.t.Context(), "nil", true) }, api.CodeNotFound, []string{"no network named nil"}},
	{"autostart a transient one", func(r *rig) error { return r.SetAutostart(r.t.Context(), "tmp", true) }, api.CodeConflict, []string{"transient"}},

	{"add a port to no network", func(r *rig) error { return addPort(r, "x", spec.Port{}) }, api.CodeInvalid, []string{"a port needs a network"}},
	{"add a port to nothing", func(r *rig) error { return addPort(r, "x", spec.Port{Network: "nil"}) }, api.CodeNotFound, []string{"no network named nil"}},
	{"add a port that exists", func(r *rig) error { return addPort(r, "p1", spec.Port{Network: "run"}) }, api.CodeConflict, []string{"port p1 exists, on network od"}},
	{"add a port of an unknown user", func(r *rig) error { return addPort(r, "x", spec.Port{Network: "run", Owner: "no-such-user"}) },
		api.CodeInvalid, []string{"ports.x.owner: find user no-such-user"}},
	{"add a port with another's MAC", func(r *rig) error {
		return addPort(r, "x", spec.Port{Network: "run", MAC: spec.MAC{0x52, 0x54, 0, 0, 0, 1}})
	}, api.CodeInvalid, []string{"52:54:00:00:00:01", "p1"}},
	{"delete no port", func(r *rig) error { return r.Delete(r.t.Context(), "port", "nil") }, api.CodeNotFound, []string{"no port named nil"}},
	{"delete no bridge", func(r *rig) error { return r.Delete(r.t.Context(), "bridge", "nil") }, api.CodeNotFound, []string{"no bridge named nil"}},
	{"delete a bridge in use", func(r *rig) error { return r.Delete(r.t.Context(), "bridge", "br0") },
		api.CodeConflict, []string{"bridge br0 is used by network lan, network old, network pin; change or delete them first"}},

	{"export nothing", func(r *rig) error { _, err := r.Export(r.t.Context(), "network", "nil"); return err }, api.CodeNotFound, []string{"no network named nil"}},
	{"export no kind", func(r *rig) error { _, err := r.Export(r.t.Context(), "routers", ""); return err }, api.CodeInvalid, []string{"routers is not a kind", "router, set, forward, policy"}},
	{"look at nothing", func(r *rig) error { _, err := r.Network(r.t.Context(), "nil"); return err }, api.CodeNotFound, []string{"no network named nil"}},
	{"verify nothing", func(r *rig) error { return r.Verify(r.t.Context(), api.VerifyRequest{Networks: []string{"nil"}}, nil) }, api.CodeNotFound, nil},
	{"verify one that does not run", func(r *rig) error {
		return r.Verify(r.t.Context(), api.VerifyRequest{Networks: []string{"run", "off"}}, nil)
	},
		api.CodeConflict, []string{"network off does not run; start it"}},
}

func TestRefusalsChangeNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks:\n  run: {mode: nat, subnets: [{address: 10.2.0.1/24}]}\n  off: {mode: isolated, autostart: false}\n" +
		"  od: {mode: isolated, onDemand: true}\n" +
		"  lan: {mode: bridge, bridge: {name: br0}, autostart: false}\n  old: {mode: bridge, bridge: {name: br0}}\n" +
		"  pin: {mode: route, uplink: br0, subnets: [{address: 10.4.0.1/24}]}\n" +
		"bridges: {br0: {}}\nports: {p1: {network: od, mac: '52:54:00:00:00:01'}}\n")
	r.define("networks: {old: {mode: isolated}}") // still on br0 as it runs
	r.create("networks: {tmp: {mode: isolated}}")
	r.edit("networks/bad.yaml", "networks: {bad: {modus: nat}}")
	r.edit("networks/odd.yaml", "networks: {odd: {mode: isolated, subnets: [{address: 10.2.0.9/24}]}}")
	r.edit("ports/p9.yaml", "ports: {")
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) { // one after the other: the host is one
			q := &rig{Manager: r.Manager, t: t, host: r.host, disk: r.disk, dirs: r.dirs, kernel: r.kernel}
			q.untouched(func() { q.refused(c.do(q), c.code, c.says...) })
		})
	}
}

// A request whose client went while it waited for its turn changes nothing.
func TestAbandonedRequestsChangeNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated}, off: {mode: isolated, autostart: false}}\nbridges: {br0: {}}\nports: {vm1: {network: lab}}")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r.untouched(func() {
		_, apply := r.Apply(ctx, api.ApplyRequest{Files: []api.File{{Name: "a.yaml", Text: lab}}})
		_, network := r.AddNetwork(ctx, api.AddNetwork{Name: "x", Network: &spec.Network{Mode: spec.Isolated}})
		_, port := r.AddPort(ctx, api.AddPort{Name: "x", Port: &spec.Port{Network: "lab"}})
		_, define := r.Define(ctx, api.DefineRequest{File: api.File{Name: "a.yaml", Text: "networks: {x: {mode: isolated}}"}})
		_, xml := r.Define(ctx, api.DefineRequest{File: api.File{Name: "a.xml", Text: xmlOf("x", "")}})
		_, nic := r.AddPortXML(ctx, "lab", api.DefineRequest{File: api.File{Name: "p.xml", Text: portXML(portUUID, "p1", "52:54:00:7b:35:93")}})
		_, update := r.UpdateNetwork(ctx, "lab", api.NetworkUpdate{Command: "add", Section: "ip", Parent: -1, XML: "<ip address='10.6.0.1' prefix='24'/>"})
		describe := r.DescribeNetwork(ctx, "lab", api.NetworkWords{Title: text("t")})
		annotate := r.SetMetadata(ctx, "lab", api.MetadataChange{URI: "urn:x", Key: "k", XML: text("<a/>")})
		for i, err := range []error{apply, network, port, define, xml, nic, update, describe, annotate, r.Start(ctx, "off"), r.Stop(ctx, "lab"), r.Undefine(ctx, "lab"),
			r.SetAutostart(ctx, "lab", false), r.Delete(ctx, "port", "vm1"), r.Delete(ctx, "bridge", "br0")} {
			if err == nil {
				t.Errorf("request %d was done", i)
			}
		}
	})
}

func TestNetworkLifeChangesStoreAndHost(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.ok(addNetwork(r, "lab", spec.Network{Mode: spec.Isolated}, false))
	r.is("lab", "inactive persistent")
	r.ok(r.Start(ctx, "lab"))
	r.is("lab", "running persistent")
	r.ok(r.SetAutostart(ctx, "lab", false))
	r.is("lab", "running persistent") // no change is pending
	if n, _ := r.Network(ctx, "lab"); n.Status.Autostart {
		t.Error("autostart is still on")
	}
	r.define("networks: {lab: {mode: isolated, title: next}}")
	r.is("lab", "running persistent pending")
	r.ok(r.SetAutostart(ctx, "lab", true))
	r.is("lab", "running persistent pending")
	r.ok(r.Stop(ctx, "lab"))
	r.is("lab", "inactive persistent")
	r.create("networks: {lab: {mode: isolated, title: for once}}") // another way to run it, once
	r.is("lab", "running persistent pending")
	r.ok(r.Undefine(ctx, "lab"))
	r.is("lab", "running")
	r.ok(r.Stop(ctx, "lab"))
	r.is("lab", "")
	r.settled()
	if tree := r.tree(); len(tree) == 0 || strings.Contains(strings.Join(keys(tree), " "), "lab.yaml") {
		t.Errorf("files are left: %q", keys(tree))
	}
}

func keys(m map[string]string) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	return union(list, nil)
}

func TestAddNetworkChoosesWhatNobodyUses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.host.add(address("eth0", "192.168.100.9/24"))
	r.apply("networks: {a: {mode: isolated, subnets: [{address: 192.168.101.1/24}]}}")
	r.define("networks: {a: {mode: isolated, subnets: [{address: 192.168.102.1/24}]}}") // which still runs with the other
	n, err := r.AddNetwork(t.Context(), api.AddNetwork{Name: "lab", Network: &spec.Network{Mode: spec.NAT}, Choose: true, IPv6: true, Start: true})
	r.ok(err)
	if len(n.Spec.Subnets) != 2 || n.Spec.Subnets[0].Address.String() != "192.168.103.1/24" || !n.Spec.Subnets[1].Address.Addr().IsPrivate() {
		t.Errorf("chose %+v", n.Spec.Subnets)
	}
	r.is("lab", "running persistent")
}

// An on-demand network follows its ports, wherever they are kept, and nobody
// else's.
func TestOnDemandFollowsThePorts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	ctx := t.Context()
	r.ok(addNetwork(r, "od", spec.Network{Mode: spec.Isolated, OnDemand: true}, true))
	r.apply("networks: {run: {mode: isolated}}")
	r.is("od", "on demand persistent")
	r.refused(r.Start(ctx, "od"), api.CodeConflict, "network od is on demand: it starts with its first port")
	r.add("~vm1 od")
	r.is("od", "running persistent")
	r.add("vm2 od")
	r.ok(r.Delete(ctx, "port", "vm1"))
	r.is("od", "running persistent")
	r.define("networks: {run: {mode: isolated, onDemand: true}}") // from its next start on
	r.ok(r.Delete(ctx, "port", "vm2"))
	r.is("od", "on demand persistent")
	r.is("run", "running persistent pending")
	r.add("vm3 od")
	r.ok(r.Undefine(ctx, "od")) // transient from now on
	r.ok(r.Delete(ctx, "port", "vm3"))
	r.is("od", "running")
	r.settled()
}

// Ports may wait for a network that was undefined; they must not be in the way of
// others, even when their names are alike.
func TestPortsOfAnUndefinedNetworkWait(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {lab: {mode: isolated}}\nports: {vm1: {network: lab}}")
	r.ok(r.Stop(t.Context(), "lab"))
	r.ok(r.Undefine(t.Context(), "lab"))
	r.apply("networks: {labs: {mode: isolated}}") // "did you mean labs?"
	r.plugged("vm1", "")
	r.ok(addNetwork(r, "lab", spec.Network{Mode: spec.Isolated, OnDemand: true}, true))
	r.is("lab", "running persistent")
	r.plugged("vm1", "lab")
	r.settled()
}
