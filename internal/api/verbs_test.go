package api

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kvmnet/internal/spec"
)

// verbs calls every verb but the streams, with what the service must see of it
// and what must come back.
var verbs = []struct {
	seen string
	call func(context.Context, Service) (any, error)
	want any
}{
	{"Status", func(ctx context.Context, s Service) (any, error) { return s.Status(ctx) }, aStatus},
	{"Networks", func(ctx context.Context, s Service) (any, error) { return s.Networks(ctx) }, []Network{aNetwork}},
	{`Network "lab"`, func(ctx context.Context, s Service) (any, error) { return s.Network(ctx, "lab") }, aNetwork},
	{`Network "define"`, func(ctx context.Context, s Service) (any, error) { return s.Network(ctx, "define") }, aNetwork},
	{`Network "a/b c%?#"`, func(ctx context.Context, s Service) (any, error) { return s.Network(ctx, "a/b c%?#") }, aNetwork},
	{`Network ".."`, func(ctx context.Context, s Service) (any, error) { return s.Network(ctx, "..") }, aNetwork},
	{`Network "//"`, func(ctx context.Context, s Service) (any, error) { return s.Network(ctx, "//") }, aNetwork},
	{"Ports", func(ctx context.Context, s Service) (any, error) { return s.Ports(ctx) }, []Port{aPort}},
	{"Bridges", func(ctx context.Context, s Service) (any, error) { return s.Bridges(ctx) }, []HostBridge{aBridge}},
	{"Apply [{a.yaml x: <1>\n}] true", func(ctx context.Context, s Service) (any, error) {
		return s.Apply(ctx, ApplyRequest{Files: []File{{"a.yaml", "x: <1>\n"}}, DryRun: true})
	}, aResult},
	{"Drift", func(ctx context.Context, s Service) (any, error) { return s.Drift(ctx) }, aResult},
	{"AddNetwork lab nat true false true", func(ctx context.Context, s Service) (any, error) {
		return s.AddNetwork(ctx, AddNetwork{Name: "lab", Network: &spec.Network{Mode: spec.NAT}, Choose: true, Start: true})
	}, aNetwork},
	{"Define {f t} true false", func(ctx context.Context, s Service) (any, error) {
		return s.Define(ctx, DefineRequest{File: File{"f", "t"}, Transient: true})
	}, aDefined},
	{"Define {f <t>} false true", func(ctx context.Context, s Service) (any, error) {
		return s.Define(ctx, DefineRequest{File: File{"f", "<t>"}, Strict: true})
	}, aDefined},
	{`NetworkXML "lab" true`, func(ctx context.Context, s Service) (any, error) { return s.NetworkXML(ctx, "lab", true) }, "<network/>\n"},
	{`NetworkXML "a%?/.." false`, func(ctx context.Context, s Service) (any, error) { return s.NetworkXML(ctx, "a%?/..", false) }, "<network/>\n"},
	{`UpdateNetwork "lab" {{true false} delete ip-dhcp-host -1 <host/> true}`, func(ctx context.Context, s Service) (any, error) {
		return s.UpdateNetwork(ctx, "lab", NetworkUpdate{Copies{Live: true}, "delete", "ip-dhcp-host", -1, "<host/>", true})
	}, Updated{Copies{Live: true}, []string{"set link lab0"}}},
	{`DescribeNetwork "lab" {false true} a & b <nil>`, func(ctx context.Context, s Service) (any, error) {
		title := "a & b"
		return nil, s.DescribeNetwork(ctx, "lab", NetworkWords{Copies: Copies{Config: true}, Title: &title})
	}, nil},
	{`Metadata "lab" "http://a/?b=%20&c" {true true}`, func(ctx context.Context, s Service) (any, error) {
		return s.Metadata(ctx, "lab", "http://a/?b=%20&c", Copies{true, true})
	}, "<a/>"},
	{`SetMetadata "lab" {false false} urn:x k <nil>`, func(ctx context.Context, s Service) (any, error) {
		return nil, s.SetMetadata(ctx, "lab", MetadataChange{URI: "urn:x", Key: "k"})
	}, nil},
	{`AddPortXML "lab" {p <networkport/>} true`, func(ctx context.Context, s Service) (any, error) {
		return s.AddPortXML(ctx, "lab", DefineRequest{File: File{"p", "<networkport/>"}, Strict: true})
	}, aPort},
	{`PortXML "vm1"`, func(ctx context.Context, s Service) (any, error) { return s.PortXML(ctx, "vm1") }, "<networkport/>\n"},
	{`ImportLeases "lab" 1`, func(ctx context.Context, s Service) (any, error) { return s.ImportLeases(ctx, "lab", []Lease{aLease}) }, []Lease{aLease}},
	{`ImportLeases "lab" 0`, func(ctx context.Context, s Service) (any, error) { return s.ImportLeases(ctx, "lab", nil) }, []Lease{}},
	{"FreeSubnet 122", func(ctx context.Context, s Service) (any, error) { return s.FreeSubnet(ctx, 122) }, aLease.Address},
	{`Start "lab"`, func(ctx context.Context, s Service) (any, error) { return nil, s.Start(ctx, "lab") }, nil},
	{`Stop "lab"`, func(ctx context.Context, s Service) (any, error) { return nil, s.Stop(ctx, "lab") }, nil},
	{`Undefine "a.b"`, func(ctx context.Context, s Service) (any, error) { return nil, s.Undefine(ctx, "a.b") }, nil},
	{`SetAutostart "lab" true`, func(ctx context.Context, s Service) (any, error) { return nil, s.SetAutostart(ctx, "lab", true) }, nil},
	{`SetAutostart "lab" false`, func(ctx context.Context, s Service) (any, error) { return nil, s.SetAutostart(ctx, "lab", false) }, nil},
	{"AddPort vm1 lab true", func(ctx context.Context, s Service) (any, error) {
		return s.AddPort(ctx, AddPort{Name: "vm1", Port: &spec.Port{Network: "lab"}, Transient: true})
	}, aPort},
	{`SetPort "vm1" {}`, func(ctx context.Context, s Service) (any, error) { return s.SetPort(ctx, "vm1", SetPort{}) }, aPort},
	{`SetPort "a/b.." {"network":"red","unplugged":false,"guard":"mac,tag","bandwidth":{"in":"1mbit peak 2mbit"},"storm":{"broadcast":7},"addresses":["192.0.2.7"],"guest":"a & b","owner":"alice"}`,
		func(ctx context.Context, s Service) (any, error) {
			return s.SetPort(ctx, "a/b..", SetPort{Network: new("red"), Unplugged: new(false), Guard: new(spec.Guard("mac,tag")),
				Bandwidth: &spec.Bandwidth{In: spec.Limit{Rate: 1e6, Peak: 2e6}}, Storm: &spec.Storm{Broadcast: 7},
				Addresses: &[]netip.Addr{netip.MustParseAddr("192.0.2.7")}, Guest: new("a & b"), Owner: new("alice")})
		}, aPort},
	// What is there and empty is another thing than what is not there.
	{`SetPort "vm1" {"guard":"","bandwidth":{},"storm":{},"addresses":[],"guest":"","owner":""}`, func(ctx context.Context, s Service) (any, error) {
		return s.SetPort(ctx, "vm1", SetPort{Guard: new(spec.Guard("")), Bandwidth: &spec.Bandwidth{}, Storm: &spec.Storm{}, Addresses: &[]netip.Addr{}, Guest: new(""), Owner: new("")})
	}, aPort},
	{`PlugPort "tap0" "lab"`, func(ctx context.Context, s Service) (any, error) {
		return s.PlugPort(ctx, PlugPort{Interface: "tap0", Network: "lab"})
	}, aPort},
	{`PlugPort "vnet0.0" ""`, func(ctx context.Context, s Service) (any, error) {
		return s.PlugPort(ctx, PlugPort{Interface: "vnet0.0"})
	}, aPort},
	{`UnplugPort "vnet0.0"`, func(ctx context.Context, s Service) (any, error) { return nil, s.UnplugPort(ctx, "vnet0.0") }, nil},
	{`Delete port "vm1"`, func(ctx context.Context, s Service) (any, error) { return nil, s.Delete(ctx, "port", "vm1") }, nil},
	{`Delete bridge "br0"`, func(ctx context.Context, s Service) (any, error) { return nil, s.Delete(ctx, "bridge", "br0") }, nil},
	{`Delete policy "a/b"`, func(ctx context.Context, s Service) (any, error) { return nil, s.Delete(ctx, "policy", "a/b") }, nil},
	{"Routers", func(ctx context.Context, s Service) (any, error) { return s.Routers(ctx) }, []Router{aRouter}},
	{`Router "r1"`, func(ctx context.Context, s Service) (any, error) { return s.Router(ctx, "r1") }, aRouter},
	{"AddRouter r1 1", func(ctx context.Context, s Service) (any, error) {
		return s.AddRouter(ctx, Definition[spec.Router]{Name: "r1", Spec: aRouter.Spec})
	}, aRouter},
	{"Forwards", func(ctx context.Context, s Service) (any, error) { return s.Forwards(ctx) }, []Forward{aForward}},
	{`AddForward "" [2001:db8::5]:80-90 vm1:8080`, func(ctx context.Context, s Service) (any, error) {
		return s.AddForward(ctx, Definition[spec.Forward]{Spec: aForward.Spec})
	}, aForward},
	{"Policies", func(ctx context.Context, s Service) (any, error) { return s.Policies(ctx) }, []Policy{aPolicy}},
	{"AddPolicy db lab, set/office [{  } {tcp 80, 443 }]", func(ctx context.Context, s Service) (any, error) {
		return s.AddPolicy(ctx, Definition[spec.Policy]{Name: "db", Spec: aPolicy.Spec})
	}, aPolicy},
	{"Matrix", func(ctx context.Context, s Service) (any, error) { return s.Matrix(ctx) }, aMatrix},
	{"Sets", func(ctx context.Context, s Service) (any, error) { return s.Sets(ctx) }, []Set{aSet}},
	{"AddSet office 192.0.2.0/24", func(ctx context.Context, s Service) (any, error) {
		return s.AddSet(ctx, Definition[spec.AddressSet]{Name: "office", Spec: aSet.Spec})
	}, aSet},
	{`Leases ""`, func(ctx context.Context, s Service) (any, error) { return s.Leases(ctx, "") }, []Lease{aLease}},
	{`Leases "a&b"`, func(ctx context.Context, s Service) (any, error) { return s.Leases(ctx, "a&b") }, []Lease{aLease}},
	{`ReleaseLease "lab" "vm1"`, func(ctx context.Context, s Service) (any, error) {
		return s.ReleaseLease(ctx, LeaseRelease{Network: "lab", Guest: "vm1"})
	}, []Lease{aLease}},
	{`Addresses "vm1" 1m0s`, func(ctx context.Context, s Service) (any, error) {
		return s.Addresses(ctx, AddressRequest{Guest: "vm1", Wait: time.Minute})
	}, []Address{anAddr}},
	{"Doctor", func(ctx context.Context, s Service) (any, error) { return s.Doctor(ctx) }, []Finding{{Check: "mtu", Level: Broken}}},
	{"Heal", func(ctx context.Context, s Service) (any, error) { return s.Heal(ctx) }, []Finding{{Check: "mtu", Level: Broken, Ours: true, Fixed: true}}},
	{"Orphans", func(ctx context.Context, s Service) (any, error) { return s.Orphans(ctx) }, []Orphan{{"link x"}}},
	{"Collect", func(ctx context.Context, s Service) (any, error) { return s.Collect(ctx) }, []Orphan{{"link y"}}},
	{"Pause true", func(ctx context.Context, s Service) (any, error) { return nil, s.Pause(ctx, true) }, nil},
	{"Pause false", func(ctx context.Context, s Service) (any, error) { return nil, s.Pause(ctx, false) }, nil},
	{`Export "network" "a&b=c"`, func(ctx context.Context, s Service) (any, error) { return s.Export(ctx, "network", "a&b=c") }, "networks: {}\n"},
}

