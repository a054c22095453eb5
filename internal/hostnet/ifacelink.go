package hostnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// starter makes an interface as it is defined, without a network manager.
type starter struct {
	*netlink.Handle
	ns   *netns.NS
	made []netlink.Link // by this start
}

// onLinks does something with the links of the host.
func (h *Host) onLinks(do func(*starter) error) error {
	r, err := netlink.NewHandleAt(vns.NsHandle(h.NS.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open rtnetlink: %w", err)
	}
	defer r.Close()
	return do(&starter{Handle: r, ns: h.NS})
}

// startLink makes an interface and brings it up, or leaves none of the devices that it
// made. The steps: make the device and its ports, then all up, then addresses, then
// routes.
func (h *Host) startLink(i spec.HostInterface) error {
	return h.onLinks(func(s *starter) error {
		l, err := s.device(i)
		for _, step := range []func() error{
			func() error { return s.ports(l, i) },
			func() error { return s.up(l, i) },
			func() error { return s.addresses(l, i) },
			func() error { return s.routes(l, i) },
		} {
			if err == nil {
				err = step()
			}
		}
		if err != nil {
			return errors.Join(fmt.Errorf("start %s: %w", i.Name, err), s.undo())
		}
		return nil
	})
}

func (s *starter) undo() error {
	var errs []error
	for _, l := range slices.Backward(s.made) {
		errs = append(errs, s.LinkDel(l))
	}
	return errors.Join(errs...)
}

// device finds the device of an interface, or makes it when that can be.
func (s *starter) device(i spec.HostInterface) (netlink.Link, error) {
	l, err := s.LinkByName(i.Name)
	var none netlink.LinkNotFoundError
	switch {
	case err == nil:
		return l, nil
	case !errors.As(err, &none):
		return nil, fmt.Errorf("look for %s: %w", i.Name, err)
	}
	attrs := netlink.NewLinkAttrs()
	attrs.Name = i.Name
	switch i.Type {
	case spec.BridgeInterface:
		l = &netlink.Bridge{LinkAttrs: attrs}
	case spec.BondInterface:
		l = bondOf(attrs, i.Bond)
	case spec.VLANInterface:
		if l, err = s.vlan(attrs, i.VLAN); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("there is no device %s", i.Name)
	}
	if err := s.LinkAdd(l); err != nil {
		return nil, fmt.Errorf("make %s %s: %w", i.Type, i.Name, err)
	}
	s.made = append(s.made, l)
	if i.Bridge != nil {
		err = s.bridge(l, i.Bridge)
	}
	return l, err
}

// vlan is up only when the interface below is.
func (s *starter) vlan(attrs netlink.LinkAttrs, v *spec.VLANDetails) (netlink.Link, error) {
	lower, err := s.LinkByName(v.On)
	if err == nil {
		err = s.LinkSetUp(lower)
	}
	if err != nil {
		return nil, fmt.Errorf("the interface %s below: %w", v.On, err)
	}
	attrs.ParentIndex = lower.Attrs().Index
	return &netlink.Vlan{LinkAttrs: attrs, VlanId: v.Tag}, nil
}

func bondOf(attrs netlink.LinkAttrs, d *spec.BondDetails) netlink.Link {
	b := netlink.NewLinkBond(attrs)
	if d.Mode != "" {
		b.Mode = netlink.StringToBondMode(d.Mode)
	}
	if m := d.MII; m != nil {
		b.Miimon, b.UpDelay, b.DownDelay = m.Every, m.UpDelay, m.DownDelay
		if m.Carrier == "ioctl" {
			b.UseCarrier = 0
		}
	}
	if a := d.ARP; a != nil {
		b.ArpInterval, b.ArpIpTargets = a.Every, []net.IP{a.Target.AsSlice()}
		if i := slices.Index(spec.BondValidation, a.Validate); i >= 0 {
			b.ArpValidate = netlink.BondArpValidate(i)
		}
	}
	return b
}

// ports puts interfaces into a bridge or bond. They lose their addresses: those are the
// bridge's.
func (s *starter) ports(master netlink.Link, i spec.HostInterface) error {
	for _, p := range i.Ports() {
		l, err := s.device(p)
		if err == nil {
			err = s.ports(l, p)
		}
		if err == nil && l.Attrs().MasterIndex != master.Attrs().Index {
			err = s.enslave(l, master, i.Type)
		}
		if err == nil {
			err = s.settings(l, p)
		}
		if err == nil {
			err = s.LinkSetUp(l)
		}
		if err != nil {
			return fmt.Errorf("port %s: %w", p.Name, err)
		}
	}
	return nil
}

// enslave: a bond takes interfaces that are down only (bond_enslave in the kernel).
func (s *starter) enslave(l, master netlink.Link, kind spec.InterfaceType) error {
	if err := s.flush(l); err != nil {
		return err
	}
	if kind == spec.BondInterface {
		if err := s.LinkSetDown(l); err != nil {
			return err
		}
	}
	return s.LinkSetMaster(l, master)
}

// flush takes the addresses of an interface, and with them its routes.
func (s *starter) flush(l netlink.Link) error {
	list, err := s.AddrList(l, unix.AF_UNSPEC)
	for k := range list {
		if e := s.AddrDel(l, &list[k]); e != nil && !errors.Is(e, unix.EADDRNOTAVAIL) { // secondary ones go with the first
			err = errors.Join(err, fmt.Errorf("take %s: %w", list[k].IPNet, e))
		}
	}
	return err
}

// settings are the MAC and the MTU.
func (s *starter) settings(l netlink.Link, i spec.HostInterface) error {
	if mac := i.MAC; !mac.IsZero() && mac.String() != l.Attrs().HardwareAddr.String() {
		if err := s.LinkSetHardwareAddr(l, mac[:]); err != nil {
			return fmt.Errorf("set the MAC %s: %w", mac, err)
		}
	}
	if i.MTU > 0 && i.MTU != l.Attrs().MTU {
		if err := s.LinkSetMTU(l, i.MTU); err != nil {
			return fmt.Errorf("set the MTU %d: %w", i.MTU, err)
		}
	}
	return nil
}

func (s *starter) up(l netlink.Link, i spec.HostInterface) error {
	if err := s.settings(l, i); err != nil {
		return err
	}
	return errors.Join(s.advertisements(i), s.LinkSetUp(l))
}

// addresses are those that are defined, and those that came by themselves.
func (s *starter) addresses(l netlink.Link, i spec.HostInterface) error {
	for _, ip := range families(i) {
		for _, p := range ip.Addresses {
			if p.Addr().IsLinkLocalUnicast() && p.Addr().Is6() {
				continue // the kernel has its own
			}
			if err := s.AddrReplace(l, &netlink.Addr{IPNet: ipNet(p)}); err != nil {
				return fmt.Errorf("add the address %s: %w", p, err)
			}
		}
	}
	return nil
}

func (s *starter) routes(l netlink.Link, i spec.HostInterface) error {
	for _, ip := range families(i) {
		for _, r := range ip.Routes {
			route := netlink.Route{LinkIndex: l.Attrs().Index, Dst: ipNet(r.To), Priority: r.Metric, Protocol: unix.RTPROT_STATIC}
			if r.Via.IsValid() {
				route.Gw = r.Via.AsSlice()
			} else if r.To.Addr().Is4() {
				route.Scope = netlink.SCOPE_LINK
			}
			if r.Source.IsValid() {
				route.Src = r.Source.AsSlice()
			}
			if r.OnLink {
				route.Flags = int(netlink.FLAG_ONLINK)
			}
			if err := s.RouteReplace(&route); err != nil {
				return fmt.Errorf("add the route to %s: %w", r.To, err)
			}
		}
	}
	return nil
}

func families(i spec.HostInterface) (list []*spec.InterfaceIP) {
	for _, ip := range []*spec.InterfaceIP{i.IPv4, i.IPv6} {
		if ip != nil {
			list = append(list, ip)
		}
	}
	return list
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}

// stopLink takes an interface down with its addresses; one that is no hardware goes.
func (h *Host) stopLink(name string) error {
	return h.onLinks(func(s *starter) error {
		l, err := s.LinkByName(name)
		if err == nil {
			switch l.Type() {
			case "bridge", "bond", "vlan":
				err = s.LinkDel(l)
			default:
				err = errors.Join(s.flush(l), s.LinkSetDown(l))
			}
		}
		if err != nil {
			return fmt.Errorf("stop %s: %w", name, err)
		}
		return nil
	})
}

// guestsOn lists the taps that are ports of a bridge.
func (h *Host) guestsOn(name string) (taps []string, err error) {
	err = h.onLinks(func(s *starter) error {
		bridge, err := s.LinkByName(name)
		if err != nil {
			return nil // there is none, and nobody on it
		}
		all, err := s.LinkList()
		for _, l := range all {
			if l.Attrs().MasterIndex == bridge.Attrs().Index && l.Type() == "tuntap" {
				taps = append(taps, l.Attrs().Name)
			}
		}
		return err
	})
	return taps, err
}
