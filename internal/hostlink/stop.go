package hostlink

import (
	"net/netip"

	"kvmnet/internal/spec"
)

// Stop works out how an interface goes down: what Start made is deleted, and hardware
// loses the addresses it was given. Ports of a bridge or bond come free, and go down.
func Stop(i spec.HostInterface) []Op {
	var ops []Op
	ports, _ := portsOf(i)
	for _, p := range ports {
		ops = append(ops, orGone(release(p.Name)), orGone(setDown(p.Name)))
	}
	switch i.Type {
	case spec.BridgeInterface, spec.BondInterface, spec.VLANInterface:
		return append(ops, orGone(setDown(i.Name)), deleteLink(i.Name))
	}
	for _, p := range addressesOf(i) {
		ops = append(ops, deleteAddress(i.Name, newAddress(p)))
	}
	return append(ops, setDown(i.Name))
}

func addressesOf(i spec.HostInterface) (list []netip.Prefix) {
	for _, ip := range []*spec.InterfaceIP{i.IPv4, i.IPv6} {
		if ip != nil {
			list = append(list, ip.Addresses...)
		}
	}
	return list
}

// orGone is a change that is not needed for what is not there.
func orGone(c change) change {
	c.fine = gone
	return c
}
