package hostlink

import (
	"slices"

	"golang.org/x/sys/unix"
)

// move plans the way of what an interface has from one device to another. It makes
// before it breaks: addresses, neighbours and rules are on both devices for a while,
// and each route goes over in one step.
//
//	begin       settings of the new device, and the device up
//	prepare     addresses, neighbours, rules and groups are added
//	switchOver  nexthops and routes go over
//	strip       addresses, neighbours and rules are taken from the old device
//	finish      what had to wait: settings that must not be in force before
type move struct {
	from, to State // as they are now
	want     State // what the new device is to have
	stay     State // what stays on the old device
	vanish   bool  // the old device is deleted afterwards
	fresh    bool  // the new device is made for this
	crosses  bool  // the NIC becomes a port, or stops being one
	ops      []Op
	current  map[string]string // settings of the new device, as the ops leave them
	has      routeSet          // routes of the new device, without those that go with an address on the way
	made     routeSet          // and those that come with one
	forgot   []Neighbour       // those learnt that the new device loses with its MAC
}

func (m *move) add(ops ...Op) { m.ops = append(m.ops, ops...) }

func (m *move) begin() {
	m.has = routeSetOf(m.to.Routes)
	m.settingsBefore()
	m.linkFlags()
}

func (m *move) prepare() {
	m.addresses()
	m.neighbours()
	for _, r := range m.want.Rules {
		if !slices.ContainsFunc(m.to.Rules, r.same) {
			m.add(addRule(m.to.Name, r))
		}
	}
	for _, g := range m.want.Groups {
		if g.Static && !slices.Contains(m.to.Groups, g) {
			m.add(listen{m.to.Name, g.Address})
		}
	}
}

func (r Rule) same(other Rule) bool { return r.canonical() == other.canonical() }

// neighbours come along: those given for good, and those learnt, so that nobody has to
// be asked for again while connections wait.
func (m *move) neighbours() {
	for _, n := range m.want.Neighbours {
		if !n.learnt() && !slices.ContainsFunc(m.to.Neighbours, n.same) {
			m.add(setNeighbour(m.to.Name, n))
		}
	}
	for _, n := range m.to.Neighbours {
		if !n.learnt() && !slices.ContainsFunc(m.want.Neighbours, n.namesake) {
			m.add(deleteNeighbour(m.to.Name, n))
		}
	}
	for _, n := range m.forgot {
		if m.takes(n) && !slices.ContainsFunc(m.want.Neighbours, n.fixed) {
			m.add(setNeighbour(m.to.Name, n))
		}
	}
	for _, n := range m.from.Neighbours {
		if m.crosses && n.learnt() && m.takes(n) && !slices.ContainsFunc(slices.Concat(m.to.Neighbours, m.forgot), n.namesake) &&
			!slices.ContainsFunc(m.want.Neighbours, n.fixed) && !m.besideStaying(n) {
			m.add(setNeighbour(m.to.Name, n))
		}
	}
}

// takes says whether the new device has the family of a neighbour.
func (m *move) takes(n Neighbour) bool {
	return n.family() != unix.AF_INET6 || m.current[noIPv6] != "1"
}

// besideStaying says whether a neighbour is in the subnet of an address that stays on
// the bridge.
func (m *move) besideStaying(n Neighbour) bool {
	return m.from.Link.Kind == "bridge" && slices.ContainsFunc(m.stay.Addresses, func(a Address) bool { return !a.linkLocal() && a.prefix().Contains(n.address()) })
}

// proxiesAgain gives a bridge its proxies again that lost its carrier while it had no
// port: the kernel then forgets them, sooner or later.
func (m *move) proxiesAgain() {
	for _, n := range m.want.Neighbours {
		if n.proxy() && !m.fresh {
			m.add(setNeighbour(m.to.Name, n))
		}
	}
}

func (n Neighbour) same(other Neighbour) bool { return n.canonical() == other.canonical() }

func (n Neighbour) namesake(other Neighbour) bool { return n.id() == other.id() }

// fixed says whether the other is the same neighbour, given for good.
func (n Neighbour) fixed(other Neighbour) bool { return !other.learnt() && n.id() == other.id() }

// strip takes from the old device what is on the new one. What goes with a device that
// is deleted need not be taken one by one, but for what would take something of the
// new device along.
func (m *move) strip() {
	for _, r := range slices.Backward(m.from.Rules) { // those left are the first ones of a priority
		if !slices.ContainsFunc(m.stay.Rules, r.same) {
			m.add(deleteRule(m.from.Name, r))
		}
	}
	for _, r := range m.to.Rules {
		if !slices.ContainsFunc(m.want.Rules, r.same) {
			m.add(deleteRule(m.to.Name, r))
		}
	}
	for _, n := range m.from.Neighbours {
		if !m.vanish && !n.learnt() && !slices.ContainsFunc(m.stay.Neighbours, n.same) {
			m.add(deleteNeighbour(m.from.Name, n))
		}
	}
	for _, a := range m.from.Addresses {
		if a.family() == unix.AF_INET6 && !m.vanish && !m.stays(a) {
			m.add(deleteAddress(m.from.Name, a))
		}
	}
	four := m.from.of(unix.AF_INET)
	for _, a := range slices.Backward(four) {
		if !m.stays(a) {
			m.takeAddress(m.from.Name, a)
		}
	}
}

func (m *move) stays(a Address) bool {
	_, found := findAddress(m.stay.Addresses, a.id())
	return found
}

// takeAddress deletes an IPv4 address of which there is another copy. The kernel would
// take the routes of all devices along that have it as their source, when the device
// does not have it any more (fib_del_ifaddr in net/ipv4/fib_frontend.c): a route says
// for a moment that it has.
func (m *move) takeAddress(dev string, a Address) {
	shield := localRoute(a)
	m.add(setRoute("prepend", dev, shield), deleteAddress(dev, a), deleteRoute(dev, shield))
}

// localRoute is a route that makes an address one of the host's. The kernel's own has
// another protocol, so that each is deleted without the other.
func localRoute(a Address) Route {
	r := Route{Object: Object{Head: make([]byte, unix.SizeofRtMsg)}}
	r.Head[0], r.Head[1] = unix.AF_INET, 32
	r.Head[4], r.Head[5], r.Head[6], r.Head[7] = unix.RT_TABLE_LOCAL, unix.RTPROT_STATIC, unix.RT_SCOPE_HOST, unix.RTN_LOCAL
	r.Attrs = Attrs{{unix.RTA_TABLE, bytes32(unix.RT_TABLE_LOCAL)}, {unix.RTA_DST, a.local().AsSlice()}}
	return r
}

func (m *move) finish() {
	m.settingsAfter()
	if t := m.want.Link.Token; t != nil && !slices.Equal(t, m.to.Link.Token) {
		m.add(setToken(m.to.Name, t))
	}
}
