package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kvmnet/internal/spec"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a Service that writes down how it was called and answers what it was
// told to.
type fake struct {
	err    error   // of every verb
	checks []Check // of Verify, before err
	nobody bool    // lists are nil

	mu     sync.Mutex
	calls  []string
	events chan Event    // what Events sends
	heard  chan struct{} // one for every listener that came
	left   chan struct{} // one for every listener that went
}

func newFake() *fake {
	return &fake{events: make(chan Event), heard: make(chan struct{}, 10), left: make(chan struct{}, 10)}
}

func (f *fake) call(format string, args ...any) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

func (f *fake) lastCall() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.calls) == 0 {
		return ""
	}
	return f.calls[len(f.calls)-1]
}

var (
	aNetwork = Network{Name: "lab", Spec: &spec.Network{Mode: spec.NAT, Title: "a -> b & <c>", Bridge: spec.BridgeSettings{Name: "lab0", MAC: spec.GenerateMAC("x"), ForwardDelay: 4}},
		Status: NetworkStatus{State: Running, Persistent: true, Ports: []string{"vm1"}}}
	aDefined = Defined{aNetwork, []Problem{{File: "f", Line: 3, Message: "m", Text: "f:3: m"}}}
	aPort    = Port{Name: "vm1", Spec: &spec.Port{Network: "lab", MAC: spec.GenerateMAC("vm1")}, Status: PortStatus{State: "up", MTU: 1500, Open: true, Guard: []string{"mac"},
		Leases: []netip.Addr{netip.MustParseAddr("192.0.2.7")}, Received: &Tally{1 << 60, 2, 3}, Sent: &Tally{}, Refused: map[string]uint64{"mac": 1 << 60}}}
	aBridge = HostBridge{Name: "br0", Spec: &spec.HostBridge{Ports: []string{"eth0"}}, Status: BridgeStatus{State: "up"}}
	aResult = ApplyResult{Objects: []Change{{"network/lab", "created"}}, Ops: []string{"add link lab0"}, Problems: map[string]string{"host": "x"}}
	aLease  = Lease{Network: "lab", Address: netip.MustParsePrefix("192.0.2.7/24"), Protocol: "ipv4", MAC: spec.GenerateMAC("vm1"), Begun: time.Unix(1e9, 0).UTC(), State: "bound"}
	anAddr  = Address{Address: netip.MustParseAddr("192.0.2.7"), Network: "lab", Source: "lease"}
	aRouter = Router{Name: "r1", Spec: &spec.Router{Uplink: &spec.Uplink{Bridge: "br0", Address: "192.0.2.7/24"}, Interfaces: []spec.Interface{{Network: "lab", SNAT: &spec.SNAT{Address: spec.AddrRange{From: netip.MustParseAddr("192.0.2.8"), To: netip.MustParseAddr("192.0.2.9")}}, Bandwidth: &spec.Bandwidth{In: spec.Limit{Rate: 1e6}}}}},
		Status: RouterStatus{State: Up, Uplinks: []RouterLink{{Name: "uplink", State: Up, Addresses: []netip.Prefix{netip.MustParsePrefix("192.0.2.7/24")}, Traffic: &Traffic{RxBytes: 7}}},
			Neighbours: []Neighbour{{Link: "uplink", Address: netip.MustParseAddr("192.0.2.1"), MAC: spec.GenerateMAC("n")}}}}
	aForward = Forward{Name: "web", Spec: &spec.Forward{Network: "lab", Protocol: spec.TCP, Listen: listenAt("[2001:db8::5]:80-90"), To: target("vm1:8080")},
		Status: ForwardStatus{State: Active, Outside: []string{"*:80"}, Hits: &Counter{Packets: 1 << 60}}}
	aPolicy = Policy{Name: "db", Spec: &spec.Policy{From: "lab, set/office", To: "any", Allow: []spec.Traffic{{}, {Protocol: spec.TCP, Ports: "80, 443"}}},
		Status: PolicyStatus{State: Active, Rules: []PolicyRule{{Verdict: "allow"}}}}
	aMatrix = Matrix{Parties: []string{"lab", "outside"}, Cells: []Reach{{From: "lab", To: "outside", Verdict: "some", Only: []Permit{{"tcp 80", "policy/db"}}}}}
	aSet    = Set{Name: "office", Spec: &spec.AddressSet{Addresses: "192.0.2.0/24"}, Status: SetStatus{Users: []string{"db"}}}
	aStatus = Status{Version: "1", PID: 7, Started: time.Unix(1e9, 0).UTC(), Problems: []string{"network/lab: x"}}
)

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func listenAt(s string) spec.Listen { l, _ := spec.ParseListen(s); return l }
func target(s string) spec.Target   { t, _ := spec.ParseTarget(s); return t }

