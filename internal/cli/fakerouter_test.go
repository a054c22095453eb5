package cli

import (
	"context"
	"fmt"
	"net/netip"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

func mac(s string) spec.MAC { m, _ := spec.ParseMAC(s); return m }

func prefixes(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// aRouter is up, with an address by DHCP.
func aRouter() api.Router {
	return api.Router{Name: "r1",
		Spec: &spec.Router{Title: "the way out", Uplink: &spec.Uplink{Bridge: "br0", DHCP: true},
			Interfaces: []spec.Interface{{Network: "red", Name: "eth0", Address: "10.8.0.1/24", Egress: spec.EgressMasquerade, DHCP: &spec.DHCP{}}}},
		Status: api.RouterStatus{State: api.Up, Namespace: "/run/netns/r1",
			Uplinks: []api.RouterLink{{Name: "uplink", On: "bridge br0", State: api.Up, MAC: mac("52:54:00:00:01:00"), MTU: 1500, Acquired: true,
				Addresses: prefixes("192.168.1.100/24"), Gateways: []netip.Addr{netip.MustParseAddr("192.168.1.1")}, Traffic: &api.Traffic{RxPackets: 3, RxBytes: 4000, TxPackets: 1, TxBytes: 60}}},
			Interfaces: []api.RouterLink{{Name: "eth0", On: "network red", State: api.Up, MAC: mac("52:54:00:00:01:01"), MTU: 1450,
				Addresses: prefixes("10.8.0.1/24", "fd00:8::1/64"), Egress: "masquerade",
				Allow: []api.PolicyRule{{Verdict: "allow", Traffic: spec.Traffic{Protocol: spec.TCP, Ports: "80, 443"}, Counter: &api.Counter{Packets: 16}}, {Verdict: "allow", Traffic: spec.Traffic{Protocol: spec.ICMP}}}}},
			Refused:  map[string]uint64{"spoofed": 5, "inbound": 2},
			NAT:      []api.RouterNAT{{Interface: "eth0", Network: "red", Counter: &api.Counter{Packets: 17, Bytes: 1020}}},
			Routes:   []string{"0.0.0.0/0 via 192.168.1.1 dev uplink"},
			Rules:    []string{"ipv4 priority 10001 fwmark 0x65 lookup 101"},
			Forwards: []string{"web"},
			Neighbours: []api.Neighbour{{Link: "eth0", Address: netip.MustParseAddr("10.8.0.10"), MAC: mac("52:54:00:00:00:05"), State: "reachable"},
				{Link: "uplink", Address: netip.MustParseAddr("192.168.1.1"), MAC: mac("52:54:00:00:00:06"), State: "stale"}}}}
}

func (f *fake) Routers(context.Context) ([]api.Router, error) {
	late := api.Router{Name: "r2", Spec: &spec.Router{Uplink: &spec.Uplink{NIC: "eth9", Address: "192.0.2.7/24"}},
		Status: api.RouterStatus{State: api.Waits, Namespace: "/run/netns/r2", Uplinks: []api.RouterLink{{Name: "uplink", On: "nic eth9", State: api.Missing}},
			Problems: []string{"waits for interface eth9, which does not exist"}}}
	return []api.Router{aRouter(), late}, nil
}

func (f *fake) Router(ctx context.Context, name string) (api.Router, error) {
	if name == "inside" {
		return api.Router{Name: name, Spec: &spec.Router{}, Status: api.RouterStatus{Namespace: f.namespace}}, nil
	}
	list, err := f.Routers(ctx)
	return named(list, err, "router", name, func(r api.Router) string { return r.Name })
}

func (f *fake) AddRouter(_ context.Context, d api.Definition[spec.Router]) (api.Router, error) {
	f.note("router %s %s", d.Name, text(d.Spec))
	if d.Name == "r1" {
		return api.Router{}, &api.Error{Code: api.CodeConflict, Message: "router r1 exists"}
	}
	r := api.Router{Name: d.Name, Spec: d.Spec, Status: api.RouterStatus{State: api.Up}}
	if d.Spec.Uplink != nil && d.Spec.Uplink.Bridge == "br9" {
		r.Status = api.RouterStatus{State: api.Waits, Problems: []string{"waits for bridge br9, which does not exist"}}
	}
	return r, nil
}

func (f *fake) Forwards(context.Context) ([]api.Forward, error) {
	web, _ := spec.ParseListen("8080")
	to, _ := spec.ParseTarget("vm1:80")
	late, _ := spec.ParseTarget("vm2")
	games, _ := spec.ParseListen("192.0.2.5:2000-2999")
	return []api.Forward{
		{Name: "games", Spec: &spec.Forward{Network: "red", Protocol: spec.UDP, Listen: games, To: late},
			Status: api.ForwardStatus{State: "waits for vm2", Router: "r1", Outside: []string{"192.0.2.5:2000-2999"}, Problems: []string{"waits for guest vm2"}}},
		{Name: "own", Spec: &spec.Forward{Network: "lab", Floating: netip.MustParseAddr("192.0.2.9"), To: late},
			Status: api.ForwardStatus{State: api.Active, Outside: []string{"192.0.2.9"}, Targets: []string{"192.168.100.21"}, Hits: &api.Counter{}}},
		{Name: "web", Spec: &spec.Forward{Network: "lab", Protocol: spec.TCP, Listen: web, To: to, Description: "the shop"},
			Status: api.ForwardStatus{State: api.Active, Outside: []string{"*:8080"}, Targets: []string{"192.168.100.20:80"}, Hits: &api.Counter{Packets: 42}}},
	}, nil
}

func (f *fake) AddForward(_ context.Context, d api.Definition[spec.Forward]) (api.Forward, error) {
	f.note("forward %q %s", d.Name, text(d.Spec))
	if d.Spec.Listen.Ports.From == 22 {
		return api.Forward{}, &api.Error{Code: api.CodeConflict, Message: "1 problem; nothing was changed",
			Problems: []api.Problem{{Text: "forwards.ssh.listen: tcp 22 is in use by sshd (pid 812) (choose another port, or stop it)"}}}
	}
	if d.Name == "" {
		d.Name = "made-up"
	}
	st := api.ForwardStatus{State: api.Active, Outside: []string{d.Spec.Listen.String()}}
	if d.Spec.To.Name == "late" {
		st.State = "waits for late"
	}
	return api.Forward{Name: d.Name, Spec: d.Spec, Status: st}, nil
}

func (f *fake) Policies(context.Context) ([]api.Policy, error) {
	web := spec.Traffic{Protocol: spec.TCP, Ports: "80, 443"}
	return []api.Policy{
		{Name: "db", Spec: &spec.Policy{From: "lab, set/office", To: "red", Priority: 100, Allow: []spec.Traffic{web}, Deny: []spec.Traffic{{To: "10.8.0.9"}}, Log: true},
			Status: api.PolicyStatus{State: api.Active, Rules: []api.PolicyRule{
				{Verdict: "deny", Traffic: spec.Traffic{To: "10.8.0.9"}, Counter: &api.Counter{Packets: 7}}, {Verdict: "allow", Traffic: web, Counter: &api.Counter{}}}}},
		{Name: "late", Spec: &spec.Policy{From: "router/r2", To: "any", Priority: 10},
			Status: api.PolicyStatus{State: api.Waits, Problems: []string{"waits for router r2"}}},
	}, nil
}

func (f *fake) AddPolicy(_ context.Context, d api.Definition[spec.Policy]) (api.Policy, error) {
	f.note("policy %s %s", d.Name, text(d.Spec))
	return api.Policy{Name: d.Name, Spec: d.Spec, Status: api.PolicyStatus{State: api.Active}}, nil
}

func (f *fake) Matrix(context.Context) (api.Matrix, error) {
	return api.Matrix{Parties: []string{"lab", "red", "outside"}, Cells: []api.Reach{
		{From: "lab", To: "red", Verdict: "some", Router: "r1", Only: []api.Permit{{Traffic: "tcp 80", By: "policy/db"}, {Traffic: "icmp", By: "policy/ping"}}, Reason: "other network"},
		{From: "lab", To: "outside", Verdict: "some", But: []api.Permit{{Traffic: "tcp 25", By: "policy/quiet"}}, Reason: "mode nat"},
		{From: "red", To: "lab", Verdict: "none", Reason: "other network"}, {From: "red", To: "outside", Verdict: "none", Reason: "mode isolated"},
		{From: "outside", To: "lab", Verdict: "none", Reason: "inbound"}, {From: "outside", To: "red", Verdict: "none", Reason: "mode isolated"}}}, nil
}

func (f *fake) Sets(context.Context) ([]api.Set, error) {
	return []api.Set{{Name: "office", Spec: &spec.AddressSet{Addresses: "192.0.2.0/24, 2001:db8::/48", Description: "ours"}, Status: api.SetStatus{Users: []string{"db"}}}}, nil
}

func (f *fake) AddSet(_ context.Context, d api.Definition[spec.AddressSet]) (api.Set, error) {
	f.note("set %s %s", d.Name, text(d.Spec))
	return api.Set{Name: d.Name, Spec: d.Spec}, nil
}

// text is an argument as it came over the socket.
func text(v any) string {
	b, err := compact(v)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(b)
}
