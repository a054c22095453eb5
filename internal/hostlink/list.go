package hostlink

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// Listed is an interface of the host as it is on the kernel.
type Listed struct {
	spec.HostInterface
	Up    bool   // it is to carry packets; whether it has a carrier is another matter
	Alias string // what somebody noted on the link
}

// List lists the interfaces of the host: hardware and veths as ethernet, bridges,
// bonds and VLANs. Loopback, and what belongs to guests or tunnels, is not among them.
// A port is listed with its bridge or bond only, whatever it is.
//
// IPv4 is by DHCP when an address has an end, IPv6 is by router advertisements when an
// address or a route is. Addresses and routes are all that are there, however they
// came, but those the kernel makes by itself.
func List(ns *netns.NS) ([]Listed, error) {
	s, err := open(ns)
	if err != nil {
		return nil, err
	}
	defer s.close()
	v, err := s.view()
	if err != nil {
		return nil, err
	}
	var list []Listed
	for _, d := range sorted(v.devices) {
		if kind, ok := listedAs(d); ok && d.master == 0 {
			list = append(list, Listed{v.model(d, kind), d.up(), d.attrs.text(unix.IFLA_IFALIAS)})
		}
	}
	return list, nil
}

// listedAs tells what an interface is in the model.
func listedAs(d device) (spec.InterfaceType, bool) {
	switch d.kind {
	case "", "veth":
		return spec.EthernetInterface, d.hardware == unix.ARPHRD_ETHER
	case "bridge":
		return spec.BridgeInterface, true
	case "bond":
		return spec.BondInterface, true
	case "vlan":
		return spec.VLANInterface, true
	}
	return "", false
}

// view is all that List needs, read at one time.
type view struct {
	devices   map[int]device
	addresses []Object
	routes    []Object
}

func (s *socket) view() (v view, err error) {
	if v.devices, err = s.devices(); err != nil {
		return v, err
	}
	if v.addresses, err = s.objects("addresses", unix.RTM_GETADDR, unix.SizeofIfAddrmsg, unix.AF_INET, unix.AF_INET6); err != nil {
		return v, err
	}
	v.routes, err = s.objects("routes", unix.RTM_GETROUTE, unix.SizeofRtMsg, unix.AF_INET, unix.AF_INET6)
	return v, err
}

func (v view) model(d device, kind spec.InterfaceType) spec.HostInterface {
	i := spec.HostInterface{Name: d.name, Type: kind, MAC: d.mac()}
	if mtu := int(d.attrs.number(unix.IFLA_MTU)); mtu != defaultMTU {
		i.MTU = mtu
	}
	i.IPv4, i.IPv6 = v.family(d, unix.AF_INET), v.family(d, unix.AF_INET6)
	switch kind {
	case spec.BridgeInterface:
		i.Bridge = &spec.BridgeDetails{
			STP: d.info.number(unix.IFLA_BR_STP_STATE) != 0, Delay: spec.Seconds(d.info.number(unix.IFLA_BR_FORWARD_DELAY) / ticks),
			Ports: v.ports(d),
		}
	case spec.BondInterface:
		i.Bond = bond(d.info)
		i.Bond.Ports = v.ports(d)
	case spec.VLANInterface:
		i.VLAN = &spec.VLANDetails{Tag: int(d.info.number(unix.IFLA_VLAN_ID)), On: v.devices[d.lower].name}
	}
	return i
}

// defaultMTU is what an Ethernet device has unless it is told otherwise; ticks is
// USER_HZ, in which the kernel tells times of bridges and routes.
const (
	defaultMTU = 1500
	ticks      = 100
)

func (v view) ports(master device) (list []spec.HostInterface) {
	for _, d := range sorted(v.devices) {
		if d.master != master.index {
			continue
		}
		kind, ok := listedAs(d)
		if !ok {
			kind = spec.EthernetInterface
		}
		p := v.model(d, kind)
		p.IPv4, p.IPv6 = nil, nil
		list = append(list, p)
	}
	return list
}

// bondModes by their number (linux/if_bonding.h).
var bondModes = []string{"balance-rr", "active-backup", "balance-xor", "broadcast", "802.3ad", "balance-tlb", "balance-alb"}

func bond(info Attrs) *spec.BondDetails {
	b := &spec.BondDetails{}
	if n := int(info.number(unix.IFLA_BOND_MODE)); n < len(bondModes) {
		b.Mode = bondModes[n]
	}
	if every := int(info.number(unix.IFLA_BOND_MIIMON)); every > 0 {
		b.MII = &spec.BondMII{
			Every: every, UpDelay: int(info.number(unix.IFLA_BOND_UPDELAY)), DownDelay: int(info.number(unix.IFLA_BOND_DOWNDELAY)),
			Carrier: "netif",
		}
		if info.has(unix.IFLA_BOND_USE_CARRIER) && info.number(unix.IFLA_BOND_USE_CARRIER) == 0 {
			b.MII.Carrier = "ioctl"
		}
	}
	if every := int(info.number(unix.IFLA_BOND_ARP_INTERVAL)); every > 0 {
		b.ARP = &spec.BondARP{Every: every}
		for _, target := range attributes(info.get(unix.IFLA_BOND_ARP_IP_TARGET)) {
			b.ARP.Target, _ = netip.AddrFromSlice(target)
			break
		}
		if n := int(info.number(unix.IFLA_BOND_ARP_VALIDATE)); n < len(bondValidation) {
			b.ARP.Validate = bondValidation[n]
		}
	}
	return b
}

// bondValidation by its number.
var bondValidation = []string{"none", "active", "backup", "all"}
