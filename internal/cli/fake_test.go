package cli

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// fake is a daemon without a kernel: it keeps networks and ports in memory.
type fake struct {
	serial    sync.Mutex // held during every call but Events, see serve
	mu        sync.Mutex // of listeners
	networks  []api.Network
	ports     []api.Port
	bridges   []api.HostBridge
	paused    bool
	orphans   []api.Orphan
	waiting   waiting
	ifaces    ifaces
	listeners map[chan api.Event]bool
	seen      []string // calls whose arguments matter
	namespace string   // path of that of the router inside

	// meanwhile, if not nil, reports whether somebody else has changed the networks.
	meanwhile func() bool

	// duringApply, if not nil, runs before Apply answers.
	duringApply func()
}

func newFake() *fake {
	off := false
	prefix := func(s string) []spec.Subnet { return []spec.Subnet{{Address: netip.MustParsePrefix(s)}} }
	ranges, _ := spec.ParseLeaseRange("192.168.100.10-192.168.100.200")
	lab := prefix("192.168.100.1/24")
	lab[0].DHCP = &spec.DHCP{Ranges: []spec.LeaseRange{ranges}}
	return &fake{
		listeners: map[chan api.Event]bool{},
		orphans:   []api.Orphan{{Object: "link old0 type bridge"}},
		networks: []api.Network{
			{Name: "dmz", Spec: &spec.Network{UUID: "00000000-0000-4000-8000-000000000001", Mode: spec.Route, Uplink: "eth0",
				Bridge: spec.BridgeSettings{Name: "dmz0", MTU: 9000, STP: true}, Subnets: append(prefix("10.1.0.1/24"), prefix("fd00:1::1/64")...)},
				Status: api.NetworkStatus{State: api.Running, Bridge: "dmz0", Problems: []string{"uplink eth0 is down", "no route to 0.0.0.0/0"}}},
			{Name: "lab", Spec: &spec.Network{Title: "the lab", UUID: "00000000-0000-4000-8000-000000000002", Mode: spec.NAT,
				Bridge: spec.BridgeSettings{Name: "lab0", MAC: mac("52:54:00:00:00:01")}, Subnets: lab,
				Routes: []spec.StaticRoute{{To: netip.MustParsePrefix("10.7.0.0/16"), Via: netip.MustParseAddr("192.168.100.20")}}},
				Status: api.NetworkStatus{State: api.Running, Persistent: true, Autostart: true, Bridge: "lab0", Ports: []string{"tap9", "vm1"}, Pending: true}},
			{Name: "lazy", Spec: &spec.Network{UUID: "00000000-0000-4000-8000-000000000003", Mode: spec.Open, OnDemand: true, Subnets: prefix("10.3.0.1/24")},
				Status: api.NetworkStatus{State: api.OnDemand, Persistent: true, Bridge: "lazy0"}},
			{Name: "red", Spec: &spec.Network{UUID: "00000000-0000-4000-8000-000000000004", Mode: spec.Isolated, Autostart: &off, Guard: spec.GuardStrict, Storm: &spec.Storm{Broadcast: 50},
				Access: []spec.Access{{User: "alice", Ports: 5, Guards: []spec.Guard{"mac", spec.GuardStrict}}, {Group: "kvm", Ports: 1}, {Group: "1000"}}},
				Status: api.NetworkStatus{State: api.Inactive, Persistent: true, Bridge: "red0"}},
		},
		ports: []api.Port{
			{Name: "c1", Spec: &spec.Port{Network: "red", Type: spec.Veth, Interface: "c1", Peer: "c1p", MAC: mac("52:54:00:00:00:c1")},
				Status: api.PortStatus{State: "down", Problems: []string{"network red is inactive"}}},
			{Name: "vm1", Spec: &spec.Port{Network: "lab", Interface: "vm1", MAC: mac("52:54:00:11:22:33"), Owner: "alice",
				Addresses: []netip.Addr{netip.MustParseAddr("192.168.100.20")}, Guest: "web", Queues: 4,
				Bandwidth: &spec.Bandwidth{In: spec.Limit{Rate: 1e8}, Out: spec.Limit{Rate: 2e7, Burst: 64 << 10}}},
				Status: api.PortStatus{State: "up", Bridge: "lab0", MTU: 1500, Gateways: []string{"192.168.100.1/24"}, Open: true, Guard: spec.GuardWords,
					Leases:   []netip.Addr{netip.MustParseAddr("192.168.100.20"), netip.MustParseAddr("fd00::20")},
					Received: &api.Tally{Packets: 1200, Bytes: 3 << 20}, Sent: &api.Tally{Packets: 1, Bytes: 60, Dropped: 2}, Refused: map[string]uint64{"mac": 7, "address": 5}}},
			{Name: "tap9", Spec: &spec.Port{Network: "lab", Interface: "tap9", Type: spec.Tap}, Status: api.PortStatus{State: "adopted", Bridge: "lab0", Open: true}},
		},
		bridges: []api.HostBridge{{Name: "br0", Spec: &spec.HostBridge{Ports: []string{"eth1", "eth2"}, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")},
			Gateway: []netip.Addr{netip.MustParseAddr("192.0.2.1")}}, Status: api.BridgeStatus{State: "up"}}},
	}
}

