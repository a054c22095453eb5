package manage

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// everyKind is a file with objects of every kind.
const everyKind = `
bridges: {br0: {ports: [eth0]}}
networks:
  lab: {mode: nat, subnets: [{address: 10.2.0.1/24}]}
  red: {mode: isolated}
ports: {vm1: {network: lab}}
routers:
  r1:
    uplink: {bridge: br0, address: 192.168.1.100/24, gateway: 192.168.1.1}
    interfaces: [{network: red, address: 10.8.0.1/24, egress: masquerade}]
sets: {office: {addresses: 198.51.100.0/24}}
forwards:
  web: {network: lab, listen: 8080, to: "10.2.0.20:80"}
  inner: {network: red, listen: 2222, to: "vm2:22"}
policies:
  db: {from: [lab, set/office], to: red, allow: [{protocol: tcp, ports: 5432}], deny: [{to: 10.8.0.9}]}
`

func objectsOf(objects []api.Change) string {
	var list []string
	for _, c := range objects {
		list = append(list, c.Object)
	}
	return strings.Join(list, " ")
}

func TestEveryKindIsAppliedListedAndExported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	result := r.apply(everyKind)
	if got := objectsOf(result.Objects); got != "bridge/br0 forward/inner forward/web network/lab network/red policy/db port/vm1 router/r1 set/office" {
		t.Errorf("applied %s", got)
	}
	r.settled()
	for _, path := range []string{"routers/r1.yaml", "sets/office.yaml", "forwards/web.yaml", "policies/db.yaml"} {
		if r.text(path) == "" {
			t.Errorf("%s is empty", path)
		}
	}
	all, err := r.Export(t.Context(), "", "")
	r.ok(err)
	again, err := r.try(true, all)
	r.ok(err)
	for _, c := range again.Objects {
		if c.Verb != "unchanged" {
			t.Errorf("%s is %s by its own export", c.Object, c.Verb)
		}
	}
	if len(again.Objects) != 9 || len(again.Ops) > 0 {
		t.Errorf("%d objects, ops %q", len(again.Objects), again.Ops)
	}
	one, err := r.Export(t.Context(), "policy", "db")
	r.ok(err)
	if !strings.Contains(one, "policies:") || strings.Contains(one, "networks:") {
		t.Errorf("exported\n%s", one)
	}
	st, err := r.Status(t.Context())
	r.ok(err)
	if st.Routers != 1 || st.Forwards != 2 || st.Policies != 1 {
		t.Errorf("status %+v", st)
	}
}

func TestRouterShowsWhatIsThere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(everyKind)
	r.settled()
	got, err := r.Router(t.Context(), "r1")
	r.ok(err)
	st := got.Status
	if st.State != api.Up || st.Namespace != "/netns/r1" || len(st.Problems) > 0 || len(st.Uplinks) != 1 || len(st.Interfaces) != 1 {
		t.Fatalf("status %+v", st)
	}
	if u := st.Uplinks[0]; u.Name != "uplink" || u.On != "bridge br0" || u.State != api.Up || fmt.Sprint(u.Addresses) != "[192.168.1.100/24]" ||
		fmt.Sprint(u.Gateways) != "[192.168.1.1]" || u.Acquired || u.MAC.IsZero() {
		t.Errorf("uplink %+v", u)
	}
	if i := st.Interfaces[0]; i.Name != "eth0" || i.On != "network red" || fmt.Sprint(i.Addresses) != "[10.8.0.1/24]" || i.Egress != "masquerade" ||
		i.Traffic == nil || i.Traffic.RxPackets != 3 {
		t.Errorf("interface %+v", i)
	}
	if len(st.NAT) != 1 || st.NAT[0].Network != "red" || fmt.Sprint(st.Forwards) != "[inner]" || len(st.Neighbours) != 1 || st.Refused["spoofed"] == 0 {
		t.Errorf("status %+v", st)
	}
	if !strings.Contains(strings.Join(st.Routes, "\n"), "0.0.0.0/0 via 192.168.1.1 dev uplink") {
		t.Errorf("routes %q", st.Routes)
	}
	list, err := r.Routers(t.Context())
	r.ok(err)
	if len(list) != 1 || list[0].Status.Neighbours != nil || list[0].Status.State != api.Up {
		t.Errorf("listed %+v", list)
	}
	r.host.change(func() { r.host.drop(plan.Netns{Name: "r1"}) })
	r.ok(r.Pause(t.Context(), true))
	r.refused(func() error { _, err := r.Router(t.Context(), "r2"); return err }(), api.CodeNotFound, "no router named r2")
}

// A router whose uplink is not there yet is kept, and told to wait.
func TestRouterWaitsForItsUplink(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {red: {mode: isolated}}")
	got, err := r.AddRouter(t.Context(), api.Definition[spec.Router]{Name: "r1", Spec: &spec.Router{
		Uplink: &spec.Uplink{NIC: "eth7", Address: "192.0.2.9/24"}, Interfaces: []spec.Interface{{Network: "red", Address: "10.8.0.1/24"}}}})
	r.ok(err)
	if got.Status.State != api.Waits || len(got.Status.Problems) == 0 || !strings.Contains(got.Status.Problems[0], "eth7") {
		t.Errorf("status %+v", got.Status)
	}
	r.host.add(plan.Link{Name: "eth7", Type: "device"}, plan.Up{Link: "eth7"})
	r.engine.Wake()
	r.eventually("the router is up", func() bool {
		got, err := r.Router(t.Context(), "r1")
		r.ok(err)
		return got.Status.State == api.Up
	})
}

