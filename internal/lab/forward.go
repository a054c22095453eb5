package lab

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// entrance is one family of a forward: where it waits and whom it leads to.
type entrance struct {
	name string
	fw   *spec.Forward
	to   *network
	seat int // of the guest on that network
	box  string
	addr netip.Addr // where it waits
	lan  bool       // that address is on a LAN, or the machine's: everybody outside can get there
	nic  bool       // it is on a NIC that a router shares with the machine, and those two do not meet
}

// entrances are the forwards that lead to a guest of the lab in a family.
func (l *layout) entrances(f family) (list []entrance) {
	for _, name := range slices.Sorted(maps.Keys(l.spec.Forwards)) {
		fw := l.spec.Forwards[name]
		n := l.find(fw.Network)
		if n == nil || n.lan() || fw.Protocol == spec.SCTP {
			continue
		}
		e := entrance{name: name, fw: fw, to: n, seat: n.seated(fw.To, f)}
		if e.seat >= 0 && n.seats[e.seat].addr.has(f) {
			if e.locate(l, f); e.addr.IsValid() {
				list = append(list, e)
			}
		}
	}
	return list
}

// seated finds the guest that a forward leads to, -1 for none.
func (n *network) seated(to spec.Target, f family) int {
	return slices.IndexFunc(n.seats[:], func(s seat) bool {
		if to.Addr.IsValid() {
			return s.addr.has(f) && s.addr.addr(f) == to.Addr
		}
		return s.name == to.Name
	})
}

// locate finds the box that listens, and an address of it.
func (e *entrance) locate(l *layout, f family) {
	router := e.fw.Router
	if router == "" {
		router = e.to.router
	}
	e.box, e.lan = "host", true
	var own netip.Addr
	if router == "" {
		own = machineAddr.addr(f)
	} else if r := l.spec.Routers[router]; r != nil {
		e.box = "router/" + router
		if u := wayOut(r, "", f); u != nil {
			own, e.lan, e.nic = address(u).addr(f), u.Network == "" && u.Host == "", u.NIC != ""
		}
	}
	for _, given := range []netip.Addr{e.fw.Floating, e.fw.Listen.Addr} {
		if given.IsValid() {
			own = given
		}
	}
	if own.IsValid() && familyOf(own) == f {
		e.addr = own
	}
}

// traffics are the connections worth trying: to the first port and the last one.
func (e *entrance) traffics() (list []traffic) {
	if e.fw.Floating.IsValid() {
		return everything
	}
	proto := testhost.TCP
	if e.fw.Protocol == spec.UDP {
		proto = testhost.UDP
	}
	list = append(list, traffic{proto, e.fw.Listen.Ports.From})
	if r := e.fw.Listen.Ports; r.To > r.From {
		list = append(list, traffic{proto, r.To})
	}
	return list
}

// lands is the port at the guest that a connection ends at.
func (e *entrance) lands(t traffic) uint16 {
	if e.fw.Floating.IsValid() || e.fw.To.Port == 0 {
		return t.port
	}
	return e.fw.To.Port + t.port - e.fw.Listen.Ports.From
}

// floats is the floating address of a guest, the zero Addr for none.
func (l *layout) floats(n *network, own netip.Addr) netip.Addr {
	if n.lan() || !own.IsValid() || n.spec == nil {
		return netip.Addr{}
	}
	f := familyOf(own)
	for _, e := range l.entrances(f) {
		if e.fw.Floating.IsValid() && e.to == n && n.seats[e.seat].addr.addr(f) == own {
			return e.fw.Floating
		}
	}
	return netip.Addr{}
}

// forwarded adds who gets in by each forward: the outside, the machine itself, the
// guests of other networks, and those of the same one.
func (s *sheet) forwarded() {
	for _, f := range families {
		for _, e := range s.d.entrances(f) {
			row := fmt.Sprintf("forward %s %s: ", e.name, e.fw.Listen)
			if e.fw.Floating.IsValid() {
				row = fmt.Sprintf("floating %s: ", e.name)
			}
			s.through(row, e, f)
		}
	}
}

func (s *sheet) through(row string, e entrance, f family) {
	w := s.d.world
	if e.lan {
		s.tried(row+"outside", kept, e, f, question{from: s.d.stranger(w.outside, w.outsideAt(e.addr)), to: e.addr})
	}
	if e.box == "host" || e.lan && !e.nic {
		s.tried(row+"this machine", yes, e, f, question{from: s.d.stranger(w.machine, machineAddr), to: e.addr})
	}
	if loop := netip.AddrFrom4([4]byte{127, 0, 0, 1}); e.box == "host" && f == v4 && !e.fw.Floating.IsValid() && !e.fw.Listen.Addr.IsValid() {
		s.tried(row+"127.0.0.1", yes, e, f, question{from: s.d.stranger(w.machine, machineAddr), to: loop})
	}
	s.others(row+"other networks", e, f)
	s.tried(row+"same network", yes, e, f, question{from: e.to.guests[1-e.seat], to: e.addr})
}

// tried adds a promise that somebody gets in.
func (s *sheet) tried(row, promise string, e entrance, f family, q question) {
	q.traffics, q.hope = e.traffics(), true
	q.mute = e.to.guests[e.seat].host == nil
	s.put(row, e.to, f, promise, q)
}

// others adds that the guests of all networks that get out of theirs get in.
func (s *sheet) others(row string, e entrance, f family) {
	var list []question
	for _, n := range s.d.networks {
		if n != e.to && n.seats[0].addr.has(f) && s.d.arrives(n, e, f) {
			list = append(list, question{from: n.guests[0], to: e.addr, traffics: e.traffics(), hope: true, mute: e.to.guests[e.seat].host == nil})
		}
	}
	s.all(row, e.to, f, yes, list)
}

// arrives reports whether the guests of a network get to where a forward waits.
func (l *layout) arrives(n *network, e entrance, f family) bool {
	if !e.lan && n.box() != e.box {
		return false
	}
	for _, t := range e.traffics() {
		if l.toOutside(n, n.seats[0], f, t) == no || l.decide(guestEnd(n, n.seats[0], f), guestEnd(e.to, e.to.seats[e.seat], f), t) == refused {
			return false
		}
	}
	return true
}

// ports are those that somebody is asked at, beside the usual one.
func (l *layout) ports() []uint16 {
	all := map[uint16]bool{}
	for _, f := range families {
		for _, e := range l.entrances(f) {
			for _, t := range e.traffics() {
				all[e.lands(t)] = true
			}
		}
	}
	kinds := []spec.Traffic{{}}
	for _, p := range l.spec.Policies {
		kinds = slices.Concat(kinds, p.Deny, p.Reject, p.Allow)
	}
	for _, r := range l.spec.Routers {
		for _, i := range r.Interfaces {
			kinds = append(kinds, i.Allow...)
		}
	}
	for _, kind := range kinds {
		for _, t := range samples(kind) {
			all[t.port] = true
		}
	}
	delete(all, 0) // pings have none
	return slices.Sorted(maps.Keys(all))
}