func TestVerbsReachTheServiceAndAnswer(t *testing.T) {
	f := newFake()
	socket, _ := daemon(t, f)
	c := client(t, socket)
	for _, v := range verbs {
		got, err := v.call(t.Context(), c)
		if err != nil {
			t.Errorf("%s: %v", v.seen, err)
		}
		if seen := f.lastCall(); seen != v.seen {
			t.Errorf("the service saw %q, want %q", seen, v.seen)
		}
		if d := cmp.Diff(v.want, got, cmpopts.EquateComparable(spec.MAC{}, netip.Addr{}, netip.Prefix{})); d != "" {
			t.Errorf("%s (-want +got):\n%s", v.seen, d)
		}
	}
}

func TestVerbsCarryErrorsOver(t *testing.T) {
	f := newFake()
	f.err = &Error{Code: CodeConflict, Message: "network lab is in use", Reason: ReasonActive,
		Problems: []Problem{{File: "a.yaml", Line: 3, Column: 5, Path: "networks.lab", Message: "m", Hint: "h", Excerpt: "e", Text: "a.yaml:3:5: m"}}}
	socket, _ := daemon(t, f)
	c := client(t, socket)
	for _, v := range verbs {
		_, err := v.call(t.Context(), c)
		var got *Error
		if !errors.As(err, &got) {
			t.Errorf("%s: got %v, want an *Error", v.seen, err)
			continue
		}
		if d := cmp.Diff(f.err, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", v.seen, d)
		}
	}
}

