package daemon

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"kvmnet/internal/dhcpclient"
	"kvmnet/internal/hostnet"
	"kvmnet/internal/netns"
	"kvmnet/internal/resolved"
	"kvmnet/internal/spec"
)

// hostLeases gets leases for interfaces of the host.
type hostLeases struct{ clients *dhcpclient.Clients }

var _ hostnet.Leases = hostLeases{}

// openHostLeases opens the clients of the host's own interfaces, whose leases are kept
// apart from those of routers. Nothing is asked before somebody wants it.
func (d *daemon) openHostLeases(ns *netns.NS) (hostnet.Leases, error) {
	look := func() {
		if h := d.host; h != nil {
			h.LookAtLeases()
		}
	}
	clients, err := dhcpclient.New(dhcpclient.Options{Dir: filepath.Join(d.StateDir, "interfaces-leases"),
		Namespace: func(string) (*netns.NS, bool) { return ns, true }, Changed: look, Renewed: look, Log: d.Log})
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, func() error { clients.Close(); return nil })
	return hostLeases{clients}, nil
}

// Want implements hostnet.Leases.
func (h hostLeases) Want(list []hostnet.Lessee) {
	var wants []dhcpclient.Interface
	name, _ := os.Hostname()
	for _, l := range list {
		wants = append(wants, dhcpclient.Interface{Key: l.Key, Link: l.Link, MAC: l.MAC, Host: told(name), Wish: l.Wish})
	}
	h.clients.SetInterfaces(wants)
}

// told is the name that servers hear of this host, "" when it is none.
func told(name string) string {
	label, _, _ := strings.Cut(name, ".")
	if label == "localhost" || label == "(none)" {
		return ""
	}
	return label
}

// Got implements hostnet.Leases.
func (h hostLeases) Got() map[string]hostnet.Lease {
	all, inForce := h.clients.Leases(), h.clients.Acquired()
	got := map[string]hostnet.Lease{}
	for key, l := range all {
		if _, is := inForce[key]; !is {
			continue
		}
		lease := hostnet.Lease{Address: l.Address, Gateway: l.Gateway, DNS: l.DNS, Domain: l.Domain, Ends: l.Ends}
		for _, r := range l.Routes {
			lease.Routes = append(lease.Routes, spec.InterfaceRoute{To: r.To, Via: r.Via})
		}
		got[key] = lease
	}
	return got
}

// Problems implements hostnet.Leases.
func (h hostLeases) Problems() map[string]string { return h.clients.Problems() }

// leaseDNS registers what a lease tells of resolvers, if systemd-resolved serves.
func leaseDNS(r resolved.Resolvers) func(context.Context, int, []netip.Addr, []string) error {
	return func(ctx context.Context, index int, servers []netip.Addr, domains []string) error {
		offered, err := r.Offered(servers, domains)
		if err != nil {
			return err
		}
		return r.Give(ctx, index, offered)
	}
}
