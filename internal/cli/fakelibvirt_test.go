package cli

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

// NetworkXML is a small document.
func (f *fake) NetworkXML(_ context.Context, name string, inactive bool) (string, error) {
	n := f.find(name)
	if n == nil {
		return "", notFound("network", name)
	}
	f.note("xml %s inactive=%v", n.Name, inactive)
	if f.meanwhile != nil && f.meanwhile() {
		return "<network>\n  <name>" + n.Name + "</name>\n</network>\n", nil
	}
	return "<network>\n  <name>" + n.Name + "</name>\n  <ip address='10.0.0.1' prefix='24'/>\n</network>\n", nil
}

// UpdateNetwork refuses the element <bad/>, and what XML would be refused for.
func (f *fake) UpdateNetwork(_ context.Context, name string, u api.NetworkUpdate) (api.Updated, error) {
	n := f.find(name)
	if n == nil {
		return api.Updated{}, notFound("network", name)
	}
	f.note("update %s %+v", n.Name, u)
	running := n.Status.State == api.Running
	switch {
	case u.XML == "<bad/>":
		return api.Updated{}, &api.Error{Code: api.CodeInvalid, Reason: api.ReasonBadUpdate, Message: "XML error: nothing of " + u.Section}
	case u.Live && !running:
		return api.Updated{}, conflict(api.ReasonInactive, "network "+name+" does not run")
	case u.Config && !n.Status.Persistent:
		return api.Updated{}, conflict(api.ReasonTransient, "network "+name+" is transient: it has no definition")
	case !u.Live && !u.Config:
		u.Live, u.Config = running, !running
	}
	return api.Updated{Copies: u.Copies, Ops: []string{"add element dns_hosts", "reload dns lab"}}, nil
}

func (f *fake) DescribeNetwork(_ context.Context, name string, w api.NetworkWords) error {
	return f.with(name, "changed", func(n *api.Network) error {
		f.note("describe %s %+v", n.Name, w.Copies)
		if w.Title != nil {
			n.Spec.Title = *w.Title
		}
		if w.Description != nil {
			n.Spec.Description = *w.Description
		}
		return nil
	})
}

// Metadata is there for the namespace http://a.
func (f *fake) Metadata(_ context.Context, name, uri string, c api.Copies) (string, error) {
	f.note("metadata %s %s %+v", name, uri, c)
	if uri != "http://a" {
		return "", &api.Error{Code: api.CodeNotFound, Reason: api.ReasonNoMetadata, Message: "network " + name + " has no metadata of " + uri}
	}
	return "<a/>", nil
}

func (f *fake) SetMetadata(_ context.Context, name string, c api.MetadataChange) error {
	text := "nothing"
	if c.XML != nil {
		text = *c.XML
	}
	f.note("set metadata %s %s %q %s %+v", name, c.URI, c.Key, text, c.Copies)
	return nil
}

const portUUID = "5d744f21-ba4a-4d6e-bdb2-30a35ff3207d"

func (f *fake) AddPortXML(_ context.Context, network string, r api.DefineRequest) (api.Port, error) {
	if strings.Contains(r.Text, "fault") {
		return api.Port{}, &api.Error{Code: api.CodeInvalid, Reason: api.ReasonXML, Message: "internal error: network port has no uuid"}
	}
	f.note("port %s %q", network, r.Text)
	p := api.Port{Name: "vm9", Spec: &spec.Port{Network: network, UUID: portUUID, Interface: "vm9", Type: spec.Tap}, Status: api.PortStatus{State: "up"}}
	f.ports = append(f.ports, p)
	return p, nil
}

func (f *fake) PortXML(_ context.Context, name string) (string, error) {
	f.note("port xml %s", name)
	return "<networkport>\n  <mac address='52:54:00:11:22:33'/>\n</networkport>\n", nil
}

func (f *fake) ImportLeases(_ context.Context, network string, leases []api.Lease) ([]api.Lease, error) {
	f.note("import %d leases of %s", len(leases), network)
	return leases, nil
}

func (f *fake) FreeSubnet(_ context.Context, from byte) (netip.Prefix, error) {
	return netip.MustParsePrefix(fmt.Sprintf("192.168.%d.1/24", from)), nil
}
