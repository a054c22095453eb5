package testhost

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// Spoof sends a packet from an interface past the host's own IP stack, so with
// any source at all. A zero SrcMAC is the interface's own; a zero DstMAC is that
// of the next hop to Dst, which is asked for by ARP or neighbour discovery.
func (h *Host) Spoof(ctx context.Context, ifname string, p Packet) error {
	var err error
	if p.SrcMAC.IsZero() {
		if p.SrcMAC, err = h.MAC(ifname); err != nil {
			return err
		}
	}
	if p.DstMAC.IsZero() {
		if p.DstMAC, err = h.nextHop(ctx, ifname, p); err != nil {
			return fmt.Errorf("spoof %s > %s: %w", p.Src, p.Dst, err)
		}
	}
	frame, err := p.Frame()
	if err != nil {
		return err
	}
	return h.SendFrame(ctx, ifname, frame)
}

// nextHop is the Ethernet address that a packet would be sent to.
func (h *Host) nextHop(ctx context.Context, ifname string, p Packet) (spec.MAC, error) {
	if mac, ok := groupMAC(p); ok {
		return mac, nil
	}
	routes, err := h.nl.RouteGetWithOptions(p.Dst.AsSlice(), &netlink.RouteGetOptions{Oif: ifname})
	if err != nil {
		return spec.MAC{}, fmt.Errorf("find the route: %w", err)
	}
	hop := p.Dst
	for _, r := range routes {
		if gw, ok := netip.AddrFromSlice(r.Gw); ok {
			hop = gw.Unmap()
		}
	}
	return h.Resolve(ctx, ifname, hop)
}

// groupMAC maps broadcast and multicast destinations (RFC 1112, section 6.4;
// RFC 2464, section 7). ARP requests are broadcast.
func groupMAC(p Packet) (spec.MAC, bool) {
	a := p.Dst.AsSlice()
	switch {
	case p.Proto == ARP, p.Dst == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return spec.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, true
	case p.Dst.Is4() && p.Dst.IsMulticast():
		return spec.MAC{0x01, 0x00, 0x5e, a[1] & 0x7f, a[2], a[3]}, true
	case p.Dst.IsMulticast():
		return spec.MAC{0x33, 0x33, a[12], a[13], a[14], a[15]}, true
	}
	return spec.MAC{}, false
}

// SendFrame sends Ethernet frames as they are, one after the other.
func (h *Host) SendFrame(ctx context.Context, ifname string, frames ...[]byte) error {
	s, err := openSocket(h.ns, unix.AF_PACKET, unix.SOCK_RAW, 0, func(fd int) error {
		link, err := net.InterfaceByName(ifname)
		if err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: link.Index})
	})
	if err == nil {
		defer s.Close()
		for i := 0; i < len(frames) && err == nil; i++ {
			done := s.until(ctx, time.Now().Add(settleTime)) // what was sent may wait for a busy kernel
			err = s.send(frames[i], nil)
			done()
		}
	}
	if err != nil {
		return fmt.Errorf("send a frame from %s of %s: %w", ifname, h.name, err)
	}
	return nil
}

// Resolve returns the Ethernet address of a neighbour. The kernel asks for it, as
// it would for a packet of its own; without an answer the context's end, or
// three seconds of asking in vain, is the error.
func (h *Host) Resolve(ctx context.Context, ifname string, addr netip.Addr) (spec.MAC, error) {
	addr = addr.WithZone("")
	mac, err := h.resolve(ctx, ifname, addr)
	if err != nil {
		return spec.MAC{}, fmt.Errorf("resolve %s on %s of %s: %w", addr, ifname, h.name, err)
	}
	return mac, nil
}

func (h *Host) resolve(ctx context.Context, ifname string, addr netip.Addr) (spec.MAC, error) {
	link, err := h.nl.LinkByName(ifname)
	if err != nil {
		return spec.MAC{}, err
	}
	index, family := link.Attrs().Index, netlink.FAMILY_V4
	if addr.Is6() {
		family = netlink.FAMILY_V6
	}
	// NTF_USE makes the kernel resolve the entry as if a packet waited for it.
	err = h.nl.NeighSet(&netlink.Neigh{LinkIndex: index, Family: family, IP: addr.AsSlice(), State: netlink.NUD_NONE, Flags: netlink.NTF_USE})
	if err != nil {
		return spec.MAC{}, fmt.Errorf("ask for it: %w", err)
	}
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		mac, err := h.neighbour(index, family, addr)
		if err != nil || !mac.IsZero() {
			return mac, err
		}
		select {
		case <-ctx.Done():
			return spec.MAC{}, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// neighbour reads one entry of the neighbour table; the zero MAC means that the
// kernel is still asking.
func (h *Host) neighbour(index, family int, addr netip.Addr) (spec.MAC, error) {
	list, err := h.nl.NeighList(index, family)
	if err != nil {
		return spec.MAC{}, err
	}
	for _, n := range list {
		if a, ok := netip.AddrFromSlice(n.IP); !ok || a.Unmap() != addr {
			continue
		}
		switch {
		case n.State&netlink.NUD_FAILED != 0:
			return spec.MAC{}, errors.New("nobody answers")
		case n.State&(netlink.NUD_INCOMPLETE|netlink.NUD_NONE) == 0 && len(n.HardwareAddr) == 6:
			return spec.MAC(n.HardwareAddr), nil
		}
	}
	return spec.MAC{}, nil
}
