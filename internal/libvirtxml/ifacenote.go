package libvirtxml

import (
	"maps"
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/xmltree"
)

// interfaceElements are the elements that have an effect in an interface, with their
// attributes and what may stand in them. Those that may be there several times say so.
type interfaceElement struct {
	attributes []string
	inside     map[string]interfaceElement
	several    bool
}

var (
	familyElements = map[string]interfaceElement{
		"autoconf": {}, "dhcp": {attributes: []string{"peerdns"}}, "ip": {attributes: []string{"address", "prefix"}, several: true},
		"route": {attributes: []string{"gateway", "address", "prefix", "metric", "source", "onlink"}, several: true},
		"dns":   {attributes: []string{"server"}, several: true}, "search": {attributes: []string{"domain"}, several: true},
	}
	deviceElements = map[string]interfaceElement{"mtu": {attributes: []string{"size"}}, "mac": {attributes: []string{"address"}}, "link": {attributes: []string{"speed", "state"}}}
	ownElements    = map[string]interfaceElement{"start": {attributes: []string{"mode"}}, "protocol": {[]string{"family"}, familyElements, true}}
	detailElements = map[spec.InterfaceType]interfaceElement{
		spec.BridgeInterface: {[]string{"stp", "delay"}, map[string]interfaceElement{"interface": {several: true}}, false},
		spec.BondInterface: {[]string{"mode"}, map[string]interfaceElement{"interface": {several: true},
			"miimon": {attributes: []string{"freq", "downdelay", "updelay", "carrier"}}, "arpmon": {attributes: []string{"interval", "target", "validate"}}}, false},
		spec.VLANInterface: {[]string{"tag"}, map[string]interfaceElement{"interface": {attributes: []string{"name"}}}, false},
	}
)

// elementsOf is what may stand in an interface of a type.
func elementsOf(is, within spec.InterfaceType) interfaceElement {
	here := interfaceElement{attributes: []string{"type", "name"}, inside: maps.Clone(deviceElements)}
	if within == "" {
		maps.Copy(here.inside, ownElements)
	}
	if is != spec.EthernetInterface {
		here.inside[string(is)] = detailElements[is]
	}
	return here
}

// unknown tells of elements and attributes that have no effect. Ports are looked at
// when they are read.
func (f *InterfaceFile) unknown(e *xmltree.Node, is, within spec.InterfaceType) {
	f.surplus(e, elementsOf(is, within))
}

func (f *InterfaceFile) surplus(e *xmltree.Node, here interfaceElement) {
	for _, a := range e.Attrs {
		if !slices.Contains(here.attributes, a.FullName()) {
			f.note(a.At, nearest(a.Name, here.attributes), "%s of <%s> has no effect", a.FullName(), e.Name)
		}
	}
	seen := map[string]bool{}
	for _, c := range e.Inside(func(*xmltree.Node) bool { return true }) {
		inner, known := here.inside[c.Name]
		switch {
		case !known || c.Space != "" || c.Prefix != "":
			f.note(c.At, nearest(c.Name, slices.Sorted(maps.Keys(here.inside))), "<%s> has no effect here", c.FullName())
			continue
		case seen[c.Name] && !inner.several:
			f.note(c.At, "remove it", "<%s> is ignored, the first one counts", c.Name)
			continue
		}
		seen[c.Name] = true
		if c.Name != "interface" || !inner.several {
			f.surplus(c, inner)
		}
	}
}
