package plan

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// leading is what the forwards and floating addresses of a state do.
type leading struct {
	rows   State
	ranges map[string][]rangeForward // by namespace
}

// rangeForward is an element that leads a range of ports to the same ports.
type rangeForward struct {
	at       netip.Addr // zero = all
	protocol string
	ports    spec.PortRange
	guest    netip.Addr
}

func newLeading(rows State) leading {
	l := leading{rows, map[string][]rangeForward{}}
	for e := range Of[Element](rows) {
		if intervals[e.Map] {
			l.ranges[e.NS] = append(l.ranges[e.NS], readRange(e))
		}
	}
	return l
}

// removed are the elements that ops take away or change, as they were.
func removed(ops []Op) State {
	s := State{}
	for _, op := range ops {
		old := op.Old
		if op.Verb == Del {
			old = op.Object
		}
		if e, ok := old.(Element); ok {
			s.Add(e)
		}
	}
	return s
}

func readRange(e Element) rangeForward {
	words := strings.Split(e.ID, " . ")
	r := rangeForward{}
	if len(words) == 3 {
		r.at, _ = netip.ParseAddr(words[0])
		words = words[1:]
	}
	r.protocol = words[0]
	r.ports, _ = spec.ParsePortRange(words[1])
	r.guest, _ = netip.ParseAddr(e.Value)
	return r
}

// leads reports whether a connection goes where the forwards lead it.
func (l leading) leads(f Flow) bool {
	guest, ok := l.guest(f)
	return ok && guest == f.Reply.Src
}

// guest is where the forwards lead a connection; ok is false where none is about
// it. The program asks the maps in this order.
func (l leading) guest(f Flow) (guest netip.AddrPort, ok bool) {
	outside := f.Orig.Dst
	if to, ok := l.row(f.NS, "floating"+family(outside.Addr()), outside.Addr().String()); ok {
		a, _ := netip.ParseAddr(to)
		return netip.AddrPortFrom(a, f.Reply.Src.Port()), true
	}
	for _, at := range []netip.Addr{outside.Addr(), {}} {
		if guest, ok = l.port(f, at); ok {
			return guest, true
		}
	}
	return netip.AddrPort{}, false
}

// port is guest among the forwards of one address, or, when that is zero, of all.
func (l leading) port(f Flow, at netip.Addr) (netip.AddrPort, bool) {
	outside, protocol := f.Orig.Dst, string(protocolOf(f.Protocol))
	set, id := "forward"+family(outside.Addr()), fmt.Sprintf("%s . %d", protocol, outside.Port())
	if at.IsValid() {
		set, id = "forward_at"+family(at), at.String()+" . "+id
	}
	if to, ok := l.row(f.NS, set, id); ok {
		return target(to), true
	}
	for _, r := range l.ranges[f.NS] {
		if r.at == at && r.guest.Is4() == outside.Addr().Is4() && r.protocol == protocol && r.ports.From <= outside.Port() && outside.Port() <= r.ports.To {
			return netip.AddrPortFrom(r.guest, outside.Port()), true
		}
	}
	return netip.AddrPort{}, false
}

func (l leading) row(ns, set, id string) (string, bool) {
	e, ok := l.rows[Element{NS: ns, Map: set, ID: id}.Key()].(Element)
	return e.Value, ok
}

// target reads "10.9.0.5 . 80".
func target(text string) netip.AddrPort {
	host, port, _ := strings.Cut(text, " . ")
	a, _ := netip.ParseAddr(host)
	n, _ := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(a, uint16(n))
}
