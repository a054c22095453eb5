package libvirtxml

import (
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/xmltree"
)

func (f *InterfaceFile) bond(path string, e *xmltree.Node) *spec.BondDetails {
	b := &spec.BondDetails{}
	at := spec.Field(path, "mode")
	f.word(at, e, "mode", &b.Mode)
	if b.Mode != "" && !slices.Contains(spec.BondModes, b.Mode) {
		f.refuse(f.places[at], at, "unknown bonding mode %s", b.Mode)
	}
	b.Ports = f.portsOf(path, e, spec.BondInterface)
	mii, arp := e.Element("miimon"), e.Element("arpmon")
	switch {
	case mii != nil:
		b.MII = f.miimon(spec.Field(path, "mii"), mii)
	case arp != nil:
		b.ARP = f.arpmon(spec.Field(path, "arp"), arp)
	}
	if mii != nil && arp != nil {
		f.note(arp.At, "remove one of them", "<arpmon> is ignored, because <miimon> is there")
	}
	return b
}

func (f *InterfaceFile) miimon(path string, e *xmltree.Node) *spec.BondMII {
	m := &spec.BondMII{}
	f.places[path] = e.At
	f.milliseconds(spec.Field(path, "every"), e, "freq", "bond interface miimon freq missing or invalid", true, &m.Every)
	f.milliseconds(spec.Field(path, "downDelay"), e, "downdelay", "bond interface miimon downdelay invalid", false, &m.DownDelay)
	f.milliseconds(spec.Field(path, "upDelay"), e, "updelay", "bond interface miimon updelay invalid", false, &m.UpDelay)
	at := spec.Field(path, "carrier")
	f.word(at, e, "carrier", &m.Carrier)
	if m.Carrier != "" && !slices.Contains(spec.BondCarriers, m.Carrier) {
		f.refuse(f.places[at], at, "unknown mii bonding carrier %s", m.Carrier)
	}
	return m
}

func (f *InterfaceFile) arpmon(path string, e *xmltree.Node) *spec.BondARP {
	a := &spec.BondARP{}
	f.places[path] = e.At
	f.milliseconds(spec.Field(path, "every"), e, "interval", "bond interface arpmon interval missing or invalid", true, &a.Every)
	target := ""
	at := spec.Field(path, "target")
	if f.word(at, e, "target", &target); target == "" {
		f.refuse(e.At, at, "bond interface arpmon target missing")
	}
	at = spec.Field(path, "validate")
	f.word(at, e, "validate", &a.Validate)
	if a.Validate != "" && !slices.Contains(spec.BondValidation, a.Validate) {
		f.refuse(f.places[at], at, "unknown arp bonding validate %s", a.Validate)
	}
	if target != "" {
		a.Target = f.address(spec.Field(path, "target"), e, "target")
	}
	return a
}

// milliseconds reads a number; refusal is what libvirt says of one that is none.
func (f *InterfaceFile) milliseconds(path string, e *xmltree.Node, name, refusal string, needed bool, into *int) {
	word, has := e.Attribute(name)
	if !has && !needed {
		return
	}
	number, ok := parseUnsigned(word.Value, 10, 31)
	if *into = int(number); !has || !ok {
		f.refuse(e.Place(name), path, "%s", refusal)
		return
	}
	f.places[path] = word.ValueAt
}
