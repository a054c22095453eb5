package api

import (
	"context"
	"errors"
	"testing"

	"kvmnet/internal/spec"
)

var (
	anInterface  = HostInterface{Name: "eth0", Active: true, MAC: spec.GenerateMAC("eth0"), Manager: "netplan", Live: &spec.HostInterface{Name: "eth0"}, Defined: &spec.HostInterface{Name: "eth0", MTU: 9000}}
	aDefinedNIC  = DefinedInterface{Name: "eth0", Manager: "netplan", Files: "--- a\n", Notes: []Problem{{File: "f", Line: 3, Message: "m", Text: "f:3: m"}}}
	aBridgedNIC  = InterfaceChange{Interface: "br0", Port: "eth0", Conversion: &aConversion}
	aLonelyStart = InterfaceChange{Interface: "br0"}
)

func (f *fake) Interfaces(context.Context) ([]HostInterface, error) {
	if f.nobody {
		return nil, nil
	}
	return []HostInterface{anInterface}, f.call("Interfaces")
}
func (f *fake) Interface(_ context.Context, name string) (HostInterface, error) {
	return anInterface, f.call("Interface %q", name)
}
func (f *fake) InterfaceXML(_ context.Context, name string, inactive bool) (string, error) {
	return "<interface/>\n", f.call("InterfaceXML %q %v", name, inactive)
}
func (f *fake) DefineInterface(_ context.Context, r DefineInterface) (DefinedInterface, error) {
	return aDefinedNIC, f.call("DefineInterface %v %v %v %v", r.File, r.Strict, r.DryRun, r.XML)
}
func (f *fake) UndefineInterface(_ context.Context, name string) error {
	return f.call("UndefineInterface %q", name)
}
func (f *fake) StartInterface(_ context.Context, r InterfaceAction) (InterfaceChange, error) {
	return aLonelyStart, f.call("StartInterface %+v", r)
}
func (f *fake) StopInterface(_ context.Context, r InterfaceAction) error {
	return f.call("StopInterface %+v", r)
}
func (f *fake) BridgeInterface(_ context.Context, r BridgeInterface) (InterfaceChange, error) {
	return aBridgedNIC, f.call("BridgeInterface %+v", r)
}
func (f *fake) UnbridgeInterface(_ context.Context, r UnbridgeInterface) (InterfaceChange, error) {
	return aBridgedNIC, f.call("UnbridgeInterface %+v", r)
}
func (f *fake) BeginInterfaces(context.Context) error    { return f.call("BeginInterfaces") }
func (f *fake) CommitInterfaces(context.Context) error   { return f.call("CommitInterfaces") }
func (f *fake) RollbackInterfaces(context.Context) error { return f.call("RollbackInterfaces") }

// interfaceVerbs are told to the table of verbs.
func init() {
	peer := Peer{Client: "192.0.2.7:50022", Server: "192.0.2.2:22"}
	verbs = append(verbs, []struct {
		seen string
		call func(context.Context, Service) (any, error)
		want any
	}{
		{"Interfaces", func(ctx context.Context, s Service) (any, error) { return s.Interfaces(ctx) }, []HostInterface{anInterface}},
		{`Interface "eth0.7"`, func(ctx context.Context, s Service) (any, error) { return s.Interface(ctx, "eth0.7") }, anInterface},
		{`Interface "52:54:00:00:00:01"`, func(ctx context.Context, s Service) (any, error) { return s.Interface(ctx, "52:54:00:00:00:01") }, anInterface},
		{`InterfaceXML "a/b%" true`, func(ctx context.Context, s Service) (any, error) { return s.InterfaceXML(ctx, "a/b%", true) }, "<interface/>\n"},
		{"DefineInterface {f <t>} true true true", func(ctx context.Context, s Service) (any, error) {
			return s.DefineInterface(ctx, DefineInterface{File: File{"f", "<t>"}, Strict: true, DryRun: true, XML: true})
		}, aDefinedNIC},
		{`UndefineInterface ".."`, func(ctx context.Context, s Service) (any, error) { return nil, s.UndefineInterface(ctx, "..") }, nil},
		{"StartInterface {Name:eth0 Peer:{Client:192.0.2.7:50022 Server:192.0.2.2:22} Force:true}", func(ctx context.Context, s Service) (any, error) {
			return s.StartInterface(ctx, InterfaceAction{Name: "eth0", Peer: peer, Force: true})
		}, aLonelyStart},
		{"StopInterface {Name:a/b Peer:{Client: Server:} Force:false}", func(ctx context.Context, s Service) (any, error) {
			return nil, s.StopInterface(ctx, InterfaceAction{Name: "a/b"})
		}, nil},
		{"BridgeInterface {Interface:eth0 Bridge:br0 STP:true Delay:4s Start:true Peer:{Client:192.0.2.7:50022 Server:192.0.2.2:22}}", func(ctx context.Context, s Service) (any, error) {
			return s.BridgeInterface(ctx, BridgeInterface{Interface: "eth0", Bridge: "br0", STP: true, Delay: 4, Start: true, Peer: peer})
		}, aBridgedNIC},
		{"UnbridgeInterface {Bridge:br0 Start:true Peer:{Client: Server:}}", func(ctx context.Context, s Service) (any, error) {
			return s.UnbridgeInterface(ctx, UnbridgeInterface{Bridge: "br0", Start: true})
		}, aBridgedNIC},
		{"BeginInterfaces", func(ctx context.Context, s Service) (any, error) { return nil, s.BeginInterfaces(ctx) }, nil},
		{"CommitInterfaces", func(ctx context.Context, s Service) (any, error) { return nil, s.CommitInterfaces(ctx) }, nil},
		{"RollbackInterfaces", func(ctx context.Context, s Service) (any, error) { return nil, s.RollbackInterfaces(ctx) }, nil},
	}...)
}

func TestABridgeOfAnInterfaceNeedsItsName(t *testing.T) {
	f := newFake()
	socket, _ := daemon(t, f)
	_, err := client(t, socket).BridgeInterface(t.Context(), BridgeInterface{Interface: "eth0"})
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeInvalid || e.Message != `read the request: field "bridge" is missing` || f.lastCall() != "" {
		t.Errorf("%v, %s", err, f.lastCall())
	}
}
