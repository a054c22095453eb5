package hostnet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// settled is how long a network manager may take until an interface is as it was told.
const settled = 10 * time.Second

// bringUp starts an interface through its manager if that runs, else in the kernel.
func (h *Host) bringUp(ctx context.Context, s sight, m netfiles.Manager, i spec.HostInterface) error {
	commands := s.startCommands(m, i)
	switch {
	case len(commands) == 0 && asksOnly(i) && !h.asksFor(m, i):
		return conflict(fmt.Sprintf("start %s: it gets its addresses by DHCP, and no network manager runs that would ask for them: start that, or define addresses", i.Name))
	case len(commands) == 0:
		return h.startLink(ctx, i)
	}
	return h.startByManager(ctx, commands, i)
}

// asksOnly reports whether an interface has no addresses but those that a DHCP client
// gets.
func asksOnly(i spec.HostInterface) bool {
	asks := false
	for _, ip := range [...]*spec.InterfaceIP{i.IPv4, i.IPv6} {
		switch {
		case ip == nil:
		case len(ip.Addresses) > 0:
			return false
		default:
			asks = asks || ip.DHCP
		}
	}
	return asks
}

// asksFor reports whether our own client gets an address for an interface. There is none
// for IPv6.
func (h *Host) asksFor(m netfiles.Manager, i spec.HostInterface) bool {
	return h.Leases != nil && m == netfiles.Own && i.IPv4 != nil && i.IPv4.DHCP
}

// takeDown stops an interface through its manager if that runs, and in the kernel if it
// is still up then. A device that was made, and that no file makes any more, goes.
func (h *Host) takeDown(ctx context.Context, s sight, i api.HostInterface) error {
	h.farewell(i.Name)
	for _, line := range s.stopCommands(netfiles.Manager(i.Manager), i.Name) {
		if err := h.Run(ctx, strings.Fields(line)); err != nil {
			h.Log.Warn("stop an interface by its manager", "interface", i.Name, "error", err)
		}
	}
	live, err := h.lives()
	l, there := live[i.Name]
	_, stays := s.defined[i.Name]
	if err != nil || !there || !l.Up && (stays || l.Type == spec.EthernetInterface) {
		return err
	}
	return h.stopLink(ctx, l.HostInterface)
}

// startByManager runs commands and waits until they have had their effect.
func (h *Host) startByManager(ctx context.Context, commands []string, i spec.HostInterface) error {
	if err := h.hardware(i); err != nil {
		return fmt.Errorf("start %s: %w", i.Name, err)
	}
	for _, line := range commands {
		var err error
		if line == networkdReload {
			err = h.appear(ctx, i)
		} else {
			err = h.Run(ctx, strings.Fields(line))
		}
		if err != nil {
			return fmt.Errorf("start %s: %w", i.Name, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, settled)
	defer cancel()
	err := h.until(ctx, func() (bool, error) { return h.isUp(i.Name) })
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("start %s: it is not up %s after %q: see what its manager logs", i.Name, settled, commands[len(commands)-1])
	}
	return err
}

// until looks again and again.
func (h *Host) until(ctx context.Context, is func() (bool, error)) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if is, err := is(); is || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (h *Host) isUp(name string) (bool, error) {
	live, err := h.lives()
	return live[name].Up, err
}