// An uplink without an address yet waits, and shows what it gets.
func TestRouterWaitsForItsAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("bridges: {br0: {ports: [eth0]}}\nrouters: {r1: {uplink: {bridge: br0, dhcp: true}}}")
	got, err := r.Router(t.Context(), "r1")
	r.ok(err)
	if got.Status.State != api.Waits || got.Status.Uplinks[0].Acquired {
		t.Errorf("status %+v", got.Status)
	}
	r.kernel.set(func(k *kernel) { k.got["r1/uplink"] = "192.168.1.77/24" })
	r.engine.Wake()
	r.eventually("the router is up", func() bool {
		got, err = r.Router(t.Context(), "r1")
		r.ok(err)
		return got.Status.State == api.Up
	})
	if u := got.Status.Uplinks[0]; !u.Acquired || fmt.Sprint(u.Addresses, u.Gateways) != "[192.168.1.77/24] [192.168.1.1]" {
		t.Errorf("uplink %+v", u)
	}
}

// The interfaces of a router keep their names, and with them their MACs, when one
// before them goes.
func TestRouterInterfacesKeepTheirNames(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply("networks: {a: {mode: isolated}, b: {mode: isolated}}\n" +
		"routers: {r1: {interfaces: [{network: a, address: 10.1.0.1/24}, {network: b, address: 10.2.0.1/24}]}}")
	r.apply("routers: {r1: {interfaces: [{network: b, address: 10.2.0.1/24}]}}")
	got, err := r.Router(t.Context(), "r1")
	r.ok(err)
	if i := got.Spec.Interfaces; len(i) != 1 || i[0].Name != "eth1" {
		t.Errorf("interfaces %+v", i)
	}
}

// What others name is not deleted, and who they are is told.
func TestWhatOthersNameStays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(everyKind + "  out: {from: router/r1, to: lab, deny: [{}]}\n")
	r.apply("networks: {peer: {mode: nat, subnets: [{address: 10.4.0.1/24}], peers: [lab]}}")
	r.create("networks: {tmp: {mode: isolated}}")
	r.apply("policies: {t: {from: tmp/guests, to: any, allow: [{}]}}")
	ctx := t.Context()
	r.untouched(func() {
		r.refused(r.Undefine(ctx, "lab"), api.CodeConflict, "network lab is used by forward web, network peer, policy db, policy out; change or delete them first")
		r.refused(r.Undefine(ctx, "red"), api.CodeConflict, "forward inner, policy db, router r1")
		r.refused(r.Stop(ctx, "tmp"), api.CodeConflict, "network tmp is used by policy t; change or delete it first")
		r.refused(r.Delete(ctx, "bridge", "br0"), api.CodeConflict, "bridge br0 is used by router r1")
		r.refused(r.Delete(ctx, "router", "r1"), api.CodeConflict, "router r1 is used by policy out")
		r.refused(r.Delete(ctx, "set", "office"), api.CodeConflict, "set office is used by policy db")
		r.refused(r.Delete(ctx, "network", "lab"), api.CodeInvalid, "a network is stopped")
		r.refused(r.Delete(ctx, "gateway", "x"), api.CodeInvalid, "gateway is not a kind of object")
		r.refused(r.Delete(ctx, "policy", "x"), api.CodeNotFound, "no policy named x")
	})
	for _, object := range []string{"policy/db", "policy/out", "policy/t", "forward/web", "forward/inner", "router/r1", "set/office", "bridge/br0"} {
		kind, name, _ := strings.Cut(object, "/")
		r.ok(r.Delete(ctx, kind, name))
	}
	r.settled()
	r.ok(r.Undefine(ctx, "red"))
	r.ok(r.Stop(ctx, "tmp"))
	if state := r.host.String(); strings.Contains(state, "r1") {
		t.Errorf("of the router is left:\n%s", state)
	}
}

// A slip in the file of a router, forward or policy takes nothing away.
func TestSlipKeepsRouterForwardAndPolicy(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"routers/r1.yaml", "forwards/web.yaml", "policies/db.yaml", "sets/office.yaml"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.apply(everyKind)
			r.settled()
			r.edit(path, "oops: [")
			r.untouched(func() {
				r.engine.Wake()
				_, err := r.engine.Sync(t.Context())
				r.ok(err)
			})
			kind, name := filepath.Base(filepath.Dir(path)), strings.TrimSuffix(filepath.Base(path), ".yaml")
			owner := spec.Ref{Kind: kind, Name: name}.Owner()
			r.refused(r.Delete(t.Context(), spec.Singular(kind), name), api.CodeConflict, owner+" cannot be read")
			r.ok(os.Remove(filepath.Join(r.dirs.Config, path)))
		})
	}
}

// Guests behind a router have its addresses as gateways, and leases of its subnets.
func TestRouterIsTheGatewayOfItsGuests(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.apply(everyKind)
	p := r.add("vm2 red")
	if fmt.Sprint(p.Status.Gateways) != "[10.8.0.1/24]" {
		t.Errorf("gateways %v", p.Status.Gateways)
	}
	r.guests.lease("red", "10.8.0.10", p.Spec.MAC.String(), "vm2", "vm2")
	leases, err := r.Leases(t.Context(), "red")
	r.ok(err)
	if len(leases) != 1 || leases[0].Address.String() != "10.8.0.10/24" {
		t.Errorf("leases %+v", leases)
	}
}