func notFound(kind, name string) error {
	reason := map[string]string{"network": api.ReasonNoNetwork, "port": api.ReasonNoPort}[kind]
	return &api.Error{Code: api.CodeNotFound, Reason: reason, Message: fmt.Sprintf("no %s named %s", kind, name)}
}

func conflict(reason, message string) error {
	return &api.Error{Code: api.CodeConflict, Reason: reason, Message: message}
}

func (f *fake) note(format string, args ...any) {
	f.seen = append(f.seen, fmt.Sprintf(format, args...))
}

func (f *fake) find(name string) *api.Network {
	for i := range f.networks {
		if f.networks[i].Name == name || f.networks[i].Spec.UUID == name {
			return &f.networks[i]
		}
	}
	return nil
}

// with runs do on a network, and then tells the listeners what happened.
func (f *fake) with(name, event string, do func(*api.Network) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.find(name)
	if n == nil {
		return notFound("network", name)
	}
	err := do(n)
	if err == nil {
		f.say(api.Event{Time: time.Unix(1e9, 0), Type: event, Object: "network/" + name})
	}
	return err
}

func (f *fake) say(e api.Event) {
	for c := range f.listeners {
		c <- e
	}
}

func (f *fake) Status(context.Context) (api.Status, error) {
	return api.Status{Version: "1.2.3", PID: 7, Started: time.Now().Add(-time.Hour), Paused: f.paused, Networks: 4, Running: 2, Ports: 2, LastPass: time.Now(),
		PassTook: "3ms", Repairs: 5, Problems: []string{"network/dmz: uplink eth0 is down", "port/c1: network red is inactive"}, ConfigDir: "/etc/kvmnet", Uplinks: []string{"eth0", "eth1"}}, nil
}
func (f *fake) Networks(context.Context) ([]api.Network, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.networks), nil
}
func (f *fake) Network(_ context.Context, name string) (n api.Network, err error) {
	err = f.with(name, "looked", func(found *api.Network) error { n = *found; return nil })
	if name == "lab" {
		n.Status.Counters = map[string]uint64{"dhcp4 offers": 3, "dns queries": 12, "dhcp4 acks": 2}
	}
	return n, err
}
func (f *fake) Ports(context.Context) ([]api.Port, error)         { return slices.Clone(f.ports), nil }
func (f *fake) Bridges(context.Context) ([]api.HostBridge, error) { return f.bridges, nil }

// Apply answers what the text says, a word and its text a line: "created
// network/lab", "op …", "disturbs …", "vain …", "problem network/lab why", "fault …".
func (f *fake) Apply(_ context.Context, r api.ApplyRequest) (result api.ApplyResult, err error) {
	result.Problems = map[string]string{}
	if r.ConfirmWithin > 0 {
		c := f.wait("eth0 into nothing, but an apply of "+r.ConfirmWithin.String(), false)
		result.Change, result.Watches = c.Change, c.Watches
	}
	for _, file := range r.Files {
		f.note("apply %s dry=%v", file.Name, r.DryRun)
		for i, line := range strings.Split(strings.TrimSpace(file.Text), "\n") {
			word, rest, _ := strings.Cut(line, " ")
			switch word {
			case "op":
				result.Ops = append(result.Ops, rest)
			case "vain":
				result.Notes = append(result.Notes, api.Problem{File: file.Name, Line: i + 1, Text: fmt.Sprintf("%s:%d:1: %s", file.Name, i+1, rest)})
			case "disturbs":
				result.Disturbs = append(result.Disturbs, rest)
			case "problem":
				object, why, _ := strings.Cut(rest, " ")
				result.Problems[object] = why
			case "fault":
				return result, fault(file.Name, i+1, rest, line)
			default:
				result.Objects = append(result.Objects, api.Change{Object: rest, Verb: word})
			}
		}
	}
	if f.duringApply != nil {
		f.duringApply()
	}
	return result, nil
}

