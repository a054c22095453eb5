package hostnet

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"kvmnet/internal/spec"
)

// awaitLease waits until an interface that was just started has its lease, if it is to
// have one from us, and says so when no server gives one in time.
func (h *Host) awaitLease(ctx context.Context, name string) error {
	s, err := h.look()
	if err != nil || h.Leases == nil {
		return err
	}
	i, asks := s.asks(name)
	if !asks {
		return nil
	}
	key := leaseKey(i)
	h.LookAtLeases()
	ctx, cancel := context.WithTimeout(ctx, settled)
	defer cancel()
	err = h.until(ctx, func() (bool, error) { return h.hasLease(name, key) })
	if !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	why := h.Leases.Problems()[key]
	if why == "" {
		why = "no DHCP server has answered"
	}
	return conflict(fmt.Sprintf("start %s: it is up, and has no address by DHCP after %s: %s. kvmnet goes on asking; 'kvmnet iface list' shows the address once there is one", name, settled, why))
}

// hasLease reports whether an interface has what a server gave it. It waits for who puts
// that there.
func (h *Host) hasLease(name, key string) (bool, error) {
	h.leases.busy.Lock()
	defer h.leases.busy.Unlock()
	lease, has := h.Leases.Got()[key]
	live, err := h.lives()
	ip := live[name].IPv4
	return has && ip != nil && slices.Contains(ip.Addresses, lease.Address), err
}

// asks finds an interface that is up and gets its address from our client.
func (s sight) asks(name string) (spec.HostInterface, bool) {
	for _, i := range s.asking() {
		if l, top := s.live[name]; i.Name == name && top && l.Up {
			return l.HostInterface, true
		}
	}
	return spec.HostInterface{}, false
}
