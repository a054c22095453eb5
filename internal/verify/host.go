package verify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"github.com/vishvananda/netlink"
	vnetns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// host is the machine whose networks are proved, as far as a promise needs it.
type host struct {
	ns    *netns.NS
	nl    *netlink.Handle
	o     Options
	given netip.Addr      // Options.Outside
	inner map[string]bool // bridges of the networks' own
	ipv6  bool            // the kernel has IPv6

	mu      sync.Mutex
	outside map[outsideKey]*outside
	asking  sync.WaitGroup
	ctx     context.Context // of the questions under way
	cancel  context.CancelFunc
}

func openHost(ctx context.Context, o Options) (*host, error) {
	h := &host{ns: o.NS, o: o, inner: map[string]bool{}, outside: map[outsideKey]*outside{}}
	for _, n := range o.Running {
		if n.Mode.Managed() {
			h.inner[n.Bridge.Name] = true
		}
	}
	var err error
	if o.Outside != "" {
		if h.given, err = netip.ParseAddr(o.Outside); err != nil {
			return nil, fmt.Errorf("read outside address: %w", err)
		}
		h.given = h.given.Unmap()
	}
	handle := vnetns.NsHandle(o.NS.Fd())
	h.nl, err = netlink.NewHandleWithOptions(netlink.HandleOptions{RetryInterrupted: true, NetNS: &handle}, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	_, missing := os.Stat("/proc/sys/net/ipv6")
	h.ipv6 = missing == nil
	h.ctx, h.cancel = context.WithCancel(ctx)
	if err := h.isOutside(); err != nil {
		return nil, errors.Join(err, h.Close())
	}
	return h, nil
}

// isOutside refuses a given address that is not outside, and could prove nothing.
func (h *host) isOutside() error {
	if !h.given.IsValid() {
		return nil
	}
	link, local, err := h.route(h.given)
	switch {
	case err != nil: // told by each promise that needs it
		return nil
	case local:
		return fmt.Errorf("verify with %s: it is an address of this host, not outside", h.given)
	case h.inner[link]:
		return fmt.Errorf("verify with %s: it is on %s, a network's bridge, not outside", h.given, link)
	}
	return nil
}

// Close ends what is under way.
func (h *host) Close() error {
	h.cancel()
	h.asking.Wait()
	h.nl.Close()
	return nil
}

// door returns the name of an interface and whether it belongs to a network: its
// bridge, or a port of it.
func (h *host) door(index int) (name string, inner bool) {
	link, err := h.nl.LinkByIndex(index)
	if err != nil {
		return "", false
	}
	name = link.Attrs().Name
	if h.inner[name] || link.Attrs().MasterIndex == 0 {
		return name, h.inner[name]
	}
	master, err := h.nl.LinkByIndex(link.Attrs().MasterIndex)
	return name, err == nil && h.inner[master.Attrs().Name]
}

// route returns the interface by which the host sends to an address.
func (h *host) route(to netip.Addr) (link string, local bool, err error) {
	routes, err := h.nl.RouteGet(to.AsSlice())
	if err != nil {
		return "", false, err
	}
	if len(routes) == 0 {
		return "", false, errors.New("no route")
	}
	l, err := h.nl.LinkByIndex(routes[0].LinkIndex)
	if err != nil {
		return "", false, err
	}
	return l.Attrs().Name, routes[0].Type == unix.RTN_LOCAL, nil
}

// addresses lists the global addresses of one family on an interface, or all of
// the host's if it has none: the kernel then borrows one.
func (h *host) addresses(link string, v6 bool) []netip.Addr {
	l, err := h.nl.LinkByName(link)
	if err != nil {
		return nil
	}
	if own := h.addressesOf(l, v6); len(own) > 0 {
		return own
	}
	return h.addressesOf(nil, v6)
}

func (h *host) addressesOf(l netlink.Link, v6 bool) (out []netip.Addr) {
	family := netlink.FAMILY_V4
	if v6 {
		family = netlink.FAMILY_V6
	}
	list, _ := h.nl.AddrList(l, family)
	for _, a := range list {
		if addr, ok := netip.AddrFromSlice(a.IP); ok && a.Scope == unix.RT_SCOPE_UNIVERSE {
			out = append(out, addr.Unmap())
		}
	}
	return out
}

// bridge looks up the bridge of a network; nil when there is none.
func (h *host) bridge(n *spec.Network) *netlink.LinkAttrs {
	l, err := h.nl.LinkByName(n.Bridge.Name)
	if err != nil || l.Type() != "bridge" {
		return nil
	}
	return l.Attrs()
}

// forget drops what the host learnt about a test host's address, so that a guest
// that takes the address next is not answered at a MAC that is gone.
func (h *host) forget(index int, addr netip.Addr) {
	family := netlink.FAMILY_V4
	if addr.Is6() {
		family = netlink.FAMILY_V6
	}
	// Mostly there is nothing to forget.
	_ = h.nl.NeighDel(&netlink.Neigh{LinkIndex: index, Family: family, IP: addr.AsSlice()})
}
