package lab

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	"kvmnet/internal/testhost"
)

// world is everything that is not kvmnet: the machine it runs on, the LAN and the
// outside. Guests are added to it later.
type world struct {
	prefix string // of namespace names; "" leaves them without a name
	uplink string // the machine's NIC on the LAN

	lan, outside, neighbour, machine *testhost.Host

	mu     sync.Mutex
	hosts  []*testhost.Host // all of them
	legs   []leg            // of the outside and the neighbour, in the segments of routers
	echoes map[*testhost.Host]*testhost.Echo
}

// build makes the world. What was made when an error came up is for close.
func (w *world) build(ctx context.Context, t *topology) error {
	w.uplink, w.echoes = t.uplink, map[*testhost.Host]*testhost.Echo{}
	for _, h := range []struct {
		host **testhost.Host
		name string
	}{{&w.lan, "lan"}, {&w.outside, "outside"}, {&w.neighbour, "neighbour"}, {&w.machine, "machine"}} {
		var err error
		if *h.host, err = w.host(h.name); err != nil {
			return err
		}
	}
	err := errors.Join(w.lan.Bridge(lan0), w.lan.Bridge(lan1))
	if err == nil {
		err = w.cable(t)
	}
	if err == nil {
		err = w.outside.Forward(true) // it is the LANs' router
	}
	if err == nil {
		err = w.straight()
	}
	return err
}

// lan0 is the LAN of the machine's uplink, lan1 the one its bridges are on.
const lan0, lan1 = "lan0", "lan1"

// straight keeps the outside from telling routers on one LAN of each other: each is
// to send what is not of its own segment to the gateway it was given.
func (w *world) straight() error {
	var errs []error
	for _, nic := range []string{"all", "eth0", "eth1"} {
		errs = append(errs, w.outside.Sysctl("net/ipv4/conf/"+nic+"/send_redirects", "0"))
	}
	return errors.Join(errs...)
}

// answer makes everybody but the guests answer: the machine at the usual port, the
// others at all that somebody is asked at.
func (w *world) answer(ctx context.Context, ports []uint16) error {
	return errors.Join(w.serve(ctx, w.machine), w.serve(ctx, w.outside, ports...), w.serve(ctx, w.neighbour, ports...))
}

// cable plugs everybody into the LANs.
func (w *world) cable(t *topology) error {
	gateways := outsideAddr.addrs()
	for _, c := range []struct {
		host      *testhost.Host
		nic, lan  string
		addresses duo
		gateways  []netip.Addr
	}{
		{w.outside, "eth0", lan0, outsideAddr, nil},
		{w.outside, "eth1", lan1, lanGateway, nil},
		{w.neighbour, "eth0", lan0, neighbourAddr, gateways},
		{w.neighbour, "eth1", lan1, lanNeighbour, nil},
		{w.machine, w.uplink, lan0, machineAddr, gateways},
	} {
		if err := w.plug(c.host, c.nic, c.lan, c.addresses.list()...); err != nil {
			return err
		}
		if err := c.host.Gateways(c.gateways...); err != nil {
			return err
		}
	}
	for _, nic := range t.nics {
		if err := w.plug(w.machine, nic, lan1); err != nil {
			return err
		}
	}
	for bridge, nic := range t.found {
		if err := w.enslave(bridge, nic); err != nil {
			return err
		}
	}
	return errors.Join(w.outside.AddAddress("lo", farAddr.list()...), w.plugLegs(t.segments))
}

func (w *world) plug(h *testhost.Host, nic, bridge string, addresses ...netip.Prefix) error {
	p := testhost.Plug{Inside: nic, Outside: w.lan.NS(), OutsideName: fmt.Sprintf("lan-port%d", w.ports()), Bridge: bridge}
	if err := h.Plug(p); err != nil {
		return err
	}
	return h.AddAddress(nic, addresses...)
}

// ports numbers the ports of the LANs.
func (w *world) ports() int {
	links, err := w.lan.Netlink().LinkList()
	if err != nil {
		return 0 // then the name is taken, and adding the port says so
	}
	return len(links)
}

// enslave plays the administrator who made a bridge before kvmnet came.
func (w *world) enslave(bridge, nic string) error {
	if err := w.machine.Bridge(bridge); err != nil {
		return err
	}
	nl := w.machine.Netlink()
	br, err := nl.LinkByName(bridge)
	if err == nil {
		port, found := nl.LinkByName(nic)
		if err = found; err == nil {
			err = nl.LinkSetMaster(port, br)
		}
	}
	if err != nil {
		return fmt.Errorf("put %s into %s: %w", nic, bridge, err)
	}
	return nil
}

// host makes one more host. Its namespace has a name if the lab is to stay.
func (w *world) host(name string) (h *testhost.Host, err error) {
	if w.prefix == "" {
		h, err = testhost.New(name)
	} else {
		h, err = testhost.NewNamed(w.prefix + name)
	}
	if err == nil {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.hosts = append(w.hosts, h)
	}
	return h, err
}

// serve makes a host answer probes and remember what reached it.
func (w *world) serve(ctx context.Context, h *testhost.Host, ports ...uint16) error {
	e, err := h.Serve(ctx, ports...)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.echoes[h] = e
	return err
}

// close takes the world down, all hosts at once: the kernel makes each of them
// wait.
func (w *world) close() error {
	errs := make([]error, len(w.hosts))
	var wg sync.WaitGroup
	for i, h := range w.hosts {
		wg.Go(func() { errs[i] = h.Close() })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// leave ends what the hosts run and leaves their namespaces for people to enter.
func (w *world) leave() error {
	var errs []error
	for _, h := range w.hosts {
		errs = append(errs, h.Detach())
	}
	return errors.Join(errs...)
}
