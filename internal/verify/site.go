package verify

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync"
	"time"

	"kvmnet/internal/spec"
	"kvmnet/internal/verify/client"
)

// site is a network with guests of ours on it: one to be reached from elsewhere,
// and a second one where the promises of the segment itself are proved.
type site struct {
	run    *run
	name   string
	net    *spec.Network
	index  int      // of the bridge
	mac    spec.MAC // of the bridge
	a, b   *guest
	client *client.Client // of a, where the promises of services are proved
	legs   []*leg
	broken string // why no guest can join; "" when they did
}

const (
	// askFor is how long the owner of an address may take to say so.
	askFor = 250 * time.Millisecond
	// meetFor is how long two guests may take to meet, besides the bridge's delay.
	meetFor = 1500 * time.Millisecond
	// candidates is how many addresses of a subnet are asked for, to find two.
	candidates = 6
)

// openSite plugs guests into a network and gives them addresses. A missing
// bridge is not an error, but a promise broken.
func (r *run) openSite(ctx context.Context, name string, n *spec.Network) (*site, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &site{run: r, name: name, net: n}
	bridge := r.host.bridge(n)
	if bridge == nil {
		s.broken = "there is no bridge " + n.Bridge.Name
		return s, nil
	}
	s.index, s.mac = bridge.Index, spec.MAC(bridge.HardwareAddr)
	err := s.join(ctx, r, bridge.MTU)
	if err == nil {
		err = s.settle(ctx, r)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// join plugs the guests in and waits until they meet. A site that is only to be
// reached needs the second one if ports have to wait.
func (s *site) join(ctx context.Context, r *run, mtu int) error {
	guests := []**guest{&s.a}
	if _, proved := r.others[s.name]; proved || s.portDelay() > 0 {
		guests = append(guests, &s.b)
	}
	errs := make([]error, len(guests))
	var work sync.WaitGroup
	for i, g := range guests {
		work.Go(func() { *g, errs[i] = plugIn(ctx, "guest of "+s.name, r.o.NS, s.net.Bridge.Name, mtu, r.ledger) })
	}
	work.Wait()
	err := errors.Join(errs...)
	if _, proved := r.others[s.name]; err == nil && proved && s.net.Mode.Managed() {
		s.client, err = client.Open(s.a.host.NS(), nic)
	}
	if err != nil || s.b == nil {
		return err
	}
	if _, err := s.b.host.Serve(ctx); err != nil {
		return err
	}
	s.b.meets(ctx, s.a, meetFor+s.portDelay())
	return ctx.Err()
}

// portDelay is how long a bridge may keep new ports waiting: twice its forward
// delay, 15 s unless set (IEEE 802.1D). Of a bridge that is not ours the spec
// does not tell, so it may take as long; guests that meet end the wait.
func (s *site) portDelay() time.Duration {
	delay := time.Duration(s.net.Bridge.ForwardDelay) * time.Second
	if delay == 0 {
		delay = 15 * time.Second
	}
	if s.net.Mode.Managed() && !s.net.Bridge.STP {
		return 0
	}
	return 2 * delay
}

// settle gives the guests addresses that nobody has, and finds the gateways.
func (s *site) settle(ctx context.Context, r *run) error {
	proposed := s.propose(r)
	taken, err := s.a.whoHas(ctx, slices.Concat(proposed...), askFor)
	if err != nil {
		return err
	}
	for i, l := range s.legs {
		free := slices.DeleteFunc(proposed[i], func(a netip.Addr) bool { _, is := taken[a]; return is || s.has(a) })
		if err := s.address(l, free); err != nil {
			return err
		}
	}
	var work sync.WaitGroup
	for _, l := range s.legs {
		work.Go(func() { s.findHop(ctx, l) })
	}
	work.Wait()
	return ctx.Err()
}

// propose makes the legs of the site and lists addresses for each: of every
// subnet, and invented ones for families without a subnet where the promise holds
// without: guests of isolated networks and of the LAN choose what they like.
func (s *site) propose(r *run) (proposed [][]netip.Addr) {
	has := map[bool]bool{}
	add := func(l *leg, addrs []netip.Addr) {
		if has[l.v6()] = true; !l.v6() || r.host.ipv6 {
			var err error
			if l.home, err = r.at(l.gate); err != nil {
				l.lost = err.Error()
			}
			s.legs, proposed = append(s.legs, l), append(proposed, addrs)
		}
	}
	for i, sub := range s.net.Subnets {
		l := &leg{prefix: sub.Address.Masked(), gateway: sub.Address.Addr(), gate: r.gates[s.name][i]}
		add(l, spare(s.net, sub, r.o.Held, candidates))
	}
	for _, v6 := range []bool{false, true} {
		if !has[v6] && (s.net.Mode == spec.Isolated || s.net.Mode == spec.Bridge) {
			p := invented(r.nets, v6)
			add(&leg{prefix: p}, draw(p, candidates)[:candidates])
		}
	}
	return proposed
}

// address gives the first two free addresses to the guests.
func (s *site) address(l *leg, free []netip.Addr) error {
	for i, who := range []struct {
		guest *guest
		addr  *netip.Addr
	}{{s.a, &l.a}, {s.b, &l.b}} {
		if i >= len(free) || who.guest == nil {
			return nil
		}
		*who.addr = free[i]
		if err := who.guest.host.AddAddress(nic, netip.PrefixFrom(free[i], l.prefix.Bits())); err != nil {
			return err
		}
		if !l.gateway.IsValid() || s.leg(l.v6()) != l { // one default route a family
			continue
		}
		if err := who.guest.host.Gateways(l.gateway); err != nil {
			return err
		}
	}
	return nil
}

// Close takes the guests away, and what the host learnt of them.
func (s *site) Close() error {
	var errs [3]error
	var work sync.WaitGroup
	if s.client != nil {
		work.Go(func() { errs[2] = s.client.Close() })
	}
	for i, g := range []*guest{s.a, s.b} {
		if g != nil {
			work.Go(func() { errs[i] = g.Close() })
		}
	}
	work.Wait()
	for _, l := range s.legs {
		for _, a := range []netip.Addr{l.a, l.b} {
			if a.IsValid() {
				l.forget(s, a)
			}
		}
	}
	return errors.Join(errs[:]...)
}
