package plan

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// port wants the host side of a guest NIC.
func (b *builder) port(name string, p *spec.Port) {
	switch {
	case p.Type == spec.Macvtap:
		b.macvtap(name, p)
	case p.Held == spec.HeldOutside:
		b.outside(name, p)
	default:
		b.ownPort(name, p)
	}
}

// ownPort wants a tap or veth of ours. It exists while the port is defined, also
// when its network is stopped: a running guest keeps its device, with the
// cable out. That means down: a device that is up without a bridge is the host's
// own interface, and whatever the guest sends there the host would take, answer
// and, if it forwards, route past every rule of ours.
func (b *builder) ownPort(name string, p *spec.Port) {
	owner := Mark("port/" + name)
	l := Link{Mark: owner, Name: p.Interface, Type: string(p.Type), MAC: p.MAC, Peer: p.Peer, TapOwner: b.facts.UIDs[p.Owner], Queues: p.Queues}
	if _, there := b.facts.Links[l.Name]; p.Owner != "" && l.TapOwner == "" && !there {
		return // a tap keeps the owner it is made with, so it waits for its user
	}
	if n := b.pluggedTo(p); n != nil {
		l.Master, l.MTU = n.Bridge.Name, b.mtu(n)
	}
	b.want.Add(l)
	b.silence(l)
	if l.Master != "" {
		b.want.Add(Up{Mark: owner, Link: l.Name})
	}
}

// outside wants an interface that others made plugged in, while it is there. They
// made it with an MTU that loses frames of a network with a larger one, and with an
// address that a bridge without one of its own would take.
func (b *builder) outside(name string, p *spec.Port) {
	have, there := b.facts.Links[p.Interface]
	if !there || have.Owner() != "" || !guestly(have.Type) {
		return
	}
	l := Link{Mark: Mark("port/" + name), Name: p.Interface, Type: have.Type, MAC: portMAC(Link{MAC: cmp.Or(p.MAC, have.MAC)}), Foreign: true}
	if n := b.pluggedTo(p); n != nil {
		l.Master, l.MTU = n.Bridge.Name, cmp.Or(b.mtu(n), b.facts.Links[n.Bridge.Name].MTU)
	}
	b.want.Add(l, Up{Mark: l.Mark, Link: l.Name, Down: l.Master == ""})
	b.silence(l)
}

// pluggedTo is the network that a port is plugged into; nil while the cable is out.
func (b *builder) pluggedTo(p *spec.Port) *spec.Network {
	if n := b.live.Networks[p.Network]; n != nil && !p.Unplugged && b.lay.bridge(n.Bridge.Name) {
		return n
	}
	return nil
}

// silence wants IPv6 off on a port. Without this the host itself would talk to the
// guest from its end: duplicate detection, router solicitations, multicast reports.
func (b *builder) silence(l Link) {
	if b.facts.IPv6 {
		b.want.Add(Sysctl{Mark: l.Mark, Family: "ipv6", Link: l.Name, Name: "disable_ipv6", Value: "1", Foreign: l.Foreign})
	}
}

func pluggedKey(link string) string { return "plugged/" + link }

// before is how a link of others was before it was plugged in, as it is recorded.
// The index tells it from the next one of its name.
type before struct {
	index, mtu  int
	mac, master string
}

func beforeOf(l Link) before { return before{l.Index, l.MTU, l.MAC.String(), l.Master} }

func (b before) String() string {
	return fmt.Sprintf("%d %d %s %s", b.index, b.mtu, cmp.Or(b.mac, "-"), b.master)
}

func parseBefore(text string) (b before) {
	f := append(strings.Split(text, " "), "", "", "", "")
	b.index, _ = strconv.Atoi(f[0])
	b.mtu, _ = strconv.Atoi(f[1])
	b.mac, b.master = f[2], f[3]
	return b
}

// renewed reports whether a record is about another link than the one that has its
// name now.
func (f *Facts) renewed(key, value string) bool {
	link, plugged := strings.CutPrefix(key, pluggedKey(""))
	return plugged && parseBefore(value).index != f.Links[link].Index
}

// releasePort gives a link that was plugged in back as it was before, but down when
// it is in no bridge: up, it would be an interface of the host, on which a guest is.
func (b *builder) releasePort(name, value string) {
	l, there := b.facts.Links[name]
	_, wanted := b.want[l.Key()]
	if !there || wanted || l.Owner() != "" || b.facts.renewed(pluggedKey(name), value) {
		return
	}
	was := parseBefore(value)
	l = Link{Mark: "host", Name: name, Type: l.Type, MTU: was.mtu, Foreign: true, Release: true}
	l.MAC, _ = spec.ParseMAC(was.mac)
	if b.lay.bridge(was.master) {
		l.Master = was.master
	}
	b.want.Add(l, Up{Mark: l.Mark, Link: name, Down: l.Master == ""})
}
