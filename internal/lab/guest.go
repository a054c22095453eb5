package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
	"kvmnet/internal/verify/client"
)

// party is anybody who can be asked to reach somebody.
type party struct {
	name string
	addr duo // its own addresses
	asker
	host *testhost.Host // nil for a guest that is a real virtual machine
}

// plugAll gives every network two ports and a guest on each, all at once.
func (d *demo) plugAll(ctx context.Context) error {
	plug := d.plugVeth
	if d.Guests == GuestsQEMU {
		plug = d.plugVM
	}
	errs := make([]error, 2*len(d.networks))
	var wg sync.WaitGroup
	for i, n := range d.networks {
		for j, s := range n.seats {
			wg.Go(func() {
				var err error
				if n.guests[j], err = plug(ctx, n, s); err != nil {
					errs[2*i+j] = fmt.Errorf("plug guest %s: %w", s.name, err)
				}
			})
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return d.awake(ctx)
}

// awake lets the guests of every network find each other. The kernel may take a
// second to notice that a cable is in, and silence must not come from that. What
// is not awake then is for the table to tell.
func (d *demo) awake(ctx context.Context) error {
	var wg sync.WaitGroup
	d.each(func(n *network, f family) {
		wg.Go(func() { s := sheet{d: d}; s.within(n, f); s.cells[0].put(ctx) })
	})
	wg.Wait()
	return context.Cause(ctx)
}

// plugVeth adds a port of type veth and moves its other end into a new host.
func (d *demo) plugVeth(ctx context.Context, n *network, s seat) (*party, error) {
	port, err := d.addPort(ctx, n, s, spec.Veth)
	if err != nil {
		return nil, err
	}
	h, err := d.world.host(s.name)
	if err == nil {
		err = h.Adopt(d.world.machine.NS(), port.Spec.Peer, "eth0")
	}
	if err == nil {
		err = h.Sysctl("net/ipv6/conf/eth0/accept_ra", "0") // it has its addresses
	}
	if err == nil {
		err = h.AddAddress("eth0", s.addr.list()...)
	}
	if err == nil {
		err = d.defaultRoutes(h, n)
	}
	if err == nil {
		err = d.world.serve(ctx, h, d.ports()...)
	}
	return &party{name: s.name, addr: s.addr, asker: hostAsker{h}, host: h}, err
}

func (d *demo) addPort(ctx context.Context, n *network, s seat, t spec.PortType) (api.Port, error) {
	p := &spec.Port{Network: n.name, Type: t, MAC: s.mac}
	if !n.silent() && !n.lan() {
		p.Addresses = s.addr.addrs()
	}
	return d.daemon.AddPort(ctx, api.AddPort{Name: s.name, Port: p})
}

// defaultRoutes sends whatever a guest knows no way for to the host, also where
// no gateway is offered: then by force, to the bridge's own Ethernet address.
func (d *demo) defaultRoutes(h *testhost.Host, n *network) error {
	via := n.via()
	if n.silent() {
		mac, err := d.world.machine.MAC(n.spec.Bridge.Name)
		if err != nil {
			return err
		}
		for _, a := range via.addrs() {
			if err := pin(h, a, mac); err != nil {
				return err
			}
		}
	}
	return h.Gateways(via.addrs()...)
}

// asker puts questions to another machine and collects the answers.
type asker interface {
	// ask puts a question by every protocol it knows.
	ask(ctx context.Context, q question) []answer

	// offered asks for an address in the subnet of a gateway address, and tells
	// which one it was offered.
	offered(ctx context.Context, gateway netip.Prefix) string
	// advertised tells which router there is, as client.Advertised does.
	advertised(ctx context.Context) string
	// named tells which address a server has for a name.
	named(ctx context.Context, q client.Name, from, server netip.Addr) string
}

// answer is what came of one protocol.
type answer struct {
	proto testhost.Proto
	testhost.Result
}

// pin makes a guest believe that an address is at an Ethernet address.
func pin(h *testhost.Host, a netip.Addr, mac spec.MAC) error {
	link, err := h.Netlink().LinkByName("eth0")
	if err == nil {
		err = h.Netlink().NeighSet(&netlink.Neigh{LinkIndex: link.Attrs().Index, State: netlink.NUD_PERMANENT,
			IP: a.AsSlice(), HardwareAddr: net.HardwareAddr(mac[:])})
	}
	if err != nil {
		return fmt.Errorf("pin %s to %s on %s: %w", a, mac, h.Name(), err)
	}
	return nil
}
