package plan

import "kvmnet/internal/spec"

// Redirect sends what a link receives, or what it sends, by way of another one, an
// ifb, which puts it back where it was taken: so it can be limited. It is a rule about
// a name, and neither follows the link to another one nor goes with it.
type Redirect struct {
	Mark
	NS, Link string
	Sent     bool // what the link sends
	To       string
}

// Key implements Object.
func (r Redirect) Key() Key {
	if r.Sent {
		return Key{r.NS, KindRedirect, r.Link + " sent"}
	}
	return Key{r.NS, KindRedirect, r.Link}
}

func (r Redirect) String() string {
	what := r.Link
	if r.Sent {
		what = "what " + r.Link + " sends"
	}
	return "detour of " + what + " over " + orNowhere(r.To)
}

// limits wants the limits of what passes between a network and the host, all its
// guests together. Either way makes a detour over an ifb. What the bridge receives
// cannot be queued on it; what it sends could, but a link whose root qdisc changes
// drops what is sent at that instant (dev_deactivate), and a rule comes and goes
// without. Of frames between two guests the bridge itself sees none.
func (b *builder) limits(name string, n *spec.Network) {
	if n.Bandwidth == nil {
		return
	}
	from := Redirect{Mark: Mark("network/" + name), Link: n.Bridge.Name, To: detourOf("ifb_", name)}
	to := Redirect{Mark: from.Mark, Link: from.Link, To: detourOf("ifbin_", name), Sent: true}
	b.detour(from, n.Bandwidth.Out, b.mtu(n))
	b.detour(to, n.Bandwidth.In, b.mtu(n))
}

// portLimits wants the limits of single guests, in the same way: what a guest sends
// comes in by the host's end of its cable, and what it receives goes out there. So all
// of it is limited, whoever is at the other end, another guest of its network too.
// A cable that is out needs no limit, and an interface of others is limited while it
// is there: what hangs on its name would wait for the next one that has it.
func (b *builder) portLimits() {
	for name, p := range sorted(b.live.Ports) {
		l, wanted := b.want.Link("", p.Interface)
		n, runs := b.live.Networks[p.Network]
		_, there := b.facts.Links[p.Interface]
		if p.Bandwidth == nil || !wanted || !runs || l.Owner() != "port/"+name || l.Master == "" || l.Foreign && !there {
			continue
		}
		from := Redirect{Mark: l.Mark, Link: l.Name, To: detourOf("ifbtx_", name)}
		to := Redirect{Mark: l.Mark, Link: l.Name, To: detourOf("ifbrx_", name), Sent: true}
		b.detour(from, p.Bandwidth.Out, b.mtu(n))
		b.detour(to, p.Bandwidth.In, b.mtu(n))
	}
}

// detour wants what limits one way, if it is limited.
func (b *builder) detour(r Redirect, l spec.Limit, mtu int) {
	if l.Rate == 0 {
		return
	}
	b.want.Add(
		Link{Mark: r.Mark, Name: r.To, Type: "ifb", MAC: spec.GenerateMAC(b.facts.HostID + "/detour/" + r.To), MTU: mtu},
		Up{Mark: r.Mark, Link: r.To},
		newShape(r.Mark, "", r.To, l),
		r)
	if b.facts.IPv6 {
		b.want.Add(Sysctl{Mark: r.Mark, Family: "ipv6", Link: r.To, Name: "disable_ipv6", Value: "1"})
	}
}

// detourOf names an ifb after the network or the port it is for: it stays when the
// bridge or the interface gets another name.
func detourOf(prefix, name string) string {
	if len(prefix)+len(name) <= spec.MaxInterfaceName && spec.CheckInterfaceName(prefix+name) == nil {
		return prefix + name
	}
	return prefix + hashOf(name)
}