func TestErrorsKeepTheWordsThatWrapThem(t *testing.T) {
	inner := &Error{Code: CodeNotFound, Reason: ReasonNoNetwork, Message: "no network named lab", Problems: []Problem{{Message: "p", Text: "f:1:1: p"}}}
	tests := []struct {
		err  error
		want *Error
	}{
		{fmt.Errorf("add a port: %w", inner), &Error{Code: CodeNotFound, Reason: ReasonNoNetwork, Message: "add a port: no network named lab", Problems: inner.Problems}},
		{errors.Join(inner, errors.New("and more")), &Error{Code: CodeNotFound, Reason: ReasonNoNetwork, Message: "no network named lab\nand more", Problems: inner.Problems}},
		{errors.New("no space left on device"), &Error{Code: CodeInternal, Message: "no space left on device"}},
		{context.Canceled, &Error{Code: CodeInternal, Message: "the daemon is stopping"}},
	}
	f := newFake()
	socket, _ := daemon(t, f)
	c := client(t, socket)
	for _, test := range tests {
		f.err = test.err
		_, err := c.Status(t.Context())
		if d := cmp.Diff(error(test.want), err); d != "" {
			t.Errorf("%v (-want +got):\n%s", test.err, d)
		}
	}
}

func TestClientRefusesTheEmptyName(t *testing.T) {
	f := newFake()
	socket, _ := daemon(t, f)
	c := client(t, socket)
	for _, err := range []error{c.Undefine(t.Context(), ""), c.Delete(t.Context(), "port", ""), c.Start(t.Context(), ""),
		set(c.SetPort(t.Context(), "", SetPort{})), c.UnplugPort(t.Context(), "")} {
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeNotFound {
			t.Errorf("got %v, want not-found", err)
		}
	}
	if f.lastCall() != "" {
		t.Errorf("the service saw %s", f.lastCall())
	}
}

