package hostlink

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/spec"
)

// ErrNoInterface says that an interface is not there.
var ErrNoInterface = errors.New("there is no such interface")

const flagUp = unix.IFF_UP

// Look tells all that an interface has in the kernel, and all that the bridge has that
// it is in, or that is named.
func Look(ns *netns.NS, name string, bridge ...string) (State, error) {
	s, err := open(ns)
	if err != nil {
		return State{}, err
	}
	defer s.close()
	all, err := s.everything(ns)
	if err != nil {
		return State{}, fmt.Errorf("look at %s: %w", name, err)
	}
	d, there := find(all.devices, name)
	if !there {
		return State{}, fmt.Errorf("look at %s: %w", name, ErrNoInterface)
	}
	state, err := all.state(ns, d)
	if err != nil {
		return State{}, fmt.Errorf("look at %s: %w", name, err)
	}
	return state, all.addBridge(ns, &state, bridge)
}

// Again looks at the same interface and bridge as an earlier look.
func Again(ns *netns.NS, before State) (State, error) {
	if before.With == "" {
		return Look(ns, before.Name)
	}
	return Look(ns, before.Name, before.With)
}

// addBridge looks at the bridge a port is in. A bridge that is named counts even while
// the port is not in it.
func (e everything) addBridge(ns *netns.NS, s *State, names []string) error {
	if s.With = s.Link.Master; len(names) > 0 {
		s.With = names[0]
	}
	d, there := find(e.devices, s.With)
	if !there || s.With == s.Name {
		return nil
	}
	bridge, err := e.state(ns, d)
	s.Bridge = &bridge
	return err
}

// everything is what the kernel tells of all interfaces at one time.
type everything struct {
	view
	rules, neighbours, proxies, nexthops []Object
	taken                                time.Duration
}

func (s *socket) everything(*netns.NS) (e everything, err error) {
	e.taken = sinceBoot()
	if e.view, err = s.view(); err != nil {
		return e, err
	}
	if e.rules, err = s.objects("rules", unix.RTM_GETRULE, sizeofRule, unix.AF_INET, unix.AF_INET6); err != nil {
		return e, err
	}
	if e.neighbours, err = s.objects("neighbours", unix.RTM_GETNEIGH, unix.SizeofNdMsg, unix.AF_INET, unix.AF_INET6); err != nil {
		return e, err
	}
	if e.proxies, err = s.proxies(); err != nil {
		return e, err
	}
	e.nexthops, err = s.objects("nexthops", unix.RTM_GETNEXTHOP, sizeofNexthop, unix.AF_UNSPEC)
	if errors.Is(err, unix.EOPNOTSUPP) { // before 5.3
		err = nil
	}
	return e, err
}

func sinceBoot() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}

// state picks what is of one device.
func (e everything) state(ns *netns.NS, d device) (State, error) {
	s := State{Name: d.name, Index: d.index, Taken: e.taken, Link: e.link(d)}
	for _, o := range e.addresses {
		if a := (Address{o}); a.index() == d.index {
			s.Addresses = append(s.Addresses, a.bare())
		}
	}
	s.Nexthops = e.nexthopsOf(d)
	s.Routes = e.routesOf(d, s.Nexthops)
	s.Rules = e.rulesOf(d.name)
	s.Neighbours = e.neighboursOf(d)
	for _, p := range sorted(e.devices) {
		if p.master != d.index {
			continue
		}
		if s.Ports = append(s.Ports, p.name); p.kind == "" {
			s.Cables = append(s.Cables, p.name)
		}
	}
	return s, ns.Do(func() (err error) {
		s.Settings, s.Defaults = settings(d.name), defaults()
		s.Groups, err = groups(d.index, d.name)
		s.Link.LRO = largeReceive(d.name)
		s.Link.Wireless = wireless("/sys", d.name, d.index)
		for i, u := range s.Link.Uppers {
			s.Link.Uppers[i].Announces = announces(settings(u.Name))
		}
		return err
	})
}

