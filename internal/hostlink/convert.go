package hostlink

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Convert works out how all that an interface has moves into a bridge, whose port it
// becomes. The bridge is made if it is not there; one that is there keeps what it has.
// What is refused says all reasons.
func Convert(s State, o Options) ([]Op, []Warning, error) {
	if err := refuse(s, o); err != nil {
		return nil, nil, err
	}
	if s.Bridge != nil && s.Bridge.Name == o.Bridge {
		return toBridge(s, *s.Bridge, s.joined(), s.staying()), slices.Concat(warnings(s, o), s.joinWarnings()), nil
	}
	bridge := State{Name: o.Bridge}
	want := s.moved(o.Bridge)
	want.Link = Link{Kind: "bridge", MAC: s.Link.MAC, MTU: s.Link.MTU, Flags: s.Link.Flags, Token: s.Link.Token, Details: newBridge}
	ops := toBridge(s, bridge, want, s.staying())
	if o.STP || o.Delay > 0 {
		ops = append(ops, spanning(o)...)
	}
	return ops, warnings(s, o), nil
}

// newBridge forwards at once: it has no forward delay, and no spanning tree. Frames
// that it forwards are not the IP filter's.
var newBridge = Attrs{
	{unix.IFLA_BR_FORWARD_DELAY, bytes32(0)}, {unix.IFLA_BR_STP_STATE, bytes32(0)},
	{unix.IFLA_BR_NF_CALL_IPTABLES, []byte{0}}, {unix.IFLA_BR_NF_CALL_IP6TABLES, []byte{0}}, {unix.IFLA_BR_NF_CALL_ARPTABLES, []byte{0}},
}

// shortestDelay is the kernel's least forward delay where there is a spanning tree
// (IEEE 802.1D-1998, section 8.10.2).
const shortestDelay = 2

// spanning switches the spanning tree on when the port forwards already: it goes on
// doing so.
func spanning(o Options) []Op {
	delay, stp := uint32(o.Delay), uint32(0)
	if o.STP {
		delay, stp = max(delay, shortestDelay), 1
	}
	return []Op{setDetails(o.Bridge, "bridge", fmt.Sprintf("forward_delay %d stp_state %d", delay*ticks, stp),
		Attr{unix.IFLA_BR_FORWARD_DELAY, bytes32(delay * ticks)}, Attr{unix.IFLA_BR_STP_STATE, bytes32(stp)})}
}

// moved is what an interface of another name has when all goes there.
func (s State) moved(name string) State {
	want := s
	want.Name, want.Addresses = name, nil
	for _, a := range s.Addresses {
		if a.kernelOnly() && !a.linkLocal() {
			a = a.plain()
		}
		want.Addresses = append(want.Addresses, a.named(s.Name, name))
	}
	return want
}

// staying is what stays on an interface that becomes a port: link-local addresses, of
// which every interface has its own, and what only the kernel can make, with what it
// made it from and what is older, so that all is in its place when the interface is
// none any more. A port gets no packets of its own; they do nothing there.
func (s State) staying() State {
	var stay State
	six := s.of(unix.AF_INET6)
	first := slices.IndexFunc(six, func(a Address) bool { return a.kernelOnly() && !a.linkLocal() })
	if first >= 0 {
		prefix := six[first].prefix().Masked()
		if parent := slices.IndexFunc(six, func(a Address) bool {
			return a.flags()&unix.IFA_F_MANAGETEMPADDR != 0 && a.prefix().Masked() == prefix
		}); parent >= 0 {
			first = min(first, parent)
		}
	}
	for i, a := range six {
		if a.linkLocal() || a.failed() || first >= 0 && i >= first {
			stay.Addresses = append(stay.Addresses, a)
		}
	}
	return stay
}

// toBridge plans the way into a bridge, which is made if it is not there.
func toBridge(nic, bridge, want, stay State) []Op {
	m := move{from: nic, to: bridge, want: want, stay: stay, fresh: bridge.Index == 0, crosses: nic.Link.Master != want.Name}
	want.Link.Master = ""
	if m.fresh {
		m.add(addLink(want.Name, "bridge", bridgeText(want.Link), Attrs{{unix.IFLA_ADDRESS, want.Link.MAC[:]}}, want.Link.Details))
		if want.Link.MTU != defaultMTU { // set it, or it follows the least of the ports
			m.add(setMTU(want.Name, want.Link.MTU))
		}
	} else {
		m.relink()
	}
	m.begin()
	m.prepare()
	if m.crosses {
		m.add(enslave(nic.Name, want.Name), await{want.Name})
		m.proxiesAgain()
	}
	m.switchOver()
	m.strip()
	m.finish()
	return m.ops
}

// bridgeText is what ip-link(8) is told of a new bridge.
func bridgeText(l Link) string {
	w := words{}
	w.add("address", l.MAC, "type", "bridge",
		"forward_delay", l.Details.number(unix.IFLA_BR_FORWARD_DELAY), "stp_state", l.Details.number(unix.IFLA_BR_STP_STATE))
	return w.String()
}

// ipFlags of a link are about what IP does there, so they go where IP goes.
var ipFlags = []struct {
	bit     uint32
	on, off string
}{
	{unix.IFF_NOARP, "arp off", "arp on"}, {unix.IFF_MULTICAST, "multicast on", "multicast off"},
	{unix.IFF_ALLMULTI, "allmulticast on", "allmulticast off"},
}

// linkFlags makes the new device, as a link, what it is to be.
func (m *move) linkFlags() {
	have := m.to.Link.Flags
	if m.fresh {
		have = unix.IFF_MULTICAST
	}
	for _, f := range ipFlags {
		if have&f.bit == m.want.Link.Flags&f.bit {
			continue
		}
		text := f.off
		if m.want.Link.Flags&f.bit != 0 {
			text = f.on
		}
		m.add(setLink(m.to.Name, text, m.want.Link.Flags&f.bit, f.bit))
	}
	if m.want.up() && have&unix.IFF_UP == 0 {
		m.add(setUp(m.to.Name))
	}
}
