package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// attacks lists what guests and neighbours try that no mode offers. Their routes
// are for prepareAttacks to set. The second guest of a network is the villain.
func (d *demo) attacks() []*cell {
	s := &sheet{d: d}
	d.each(s.neighbour)
	d.each(s.detour)
	d.each(s.hostAddress)
	d.each(s.routerAddress)
	d.each(s.gateways)
	d.each(s.onWire)
	d.each(s.outsideName)
	d.each(s.foreignNames)
	d.each(s.spoof)
	d.each(s.claimed)
	return s.cells
}

// neighbour is a host of the LAN that takes the machine, and each router's outside
// address, for a router to all networks there.
func (s *sheet) neighbour(n *network, f family) {
	from := neighbourAddr
	if n.lan() {
		from = lanNeighbour
	} else if u := s.d.outward(n, f); u != nil {
		from = s.d.world.neighbourOf(u)
	}
	s.ask("LAN host with a route → guest", n, f, everything, s.d.to(n.guests[1], f, s.d.stranger(s.d.world.neighbour, from)),
		func(t traffic) string { return s.d.fromOutside(from.addr(f), n, n.seats[1], t) })
}

// detour tries a default route through the host, out of an isolated network.
func (s *sheet) detour(n *network, f family) {
	if n.face == nil && n.spec.Mode == spec.Isolated {
		s.put("default route via the host → outside", n, f, no,
			question{from: n.guests[1], to: farAddr.addr(f), at: s.d.heard(s.d.world.outside)})
	}
}

// hostAddress tries the host's other addresses from an isolated network.
func (s *sheet) hostAddress(n *network, f family) {
	if !n.lan() && n.stance() == spec.StanceIsolated {
		s.put("guest → the host's LAN address", n, f, no, question{from: n.guests[1], to: machineAddr.addr(f)})
	}
}

// routerAddress tries the outside address of the own router from a network that
// does not leave it.
func (s *sheet) routerAddress(n *network, f family) {
	if n.face == nil || n.stance() != spec.StanceIsolated {
		return
	}
	if u := wayOut(s.d.spec.Routers[n.router], "", f); u != nil {
		s.put("guest → the router's outside address", n, f, no, question{from: n.guests[1], to: address(u).addr(f), traffics: s.d.answered(n)})
	}
}

// gateways tries the gateway addresses of the other networks through the own one.
func (s *sheet) gateways(n *network, f family) {
	if n.guarded() {
		s.all("guest → other networks' gateways", n, f, no, s.foreign(n, n.guests[0], f))
	}
}

// onWire asks for them by ARP and neighbour discovery on the own wire, where Linux
// would answer for every address it has.
func (s *sheet) onWire(n *network, f family) {
	if !n.lan() && n.guests[1].host != nil {
		s.all("… by ARP or ND on the own wire", n, f, no, s.foreign(n, n.guests[1], f))
	}
}

func (s *sheet) foreign(n *network, from *party, f family) (list []question) {
	for _, other := range s.d.strange(n, f) {
		list = append(list, question{from: from, to: other.gateways().addr(f), traffics: s.d.answered(other)})
	}
	return list
}

// strange lists the networks whose gateways must not answer the guests of another
// one. What the outside reaches, it reaches for whoever gets there.
func (l *layout) strange(n *network, f family) (list []*network) {
	for _, o := range l.networks {
		if o != n && o.gateways().has(f) && !overlap(o, n, f) && (o.box() == n.box() || !l.routed(o, f)) && !l.above(n, o, f) {
			list = append(list, o)
		}
	}
	return list
}

// above reports whether a network leaves over another one.
func (l *layout) above(n, other *network, f family) bool {
	way, _ := l.climb(n, f)
	return slices.Contains(way, other)
}

// all adds a promise that all of the questions have the same outcome.
func (s *sheet) all(row string, n *network, f family, promise string, questions []question) {
	questions = slices.DeleteFunc(questions, func(q question) bool { return len(q.kinds()) == 0 })
	if len(questions) == 0 {
		return
	}
	s.add(row, n, f, promise, func(ctx context.Context) verdict {
		verdicts := make(chan verdict)
		for _, q := range questions {
			go func() {
				v := plain(promise, q.put(ctx))
				v.detail = fmt.Sprintf("%s to %s: %s", q.from.name, q.to, v.detail)
				verdicts <- v
			}()
		}
		worst := verdict{outcome: promise}
		for range questions {
			if v := <-verdicts; v.outcome != promise {
				worst = v
			}
		}
		return worst
	})
}