func (f *fake) Status(context.Context) (Status, error) { return aStatus, f.call("Status") }
func (f *fake) Networks(context.Context) ([]Network, error) {
	if f.nobody {
		return nil, nil
	}
	return []Network{aNetwork}, f.call("Networks")
}
func (f *fake) Network(_ context.Context, name string) (Network, error) {
	return aNetwork, f.call("Network %q", name)
}
func (f *fake) Ports(context.Context) ([]Port, error) { return []Port{aPort}, f.call("Ports") }
func (f *fake) Bridges(context.Context) ([]HostBridge, error) {
	return []HostBridge{aBridge}, f.call("Bridges")
}
func (f *fake) Apply(_ context.Context, r ApplyRequest) (ApplyResult, error) {
	return aResult, f.call("Apply %v %v", r.Files, r.DryRun)
}
func (f *fake) Drift(context.Context) (ApplyResult, error) { return aResult, f.call("Drift") }
func (f *fake) AddNetwork(_ context.Context, r AddNetwork) (Network, error) {
	return aNetwork, f.call("AddNetwork %s %s %v %v %v", r.Name, r.Network.Mode, r.Choose, r.IPv6, r.Start)
}
func (f *fake) Define(_ context.Context, r DefineRequest) (Defined, error) {
	return aDefined, f.call("Define %v %v %v", r.File, r.Transient, r.Strict)
}
func (f *fake) NetworkXML(_ context.Context, n string, inactive bool) (string, error) {
	return "<network/>\n", f.call("NetworkXML %q %v", n, inactive)
}
func (f *fake) UpdateNetwork(_ context.Context, n string, u NetworkUpdate) (Updated, error) {
	return Updated{u.Copies, []string{"set link lab0"}}, f.call("UpdateNetwork %q %v", n, u)
}
func (f *fake) DescribeNetwork(_ context.Context, n string, w NetworkWords) error {
	return f.call("DescribeNetwork %q %v %s %v", n, w.Copies, deref(w.Title), w.Description)
}
func (f *fake) Metadata(_ context.Context, n, uri string, c Copies) (string, error) {
	return "<a/>", f.call("Metadata %q %q %v", n, uri, c)
}
func (f *fake) SetMetadata(_ context.Context, n string, c MetadataChange) error {
	return f.call("SetMetadata %q %v %s %s %v", n, c.Copies, c.URI, c.Key, c.XML)
}
func (f *fake) AddPortXML(_ context.Context, n string, r DefineRequest) (Port, error) {
	return aPort, f.call("AddPortXML %q %v %v", n, r.File, r.Strict)
}
func (f *fake) PortXML(_ context.Context, n string) (string, error) {
	return "<networkport/>\n", f.call("PortXML %q", n)
}
func (f *fake) ImportLeases(_ context.Context, n string, leases []Lease) ([]Lease, error) {
	return leases, f.call("ImportLeases %q %d", n, len(leases))
}
func (f *fake) FreeSubnet(_ context.Context, from byte) (netip.Prefix, error) {
	return aLease.Address, f.call("FreeSubnet %d", from)
}
func (f *fake) Start(_ context.Context, n string) error    { return f.call("Start %q", n) }
func (f *fake) Stop(_ context.Context, n string) error     { return f.call("Stop %q", n) }
func (f *fake) Undefine(_ context.Context, n string) error { return f.call("Undefine %q", n) }
func (f *fake) SetAutostart(_ context.Context, n string, on bool) error {
	return f.call("SetAutostart %q %v", n, on)
}
func (f *fake) AddPort(_ context.Context, r AddPort) (Port, error) {
	return aPort, f.call("AddPort %s %s %v", r.Name, r.Port.Network, r.Transient)
}
func (f *fake) Delete(_ context.Context, kind, n string) error {
	return f.call("Delete %s %q", kind, n)
}
func (f *fake) Routers(context.Context) ([]Router, error) {
	return []Router{aRouter}, f.call("Routers")
}
func (f *fake) Router(_ context.Context, n string) (Router, error) {
	return aRouter, f.call("Router %q", n)
}
func (f *fake) AddRouter(_ context.Context, d Definition[spec.Router]) (Router, error) {
	return aRouter, f.call("AddRouter %s %d", d.Name, len(d.Spec.Interfaces))
}
func (f *fake) Forwards(context.Context) ([]Forward, error) {
	return []Forward{aForward}, f.call("Forwards")
}
func (f *fake) AddForward(_ context.Context, d Definition[spec.Forward]) (Forward, error) {
	return aForward, f.call("AddForward %q %s %s", d.Name, d.Spec.Listen, d.Spec.To)
}
func (f *fake) Policies(context.Context) ([]Policy, error) {
	return []Policy{aPolicy}, f.call("Policies")
}
func (f *fake) AddPolicy(_ context.Context, d Definition[spec.Policy]) (Policy, error) {
	return aPolicy, f.call("AddPolicy %s %s %v", d.Name, d.Spec.From, d.Spec.Allow)
}
func (f *fake) Matrix(context.Context) (Matrix, error) { return aMatrix, f.call("Matrix") }
func (f *fake) Sets(context.Context) ([]Set, error)    { return []Set{aSet}, f.call("Sets") }
func (f *fake) AddSet(_ context.Context, d Definition[spec.AddressSet]) (Set, error) {
	return aSet, f.call("AddSet %s %s", d.Name, d.Spec.Addresses)
}
func (f *fake) Leases(_ context.Context, network string) ([]Lease, error) {
	if f.nobody {
		return nil, nil
	}
	return []Lease{aLease}, f.call("Leases %q", network)
}
func (f *fake) ReleaseLease(_ context.Context, r LeaseRelease) ([]Lease, error) {
	return []Lease{aLease}, f.call("ReleaseLease %q %q", r.Network, r.Guest)
}
func (f *fake) Addresses(_ context.Context, r AddressRequest) ([]Address, error) {
	return []Address{anAddr}, f.call("Addresses %q %s", r.Guest, r.Wait)
}
func (f *fake) Doctor(context.Context) ([]Finding, error) {
	return []Finding{{Check: "mtu", Level: Broken}}, f.call("Doctor")
}
func (f *fake) Heal(context.Context) ([]Finding, error) {
	return []Finding{{Check: "mtu", Level: Broken, Ours: true, Fixed: true}}, f.call("Heal")
}
func (f *fake) Orphans(context.Context) ([]Orphan, error) {
	return []Orphan{{"link x"}}, f.call("Orphans")
}
func (f *fake) Collect(context.Context) ([]Orphan, error) {
	return []Orphan{{"link y"}}, f.call("Collect")
}
func (f *fake) Pause(_ context.Context, on bool) error { return f.call("Pause %v", on) }
func (f *fake) Export(_ context.Context, kind, name string) (string, error) {
	return "networks: {}\n", f.call("Export %q %q", kind, name)
}
func (f *fake) Verify(_ context.Context, r VerifyRequest, report func(Check)) error {
	for _, c := range f.checks {
		report(c)
	}
	return f.call("Verify %v %s", r.Networks, r.Outside)
}
func (f *fake) Events(ctx context.Context, send func(Event)) error {
	f.heard <- struct{}{}
	defer func() { f.left <- struct{}{} }()
	for {
		select {
		case e, more := <-f.events:
			if !more {
				return f.call("Events")
			}
			send(e)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// daemon serves a Service at a socket of its own until the test ends.
func daemon(t *testing.T, s Service) (socket string, stop func()) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := &http.Server{Handler: Handler(s), BaseContext: func(net.Listener) context.Context { return ctx }}
	done := make(chan struct{})
	go func() { srv.Serve(l); close(done) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := srv.Shutdown(context.Background()); err != nil {
			t.Errorf("shut the daemon down: %v", err)
		}
		<-done
	})
	t.Cleanup(stop)
	return socket, stop
}

func client(t *testing.T, socket string) *Client {
	c := NewClient(socket)
	t.Cleanup(c.Close)
	return c
}

// within fails the test when nothing comes from c for long.
func within[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(10 * time.Second):
		t.Fatalf("waited 10 s for %s", what)
		panic("unreachable")
	}
}

// body is a request as it travels.
func body(v any) string {
	b, _ := encode(v)
	return strings.TrimSpace(string(b))
}

func (f *fake) SetPort(_ context.Context, name string, r SetPort) (Port, error) {
	return aPort, f.call("SetPort %q %s", name, body(r))
}

func (f *fake) PlugPort(_ context.Context, r PlugPort) (Port, error) {
	return aPort, f.call("PlugPort %q %q", r.Interface, r.Network)
}

func (f *fake) UnplugPort(_ context.Context, iface string) error {
	return f.call("UnplugPort %q", iface)
}