// fault is an error with two problems, each with an excerpt.
func fault(file string, line int, message, text string) error {
	problem := func(column int) api.Problem {
		return api.Problem{File: file, Line: line, Column: column, Message: message,
			Text: fmt.Sprintf("%s:%d:%d: %s\n  %d | %s\n    | ^", file, line, column, message, line, text)}
	}
	return &api.Error{Code: api.CodeInvalid, Message: "2 problems; nothing changed", Problems: []api.Problem{problem(1), problem(5)}}
}

// Drift is there while the daemon is paused.
func (f *fake) Drift(context.Context) (api.ApplyResult, error) {
	if !f.paused {
		return api.ApplyResult{}, nil
	}
	return api.ApplyResult{Ops: []string{"set link lab0 mtu 1500 (was mtu 1400)"}, Disturbs: []string{"guests of lab0 see another MTU"},
		Next: []api.Next{{Object: "network/lab", Lines: []string{"- mode: nat", "+ mode: route"}}}}, nil
}
func (f *fake) AddNetwork(_ context.Context, r api.AddNetwork) (api.Network, error) {
	if f.find(r.Name) != nil {
		return api.Network{}, &api.Error{Code: api.CodeConflict, Message: "network " + r.Name + " exists"}
	}
	f.note("add %s", text(r.Network))
	f.note("add %s %s choose=%v ipv6=%v start=%v ondemand=%v uplink=%q bridge=%q mtu=%d title=%q %s dhcp=%v domain=%q", r.Name, r.Network.Mode, r.Choose, r.IPv6, r.Start,
		r.Network.OnDemand, r.Network.Uplink, r.Network.Bridge.Name, r.Network.Bridge.MTU, r.Network.Title, subnets(r.Network), r.DHCP, domain(r.Network))
	if r.Choose {
		r.Network.Subnets = append(r.Network.Subnets, spec.Subnet{Address: netip.MustParsePrefix("192.168.101.1/24")})
	}
	n := api.Network{Name: r.Name, Spec: r.Network, Status: api.NetworkStatus{State: api.Running, Bridge: r.Name + "0", Persistent: true}}
	if domain(r.Network) != "" && len(r.Network.Subnets) == 0 {
		n.Status.Problems = []string{"has DNS settings, but no subnet"}
	}
	f.networks = append(f.networks, n)
	return n, nil
}

func domain(n *spec.Network) string {
	if n.DNS == nil {
		return ""
	}
	return n.DNS.Domain
}