// spoof sends packets to the outside under other people's addresses. Whatever
// becomes of their sources on the way, the outside would know them by what they
// carry.
func (s *sheet) spoof(n *network, f family) {
	w, g := s.d.world, n.guests[1]
	if !n.guarded() || g.host == nil { // a virtual machine has no tool for this
		return
	}
	s.add("guest with a false source → outside", n, f, no, func(ctx context.Context) verdict {
		marker := fmt.Sprintf("false source from %s over %s", g.name, f)
		if err := s.d.sendSpoofed(ctx, n, g, f, marker); err != nil {
			return verdict{outcome: "failed", detail: err.Error()}
		}
		ctx, cancel := context.WithTimeout(ctx, patient)
		defer cancel()
		p, err := s.d.heard(w.outside).Wait(ctx, func(p testhost.Packet) bool { return bytes.Contains(p.Payload, []byte(marker)) })
		if err != nil { // nothing came
			return verdict{outcome: no}
		}
		return verdict{outcome: "arrives as " + p.Src.String(), detail: p.String()}
	})
}

// sendSpoofed sends a datagram for every source worth pretending: somebody
// outside, a guest of each other network, the machine itself.
func (d *demo) sendSpoofed(ctx context.Context, n *network, g *party, f family, marker string) error {
	mac, err := d.doorOf(ctx, n, g, f)
	if err != nil {
		return err
	}
	sources := []netip.Addr{neighbourAddr.addr(f), machineAddr.addr(f), farAddr.addr(f).Next()}
	for _, other := range d.networks {
		if a := other.seats[0].addr; other != n && a.has(f) && !overlap(other, n, f) && !d.above(other, n, f) {
			sources = append(sources, a.addr(f))
		}
	}
	var errs []error
	for i, src := range sources {
		errs = append(errs, g.host.Spoof(ctx, "eth0", testhost.Packet{Proto: testhost.UDP, DstMAC: mac, Src: src, Dst: farAddr.addr(f),
			SrcPort: uint16(40000 + i), DstPort: testhost.EchoPort, Payload: []byte(marker)}))
	}
	return errors.Join(errs...)
}

// doorOf is the Ethernet address of a network's gateway.
func (d *demo) doorOf(ctx context.Context, n *network, g *party, f family) (spec.MAC, error) {
	if n.face == nil {
		return d.world.machine.MAC(n.spec.Bridge.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, hopeful)
	defer cancel()
	return g.host.Resolve(ctx, "eth0", n.via().addr(f))
}

// prepareAttacks gives the villains their routes.
func (d *demo) prepareAttacks() error {
	var errs []error
	d.each(func(n *network, f family) {
		if n.lan() {
			return
		}
		if !d.shared(n, f) {
			errs = append(errs, d.world.neighbour.AddRoute(n.seats[0].addr[f].Masked(), d.next(n, f)))
		}
		if n.guests[1].host != nil {
			errs = append(errs, d.onLink(n, f))
		}
	})
	return errors.Join(errs...)
}

// onLink makes a guest believe that the gateways of the other networks are on its
// own wire.
func (d *demo) onLink(n *network, f family) error {
	h := n.guests[1].host
	link, err := h.Netlink().LinkByName("eth0")
	if err != nil {
		return fmt.Errorf("find eth0 of %s: %w", h.Name(), err)
	}
	for _, other := range d.strange(n, f) {
		a := other.gateways().addr(f)
		route := &netlink.Route{LinkIndex: link.Attrs().Index, Scope: netlink.SCOPE_LINK,
			Dst: &net.IPNet{IP: a.AsSlice(), Mask: net.CIDRMask(a.BitLen(), a.BitLen())}}
		if err := h.Netlink().RouteReplace(route); err != nil {
			return fmt.Errorf("add route %s dev eth0 to %s: %w", a, h.Name(), err)
		}
	}
	return nil
}
