package testhost

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// settleTime bounds the waiting for the kernel's work queues. They need
// microseconds, but wait for everybody who changes links on the machine.
const settleTime = 10 * time.Second

// await asks until the answer is yes.
func await(what string, yes func() (bool, error)) error {
	deadline := time.Now().Add(settleTime)
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		ok, err := yes()
		if ok || err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: %w", what, errors.New("the kernel needs longer than "+settleTime.String()))
		}
		time.Sleep(pause)
	}
}

// carrier reports a link that is up and carries packets.
func carrier(link netlink.Link) bool {
	const running = net.FlagUp | net.FlagRunning
	return link.Attrs().Flags&running == running
}

// awaitCarrier waits until a link that is up carries packets. The kernel tells
// the bridge of a new port, and the IP stack of a new link, in a work queue;
// until then they drop what comes.
func awaitCarrier(nl *netlink.Handle, ifname string) error {
	return await("wait for the carrier of "+ifname, func() (bool, error) {
		link, err := nl.LinkByName(ifname)
		if err != nil {
			return false, err
		}
		return carrier(link) || link.Attrs().Flags&net.FlagUp == 0, nil
	})
}

// awaitLocal waits until the kernel takes packets to an IPv6 address for its own:
// another work queue, even without duplicate address detection.
func awaitLocal(nl *netlink.Handle, a netip.Addr) error {
	if a.Is4() {
		return nil
	}
	return await("wait for address "+a.String(), func() (bool, error) {
		routes, err := nl.RouteGet(a.AsSlice())
		return err == nil && len(routes) == 1 && routes[0].Type == unix.RTN_LOCAL, nil
	})
}

// awaitAddresses waits for the global IPv6 addresses of a link, which may have
// been given before it had a carrier. Those under duplicate address detection
// are left to it.
func awaitAddresses(nl *netlink.Handle, ifname string) error {
	link, err := nl.LinkByName(ifname)
	if err != nil || !carrier(link) {
		return err
	}
	list, err := nl.AddrList(link, netlink.FAMILY_V6)
	if err != nil {
		return err
	}
	for _, a := range list {
		addr, _ := netip.AddrFromSlice(a.IP)
		if addr.IsLinkLocalUnicast() || a.Flags&unix.IFA_F_NODAD == 0 {
			continue
		}
		if err := awaitLocal(nl, addr); err != nil {
			return err
		}
	}
	return nil
}
