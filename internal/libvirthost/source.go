package libvirthost

import (
	"context"

	"kvmnet/internal/api"
)

// Network is a network as libvirt keeps it.
type Network struct {
	Name      string // as its file is called, or as virsh says
	XML       api.File
	Autostart bool
	Active    bool
}

// Source is an installed libvirt.
type Source interface {
	// Networks are those that are defined, sorted by name. A network that exists only
	// while it runs is not one of them. With an error come those that could be read.
	Networks(ctx context.Context) ([]Network, error)
	// Leases are those in force on a network, whose bridge is known, and what of them
	// cannot be used.
	Leases(ctx context.Context, network, bridge string) (leases []api.Lease, notes []string, err error)
}
