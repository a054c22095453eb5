package testhost

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// Plug is a network cable: a veth pair with one end in the host and the other in
// a namespace that holds a bridge.
type Plug struct {
	Inside      string    // name in the host; "" means eth0
	MAC         spec.MAC  // address of the inside end; zero lets the kernel choose
	MTU         int       // of both ends, bytes; 0 means the kernel's 1500
	Outside     *netns.NS // required: where the other end goes
	OutsideName string    // required: its name there, at most 15 bytes
	OutsideMAC  spec.MAC  // address of the outside end; zero lets the kernel choose
	Bridge      string    // bridge there to join; "" leaves the end alone, up
}

// Plug joins the host to another namespace. Both ends are up when it returns,
// and so is the bridge, unless it is down on purpose: packets pass. A plug that
// cannot be finished leaves nothing behind.
func (h *Host) Plug(p Plug) error {
	if p.Inside == "" {
		p.Inside = "eth0"
	}
	if err := h.plug(p); err != nil {
		return fmt.Errorf("plug %s of host %s into %s: %w", p.Inside, h.name, p.OutsideName, err)
	}
	h.mu.Lock()
	h.plugs = append(h.plugs, p.Inside)
	h.mu.Unlock()
	return nil
}

func (h *Host) plug(p Plug) error {
	veth := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: p.Inside, MTU: p.MTU},
		PeerName:      p.OutsideName,
		PeerMTU:       uint32(p.MTU),
		PeerNamespace: netlink.NsFd(p.Outside.Fd()),
	}
	if !p.MAC.IsZero() {
		veth.HardwareAddr = net.HardwareAddr(p.MAC[:])
	}
	if !p.OutsideMAC.IsZero() {
		veth.PeerHardwareAddr = net.HardwareAddr(p.OutsideMAC[:])
	}
	if err := h.nl.LinkAdd(veth); err != nil {
		return fmt.Errorf("add veth pair: %w", err)
	}
	if err := h.join(p); err != nil {
		return errors.Join(err, h.Unplug(p.Inside))
	}
	return nil
}

// join enslaves the outside end before it comes up, so that it never answers
// with an address of its own, and waits until packets pass.
func (h *Host) join(p Plug) error {
	handle := vnetns.NsHandle(p.Outside.Fd())
	nl, err := netlink.NewHandleWithOptions(netlink.HandleOptions{RetryInterrupted: true, NetNS: &handle}, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink outside: %w", err)
	}
	defer nl.Close()
	end, err := nl.LinkByName(p.OutsideName)
	if err != nil {
		return fmt.Errorf("find %s: %w", p.OutsideName, err)
	}
	if p.Bridge != "" {
		bridge, err := nl.LinkByName(p.Bridge)
		if err != nil {
			return fmt.Errorf("find bridge %s: %w", p.Bridge, err)
		}
		if err := nl.LinkSetMaster(end, bridge); err != nil {
			return fmt.Errorf("set master of %s to %s: %w", p.OutsideName, p.Bridge, err)
		}
	}
	if err := nl.LinkSetUp(end); err != nil {
		return fmt.Errorf("set %s up: %w", p.OutsideName, err)
	}
	if err := h.Up(p.Inside); err != nil {
		return err
	}
	return settle(h.nl, nl, p)
}

// settle waits for both ends, then for the bridge, which carries packets once a
// port does, and for the bridge's own addresses.
func settle(inside, outside *netlink.Handle, p Plug) error {
	if err := awaitCarrier(inside, p.Inside); err != nil {
		return err
	}
	if err := awaitCarrier(outside, p.OutsideName); err != nil || p.Bridge == "" {
		return err
	}
	if err := awaitCarrier(outside, p.Bridge); err != nil {
		return err
	}
	return awaitAddresses(outside, p.Bridge)
}

// Unplug deletes an interface of the host, and with it the end outside. One that
// is gone already is not an error.
func (h *Host) Unplug(ifname string) error {
	h.mu.Lock()
	h.plugs = slices.DeleteFunc(slices.Clone(h.plugs), func(s string) bool { return s == ifname })
	h.mu.Unlock()
	link, err := h.nl.LinkByName(ifname)
	if err == nil {
		err = h.nl.LinkDel(link)
	}
	var gone netlink.LinkNotFoundError
	if err == nil || errors.As(err, &gone) || errors.Is(err, unix.ENODEV) {
		return nil
	}
	return fmt.Errorf("delete %s of host %s: %w", ifname, h.name, err)
}

// Bridge adds a bridge inside the host, up, so that a Host can play a switch.
// Without a spanning tree its ports forward at once.
func (h *Host) Bridge(name string) error {
	br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: name}}
	if err := h.nl.LinkAdd(br); err != nil {
		return fmt.Errorf("add bridge %s to %s: %w", name, h.name, err)
	}
	return h.Up(name)
}

// Up sets an interface of the host up.
func (h *Host) Up(ifname string) error { return h.change(ifname, "up", h.nl.LinkSetUp) }

// Down sets an interface of the host down.
func (h *Host) Down(ifname string) error { return h.change(ifname, "down", h.nl.LinkSetDown) }

func (h *Host) change(ifname, verb string, set func(netlink.Link) error) error {
	link, err := h.nl.LinkByName(ifname)
	if err == nil {
		err = set(link)
	}
	if err != nil {
		return fmt.Errorf("set %s of %s %s: %w", ifname, h.name, verb, err)
	}
	return nil
}

// MAC returns the Ethernet address of an interface.
func (h *Host) MAC(ifname string) (spec.MAC, error) {
	link, err := h.nl.LinkByName(ifname)
	if err != nil {
		return spec.MAC{}, fmt.Errorf("find %s of %s: %w", ifname, h.name, err)
	}
	hw := link.Attrs().HardwareAddr
	if len(hw) != 6 {
		return spec.MAC{}, fmt.Errorf("read address of %s of %s: it has no Ethernet address", ifname, h.name)
	}
	return spec.MAC(hw), nil
}
