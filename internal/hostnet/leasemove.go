package hostnet

import (
	"context"
	"fmt"

	"kvmnet/internal/confirm"
	"kvmnet/internal/netfiles"
)

// mayMoveLease refuses a NIC whose address somebody else's DHCP client renews, where no
// network manager has it: that client would go on at the NIC when it is a port, where it
// hears nothing any more.
func (h *Host) mayMoveLease(nic string) error {
	live, err := h.lives()
	l, there := live[nic]
	if err != nil || !there || l.IPv4 == nil || !l.IPv4.DHCP || !h.isOwn(nic) {
		return err
	}
	p, err := foreignClient(h.NS, "/proc", nic)
	if err != nil {
		return fmt.Errorf("look who asks for the address of %s: %w", nic, err)
	}
	if p != nil {
		return conflict(fmt.Sprintf("%[1]s has its address from a DHCP server, and %[2]s (pid %[3]d) renews it there, which it cannot once %[1]s is a port of a bridge: end it, with what starts it or with 'kill %[3]d'; "+
			"the address stays for as long as the lease, and kvmnet renews it on the bridge", nic, p.name, p.pid))
	}
	return nil
}

// isOwn reports whether no network manager has an interface.
func (h *Host) isOwn(name string) bool {
	tree, err := netfiles.Read(h.Root, h.OwnDir)
	if err != nil {
		return false // which is told where files are written
	}
	m, err := netfiles.Detect(tree, name, h.asker())
	return err == nil && m == netfiles.Own
}

// unconvertedLease tells what becomes of a lease when a bridge gives its address back to
// a NIC that nothing defines then.
func (h *Host) unconvertedLease(r record) []string {
	if !h.losesDefinition(r) {
		return nil
	}
	return []string{fmt.Sprintf("%[1]s gets its address from a DHCP server, and nothing defines %[1]s any more: kvmnet renews the lease until %[1]s goes down, and nobody asks for one after a boot: 'kvmnet iface define' it with ipv4: {dhcp: true}", r.NIC)}
}

// losesDefinition reports whether nothing says that a NIC gets its address by our client
// once it is out of its bridge, which does.
func (h *Host) losesDefinition(r record) bool {
	s, err := h.look()
	if err != nil || h.Leases == nil {
		return false
	}
	if _, asks := s.asks(r.Bridge); !asks {
		return false
	}
	e := newEdits(s.tree)
	e.add(netfiles.Undo(r.Files))
	d, err := netfiles.Defined(e.tree, netfiles.Own, r.NIC)
	return err == nil && d == nil
}

// pausing is a kind of changes that no lease gets in the way of when they are taken back.
type pausing struct {
	confirm.Kind
	h *Host
}

// Revert implements confirm.Kind.
func (p pausing) Revert(ctx context.Context, c confirm.Change) error {
	resume := p.h.leases.pause()
	defer p.h.LookAtLeases()
	defer resume()
	return p.Kind.Revert(ctx, c)
}
