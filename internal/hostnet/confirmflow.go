package hostnet

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// flow is a TCP connection.
type flow struct{ local, remote netip.AddrPort }

// liveFlow is one that is established.
type liveFlow struct {
	flow
	acknowledged uint64 // bytes that the other side has acknowledged
}

// established is TCP_ESTABLISHED of tcp_states.h.
const established = 1

// flows lists the TCP connections of a namespace, by sock_diag(7).
func flows(ns *netns.NS) ([]liveFlow, error) {
	h, err := netlink.NewHandleAt(vns.NsHandle(ns.Fd()), unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open socket diagnosis: %w", err)
	}
	defer h.Close()
	var list []liveFlow
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		sockets, err := h.SocketDiagTCPInfo(family)
		if err != nil && !errors.Is(err, unix.ENOENT) { // without IPv6 nobody answers for it
			return nil, fmt.Errorf("list connections: %w", err)
		}
		for _, s := range sockets {
			if s.InetDiagMsg == nil || s.InetDiagMsg.State != established || s.TCPInfo == nil {
				continue
			}
			id := s.InetDiagMsg.ID
			list = append(list, liveFlow{flow{end(id.Source, id.SourcePort), end(id.Destination, id.DestinationPort)}, s.TCPInfo.Bytes_acked})
		}
	}
	return list, nil
}

// end takes IPv4 out of the form that an IPv6 socket has it in.
func end(ip net.IP, port uint16) netip.AddrPort {
	a, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a.Unmap(), port)
}

// wayTo is the interface by which packets of a connection leave, "" when there is none.
func (h *Host) wayTo(f flow) string {
	r, err := netlink.NewHandleAt(vns.NsHandle(h.NS.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return ""
	}
	defer r.Close()
	options := &netlink.RouteGetOptions{SrcAddr: f.local.Addr().AsSlice()}
	if f.remote.Addr().IsLinkLocalUnicast() { // such a route needs an interface: that of the address
		return addressOn(r, f.local.Addr())
	}
	routes, err := r.RouteGetWithOptions(f.remote.Addr().AsSlice(), options)
	if err != nil || len(routes) == 0 {
		return ""
	}
	l, err := r.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return ""
	}
	return l.Attrs().Name
}

// linkNames are the names of all interfaces.
func linkNames(ns *netns.NS) (names []string, err error) {
	err = ns.Do(func() error {
		list, err := net.Interfaces()
		for _, i := range list {
			names = append(names, i.Name)
		}
		return err
	})
	return names, err
}

// indexOf is the kernel's number of an interface.
func indexOf(ns *netns.NS, name string) (index int, err error) {
	err = ns.Do(func() error {
		i, err := net.InterfaceByName(name)
		if err == nil {
			index = i.Index
		}
		return err
	})
	return index, err
}

// addressOn is the interface that has an address.
func addressOn(r *netlink.Handle, a netip.Addr) string {
	all, err := r.AddrList(nil, unix.AF_INET6)
	if err != nil {
		return ""
	}
	for _, x := range all {
		if x.IP.Equal(net.IP(a.AsSlice())) {
			if l, err := r.LinkByIndex(x.LinkIndex); err == nil {
				return l.Attrs().Name
			}
		}
	}
	return ""
}
