package hostlink

import (
	"maps"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// announcing are the settings with which the kernel tells neighbours of a new MAC
// (inetdev_event in net/ipv4/devinet.c, ndisc_netdev_event in net/ipv6/ndisc.c).
var announcing = []string{"ipv4/conf/arp_notify", "ipv6/conf/ndisc_notify"}

// announces picks them.
func announces(settings map[string]string) map[string]string {
	picked := map[string]string{}
	for _, key := range announcing {
		if value, known := settings[key]; known {
			picked[key] = value
		}
	}
	return picked
}

// relink gives a bridge that is there the MAC and MTU it is to have.
func (m *move) relink() {
	m.to.Settings = maps.Clone(m.to.Settings)
	if mac := m.want.Link.MAC; mac != m.to.Link.MAC && !mac.IsZero() {
		m.readdress(mac)
	}
	if mtu := m.want.Link.MTU; mtu != m.to.Link.MTU && mtu > 0 {
		m.add(setMTU(m.to.Name, mtu))
		if _, known := m.to.Settings[pathMTU]; known {
			m.to.Settings[pathMTU] = strconv.Itoa(mtu)
		}
	}
	m.uppers()
}

func setMAC(dev string, mac spec.MAC) change {
	return setLink(dev, "address "+mac.String(), 0, 0, Attr{unix.IFLA_ADDRESS, mac[:]})
}

// readdress changes the MAC and tells neighbours. The kernel forgets those that the
// device knows, even those given for good (neigh_changeaddr in net/core/neighbour.c);
// proxies it keeps. What is on top of the bridge with the same MAC follows.
func (m *move) readdress(mac spec.MAC) {
	var back []Op
	loud := func(dev, key, value string) {
		if value == "0" {
			m.add(setting{dev, key, "1"})
			back = append(back, setting{dev, key, value})
		}
	}
	for _, key := range announcing {
		loud(m.to.Name, key, m.to.Settings[key])
	}
	uppers := slices.Clone(m.to.Link.Uppers)
	for i, u := range uppers {
		if u.MAC != m.to.Link.MAC {
			continue
		}
		for _, key := range announcing {
			loud(u.Name, key, u.Announces[key])
		}
		for _, n := range u.Neighbours {
			if !n.proxy() {
				back = append(back, setNeighbour(u.Name, n))
			}
		}
		uppers[i].MAC = mac
	}
	m.to.Link.Uppers = uppers
	m.add(setMAC(m.to.Name, mac))
	m.add(back...)
	for _, n := range m.to.Neighbours {
		if n.learnt() {
			m.forgot = append(m.forgot, n)
		}
	}
	m.to.Neighbours = slices.DeleteFunc(slices.Clone(m.to.Neighbours), func(n Neighbour) bool { return !n.proxy() })
}

// uppers gives what is on top of the bridge back what it lost with a MAC or an MTU.
func (m *move) uppers() {
	for _, want := range m.want.Link.Uppers {
		i := slices.IndexFunc(m.to.Link.Uppers, func(u Upper) bool { return u.Name == want.Name && u.Kind == want.Kind })
		if i < 0 {
			continue
		}
		have := m.to.Link.Uppers[i]
		for _, key := range announcing {
			if value := want.Announces[key]; value != have.Announces[key] && value != "" {
				m.add(setting{have.Name, key, value})
			}
		}
		if have.MTU < want.MTU && want.MTU <= m.want.Link.MTU {
			m.add(setMTU(have.Name, want.MTU))
		}
		for _, n := range want.Neighbours {
			if !n.learnt() && !slices.ContainsFunc(have.Neighbours, n.same) {
				m.add(setNeighbour(have.Name, n))
			}
		}
	}
}

// asleep says whether IPv6 has begun on the bridge since, which the kernel takes back
// only when the link goes down. What is on top of it would lose its routes by that.
func (m *move) asleep() bool {
	return m.want.up() && len(m.to.Link.Uppers) == 0 && !m.want.Link.Ready && m.to.up() && m.to.Link.Ready && m.want.Settings[noIPv6] == "0"
}

// sleep takes the link down and up, when it is known that it has no carrier. Of what it has only IPv4 addresses are left then,
// with the routes that come with them (addrconf_ifdown in net/ipv6/addrconf.c,
// fib_disable_ip in net/ipv4/fib_frontend.c). A way of several is not taken then, and
// stays dead, so the whole route is made anew.
func (m *move) sleep() {
	for _, r := range m.to.Routes {
		if r.Attrs.has(unix.RTA_MULTIPATH) {
			m.add(deleteRoute(m.to.Name, r))
		}
	}
	m.add(notice{m.to.Name}, setDown(m.to.Name), setUp(m.to.Name))
	m.to.Addresses, m.to.Routes = m.to.of(unix.AF_INET), nil
	for _, a := range m.to.Addresses {
		m.to.Routes = append(m.to.Routes, a.connected()...)
	}
	m.to.Neighbours, m.to.Nexthops, m.forgot, m.to.Link.Ready, m.to.Link.Multicast = nil, nil, nil, false, false
}
