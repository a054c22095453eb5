package serve

import (
	"net/netip"
	"strings"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// portOf names the port behind which a MAC is, as the bridge learnt it.
func (n *network) portOf(mac spec.MAC) string {
	iface, err := n.o.Kernel.PortOf(int(n.on.Load()), mac)
	if err != nil {
		n.log.Debug("find the port of a guest", "mac", mac, "error", err)
	}
	return n.portName(iface)
}

// portName is a port's name when it is ours, or the interface somebody else
// plugged in.
func (n *network) portName(iface string) string {
	if name, ours := (*n.ports.Load())[iface]; ours {
		return name
	}
	return iface
}

// permit has then called once a guest may use an address. Who calls writes leases for
// all networks and is not to wait; where nothing is guarded it need not.
func (n *network) permit(c lease.Client, a netip.Addr, then func()) {
	if !n.guarded.Load() || n.o.Permit == nil {
		then()
		return
	}
	go func() {
		n.o.Permit(n.name, plan.Leased{MAC: c.MAC, Addr: a, Port: c.Port})
		then()
	}()
}

// dropPorts ends the leases behind ports that are no more, where that is asked for.
// It goes by the leases, since a port may have been deleted while no daemon ran:
// when this one is new to the network, a name that no interface has is such a port.
func (n *network) dropPorts(w plan.Service) {
	drops := func(d *plan.DHCP) bool { return d != nil && d.DropWithPort }
	if !drops(w.DHCP4) && !drops(w.DHCP6) {
		return
	}
	now, before := namesOf(w.Ports), namesOf(n.have.Ports)
	for port := range portsOf(n.table.Leases()) {
		if !now[port] && (before[port] || n.have.Network == "" && n.unplugged(port)) {
			n.table.DropPort(port, nil)
		}
	}
}

// unplugged reports whether the host has no interface of that name.
func (n *network) unplugged(port string) bool {
	_, err := n.o.Kernel.Index(port)
	return err != nil && !strings.HasPrefix(port, lease.RelayPort)
}

func namesOf(ports map[string]string) map[string]bool {
	names := map[string]bool{}
	for _, name := range ports {
		names[name] = true
	}
	return names
}

// portsOf are the ports that are known of leases.
func portsOf(leases []lease.Lease) map[string]bool {
	ports := map[string]bool{}
	for _, l := range leases {
		if l.Port != "" {
			ports[l.Port] = true
		}
	}
	return ports
}
