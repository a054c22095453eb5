package verify

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/testhost"
)

// outside is an address beyond the host, and the way there.
type outside struct {
	why  string // why there is none; "" when there is
	addr netip.Addr
	link string       // by which the host sends there
	self []netip.Addr // the place's addresses on that link
	from string       // the place, in words

	control chan struct{}   // closed when answer is there
	answer  testhost.Result // of the host's own ping
}

type outsideKey struct {
	uplink string // the only one to leave by; "" = any
	v6     bool
}

// documentation addresses stand for the outside where its gateway has no global
// address, as IPv6 gateways mostly do (RFC 5737, RFC 3849): nobody answers, but a
// packet can be seen to leave.
var documentation = map[bool]netip.Addr{
	false: netip.MustParseAddr("198.51.100.254"),
	true:  netip.MustParseAddr("2001:db8:ffff::fe"),
}

// beyond returns the outside for a family, by an uplink or by any.
func (p *place) beyond(uplink string, v6 bool) *outside {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := outsideKey{uplink, v6}
	if p.outside[key] == nil {
		p.outside[key] = p.find(key)
	}
	return p.outside[key]
}

func (p *place) find(key outsideKey) *outside {
	w := &outside{control: make(chan struct{}), from: p.who()}
	w.addr, w.why = p.pick(key)
	if w.why != "" {
		return w
	}
	link, local, err := p.route(w.addr)
	switch {
	case err != nil:
		w.why = fmt.Sprintf("%s has no route to %s: %v", p.who(), w.addr, err)
	case local || p.inner[link]:
		w.why = fmt.Sprintf("%s is not outside of %s", w.addr, p.who())
	}
	if w.why != "" {
		return w
	}
	if w.link = link; p.name != "" && key.uplink != "" { // by a table of its own
		w.link = key.uplink
	}
	w.self = p.addresses(w.link, key.v6)
	p.ask(w)
	return w
}

// pick chooses an address: the given one, else the uplinks' gateway.
func (p *place) pick(key outsideKey) (a netip.Addr, why string) {
	if p.given.IsValid() && p.given.Is6() == key.v6 {
		return p.given, ""
	}
	uplinks, word := p.uplinks4, "IPv4"
	if key.v6 {
		uplinks, word = p.uplinks6, "IPv6"
	}
	if key.uplink != "" {
		uplinks = []string{key.uplink}
	}
	a = p.gateway(uplinks, key.v6)
	switch {
	case a.IsValid():
	case key.uplink != "":
		why = fmt.Sprintf("no %s default route by %s", word, key.uplink)
	case p.name != "":
		why = fmt.Sprintf("%s has no %s default route", p.who(), word)
	default:
		why = fmt.Sprintf("no uplink (%s default route)", word)
	}
	return a, why
}

// ask pings the outside from the place itself: the kernel learns the gateway's
// Ethernet address, which the guests' packets need, and a dead uplink is told
// from a broken promise. The kernel gives an address up after three seconds.
func (p *place) ask(w *outside) {
	p.asking.Go(func() {
		defer close(w.control)
		w.answer = testhost.Ask(p.ctx, p.ns, testhost.Probe{Proto: testhost.ICMP, To: w.addr, Timeout: 4 * time.Second})
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
		return fmt.Sprintf("%s itself does not reach %s: %s", w.from, w.addr, w.answer.Reason)
	}
	return ""
}

// gateway returns the gateway of the best default route by one of the uplinks; a
// documentation address if it has no address that can be sent to from elsewhere;
// the zero address without such a route.
func (p *place) gateway(uplinks []string, v6 bool) netip.Addr {
	hops := p.defaults(uplinks, v6)
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
func (p *place) defaults(links []string, v6 bool) []hop {
	family := netlink.FAMILY_V4
	if v6 {
		family = netlink.FAMILY_V6
	}
	table := unix.RT_TABLE_MAIN
	if p.name != "" { // a router with several uplinks has a table for each
		table = unix.RT_TABLE_UNSPEC
	}
	routes, _ := p.nl.RouteListFiltered(family, &netlink.Route{Table: table}, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_DST)
	var hops []hop
	add := func(index, metric int, gw []byte) {
		via, _ := netip.AddrFromSlice(gw)
		if l, err := p.nl.LinkByIndex(index); err == nil && slices.Contains(links, l.Attrs().Name) {
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