// Define reads the words "name lab", also of XML, and "fault", "pending", <odd/>, which
// has no effect, <refused and <taken.
func (f *fake) Define(_ context.Context, r api.DefineRequest) (api.Defined, error) {
	file := r.File
	f.note("define %q transient=%v", file.Text, r.Transient)
	if i := strings.Index(file.Text, "fault"); i >= 0 {
		return api.Defined{}, fault(file.Name[strings.LastIndex(file.Name, "-")+1:], 1, "no such thing", "fault")
	}
	if strings.HasPrefix(file.Text, "<refused") {
		return api.Defined{}, &api.Error{Code: api.CodeInvalid, Reason: api.ReasonXML, Message: "XML error: refused"}
	}
	if strings.HasPrefix(file.Text, "<taken") {
		return api.Defined{}, conflict(api.ReasonNameTaken, "operation failed: network 'lab' already exists with uuid 1")
	}
	var notes []api.Problem
	if strings.Contains(file.Text, "<odd/>") {
		notes = []api.Problem{{File: file.Name, Line: 1, Column: 7, Message: "odd has no effect", Text: file.Name + ":1:7: <odd> has no effect"}}
	}
	if len(notes) > 0 && r.Strict {
		return api.Defined{}, &api.Error{Code: api.CodeInvalid, Message: "1 problem; nothing changed", Problems: notes}
	}
	words := strings.Fields(strings.NewReplacer("<", " ", ">", " ").Replace(file.Text))
	return api.Defined{Notes: notes, Network: api.Network{Name: words[slices.Index(words, "name")+1], Spec: &spec.Network{}, Status: api.NetworkStatus{Pending: slices.Contains(words, "pending")}}}, nil
}
func (f *fake) Start(_ context.Context, name string) error {
	return f.with(name, "started", func(n *api.Network) error {
		if n.Status.State == api.Running {
			return conflict(api.ReasonActive, "network "+name+" runs already")
		}
		n.Status.State = api.Running
		return nil
	})
}
func (f *fake) Stop(_ context.Context, name string) error {
	return f.with(name, "stopped", func(n *api.Network) error {
		if n.Status.State == api.Inactive {
			return conflict(api.ReasonInactive, "network "+name+" does not run")
		}
		n.Status.State = api.Inactive
		f.note("stop %s", name)
		return nil
	})
}
func (f *fake) Undefine(_ context.Context, name string) error {
	return f.with(name, "deleted", func(n *api.Network) error {
		if !n.Status.Persistent {
			return conflict(api.ReasonTransient, "network "+name+" is transient: it has no definition")
		}
		n.Status.Persistent = false
		f.note("undefine %s", name)
		return nil
	})
}
func (f *fake) SetAutostart(_ context.Context, name string, on bool) error {
	return f.with(name, "changed", func(n *api.Network) error {
		if !n.Status.Persistent {
			return conflict(api.ReasonTransient, "network "+name+" is transient: it has no definition")
		}
		n.Status.Autostart = on
		return nil
	})
}
func (f *fake) AddPort(_ context.Context, r api.AddPort) (api.Port, error) {
	if f.find(r.Port.Network) == nil {
		return api.Port{}, notFound("network", r.Port.Network)
	}
	f.note("port %s transient=%v", text(r.Port), r.Transient)
	r.Port.Type = spec.PortType(portType(r.Port)) // as the daemon fills it in
	if r.Name == "" {
		r.Name = r.Port.Network + "-1"
	}
	if r.Port.Interface == "" {
		r.Port.Interface = r.Name
	}
	if r.Port.MAC.IsZero() {
		r.Port.MAC = spec.GenerateMAC(r.Name)
	}
	mtu := max(1500, f.find(r.Port.Network).Spec.Bridge.MTU)
	return api.Port{Name: r.Name, Spec: r.Port, Status: api.PortStatus{State: "up", Bridge: "lab0", MTU: mtu, Gateways: []string{"192.168.100.1/24", "fd00::1/64"}}}, nil
}
func (f *fake) Delete(_ context.Context, kind, name string) error {
	f.note("delete %s %s", kind, name)
	there := true
	switch kind {
	case "bridge", "set":
		return &api.Error{Code: api.CodeConflict, Message: kind + " " + name + " is used by network lan"}
	case "port":
		before := len(f.ports)
		f.ports = slices.DeleteFunc(f.ports, func(p api.Port) bool { return p.Name == name && p.Status.State != adopted })
		there = len(f.ports) < before
	case "router":
		there = name == "r1"
	case "forward":
		there = name == "web"
	case "policy":
		there = name == "db"
	}
	if !there {
		return notFound(kind, name)
	}
	return nil
}

