package plan_test

import (
	"errors"
	"fmt"
	"strings"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

func (m *machine) hasNetns(ns string) bool {
	_, there := m.state[plan.Netns{Name: ns}.Key()]
	return there
}

// setNetns makes a namespace with its loopback interface, or takes it away with
// all that is in it.
func (m *machine) setNetns(v plan.Verb, n plan.Netns) error {
	if v != plan.Del {
		if m.hasNetns(n.Name) {
			return errors.New("file exists")
		}
		m.state.Add(n)
		lo := plan.Link{Mark: n.Mark, NS: n.Name, Name: "lo", Type: "loopback", MTU: 65536}
		all := plan.Link{NS: n.Name, Name: "all"}
		m.setting(all, "ipv4", "forwarding=0")
		m.setting(all, "ipv4", "rp_filter=2")
		if m.value("ipv6", "all", "forwarding") != "" {
			m.setting(all, "ipv6", "forwarding=0")
		}
		m.plug(lo)
		return nil
	}
	for l := range plan.Of[plan.Link](m.clone().state) {
		if l.NS == n.Name {
			if err := m.delLink(l); err != nil {
				return err
			}
		}
	}
	delete(m.state, n.Key())
	m.drop(func(o plan.Object) bool { return o.Key().NS == n.Name })
	return nil
}

// setChain is done in one transaction with the elements that lead to the chain.
func (m *machine) setChain(v plan.Verb, c plan.Chain) error {
	if _, there := m.state[plan.Program{NS: c.NS}.Key()]; !there && v != plan.Del {
		return errors.New("no such table")
	}
	delete(m.state, c.Key())
	if v == plan.Del {
		for e := range plan.Of[plan.Element](m.state) {
			if e.NS == c.NS && e.Value == "jump "+c.Name {
				return errors.New("chain is busy: " + e.String())
			}
		}
		return nil
	}
	if c.Digest != plan.ChainDigest(c.Rules) {
		return errors.New("the digest is not that of the rules")
	}
	c.Mark, c.Rules = "host", "" // nft keeps neither
	m.state.Add(c)
	return nil
}

// fits refuses an element that leads to a chain that is not there, or whose range
// overlaps another.
func (m *machine) fits(e plan.Element) error {
	name, jumps := strings.CutPrefix(e.Value, "jump ")
	made := jumps && (strings.HasPrefix(name, "policy_") || strings.HasPrefix(name, "caps_") || strings.HasPrefix(name, "source_"))
	if _, there := m.state[plan.Chain{NS: e.NS, Name: name}.Key()]; made && !there {
		return errors.New("no such chain")
	}
	if !strings.HasPrefix(e.Map, "forward_range") {
		return nil
	}
	head, ports := cutPorts(e.ID)
	for o := range plan.Of[plan.Element](m.state) {
		if o.NS != e.NS || o.Map != e.Map {
			continue
		}
		if other, theirs := cutPorts(o.ID); other == head && theirs.Overlaps(ports) {
			return fmt.Errorf("conflicting intervals: %s and %s", e, o)
		}
	}
	return nil
}

func cutPorts(id string) (string, spec.PortRange) {
	i := strings.LastIndex(id, " ")
	r, _ := spec.ParsePortRange(id[i+1:])
	return id[:i], r
}

// setPlain adds or removes what hangs on no link.
func (m *machine) setPlain(v plan.Verb, o plan.Object) error {
	if delete(m.state, o.Key()); v != plan.Del {
		m.state.Add(o)
	}
	return nil
}

func (m *machine) setShape(v plan.Verb, s plan.Shape) error {
	l, there := m.state.Link(s.NS, s.Link)
	if !there && v != plan.Del {
		return errors.New("no such device")
	}
	s.Rate, s.Peak = s.Rate/8*8, s.Peak/8*8 // it is kept in bytes
	s.MTU, s.Burst = l.MTU, s.BurstAt(l.MTU)
	return m.setPlain(v, s)
}

// addPair makes both ends of a pair between two namespaces.
func (m *machine) addPair(w plan.Link) error {
	if !m.hasNetns(w.NS + w.PeerNS) {
		return errors.New("no such namespace")
	}
	if w.NS != "" {
		return errors.New("the host's end of a pair comes first")
	}
	if _, taken := m.state.Link(w.PeerNS, w.Peer); taken {
		return errors.New("peer: file exists")
	}
	here, there := where{w.NS, w.Name}, where{w.PeerNS, w.Peer}
	m.pairs[here], m.pairs[there] = there, here
	m.plug(plan.Link{Mark: w.Mark, NS: w.NS, Name: w.Name, Type: "veth", MTU: cmpOr(w.MTU, 1500), Master: w.Master})
	m.plug(plan.Link{Mark: "unfinished", NS: w.PeerNS, Name: w.Peer, Type: "veth", MTU: 1500, MAC: spec.GenerateMAC("kernel's choice")})
	return nil
}

// half reports whether a link was made as the other end of one, and is to be
// finished.
func (m *machine) half(w plan.Link) bool {
	_, pair := m.pairs[where{w.NS, w.Name}]
	have, _ := m.state.Link(w.NS, w.Name)
	return pair && have.Owner() == "unfinished"
}
