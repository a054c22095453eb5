package serve

import (
	"cmp"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// place is where sockets are opened: the daemon's namespace or a router's.
type place struct {
	ns     *netns.NS
	kernel Kernel
}

// placeOf finds a namespace by its name, "" = the daemon's own. It may be gone.
func (s *Servers) placeOf(name string) (p place, ok bool) {
	if name == "" {
		return place{s.o.NS, s.o.Kernel}, true
	}
	if s.o.Namespace == nil {
		return place{}, false
	}
	p.ns, p.kernel, ok = s.o.Namespace(name)
	return p, ok
}

// address is by whom and by which interface a network is served. The gateways of
// one network may be several.
type address struct{ network, ns, device string }

func addressOf(w plan.Service) address {
	return address{w.Network, w.NS, cmp.Or(w.Device, w.Bridge)}
}

// find looks up the device in its namespace, and the bridge by which the ports of
// guests are found in the daemon's.
func (n *network) find(p place, bridge string) (index int, err error) {
	if index, err = p.kernel.Index(n.at.device); err != nil {
		return 0, err
	}
	on := index
	if n.at.ns != "" {
		if on, err = n.o.Kernel.Index(bridge); err != nil {
			return 0, err
		}
	}
	n.on.Store(int64(on))
	return index, nil
}
