package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"sync"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// place is where packets of networks are forwarded, the host or a router, as far
// as a promise needs it.
type place struct {
	name     string // of the router; "" is the host
	ns       *netns.NS
	nl       *netlink.Handle
	given    netip.Addr       // Options.Outside
	inner    map[string]bool  // interfaces that are a network's own
	uplinks4 []string         // interfaces that may have an IPv4 default route
	uplinks6 []string         // the same for IPv6
	ipv6     bool             // the kernel has IPv6
	lent     []spec.AddrRange // addresses that some guests alone leave with
	exit     *exit            // what listens at its doors

	mu      sync.Mutex
	outside map[outsideKey]*outside
	asking  sync.WaitGroup
	ctx     context.Context // of the questions under way
	cancel  context.CancelFunc
}

// openHost opens the place where the networks run.
func openHost(ctx context.Context, o Options, l *ledger) (*place, error) {
	p := &place{ns: o.NS, inner: map[string]bool{}, uplinks4: o.Uplinks4, uplinks6: o.Uplinks6, lent: floating(o)}
	for _, n := range o.Running {
		if n.Mode.Managed() {
			p.inner[n.Bridge.Name] = true
		}
	}
	var err error
	if p.given, err = givenOutside(o.Outside); err != nil {
		return nil, err
	}
	if err := p.open(ctx, l); err != nil {
		return nil, err
	}
	if err := p.isOutside(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func givenOutside(text string) (netip.Addr, error) {
	if text == "" {
		return netip.Addr{}, nil
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, fmt.Errorf("read outside address: %w", err)
	}
	return a.Unmap(), nil
}

// open opens what looks into the place.
func (p *place) open(ctx context.Context, l *ledger) error {
	handle := vnetns.NsHandle(p.ns.Fd())
	var err error
	p.nl, err = netlink.NewHandleWithOptions(netlink.HandleOptions{RetryInterrupted: true, NetNS: &handle}, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	_, missing := os.Stat("/proc/sys/net/ipv6")
	p.ipv6 = missing == nil
	p.outside = map[outsideKey]*outside{}
	if p.exit, err = listen(p, l); err != nil {
		p.nl.Close()
		return err
	}
	p.ctx, p.cancel = context.WithCancel(ctx)
	return nil
}

// isOutside refuses a given address that is not outside, and could prove nothing.
func (p *place) isOutside() error {
	if !p.given.IsValid() {
		return nil
	}
	link, local, err := p.route(p.given)
	switch {
	case err != nil: // told by each promise that needs it
		return nil
	case local:
		return fmt.Errorf("verify with %s: it is an address of this host, not outside", p.given)
	case p.inner[link]:
		return fmt.Errorf("verify with %s: it is on %s, a network's bridge, not outside", p.given, link)
	}
	return nil
}

// Close ends what is under way.
func (p *place) Close() error {
	p.cancel()
	p.asking.Wait()
	err := p.exit.Close()
	p.nl.Close()
	if p.name != "" { // the host's namespace is the caller's
		err = errors.Join(err, p.ns.Close())
	}
	return err
}

// who names the place in sentences.
func (p *place) who() string {
	if p.name == "" {
		return "the host"
	}
	return "router " + p.name
}

// door returns the name of an interface and whether it belongs to a network: its
// bridge, or a port of it.
func (p *place) door(index int) (name string, inner bool) {
	link, err := p.nl.LinkByIndex(index)
	if err != nil {
		return "", false
	}
	name = link.Attrs().Name
	if p.inner[name] || link.Attrs().MasterIndex == 0 {
		return name, p.inner[name]
	}
	master, err := p.nl.LinkByIndex(link.Attrs().MasterIndex)
	return name, err == nil && p.inner[master.Attrs().Name]
}

// route returns the interface by which the place sends to an address.
func (p *place) route(to netip.Addr) (link string, local bool, err error) {
	routes, err := p.nl.RouteGet(to.AsSlice())
	if err != nil {
		return "", false, err
	}
	if len(routes) == 0 {
		return "", false, errors.New("no route")
	}
	l, err := p.nl.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return "", false, err
	}
	return l.Attrs().Name, routes[0].Type == unix.RTN_LOCAL, nil
}

// addresses lists the global addresses of one family on an interface, or all of
// the place's if it has none: the kernel then borrows one. Those that some guests
// leave with alone are left out.
func (p *place) addresses(link string, v6 bool) []netip.Addr {
	l, err := p.nl.LinkByName(link)
	if err != nil {
		return nil
	}
	if own := p.addressesOf(l, v6); len(own) > 0 {
		return own
	}
	return p.addressesOf(nil, v6)
}

func (p *place) addressesOf(l netlink.Link, v6 bool) (out []netip.Addr) {
	family := netlink.FAMILY_V4
	if v6 {
		family = netlink.FAMILY_V6
	}
	list, _ := p.nl.AddrList(l, family)
	for _, a := range list {
		addr, ok := netip.AddrFromSlice(a.IP)
		addr = addr.Unmap()
		if ok && a.Scope == unix.RT_SCOPE_UNIVERSE && !slices.ContainsFunc(p.lent, func(r spec.AddrRange) bool { return r.Contains(addr) }) {
			out = append(out, addr)
		}
	}
	return out
}

// bridge looks up the bridge of a network; nil when there is none.
func (p *place) bridge(n *spec.Network) *netlink.LinkAttrs {
	l, err := p.nl.LinkByName(n.Bridge.Name)
	if err != nil || l.Type() != "bridge" {
		return nil
	}
	return l.Attrs()
}

// forget drops what the place learnt about a test host's address, so that a guest
// that takes the address next is not answered at a MAC that is gone.
func (p *place) forget(index int, addr netip.Addr) {
	family := netlink.FAMILY_V4
	if addr.Is6() {
		family = netlink.FAMILY_V6
	}
	// Mostly there is nothing to forget.
	_ = p.nl.NeighDel(&netlink.Neigh{LinkIndex: index, Family: family, IP: addr.AsSlice()})
}
