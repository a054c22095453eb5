package cli

import (
	"context"
	"net/netip"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// ifaces is what a fake daemon knows of interfaces of the host.
type ifaces struct {
	all   []api.HostInterface
	begun bool
}

// hostInterfaces are those of the fake: a NIC that is up and defined, one that only
// runs, a bridge of that MAC that is only defined, and one with two ports.
func hostInterfaces() []api.HostInterface {
	p := func(s string) []netip.Prefix { return []netip.Prefix{netip.MustParsePrefix(s)} }
	nic := spec.HostInterface{Name: "eth0", Type: spec.EthernetInterface, Start: spec.StartOnBoot, IPv4: &spec.InterfaceIP{DHCP: true}}
	now := spec.HostInterface{Name: "eth0", Type: spec.EthernetInterface, MAC: mac("52:54:00:00:00:0a"), MTU: 9000,
		IPv4: &spec.InterfaceIP{DHCP: true, Addresses: p("192.0.2.7/24"), Routes: []spec.InterfaceRoute{{To: netip.MustParsePrefix("0.0.0.0/0"), Via: netip.MustParseAddr("192.0.2.1"), Metric: 100}}}}
	loose := spec.HostInterface{Name: "eth1", Type: spec.EthernetInterface, MAC: mac("52:54:00:00:00:0b")}
	two := spec.HostInterface{Name: "br1", Type: spec.BridgeInterface, MAC: mac("52:54:00:00:00:0c"), Bridge: &spec.BridgeDetails{Ports: []spec.HostInterface{{Name: "eth2"}, {Name: "eth3"}}}}
	one := spec.HostInterface{Name: "Br0", Type: spec.BridgeInterface, Start: spec.StartNone, IPv6: &spec.InterfaceIP{Autoconf: true, Addresses: p("2001:db8::7/64")}, Bridge: &spec.BridgeDetails{Ports: []spec.HostInterface{{Name: "eth4"}}}}
	vlan := spec.HostInterface{Name: "eth1.5", Type: spec.VLANInterface, MAC: loose.MAC, VLAN: &spec.VLANDetails{Tag: 5, On: "eth1"}}
	return []api.HostInterface{
		{Name: "Br0", Manager: "netplan", Defined: &one},
		{Name: "br1", Active: true, MAC: two.MAC, Live: &two},
		{Name: "eth0", Active: true, MAC: now.MAC, Manager: "netplan", Live: &now, Defined: &nic},
		{Name: "eth1", MAC: loose.MAC, Live: &loose},
		{Name: "eth1.5", Active: true, MAC: loose.MAC, Live: &vlan},
	}
}

func (f *fake) Interfaces(context.Context) ([]api.HostInterface, error) {
	if f.ifaces.all == nil {
		f.ifaces.all = hostInterfaces()
	}
	return f.ifaces.all, nil
}

func (f *fake) Interface(ctx context.Context, word string) (api.HostInterface, error) {
	all, _ := f.Interfaces(ctx)
	var found []api.HostInterface
	for _, i := range all {
		if i.Name == word {
			return i, nil
		}
		if i.MAC.String() == strings.ToLower(word) {
			found = append(found, i)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return api.HostInterface{}, &api.Error{Code: api.CodeNotFound, Reason: api.ReasonNoInterface, Message: "there is no interface " + word}
	}
	return api.HostInterface{}, conflict(api.ReasonManyInterfaces, "eth1 and eth1.5 have the MAC "+word+": use a name")
}

func (f *fake) InterfaceXML(ctx context.Context, name string, inactive bool) (string, error) {
	i, err := f.Interface(ctx, name)
	switch {
	case err != nil:
		return "", err
	case inactive && i.Defined == nil:
		return "", conflict(api.ReasonNotDefined, i.Name+" is in no file of a network manager")
	}
	f.note("interface xml %s inactive=%v", i.Name, inactive)
	return "<interface type='ethernet' name='" + i.Name + "'>\n  <mtu size='1400'/>\n</interface>\n", nil
}

// DefineInterface refuses what says fault, and notes what says odd.
func (f *fake) DefineInterface(_ context.Context, r api.DefineInterface) (api.DefinedInterface, error) {
	odd := api.Problem{File: r.Name, Line: 1, Column: 7, Message: "<odd> has no effect here", Text: r.Name + ":1:7: <odd> has no effect here"}
	switch {
	case strings.Contains(r.Text, "fault"):
		return api.DefinedInterface{}, &api.Error{Code: api.CodeInvalid, Reason: api.ReasonXML, Message: "XML error: unknown interface startmode fault",
			Problems: []api.Problem{{Text: r.Name + ":2:5: start: fault"}, {Text: r.Name + ":3:1: mtu: fault"}}}
	case r.Strict && strings.Contains(r.Text, "odd"):
		return api.DefinedInterface{}, &api.Error{Code: api.CodeInvalid, Message: "1 problem; nothing changed", Problems: []api.Problem{odd}}
	}
	f.note("define interface %q xml=%v dry=%v", r.Text, r.XML, r.DryRun)
	d := api.DefinedInterface{Name: "br9", Manager: "netplan", Files: "--- /etc/netplan/a.yaml\n"}
	if strings.Contains(r.Text, "odd") {
		d.Notes = []api.Problem{odd}
	}
	return d, nil
}

func (f *fake) UndefineInterface(ctx context.Context, name string) error {
	i, err := f.Interface(ctx, name)
	switch {
	case err != nil:
		return err
	case i.Defined == nil:
		return conflict(api.ReasonNotDefined, i.Name+" is in no file of a network manager")
	}
	f.note("undefine interface %s", i.Name)
	return nil
}

func (f *fake) StartInterface(ctx context.Context, r api.InterfaceAction) (api.InterfaceChange, error) {
	i, err := f.Interface(ctx, r.Name)
	switch {
	case err != nil:
		return api.InterfaceChange{}, err
	case i.Active:
		return api.InterfaceChange{}, conflict(api.ReasonInterfaceActive, i.Name+" is up already")
	}
	f.note("start interface %+v", r)
	if i.Name == "Br0" {
		c := f.wait("eth4 into Br0", false)
		return api.InterfaceChange{Interface: i.Name, Port: "eth4", Conversion: &c}, nil
	}
	return api.InterfaceChange{Interface: i.Name}, nil
}

func (f *fake) StopInterface(ctx context.Context, r api.InterfaceAction) error {
	i, err := f.Interface(ctx, r.Name)
	switch {
	case err != nil:
		return err
	case !i.Active:
		return conflict(api.ReasonInterfaceInactive, i.Name+" is not up")
	case r.Peer.Client != "" && !r.Force:
		return conflict("", "stop "+i.Name+": your session comes by it, and would be cut off: stop it from the console, or say --force")
	}
	f.note("stop interface %s force=%v", i.Name, r.Force)
	return nil
}

func (f *fake) BridgeInterface(_ context.Context, r api.BridgeInterface) (api.InterfaceChange, error) {
	f.note("bridge %+v", r)
	done := api.InterfaceChange{Interface: r.Bridge, Port: r.Interface}
	if r.Start {
		c := f.wait(r.Interface+" into "+r.Bridge, false)
		done.Conversion = &c
	}
	return done, nil
}

func (f *fake) UnbridgeInterface(ctx context.Context, r api.UnbridgeInterface) (api.InterfaceChange, error) {
	i, err := f.Interface(ctx, r.Bridge)
	if err != nil || i.Defined == nil {
		return api.InterfaceChange{}, &api.Error{Code: api.CodeConflict, Reason: api.ReasonManyPorts, Message: "br1 has several ports, and its addresses go to one only"}
	}
	f.note("unbridge %+v", r)
	return api.InterfaceChange{Interface: "eth4", Port: "eth4"}, nil
}

func (f *fake) BeginInterfaces(context.Context) error {
	if f.ifaces.begun {
		return conflict(api.ReasonBegun, "there is an open change of interfaces")
	}
	f.ifaces.begun = true
	return nil
}

func (f *fake) CommitInterfaces(context.Context) error   { return f.endInterfaces() }
func (f *fake) RollbackInterfaces(context.Context) error { return f.endInterfaces() }

func (f *fake) endInterfaces() error {
	if !f.ifaces.begun {
		return conflict(api.ReasonNotBegun, "there is no open change of interfaces")
	}
	f.ifaces.begun = false
	return nil
}
