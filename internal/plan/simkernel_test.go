package plan_test

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// setProgram loads or removes the table; either empties its maps.
func (m *machine) setProgram(v plan.Verb, p plan.Program) error {
	m.drop(func(o plan.Object) bool {
		kind := o.Key().Kind
		return o.Key().NS == p.NS && (kind == plan.KindElement || kind == plan.KindChain)
	})
	delete(m.state, p.Key())
	if v != plan.Del {
		m.state.Add(p)
	}
	return nil
}

func (m *machine) setElement(v plan.Verb, e plan.Element) error {
	if _, there := m.state[plan.Program{NS: e.NS}.Key()]; !there && v != plan.Del {
		return errors.New("no such table")
	}
	delete(m.state, e.Key())
	if v != plan.Del {
		if err := m.fits(e); err != nil {
			return err
		}
	}
	if v != plan.Del {
		e.Mark = "host" // nft keeps no owner
		m.state.Add(e)
	}
	return nil
}

func (m *machine) setLink(op plan.Op, w plan.Link) error {
	v := op.Verb
	if from, ok := op.Renames(); ok {
		if err := m.rename(from, w.Name); err != nil {
			return err
		}
	}
	have, there := m.state.Link(w.NS, w.Name)
	_, master := m.state[plan.Key{NS: w.NS, Kind: plan.KindBridge, ID: w.Master}]
	switch {
	case v == plan.Del && w.Name == "lo":
		return errors.New("operation not supported")
	case v == plan.Add && w.Foreign:
		return errors.New("a foreign link cannot be made")
	case v == plan.Add && there && m.half(w):
		m.finish(have, w)
		return nil
	case v == plan.Add && there:
		return errors.New("file exists")
	case v != plan.Add && !there:
		return errors.New("no such device")
	case v != plan.Add && !w.Foreign && have.Owner() == "":
		return errors.New("not ours")
	case v != plan.Del && w.Master != "" && !master:
		return errors.New("no such master")
	}
	switch {
	case v == plan.Del:
		return m.delLink(have)
	case w.Foreign:
		m.leaves(have, w.Master)
		have.Master, have.MTU = w.Master, cmpOr(w.MTU, have.MTU)
		if !w.MAC.IsZero() {
			have.MAC = w.MAC
		}
		m.state.Add(have)
	case v == plan.Set:
		m.finish(have, w)
	default:
		return m.addLink(w)
	}
	return nil
}

// finish gives a link all that is wanted of it.
func (m *machine) finish(have, w plan.Link) {
	m.leaves(have, w.Master)
	have.Mark, have.Master = w.Mark, w.Master
	have.MTU = cmpOr(w.MTU, have.MTU)
	if w.Type == "bridge" {
		have.STP, have.ForwardDelay = w.STP, w.ForwardDelay
	}
	if w.Lower != "" {
		have.Lower = w.Lower // made anew
	}
	if w.Sharing != "" {
		have.Sharing = w.Sharing
	}
	if !w.MAC.IsZero() && (w.Type == "bridge" || w.Type == "macvtap" || w.NS != "") {
		have.MAC = w.MAC
	}
	m.state.Add(have)
	m.remark(have)
}

// remark lets what is ours on a link follow its owner, which is written on the
// link alone.
func (m *machine) remark(l plan.Link) {
	for _, o := range m.state.Sorted() {
		if at(o) != (where{l.NS, l.Name}) || o.Owner() == "" {
			continue
		}
		switch o := o.(type) {
		case plan.Up:
			o.Mark = l.Mark
			m.state.Add(o)
		case plan.Addr:
			o.Mark = l.Mark
			m.state.Add(o)
		case plan.Route:
			o.Mark = l.Mark
			m.state.Add(o)
		case plan.Sysctl:
			o.Mark = l.Mark
			m.state.Add(o)
		case plan.Isolation:
			o.Mark = l.Mark
			m.state.Add(o)
		case plan.Shape:
			o.Mark = l.Mark
			m.state.Add(o)
		}
	}
}

