package libvirtxml

import (
	"reflect"
	"slices"

	"kvmnet/internal/spec"
)

// Of says in libvirt's words what a spec says. The spec is the truth: what was kept
// of an earlier document gives the order and what only it can say, where it does not
// contradict; and what libvirt's words cannot say stands in metadata of our own.
func Of(name string, n *spec.Network) *Network {
	if n.Libvirt != nil && n.Libvirt.Kept != "" {
		kept := readKept(n.Libvirt.Kept)
		m := ofKept(name, n, kept, kept.DnsmasqLines)
		if _, differs := own(translated(m), n); !differs {
			return m // nothing was changed since
		}
		if m = ofKept(name, n, kept, agreeing(n, kept.DnsmasqLines)); leadsTo(m, n) {
			return m
		}
	}
	return withMetadata(plainOf(name, n, nil), n)
}

// ofKept lays what was kept over what follows from the spec, part by part.
func ofKept(name string, n *spec.Network, kept *Network, lines []string) *Network {
	m, want := plainOf(name, n, lines), render(name, n)
	sections(kept, func(section string, v reflect.Value) {
		if v.IsZero() {
			return
		}
		if now, ok := overlaid(m, section, v, want); ok {
			m = now
		}
	})
	return withMetadata(m, n)
}

// leadsTo reports whether a document says what the spec says.
func leadsTo(m *Network, n *spec.Network) bool {
	again, now := cloned(translateWhole(m).to), cloned(n)
	again.Libvirt, now.Libvirt, again.Autostart, now.Autostart = nil, nil, nil, nil
	return equal(again, now)
}

func withMetadata(m *Network, n *spec.Network) *Network {
	m.Metadata = foreign(n)
	if e, has := own(translated(m), n); has {
		m.Metadata = append(m.Metadata, e)
	}
	return m
}

// plainOf is the document without anything that was kept but lines for dnsmasq; what
// they say is not said twice.
func plainOf(name string, n *spec.Network, lines []string) *Network {
	bare := cloned(n)
	skeleton := skeletonOf(n)
	with := cloned(skeleton)
	withLines(with, lines).lines()
	subtract(reflect.ValueOf(bare).Elem(), reflect.ValueOf(skeleton).Elem(), reflect.ValueOf(with).Elem())
	for i, s := range n.Subnets {
		if s.DHCP != nil && len(s.DHCP.Ranges) > 0 {
			rangeless(bare.Subnets[i].DHCP)
		}
	}
	m := render(name, bare)
	m.DnsmasqLines = lines
	return m
}

// rangeless keeps DHCP whose ranges are all in lines from giving the whole subnet: in
// the document it has hosts, or is not there.
func rangeless(d *spec.DHCP) {
	switch {
	case d == nil || len(d.Ranges) > 0:
	case len(d.Hosts) > 0:
		d.Static = true
	default:
		d.Enabled = new(bool)
	}
}

func withLines(n *spec.Network, lines []string) *translation {
	return &translation{from: &Network{DnsmasqLines: lines}, to: n, origin: map[string]string{}}
}

// skeletonOf is what lines for dnsmasq find of a network in its document: the subnets,
// and where DHCP is.
func skeletonOf(n *spec.Network) *spec.Network {
	s := &spec.Network{Mode: n.Mode}
	for i, ip := range renderIPs(n) {
		bare := spec.Subnet{Address: n.Subnets[i].Address}
		if ip.DHCP != nil {
			bare.DHCP = &spec.DHCP{}
		}
		s.Subnets = append(s.Subnets, bare)
	}
	s.DNS = &spec.DNS{ForwardPlain: asks(s), ForwardReverse: asks(s)}
	return s
}

// agreeing are the lines that say what the network says, or nothing that is known
// here.
func agreeing(n *spec.Network, lines []string) []string {
	var list []string
	for _, line := range lines {
		if agrees(n, line, lines) {
			list = append(list, line)
		}
	}
	return list
}

// agrees reports whether a line leaves the network as it is; all tell what tags mean.
func agrees(n *spec.Network, line string, all []string) bool {
	t := withLines(cloned(n), []string{line})
	t.readTags(all)
	if t.lines(); !equal(t.to, n) {
		t.giveWay()
	}
	if n.DNS == nil {
		t.tidy()
	}
	return equal(t.to, n)
}

// overlaid puts a section that was kept in the place of the one that follows from the
// spec, if the document is then still one, and says the same.
func overlaid(m *Network, section string, kept reflect.Value, want *Network) (*Network, bool) {
	whole := cloned(m)
	field := func(n *Network) reflect.Value { return reflect.ValueOf(n).Elem().FieldByName(section) }
	field(whole).Set(kept)
	if section == "IPs" {
		whole.IPs = withDHCP(whole.IPs, m.IPs)
	}
	old := plainOf(m.Name, translated(whole), whole.DnsmasqLines)
	field(whole).Set(merge(field(whole), field(old), field(m)))
	whole = canonical(whole)
	return whole, taken(whole) && equal(render(m.Name, translated(whole)), want)
}

// taken reports whether libvirt takes a document.
func taken(m *Network) bool {
	doc, err := Read([]byte(m.Format()))
	return err == nil && doc.Network.Check() == nil
}

// translated is what a document says without metadata.
func translated(m *Network) *spec.Network { return translate(m).to }

// foreign are the elements of others in the metadata.
func foreign(n *spec.Network) []Element {
	if n.Libvirt == nil || n.Libvirt.Metadata == "" {
		return nil
	}
	root, _, err := readElement("<network><metadata>\n"+n.Libvirt.Metadata+"\n</metadata></network>", networkLabel)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(metadata(root.Element("metadata")), func(e Element) bool { return e.Namespace == ownNamespace })
}
