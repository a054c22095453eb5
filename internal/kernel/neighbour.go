package kernel

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// Neighbour is an address that the host has seen on a link.
type Neighbour struct {
	Link  string
	MAC   spec.MAC
	Addr  netip.Addr
	State string // as ip-neighbour(8) calls it: reachable, stale, delay, probe or permanent
}

// FDBEntry is a guest that a bridge has seen behind a port.
type FDBEntry struct {
	Bridge, Port string
	MAC          spec.MAC
}

// usable are the states in which a neighbour's MAC is known, by their bits.
var usable = map[uint16]string{
	unix.NUD_REACHABLE: "reachable",
	unix.NUD_STALE:     "stale",
	unix.NUD_DELAY:     "delay",
	unix.NUD_PROBE:     "probe",
	unix.NUD_PERMANENT: "permanent",
}

// PortOf is the port behind which a bridge has learnt a MAC, "" when it has not.
// It costs two small requests however large the table is. Requests on one Kernel
// take turns, so those who ask often open one of their own rather than wait for
// the dumps of others.
func (k *Kernel) PortOf(bridge int, mac spec.MAC) (iface string, err error) {
	msgs, err := k.request(unix.RTM_GETNEIGH, 0, &ndmsg{family: unix.AF_BRIDGE},
		attr32(unix.NDA_MASTER, bridge), attr(unix.NDA_LLADDR, mac[:])).
		Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNEIGH)
	if errors.Is(err, unix.ENOENT) {
		msgs, err = k.inVLANs(bridge)
	}
	if err != nil {
		return "", fmt.Errorf("find the port of %s: %w", mac, err)
	}
	for _, m := range msgs {
		if n := parseNeighbour(m); n.mac == mac && n.learnt() {
			return k.nameOf(n.index)
		}
	}
	return "", nil
}

// inVLANs lists what a bridge has learnt that filters VLANs: asked without one, it
// knows nobody. The table of any other is not read: with MACs that it made up, a
// guest could have a large one read again and again.
func (k *Kernel) inVLANs(bridge int) ([][]byte, error) {
	of := nl.NewIfInfomsg(unix.AF_UNSPEC)
	of.Index = int32(bridge)
	msgs, err := k.request(unix.RTM_GETLINK, 0, of, attr32(unix.IFLA_EXT_MASK, skipStats)).Execute(unix.NETLINK_ROUTE, unix.RTM_NEWLINK)
	if err != nil || len(msgs) == 0 || !parseDevice(msgs[0]).vlans {
		return nil, err
	}
	return k.entries(attr32(unix.NDA_MASTER, bridge))
}

// FDB lists what all bridges have learnt.
func (k *Kernel) FDB(ctx context.Context) ([]FDBEntry, error) {
	msgs, err := k.entries()
	if err != nil {
		return nil, fmt.Errorf("list forwarding entries: %w", err)
	}
	names, err := k.linkNames(ctx)
	if err != nil {
		return nil, err
	}
	var list []FDBEntry
	for _, m := range msgs {
		n := parseNeighbour(m)
		e := FDBEntry{Bridge: names[n.master], Port: names[n.index], MAC: n.mac}
		if n.learnt() && e.Bridge != "" && e.Port != "" {
			list = append(list, e)
		}
	}
	return list, nil
}

// Neighbours lists the hosts and guests whose MAC is known, on all links.
func (k *Kernel) Neighbours(ctx context.Context) ([]Neighbour, error) {
	names, err := k.linkNames(ctx)
	if err != nil {
		return nil, err
	}
	var list []Neighbour
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		msgs, err := k.dump(unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, &ndmsg{family: family})
		if err != nil {
			return nil, fmt.Errorf("list neighbours: %w", err)
		}
		for _, m := range msgs {
			n := parseNeighbour(m)
			state, known := usable[n.state]
			if known && names[n.index] != "" && n.addr.IsValid() && !n.mac.IsZero() {
				list = append(list, Neighbour{Link: names[n.index], MAC: n.mac, Addr: n.addr, State: state})
			}
		}
	}
	return list, nil
}

