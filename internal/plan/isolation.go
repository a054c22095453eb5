package plan

import (
	"strings"

	"kvmnet/internal/spec"
)

// Isolation keeps a port of a bridge from the other isolated ports of it. It is the
// bridge's setting, and ends when the port leaves.
type Isolation struct {
	Mark
	NS, Link string
	On       bool // an observed one is on

	// Foreign says that the port is somebody else's. What he had set is recorded, and
	// given back while the port is still there.
	Foreign bool
	// Release says that On is the recorded one, being given back.
	Release bool
}

// Key implements Object.
func (i Isolation) Key() Key { return Key{i.NS, KindIsolation, i.Link} }

func (i Isolation) String() string {
	if i.On {
		return "port " + i.Link + " isolated"
	}
	return "port " + i.Link + " not isolated"
}

func isolationKey(link string) string { return "isolated/" + link }

// isolate keeps the guests of isolated networks apart: our ports, and on a bridge of
// ours what others plugged in, too, since it is the bridge that promises. The ends
// of routers are left out, and NICs and tunnels, behind which is the rest of a
// segment: guests are to reach those.
func (b *builder) isolate() {
	for name, p := range sorted(b.live.Ports) {
		n := b.live.Networks[p.Network]
		l, _ := b.want[Key{"", KindPort, p.Interface}].(Link)
		if n != nil && n.Isolated && l.Master != "" {
			b.want.Add(Isolation{Mark: Mark("port/" + name), Link: l.Name, On: true, Foreign: l.Foreign})
			b.apart(p.Network, portMAC(l))
		}
	}
	for name, n := range sorted(b.live.Networks) {
		if !n.Isolated || !n.Mode.Managed() {
			continue
		}
		b.apart(name, b.networkMAC(name, n))
		for _, l := range b.facts.Links {
			if l.Owner() == "" && !b.isPort(l) && !b.leaves(l) && b.facts.Links[l.Master].Owner() == "network/"+name && guestly(l.Type) {
				b.want.Add(Isolation{Mark: Mark("network/" + name), Link: l.Name, On: true, Foreign: true})
				b.apart(name, l.MAC)
			}
		}
	}
}

// guestly reports whether a foreign link of that type is taken for a guest's.
func guestly(linkType string) bool { return linkType == "tap" || linkType == "veth" }

// portMAC is the address of our own end of a port: see the kernel's hostMAC.
func portMAC(l Link) spec.MAC {
	mac := l.MAC
	if !mac.IsZero() {
		mac[0] = 0xfe
	}
	return mac
}

// apart wants a row by which the program knows what a guest sends to the host: to the
// bridge's address, or to that of the port itself, which the bridge takes in as
// well. The host does not turn it around to another guest.
func (b *builder) apart(network string, mac spec.MAC) {
	if n := b.live.Networks[network]; n.Mode.Managed() && !mac.IsZero() {
		b.want.Add(Element{Mark: Mark("network/" + network), Map: "routers", ID: n.Bridge.Name + " . " + mac.String()})
	}
}

// releaseIsolation gives a foreign port back what it had.
func (b *builder) releaseIsolation(name, value string) {
	l, there := b.facts.Links[name]
	ours := strings.HasPrefix(b.facts.Links[l.Master].Owner(), "network/")
	if _, wanted := b.want[Isolation{Link: name}.Key()]; there && ours && !wanted && !b.leaves(l) {
		b.want.Add(Isolation{Mark: "host", Link: name, On: value == "on", Foreign: true, Release: true})
	}
}

// isPort reports whether a link is wanted as the port of a guest.
func (b *builder) isPort(l Link) bool {
	w, wanted := b.want[l.Key()]
	return wanted && strings.HasPrefix(w.Owner(), "port/")
}

// leaves reports whether a link was the port of a guest and is given back: the setting
// ends with that.
func (b *builder) leaves(l Link) bool {
	_, plugged := b.facts.Borrowed[pluggedKey(l.Name)]
	return plugged && !b.isPort(l)
}