func (e everything) link(d device) Link {
	l := Link{
		Kind: d.kind, Hardware: d.hardware, MAC: d.mac(), MTU: int(d.attrs.number(unix.IFLA_MTU)),
		Queue: int(d.attrs.number(unix.IFLA_TXQLEN)), Flags: d.flags &^ volatileFlags, Alias: d.attrs.text(unix.IFLA_IFALIAS),
		Group: d.attrs.number(unix.IFLA_GROUP), Master: e.devices[d.master].name, Qdisc: d.attrs.text(unix.IFLA_QDISC),
		Token: token(d), Ready: ready(d), Multicast: slices.ContainsFunc(e.routes, func(o Object) bool { return Route{Object: o}.multicastOf(d.index) }),
	}
	if permanent := d.attrs.get(unix.IFLA_PERM_ADDRESS); len(permanent) == len(l.Permanent) {
		l.Permanent = spec.MAC(permanent)
	}
	if d.kind == "bridge" {
		l.Details = settable(d.info)
	}
	if d.kind != "veth" && !d.attrs.has(unix.IFLA_LINK_NETNSID) {
		l.Lower = e.devices[d.lower].name
	}
	for _, u := range sorted(e.devices) {
		if u.lower == d.index && u.kind != "veth" && !u.attrs.has(unix.IFLA_LINK_NETNSID) {
			l.Uppers = append(l.Uppers, Upper{
				Name: u.name, Kind: u.kind, MAC: u.mac(), MTU: int(u.attrs.number(unix.IFLA_MTU)), Neighbours: e.neighboursOf(u),
			})
		}
	}
	return l
}

// volatileFlags tell how the link is, not how it is to be.
const volatileFlags = unix.IFF_RUNNING | unix.IFF_LOWER_UP | unix.IFF_DORMANT | unix.IFF_ECHO

// beginning is IF_READY (net/if_inet6.h): IPv6 has begun on the link.
const beginning = 1 << 31

func ready(d device) bool {
	six := parseAttrs(parseAttrs(d.attrs.get(unix.IFLA_AF_SPEC)).get(unix.AF_INET6))
	return six.number(unix.IFLA_INET6_FLAGS)&beginning != 0
}

// token is the IPv6 token of a link, nil without.
func token(d device) []byte {
	six := parseAttrs(parseAttrs(d.attrs.get(unix.IFLA_AF_SPEC)).get(unix.AF_INET6))
	t := six.get(unix.IFLA_INET6_TOKEN)
	if len(t) != 16 || slices.Equal(t, make([]byte, 16)) {
		return nil
	}
	return t
}

// settable are the details of a bridge that can be given to a new one; the others
// tell how it is doing. Of the switches (struct br_boolopt_multi: which are on, which
// are meant) those that are on are given: the kernel may not know the others.
func settable(info Attrs) Attrs {
	info = info.without(
		unix.IFLA_BR_ROOT_ID, unix.IFLA_BR_BRIDGE_ID, unix.IFLA_BR_ROOT_PORT, unix.IFLA_BR_ROOT_PATH_COST,
		unix.IFLA_BR_TOPOLOGY_CHANGE, unix.IFLA_BR_TOPOLOGY_CHANGE_DETECTED, unix.IFLA_BR_HELLO_TIMER, unix.IFLA_BR_TCN_TIMER,
		unix.IFLA_BR_TOPOLOGY_CHANGE_TIMER, unix.IFLA_BR_GC_TIMER, unix.IFLA_BR_GROUP_ADDR, unix.IFLA_BR_PAD,
		unix.IFLA_BR_MCAST_HASH_ELASTICITY, unix.IFLA_BR_MCAST_QUERIER_STATE, unix.IFLA_BR_FDB_N_LEARNED,
	)
	if info.number(unix.IFLA_BR_VLAN_FILTERING) == 0 { // the same
		info = info.without(unix.IFLA_BR_VLAN_FILTERING)
	}
	if on := info.number(unix.IFLA_BR_MULTI_BOOLOPT); on != 0 {
		return info.with(unix.IFLA_BR_MULTI_BOOLOPT, append(bytes32(on), bytes32(on)...))
	}
	return info.without(unix.IFLA_BR_MULTI_BOOLOPT)
}
