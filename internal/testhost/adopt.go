package testhost

import (
	"fmt"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// Adopt moves an interface that somebody else made, such as the guest's end of a
// veth port, from another namespace into the host, under a name of the host's
// own, and sets it up. Address and MTU stay as they are. Whoever made it removes
// it: Close gives up the namespace, and with it what is still there.
func (h *Host) Adopt(from *netns.NS, ifname, inside string) error {
	if err := h.adopt(from, ifname, inside); err != nil {
		return fmt.Errorf("move %s to %s: %w", ifname, h.name, err)
	}
	return h.Up(inside)
}

// adopt finds the interface again by its name: on moving, the kernel keeps the
// name if it is free and may give another number.
func (h *Host) adopt(from *netns.NS, ifname, inside string) error {
	handle := vnetns.NsHandle(from.Fd())
	nl, err := netlink.NewHandleWithOptions(netlink.HandleOptions{RetryInterrupted: true, NetNS: &handle}, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer nl.Close()
	link, err := nl.LinkByName(ifname)
	if err != nil {
		return err
	}
	if err := nl.LinkSetNsFd(link, h.ns.Fd()); err != nil {
		return err
	}
	if link, err = h.nl.LinkByName(ifname); err != nil {
		return fmt.Errorf("find it again: %w", err)
	}
	if err := h.nl.LinkSetName(link, inside); err != nil {
		return fmt.Errorf("call it %s: %w", inside, err)
	}
	return nil
}
