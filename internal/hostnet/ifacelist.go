package hostnet

import (
	"context"

	"kvmnet/internal/api"
	"kvmnet/internal/libvirtxml"
)

// Interfaces implements api.InterfaceService.
func (h *Host) Interfaces(context.Context) ([]api.HostInterface, error) {
	s, err := h.look()
	if err != nil {
		return nil, refuse(err)
	}
	var list []api.HostInterface
	for _, name := range s.names() {
		list = append(list, s.tell(name))
	}
	return list, nil
}

// Interface implements api.InterfaceService.
func (h *Host) Interface(_ context.Context, name string) (api.HostInterface, error) {
	s, err := h.look()
	if err != nil {
		return api.HostInterface{}, refuse(err)
	}
	return s.find(name)
}

// InterfaceXML implements api.InterfaceService.
func (h *Host) InterfaceXML(ctx context.Context, name string, inactive bool) (string, error) {
	i, err := h.Interface(ctx, name)
	switch {
	case err != nil:
		return "", err
	case i.Defined == nil && inactive:
		return "", because(api.ReasonNotDefined, "%s is in no file of a network manager: define it, from what 'kvmnet iface dumpxml %[1]s' prints", i.Name)
	case i.Live == nil, inactive, !i.Active && i.Defined != nil:
		return libvirtxml.FormatInterface(i.Defined, nil), nil
	}
	links, err := h.cables(*i.Live)
	return libvirtxml.FormatInterface(i.Live, links), refuse(err)
}