// Verify keeps every promise but those of red.
func (f *fake) Verify(_ context.Context, r api.VerifyRequest, report func(api.Check)) error {
	for _, name := range r.Networks {
		if f.find(name) == nil {
			return notFound("network", name)
		}
	}
	if len(r.Networks) == 0 {
		r.Networks = []string{"lab"}
	}
	for _, name := range r.Networks {
		report(api.Check{Network: name, Promise: "guest → guest (icmp)", Expected: "answer", Seen: "answer", OK: true})
		c := api.Check{Network: name, Promise: "guest → outside " + r.Outside + " (tcp)", Expected: "no answer", Seen: "no answer", OK: true}
		if name == "red" {
			c.Seen, c.OK = "answer", false
		}
		report(c)
	}
	return nil
}
func (f *fake) Leases(_ context.Context, network string) ([]api.Lease, error) {
	f.note("leases %q", network)
	expires := time.Unix(1893553445, 0)
	list := []api.Lease{
		{Network: "lab", Address: netip.MustParsePrefix("192.168.100.10/24"), Protocol: "ipv4", MAC: mac("52:54:00:00:00:01"), Hostname: "vm1", Port: "vm1",
			ClientID: "01:52:54:00:00:00:01", Begun: time.Unix(1893549845, 0), Expires: &expires, State: "bound"},
		{Network: "lab", Address: netip.MustParsePrefix("192.168.100.11/24"), Protocol: "ipv4", MAC: mac("52:54:00:00:00:02"), Begun: time.Unix(1893549845, 0), State: "declined"},
		{Network: "dmz", Address: netip.MustParsePrefix("fd00:1::1000/64"), Protocol: "ipv6", MAC: mac("52:54:00:00:00:03"), IAID: 7, Begun: time.Unix(1893549845, 0), Expires: &expires, State: "bound"},
	}
	return slices.DeleteFunc(list, func(l api.Lease) bool { return network != "" && l.Network != network }), nil
}
func (f *fake) ReleaseLease(ctx context.Context, r api.LeaseRelease) ([]api.Lease, error) {
	all, _ := f.Leases(ctx, r.Network)
	f.note("release %q %q", r.Network, r.Guest)
	ended := slices.DeleteFunc(all, func(l api.Lease) bool {
		return l.Hostname != r.Guest && l.MAC.String() != r.Guest && l.Address.Addr().String() != r.Guest
	})
	if len(ended) == 0 {
		return nil, &api.Error{Code: api.CodeNotFound, Message: "no lease of " + r.Guest}
	}
	return ended, nil
}
func (f *fake) Addresses(_ context.Context, r api.AddressRequest) ([]api.Address, error) {
	f.note("addresses %q wait=%s", r.Guest, r.Wait)
	switch r.Guest {
	case "vm1":
		mac, _ := spec.ParseMAC("52:54:00:00:00:01")
		return []api.Address{
			{Address: netip.MustParseAddr("192.168.100.10"), Network: "lab", MAC: mac, Port: "vm1", Source: "lease"},
			{Address: netip.MustParseAddr("fe80::5054:ff:fe00:1"), Network: "lab", MAC: mac, Port: "vm1", Source: "neighbour"}}, nil
	case "c1":
		return nil, nil
	}
	return nil, &api.Error{Code: api.CodeNotFound, Message: "no guest " + r.Guest + " is known: no port, no reservation and no host name"}
}

// Doctor finds a host that is not well.
func (f *fake) Doctor(context.Context) ([]api.Finding, error) {
	return []api.Finding{
		{Check: "kernel", Level: api.Broken, Subject: "network/lab", Message: "not as wanted: add element bridges { lab0 }", Fix: "kvmnet doctor --fix", Ours: true},
		{Check: "mtu", Level: api.Warning, Subject: "lab", Message: "its guests send 1500 bytes, and the uplink eth0 takes 1420", Fix: "mtu: 1420"},
		{Check: "mac", Level: api.Fine, Message: "no MAC is used twice"},
	}, nil
}

func (f *fake) Heal(ctx context.Context) ([]api.Finding, error) {
	list, err := f.Doctor(ctx)
	list[0].Fixed = true
	return list, err
}

func (f *fake) Orphans(context.Context) ([]api.Orphan, error) { return f.orphans, nil }
func (f *fake) Collect(context.Context) ([]api.Orphan, error) {
	gone := f.orphans
	f.orphans = nil
	return gone, nil
}
func (f *fake) Pause(_ context.Context, on bool) error { f.paused = on; return nil }
func (f *fake) Events(ctx context.Context, send func(api.Event)) error {
	c := make(chan api.Event, 100)
	f.mu.Lock()
	f.listeners[c] = true
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners, c)
	}()
	for {
		select {
		case e := <-c:
			send(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
func (f *fake) Export(_ context.Context, kind, name string) (string, error) {
	if kind == "network" && f.find(name) == nil {
		return "", notFound(kind, name)
	}
	return fmt.Sprintf("name %s exported %s\n", name, kind), nil
}
