package serve

import (
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"kvmnet/internal/dhcp4"
	"kvmnet/internal/dhcp6"
	"kvmnet/internal/radv"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// DHCP4 implements socket.Handler.
func (n *network) DHCP4(p socket.Packet) {
	if s := n.dhcp4.Load(); s != nil {
		s.Handle(p)
	}
}

// DHCP6 implements socket.Handler.
func (n *network) DHCP6(p socket.Packet) {
	if s := n.dhcp6.Load(); s != nil {
		s.Handle(p)
	}
}

// Solicit implements socket.Handler.
func (n *network) Solicit(p socket.Packet) {
	if s := n.radv.Load(); s != nil {
		s.Solicit(p)
	}
}

// ARP implements socket.Handler.
func (n *network) ARP(mac spec.MAC, addr netip.Addr) {
	if s := n.dhcp4.Load(); s != nil {
		s.ARP(mac, addr)
	}
}

func (n *network) setDHCP4() {
	s, w := n.dhcp4.Load(), n.have
	if s == nil && w.DHCP4 != nil && n.link != nil {
		s = dhcp4.New(dhcp4.Options{Table: n.table, Link: n.link, PortOf: n.portOf, Own: n.isOwn, Permit: n.permit, Warn: n.warn, Log: n.log})
		n.dhcp4.Store(s)
	}
	if s != nil {
		s.Set(w.DHCP4)
	}
}

func (n *network) setDHCP6() {
	s, w := n.dhcp6.Load(), n.have
	if s == nil && w.DHCP6 != nil && n.link != nil {
		s = dhcp6.New(dhcp6.Options{Table: n.table, Link: n.link, PortOf: n.portOf, Source: n.linkLocal, Own: n.isOwn, Permit: n.permit, DUID: n.o.DUID, Warn: n.warn, Log: n.log})
		n.dhcp6.Store(s)
	}
	if s != nil {
		s.Set(w.DHCP6)
	}
}

// linkLocal is the address from which DHCPv6 and router advertisements are sent.
func (n *network) linkLocal() netip.Addr { return *n.source.Load() }

// findSource looks the device's link-local address up. There is none before the
// first port brings a carrier; the kernel tells of it, and set comes again.
func (n *network) findSource() {
	a, err := n.place.kernel.LinkLocal(n.at.device)
	if n.pending = errors.Is(err, unix.EADDRNOTAVAIL); !n.pending && err != nil {
		n.try(fmt.Errorf("advertise the router on %s: %w", n.at.device, err))
	}
	n.source.Store(&a)
}

func (n *network) setRA() {
	s, w := n.radv.Load(), n.have
	if w.RA != nil || w.DHCP6 != nil {
		n.findSource()
	}
	if s == nil && w.RA != nil && n.link != nil {
		s = radv.New(radv.Options{Link: n.link, Log: n.log})
		n.radv.Store(s)
	}
	if s != nil && (w.RA == nil || n.linkLocal().IsValid()) {
		s.Set(w.RA, w.MAC, n.linkLocal())
	}
}
