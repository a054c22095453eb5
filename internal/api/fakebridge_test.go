package api

import (
	"context"
	"errors"
	"testing"
	"time"
)

var (
	aChange     = HostChange{ID: "b3f1", What: "eth0 into br0", Holds: []string{"eth0", "br0"}, State: ChangeArmed, Made: time.Unix(1, 0).UTC(), Deadline: time.Unix(61, 0).UTC(), Left: "1m0s"}
	aConversion = Conversion{Change: &aChange, Manager: "netplan", Ops: []string{"link add br0 type bridge"}, Files: "--- a\n", Outage: "3 ms", Warnings: []string{"w"}, Watches: "192.0.2.7, to port 22"}
	aConverted  = ConvertedBridge{Bridge: "br0", Interface: "eth0", Manager: "netplan", Files: []string{"/etc/netplan/50.yaml"}, Made: time.Unix(1, 0).UTC()}
)

func (f *fake) ConvertBridge(_ context.Context, c ConvertBridge) (Conversion, error) {
	return aConversion, f.call("ConvertBridge %+v", c)
}

func (f *fake) UnconvertBridge(_ context.Context, c UnconvertBridge) (Conversion, error) {
	return aConversion, f.call("UnconvertBridge %+v", c)
}

func (f *fake) Conversions(context.Context) ([]ConvertedBridge, error) {
	return []ConvertedBridge{aConverted}, f.call("Conversions")
}

func (f *fake) Changes(context.Context) ([]HostChange, error) {
	return []HostChange{aChange}, f.call("Changes")
}

func (f *fake) ConfirmChange(_ context.Context, id string) (HostChange, error) {
	return aChange, f.call("ConfirmChange %q", id)
}

func (f *fake) RollbackChange(_ context.Context, id string) (HostChange, error) {
	return aChange, f.call("RollbackChange %q", id)
}

// bridgeVerbs are told to the table of verbs.
func init() {
	verbs = append(verbs, []struct {
		seen string
		call func(context.Context, Service) (any, error)
		want any
	}{
		{"ConvertBridge {Interface:eth0 Bridge:br0 STP:true Delay:4s ConfirmWithin:60s Peer:{Client:192.0.2.7:50022 Server:192.0.2.2:22} Volatile:true Plan:true}",
			func(ctx context.Context, s Service) (any, error) {
				return s.ConvertBridge(ctx, ConvertBridge{Interface: "eth0", Bridge: "br0", STP: true, Delay: 4, ConfirmWithin: 60,
					Peer: Peer{Client: "192.0.2.7:50022", Server: "192.0.2.2:22"}, Volatile: true, Plan: true})
			}, aConversion},
		{"UnconvertBridge {Bridge:br0 ConfirmWithin:0s Peer:{Client: Server:} Plan:false}", func(ctx context.Context, s Service) (any, error) {
			return s.UnconvertBridge(ctx, UnconvertBridge{Bridge: "br0"})
		}, aConversion},
		{"Conversions", func(ctx context.Context, s Service) (any, error) { return s.Conversions(ctx) }, []ConvertedBridge{aConverted}},
		{"Changes", func(ctx context.Context, s Service) (any, error) { return s.Changes(ctx) }, []HostChange{aChange}},
		{`ConfirmChange ""`, func(ctx context.Context, s Service) (any, error) { return s.ConfirmChange(ctx, "") }, aChange},
		{`RollbackChange "b3f1"`, func(ctx context.Context, s Service) (any, error) { return s.RollbackChange(ctx, "b3f1") }, aChange},
	}...)
}

func TestConversionsNeedTheirNames(t *testing.T) {
	f := newFake()
	socket, _ := daemon(t, f)
	c := client(t, socket)
	_, first := c.ConvertBridge(t.Context(), ConvertBridge{})
	_, second := c.UnconvertBridge(t.Context(), UnconvertBridge{})
	for field, err := range map[string]error{"interface": first, "bridge": second} {
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeInvalid || e.Message != `read the request: field "`+field+`" is missing` {
			t.Errorf("%s: %v", field, err)
		}
	}
}
