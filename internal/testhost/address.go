package testhost

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// AddAddress gives addresses to an interface. IPv6 addresses are usable at once:
// they skip duplicate address detection.
func (h *Host) AddAddress(ifname string, prefixes ...netip.Prefix) error {
	link, err := h.nl.LinkByName(ifname)
	if err != nil {
		return fmt.Errorf("find %s of %s: %w", ifname, h.name, err)
	}
	for _, p := range prefixes {
		addr := &netlink.Addr{IPNet: ipNet(p)}
		if p.Addr().Is6() {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := h.nl.AddrReplace(link, addr); err != nil {
			return fmt.Errorf("add address %s to %s of %s: %w", p, ifname, h.name, err)
		}
	}
	if !carrier(link) {
		return nil // the kernel waits for a carrier, so we cannot
	}
	for _, p := range prefixes {
		if err := awaitLocal(h.nl, p.Addr()); err != nil {
			return fmt.Errorf("add address %s to %s of %s: %w", p, ifname, h.name, err)
		}
	}
	return nil
}

// DelAddress takes an address from an interface.
func (h *Host) DelAddress(ifname string, p netip.Prefix) error {
	link, err := h.nl.LinkByName(ifname)
	if err == nil {
		err = h.nl.AddrDel(link, &netlink.Addr{IPNet: ipNet(p)})
	}
	if err != nil {
		return fmt.Errorf("delete address %s from %s of %s: %w", p, ifname, h.name, err)
	}
	return nil
}

// Addresses lists the addresses of an interface, in the kernel's order.
func (h *Host) Addresses(ifname string) ([]netip.Prefix, error) {
	link, err := h.nl.LinkByName(ifname)
	if err != nil {
		return nil, fmt.Errorf("find %s of %s: %w", ifname, h.name, err)
	}
	list, err := h.nl.AddrList(link, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s of %s: %w", ifname, h.name, err)
	}
	var out []netip.Prefix
	for _, a := range list {
		addr, _ := netip.AddrFromSlice(a.IP)
		bits, _ := a.Mask.Size()
		out = append(out, netip.PrefixFrom(addr.Unmap(), bits))
	}
	return out, nil
}

// AddRoute sends a destination through a gateway. A link-local gateway carries
// its interface as the zone: fe80::1%eth0. The route replaces one that is there.
func (h *Host) AddRoute(dst netip.Prefix, via netip.Addr) error {
	route, err := h.route(dst, via)
	if err == nil {
		err = h.nl.RouteReplace(route)
	}
	if err != nil {
		return fmt.Errorf("add route %s via %s to %s: %w", dst, via, h.name, err)
	}
	return nil
}

// DelRoute takes a route away.
func (h *Host) DelRoute(dst netip.Prefix, via netip.Addr) error {
	route, err := h.route(dst, via)
	if err == nil {
		err = h.nl.RouteDel(route)
	}
	if err != nil {
		return fmt.Errorf("delete route %s via %s from %s: %w", dst, via, h.name, err)
	}
	return nil
}

func (h *Host) route(dst netip.Prefix, via netip.Addr) (*netlink.Route, error) {
	r := &netlink.Route{Dst: ipNet(dst.Masked()), Gw: net.IP(via.WithZone("").AsSlice())}
	if via.Zone() == "" {
		return r, nil
	}
	link, err := h.nl.LinkByName(via.Zone())
	if err != nil {
		return nil, err
	}
	r.LinkIndex = link.Attrs().Index
	return r, nil
}

// Gateways makes each address the default gateway of its family.
func (h *Host) Gateways(via ...netip.Addr) error {
	var errs []error
	for _, v := range via {
		dst := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if v.Is6() {
			dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
		errs = append(errs, h.AddRoute(dst, v))
	}
	return errors.Join(errs...)
}

// Forward switches routing between the host's interfaces on or off, for IPv4 and
// IPv6.
func (h *Host) Forward(on bool) error {
	value := "0"
	if on {
		value = "1"
	}
	err := h.Sysctl("net/ipv6/conf/all/forwarding", value)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(h.Sysctl("net/ipv4/ip_forward", value), err)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