// entries dumps the forwarding entries of bridges.
func (k *Kernel) entries(filter ...nl.NetlinkRequestData) ([][]byte, error) {
	return k.dump(unix.RTM_GETNEIGH, unix.RTM_NEWNEIGH, append([]nl.NetlinkRequestData{&ndmsg{family: unix.AF_BRIDGE}}, filter...)...)
}

// linkNames are the names of all links by their number.
func (k *Kernel) linkNames(ctx context.Context) (map[int]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	devices, err := k.devices()
	if err != nil {
		return nil, err
	}
	names := make(map[int]string, len(devices))
	for _, d := range devices {
		names[d.index] = d.name
	}
	return names, nil
}

// ndmsg is struct ndmsg of rtnetlink(7); the rest of it is zero in requests.
type ndmsg struct{ family uint8 }

func (m *ndmsg) Len() int { return unix.SizeofNdMsg }

func (m *ndmsg) Serialize() []byte {
	b := make([]byte, unix.SizeofNdMsg)
	b[0] = m.family
	return b
}

// neighbour is an entry of an ARP, ND or forwarding table as the kernel tells it.
type neighbour struct {
	index, master int
	state         uint16 // NUD_*
	flags         uint8  // NTF_*
	addr          netip.Addr
	mac           spec.MAC
}

// learnt says whether a bridge saw the MAC behind one of its ports; what is
// permanent is the bridge's own or was put there by hand.
func (n neighbour) learnt() bool {
	return n.master != 0 && n.master != n.index && n.state&unix.NUD_PERMANENT == 0 && n.flags&unix.NTF_SELF == 0
}

func parseNeighbour(m []byte) (n neighbour) {
	if len(m) < unix.SizeofNdMsg {
		return n
	}
	n.index, n.state, n.flags = number(m[4:]), native.Uint16(m[8:]), m[10]
	for kind, v := range attrs(m[unix.SizeofNdMsg:]) {
		switch kind {
		case unix.NDA_DST:
			n.addr, _ = netip.AddrFromSlice(v)
		case unix.NDA_LLADDR:
			if len(v) == len(n.mac) {
				n.mac = spec.MAC(v)
			}
		case unix.NDA_MASTER:
			n.master = number(v)
		}
	}
	return n
}

// Index is the number of a link, by a call that costs the same with any number
// of links. The error is ENODEV when there is none.
func (k *Kernel) Index(link string) (int, error) {
	r, err := unix.NewIfreq(link)
	if err == nil {
		err = unix.IoctlIfreq(k.sockets[unix.NETLINK_ROUTE].Socket.GetFd(), unix.SIOCGIFINDEX, r)
	}
	if err != nil {
		return 0, fmt.Errorf("find link %s: %w", link, err)
	}
	return int(r.Uint32()), nil
}

// nameOf is the name of a link, "" when it is gone.
func (k *Kernel) nameOf(index int) (string, error) {
	r, err := unix.NewIfreq("")
	if err != nil {
		return "", err
	}
	r.SetUint32(uint32(index))
	err = unix.IoctlIfreq(k.sockets[unix.NETLINK_ROUTE].Socket.GetFd(), unix.SIOCGIFNAME, r)
	if errors.Is(err, unix.ENODEV) {
		return "", nil
	}
	return r.Name(), err
}

// LinkLocal is the link-local IPv6 address of a link, without zone. The error is
// EADDRNOTAVAIL while there is none, or none that passed duplicate address
// detection.
func (k *Kernel) LinkLocal(link string) (netip.Addr, error) {
	index, err := k.Index(link)
	if err != nil {
		return netip.Addr{}, err
	}
	of := nl.NewIfAddrmsg(unix.AF_INET6)
	of.Index = uint32(index)
	msgs, err := k.dump(unix.RTM_GETADDR, unix.RTM_NEWADDR, of)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("list addresses of %s: %w", link, err)
	}
	for _, m := range msgs {
		a, ok := parseAddress(m)
		if ok && a.prefix.Addr().IsLinkLocalUnicast() && a.flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) == 0 {
			return a.prefix.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("find the link-local address of %s: %w", link, unix.EADDRNOTAVAIL)
}