func cmpOr(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

func (m *machine) addLink(w plan.Link) error {
	if w.Type == "veth" && w.NS != w.PeerNS {
		return m.addPair(w)
	}
	if _, taken := m.state.Link("", w.Peer); taken {
		return errors.New("peer: file exists")
	}
	have := plan.Link{Mark: w.Mark, NS: w.NS, Name: w.Name, Type: w.Type, MTU: cmpOr(w.MTU, 1500), Master: w.Master}
	if w.Type == "macvlan" || w.Type == "macvtap" {
		if _, there := m.state.Link("", w.Lower); !there {
			return errors.New("no such lower device")
		}
		have.MAC, have.Lower, have.Sharing = w.MAC, w.Lower, w.Sharing
	}
	if w.Type == "bridge" {
		have.STP, have.ForwardDelay, have.MAC = w.STP, w.ForwardDelay, w.MAC
		if have.MAC.IsZero() {
			have.MAC = spec.GenerateMAC("kernel's choice")
		}
	}
	m.plug(have)
	if w.Type == "veth" {
		m.plug(plan.Link{Name: w.Peer, Type: "veth", MTU: 1500, Parent: w.Name})
	}
	return nil
}

// plug adds a device with the kernel's settings for a new one.
func (m *machine) plug(l plan.Link) {
	m.state.Add(l)
	settings := []string{"forwarding=0", "arp_ignore=0", "arp_announce=0", "promote_secondaries=0", "route_localnet=0"}
	if l.NS != "" {
		settings = append(settings, "rp_filter=2", "ignore_routes_with_linkdown=0")
	}
	for _, s := range settings {
		m.setting(l, "ipv4", s)
	}
	all6, has := m.state[plan.Sysctl{NS: l.NS, Family: "ipv6", Link: "all", Name: "forwarding"}.Key()].(plan.Sysctl)
	if !has {
		return
	}
	for _, s := range []string{"forwarding=" + all6.Value, "accept_ra=1", "autoconf=1", "accept_dad=1", "disable_ipv6=0"} {
		m.setting(l, "ipv6", s)
	}
	if l.NS != "" {
		m.setting(l, "ipv6", "ignore_routes_with_linkdown=0")
	}
	if m.forces() {
		m.setting(l, "ipv6", "force_forwarding=0")
	}
}

func (m *machine) forces() bool {
	_, ok := m.state[plan.Sysctl{Family: "ipv6", Link: "lo", Name: "force_forwarding"}.Key()]
	return ok
}

func (m *machine) setting(l plan.Link, family, text string) {
	name, value, _ := strings.Cut(text, "=")
	m.state.Add(plan.Sysctl{Mark: l.Mark, NS: l.NS, Family: family, Link: l.Name, Name: name, Value: value})
}

func (m *machine) value(family, link, name string) string {
	return m.valueAt(where{"", link}, family, name)
}

func (m *machine) valueAt(w where, family, name string) string {
	s, _ := m.state[plan.Sysctl{NS: w.ns, Family: family, Link: w.link, Name: name}.Key()].(plan.Sysctl)
	return s.Value
}

// delLink removes a device with all that hangs on it; its ports lose their
// master and stay up, and the other end of a veth goes, too.
func (m *machine) delLink(gone plan.Link) error {
	for k, o := range maps.Clone(m.state) {
		switch o := o.(type) {
		case plan.Link:
			if o.NS == gone.NS && o.Master == gone.Name {
				m.leaves(o, "")
				o.Master = ""
				m.state.Add(o)
			}
			if o.NS == gone.NS && o.Parent == gone.Name || gone.NS == "" && o.Lower == gone.Name && o.Type == "macvtap" {
				delete(m.state, k)
				m.strip(where{o.NS, o.Name})
			}
		}
	}
	here := where{gone.NS, gone.Name}
	delete(m.state, gone.Key())
	m.strip(here)
	if other, ok := m.pairs[here]; ok {
		delete(m.pairs, here)
		delete(m.pairs, other)
		if l, there := m.state.Link(other.ns, other.link); there {
			return m.delLink(l)
		}
	}
	return nil
}

func (m *machine) strip(w where) { m.drop(func(o plan.Object) bool { return at(o) == w }) }

// at is where an object hangs; the zero place for those on no link.
func at(o plan.Object) where {
	if link := on(o); link != "" {
		return where{o.Key().NS, link}
	}
	return where{}
}

// on is the link an object hangs on.
func on(o plan.Object) string {
	switch o := o.(type) {
	case plan.Up:
		return o.Link
	case plan.Addr:
		return o.Link
	case plan.Route:
		return o.Link
	case plan.Sysctl:
		return o.Link
	case plan.Shape:
		return o.Link
	case plan.Isolation:
		return o.Link
	}
	return ""
}

func (m *machine) setSysctl(w plan.Sysctl) error {
	have, there := m.state[w.Key()].(plan.Sysctl)
	if !there {
		return errors.New("no such file")
	}
	have.Value = w.Value
	m.state.Add(have)
	switch {
	case w.Name == "forwarding" && w.Link == "all":
		for s := range plan.Of[plan.Sysctl](maps.Clone(m.state)) {
			if s.NS == w.NS && s.Family == w.Family && s.Name == "forwarding" {
				s.Value = w.Value
				m.state.Add(s)
			}
		}
	case w.Name == "disable_ipv6" && w.Value == "1":
		m.drop(func(o plan.Object) bool { return at(o) == at(w) && is6(o) })
	}
	if w.NS == "" && w.Family == "ipv6" && w.Name == "forwarding" && w.Value == "1" { // rt6_purge_dflt_routers
		m.drop(func(o plan.Object) bool { return m.learned[o.Key()] && m.value("ipv6", on(o), "accept_ra") != "2" })
	}
	return nil
}

func is6(o plan.Object) bool {
	switch o := o.(type) {
	case plan.Addr:
		return o.Prefix.Addr().Is6()
	case plan.Route:
		return o.Dst.Addr().Is6()
	}
	return false
}

func (m *machine) drop(doomed func(plan.Object) bool) {
	maps.DeleteFunc(m.state, func(_ plan.Key, o plan.Object) bool { return doomed(o) })
}

// setUp raises a link or takes it down, and then its routes and IPv6 addresses.
func (m *machine) setUp(v plan.Verb, u plan.Up) error {
	l, there := m.state.Link(u.NS, u.Link)
	switch {
	case v != plan.Del && !there:
		return errors.New("no such device")
	case v != plan.Del:
		m.state.Add(plan.Up{Mark: l.Mark, NS: u.NS, Link: u.Link})
		return nil
	}
	delete(m.state, u.Key())
	m.drop(func(o plan.Object) bool {
		_, route := o.(plan.Route)
		return at(o) == at(u) && (route || is6(o))
	})
	return nil
}

func (m *machine) setAddr(v plan.Verb, a plan.Addr) error {
	l, there := m.state.Link(a.NS, a.Link)
	if v == plan.Del {
		if _, there := m.state[a.Key()]; there {
			m.delAddr(a)
		}
		return nil
	}
	switch {
	case !there:
		return errors.New("no such device")
	case a.Prefix.Addr().Is6() && m.valueAt(at(a), "ipv6", "disable_ipv6") != "0":
		return errors.New("IPv6 is disabled on this device")
	}
	if a.Mark = l.Mark; a.Mark == "" {
		a.Mark = "host" // ours, on a link that is not
	}
	m.clock++
	m.state.Add(a)
	m.born[a.Key()] = m.clock
	return nil
}

// delAddr removes an address; of IPv4 with its secondaries unless they are
// promoted, and with the last one goes every IPv4 route of the link.
func (m *machine) delAddr(a plan.Addr) {
	delete(m.state, a.Key())
	if a.Prefix.Addr().Is6() {
		return
	}
	left := false
	for o := range plan.Of[plan.Addr](maps.Clone(m.state)) {
		switch {
		case at(o) != at(a) || is6(o):
		case o.Prefix.Masked() == a.Prefix.Masked() && m.born[o.Key()] > m.born[a.Key()] &&
			m.valueAt(at(a), "ipv4", "promote_secondaries") == "0":
			delete(m.state, o.Key())
		default:
			left = true
		}
	}
	if !left {
		m.drop(func(o plan.Object) bool {
			_, route := o.(plan.Route)
			return route && at(o) == at(a) && !is6(o)
		})
	}
}

func (m *machine) setRoute(v plan.Verb, r plan.Route) error {
	if v == plan.Del {
		delete(m.state, r.Key())
		return nil
	}
	if r.Dst.Addr().Is6() && r.Metric == 1024 {
		r.Metric = 0 // observed as none
	}
	if r.Link == "" {
		return m.setPlain(v, r)
	}
	l, there := m.state.Link(r.NS, r.Link)
	_, up := m.state[plan.Up{NS: r.NS, Link: r.Link}.Key()]
	switch {
	case !there:
		return errors.New("no such device")
	case !up:
		return errors.New("network is down")
	case r.Via.IsValid() && !m.reaches(at(r), r.Via):
		return errors.New("nexthop has invalid gateway")
	}
	if r.Mark = l.Mark; r.Mark == "" {
		r.Mark = "host"
	}
	m.state.Add(r)
	return nil
}

func (m *machine) reaches(link where, via netip.Addr) bool {
	if via.IsLinkLocalUnicast() {
		return m.valueAt(link, "ipv6", "disable_ipv6") == "0"
	}
	for a := range plan.Of[plan.Addr](m.state) {
		if at(a) == link && a.Prefix.Contains(via) {
			return true
		}
	}
	for r := range plan.Of[plan.Route](m.state) {
		if at(r) == link && r.Dst.Bits() > 0 && !r.Via.IsValid() && r.Dst.Contains(via) {
			return true
		}
	}
	return false
}

// dump prints everything the machine shows, and whose it is.
func (m *machine) dump() string {
	var lines []string
	for _, o := range m.state.Sorted() {
		ns := ""
		if ns = o.Key().NS; ns != "" {
			ns = "netns " + ns + " "
		}
		lines = append(lines, fmt.Sprintf("%s%s [%s]", ns, o, o.Owner()))
	}
	for _, k := range slices.Sorted(maps.Keys(m.record)) {
		lines = append(lines, fmt.Sprintf("borrowed %s = %s", k, m.record[k]))
	}
	return strings.Join(lines, "\n") + "\n"
}
