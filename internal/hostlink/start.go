package hostlink

import (
	"fmt"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// Acquire says which addresses of an interface are to be got from a DHCP server once
// it is up. That is not done here.
type Acquire struct{ IPv4, IPv6 bool }

// Start works out how an interface comes up with all it is to have, on a host where
// nobody else does it. What is there already is no obstacle.
func Start(i spec.HostInterface) ([]Op, Acquire) {
	s := starter{i: i}
	s.device()
	s.ports()
	s.add(setUp(i.Name))
	s.ip(i.IPv4)
	s.ip(i.IPv6)
	return s.ops, Acquire{IPv4: i.IPv4 != nil && i.IPv4.DHCP, IPv6: i.IPv6 != nil && i.IPv6.DHCP}
}

type starter struct {
	i   spec.HostInterface
	ops []Op
}

func (s *starter) add(ops ...Op) { s.ops = append(s.ops, ops...) }

// device makes the interface if it is no hardware, and sets what is the link's.
func (s *starter) device() {
	switch i := s.i; i.Type {
	case spec.BridgeInterface:
		s.add(orThere(addLink(i.Name, "bridge", "type bridge", nil, nil)), bridgeDetails(i))
	case spec.BondInterface:
		text, details := bondDetails(i.Bond)
		s.add(orThere(addLink(i.Name, "bond", "type bond"+text, nil, details)))
	case spec.VLANInterface:
		c := addLink(i.Name, "vlan", fmt.Sprint("link ", i.VLAN.On, " type vlan id ", i.VLAN.Tag), nil,
			Attrs{{unix.IFLA_VLAN_ID, native.AppendUint16(nil, uint16(i.VLAN.Tag))}})
		c.lower = i.VLAN.On
		s.add(setUp(i.VLAN.On), orThere(c))
	}
	s.link(s.i)
	s.add(setting{s.i.Name, "ipv6/conf/accept_ra", onOff(s.i.IPv6 != nil && s.i.IPv6.Autoconf)})
}

func (s *starter) link(i spec.HostInterface) {
	if !i.MAC.IsZero() {
		s.add(setLink(i.Name, "address "+i.MAC.String(), 0, 0, Attr{unix.IFLA_ADDRESS, i.MAC[:]}))
	}
	if i.MTU != 0 {
		s.add(setMTU(i.Name, i.MTU))
	}
}

func onOff(on bool) string {
	if on {
		return "1"
	}
	return "0"
}

// orThere is an addition that is fine when it was done before.
func orThere(c change) change {
	c.fine = there
	return c
}

func bridgeDetails(i spec.HostInterface) change {
	var b spec.BridgeDetails
	if i.Bridge != nil {
		b = *i.Bridge
	}
	delay, stp := uint32(max(b.Delay, 0)), uint32(0)
	if b.STP {
		delay, stp = max(delay, shortestDelay), 1
	}
	return setDetails(i.Name, "bridge", fmt.Sprintf("forward_delay %d stp_state %d", delay*ticks, stp),
		Attr{unix.IFLA_BR_FORWARD_DELAY, bytes32(delay * ticks)}, Attr{unix.IFLA_BR_STP_STATE, bytes32(stp)})
}

// ports puts the ports in. A bond takes those only that are down.
func (s *starter) ports() {
	list, bond := portsOf(s.i)
	for _, p := range list {
		s.link(p)
		if bond {
			s.add(setDown(p.Name))
		}
		s.add(enslave(p.Name, s.i.Name), setUp(p.Name))
	}
}

func portsOf(i spec.HostInterface) (list []spec.HostInterface, bond bool) {
	switch {
	case i.Type == spec.BridgeInterface && i.Bridge != nil:
		return i.Bridge.Ports, false
	case i.Type == spec.BondInterface && i.Bond != nil:
		return i.Bond.Ports, true
	}
	return nil, false
}

// bondDetails are what a bond gets when it is made: most of it cannot change later.
func bondDetails(b *spec.BondDetails) (text string, details Attrs) {
	if b == nil {
		return "", nil
	}
	set := func(word string, value any, kind uint16, data []byte) {
		text += fmt.Sprintf(" %s %v", word, value)
		details = append(details, Attr{kind, data})
	}
	if n := slices.Index(bondModes, b.Mode); n >= 0 {
		set("mode", b.Mode, unix.IFLA_BOND_MODE, []byte{byte(n)})
	}
	if m := b.MII; m != nil {
		set("miimon", m.Every, unix.IFLA_BOND_MIIMON, bytes32(uint32(m.Every)))
		if m.UpDelay > 0 {
			set("updelay", m.UpDelay, unix.IFLA_BOND_UPDELAY, bytes32(uint32(m.UpDelay)))
		}
		if m.DownDelay > 0 {
			set("downdelay", m.DownDelay, unix.IFLA_BOND_DOWNDELAY, bytes32(uint32(m.DownDelay)))
		}
		if m.Carrier == "ioctl" {
			set("use_carrier", 0, unix.IFLA_BOND_USE_CARRIER, []byte{0})
		}
	}
	if a := b.ARP; a != nil {
		set("arp_interval", a.Every, unix.IFLA_BOND_ARP_INTERVAL, bytes32(uint32(a.Every)))
		if n := slices.Index(bondValidation, a.Validate); n > 0 {
			set("arp_validate", a.Validate, unix.IFLA_BOND_ARP_VALIDATE, bytes32(uint32(n)))
		}
		if a.Target.Is4() {
			set("arp_ip_target", a.Target, unix.IFLA_BOND_ARP_IP_TARGET, Attrs{{0, a.Target.AsSlice()}}.appendTo(nil))
		}
	}
	return text, details
}

func (s *starter) ip(ip *spec.InterfaceIP) {
	if ip == nil {
		return
	}
	for _, p := range ip.Addresses {
		s.add(setAddress("replace", s.i.Name, newAddress(p)))
	}
	routes := slices.Clone(ip.Routes)
	slices.SortStableFunc(routes, func(a, b spec.InterfaceRoute) int { return rankOf(a) - rankOf(b) })
	for _, r := range routes {
		s.add(setRoute("replace", s.i.Name, newRoute(r)))
	}
}

// rankOf puts routes first by which the kernel finds gateways.
func rankOf(r spec.InterfaceRoute) int {
	if r.Via.IsValid() {
		return 1
	}
	return 0
}

func familyOf(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}

func newAddress(p netip.Prefix) Address {
	a := Address{Object{Head: make([]byte, unix.SizeofIfAddrmsg)}}
	a.Head[0], a.Head[1] = familyOf(p.Addr()), uint8(p.Bits())
	a.Attrs = Attrs{{unix.IFA_LOCAL, p.Addr().AsSlice()}, {unix.IFA_ADDRESS, p.Addr().AsSlice()}}
	if p.Addr().Is4() && p.Bits() < 31 {
		a.Attrs = append(a.Attrs, Attr{unix.IFA_BROADCAST, broadcast(p)})
	}
	return a
}

func broadcast(p netip.Prefix) []byte {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 32; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	return b
}

func newRoute(i spec.InterfaceRoute) Route {
	scope := uint8(unix.RT_SCOPE_UNIVERSE)
	if !i.Via.IsValid() && i.To.Addr().Is4() {
		scope = unix.RT_SCOPE_LINK
	}
	r := kernelRoute(i.To.Masked(), scope, uint32(i.Metric), i.Source)
	r.Head[5] = unix.RTPROT_STATIC
	if i.Via.IsValid() {
		r.Attrs = append(r.Attrs, Attr{unix.RTA_GATEWAY, i.Via.AsSlice()})
	}
	if i.OnLink {
		native.PutUint32(r.Head[8:], unix.RTNH_F_ONLINK)
	}
	return r
}