func set(_ Port, err error) error { return err }

func TestClientsAtTheSameTime(t *testing.T) {
	f := newFake()
	socket, _ := daemon(t, f)
	done := make(chan error)
	for i := range 8 {
		c := client(t, socket)
		go func() {
			var errs []error
			for j := range 20 {
				errs = append(errs, c.Start(t.Context(), fmt.Sprintf("n%d-%d", i, j)))
			}
			done <- errors.Join(errs...)
		}()
	}
	for range 8 {
		if err := within(t, "a client", done); err != nil {
			t.Error(err)
		}
	}
	seen := map[string]bool{}
	for _, call := range f.calls {
		seen[call] = true
	}
	if len(seen) != 160 {
		t.Errorf("the service saw %d different calls, want 160", len(seen))
	}
}

func TestClientWithoutADaemonNamesTheWayOut(t *testing.T) {
	socket := t.TempDir() + "/none"
	_, err := client(t, socket).Status(t.Context())
	want := "connect to the daemon at " + socket + ": no such file or directory; start it with 'kvmnet daemon' (as root) or name another with --socket"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestClientWhoseDaemonStopsSaysSo(t *testing.T) {
	f := newFake()
	socket, stop := daemon(t, f)
	c := client(t, socket)
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	_, err := c.Status(t.Context())
	if err == nil || !strings.Contains(err.Error(), "connect to the daemon at "+socket) {
		t.Errorf("got %v", err)
	}
}

func TestClientStopsWithItsContext(t *testing.T) {
	socket, _ := daemon(t, newFake())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client(t, socket).Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
