package verify

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// outside is an address beyond the host, and the way there.
type outside struct {
	why  string // why there is none; "" when there is
	addr netip.Addr
	link string       // by which the host sends there
	self []netip.Addr // the host's addresses on that link

	control chan struct{}   // closed when answer is there
	answer  testhost.Result // of the host's own ping
}

type outsideKey struct {
	uplink string // the network is pinned to; "" = none
	v6     bool
}

// documentation addresses stand for the outside where its gateway has no global
// address, as IPv6 gateways mostly do (RFC 5737, RFC 3849): nobody answers, but a
// packet can be seen to leave.
var documentation = map[bool]netip.Addr{
	false: netip.MustParseAddr("198.51.100.254"),
	true:  netip.MustParseAddr("2001:db8:ffff::fe"),
}

// beyond returns the outside of a network for a family.
func (h *host) beyond(n *spec.Network, v6 bool) *outside {
	h.mu.Lock()
	defer h.mu.Unlock()
	key := outsideKey{n.Uplink, v6}
	if h.outside[key] == nil {
		h.outside[key] = h.find(key)
	}
	return h.outside[key]
}

func (h *host) find(key outsideKey) *outside {
	w := &outside{control: make(chan struct{})}
	uplinks, word := h.o.Uplinks4, "IPv4"
	if key.v6 {
		uplinks, word = h.o.Uplinks6, "IPv6"
	}
	if key.uplink != "" {
		uplinks = []string{key.uplink}
	}
	if h.given.IsValid() && h.given.Is6() == key.v6 {
		w.addr = h.given
	} else {
		w.addr = h.gateway(uplinks, key.v6)
	}
	switch {
	case w.addr.IsValid():
	case key.uplink != "":
		w.why = fmt.Sprintf("no %s default route by %s", word, key.uplink)
	default:
		w.why = fmt.Sprintf("no uplink (%s default route)", word)
	}
	if w.why != "" {
		return w
	}
	var err error
	if w.link, _, err = h.route(w.addr); err != nil {
		w.why = fmt.Sprintf("the host has no route to %s: %v", w.addr, err)
		return w
	}
	w.self = h.addresses(w.link, key.v6)
	h.ask(w)
	return w
}

// ask pings the outside from the host itself: the kernel learns the gateway's
// Ethernet address, which the guests' packets need, and a dead uplink is told
// from a broken promise. The kernel gives an address up after three seconds.
func (h *host) ask(w *outside) {
	h.asking.Go(func() {
		defer close(w.control)
		w.answer = testhost.Ask(h.ctx, h.ns, testhost.Probe{Proto: testhost.ICMP, To: w.addr, Timeout: 4 * time.Second})
	})
}

// dead returns why the host itself cannot send to the outside, "" when it can.
func (w *outside) dead(ctx context.Context) string {
	select {
	case <-w.control:
	case <-ctx.Done():
		return ""
	}
	switch w.answer.Reason {
	case testhost.HostUnreachable, testhost.NetworkUnreachable:
		return fmt.Sprintf("the host itself does not reach %s: %s", w.addr, w.answer.Reason)
	}
	return ""
}

// gateway returns the gateway of the best default route by one of the uplinks; a
// documentation address if it has no address that can be sent to from elsewhere;
// the zero address without such a route.
func (h *host) gateway(uplinks []string, v6 bool) netip.Addr {
	hops := h.defaults(uplinks, v6)
	if len(hops) == 0 {
		return netip.Addr{}
	}
	for _, hop := range hops {
		if hop.via.IsValid() && !hop.via.IsLinkLocalUnicast() {
			return hop.via
		}
	}
	return documentation[v6]
}

// hop is the next hop of a default route.
type hop struct {
	via    netip.Addr // zero on links without neighbours
	link   string
	metric int
}

// defaults lists the next hops of default routes by some links, best first.
func (h *host) defaults(links []string, v6 bool) []hop {
	family := netlink.FAMILY_V4
	if v6 {
		family = netlink.FAMILY_V6
	}
	routes, _ := h.nl.RouteListFiltered(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_DST)
	var hops []hop
	add := func(index, metric int, gw []byte) {
		via, _ := netip.AddrFromSlice(gw)
		if l, err := h.nl.LinkByIndex(index); err == nil && slices.Contains(links, l.Attrs().Name) {
			hops = append(hops, hop{via.Unmap(), l.Attrs().Name, metric})
		}
	}
	for _, r := range routes {
		if r.Type != unix.RTN_UNICAST {
			continue
		}
		add(r.LinkIndex, r.Priority, r.Gw)
		for _, m := range r.MultiPath {
			add(m.LinkIndex, r.Priority, m.Gw)
		}
	}
	slices.SortStableFunc(hops, func(a, b hop) int { return a.metric - b.metric })
	return hops
}
