package libvirtxml

import (
	"math"
	"strings"

	"kvmnet/internal/xmltree"
)

// portGroup reads a class of ports.
func (d *decoder) portGroup(e *xmltree.Node) (PortGroup, error) {
	g := PortGroup{Name: e.Own("name")}
	if g.Name == "" {
		return g, refuse(e.At, classXML, "Missing required name attribute in portgroup")
	}
	if strings.EqualFold(e.Own("default"), "yes") {
		g.Default = "yes"
	}
	var err error
	if g.TrustGuestRxFilters, err = yesNo(e, "trustGuestRxFilters"); err != nil {
		return g, err
	}
	if g.VirtualPort, err = d.virtualport(e.Element("virtualport"), false); err != nil {
		return g, err
	}
	if g.Bandwidth, err = d.bandwidth(e.Element("bandwidth")); err != nil {
		return g, err
	}
	g.VLAN, err = d.vlan(e.Element("vlan"))
	return g, err
}

// vlan reads what tags the frames of guests.
func (d *decoder) vlan(e *xmltree.Node) (*VLAN, error) {
	if e == nil {
		return nil, nil
	}
	v, native := &VLAN{}, 0
	tags := e.Elements("tag")
	if len(tags) == 0 {
		return nil, refuse(e.At, classXML, "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement")
	}
	for _, c := range tags {
		tag, err := d.tag(c)
		if err != nil {
			return nil, err
		}
		if tag.NativeMode != "" {
			native++
		}
		if native > 1 {
			return nil, refuse(c.Place("nativeMode"), classXML, "duplicate native vlan setting")
		}
		v.Tags = append(v.Tags, tag)
	}
	return v, d.trunk(e, v, native > 0)
}

// tag reads one VLAN.
func (d *decoder) tag(e *xmltree.Node) (Tag, error) {
	id, has, err := unsigned(e, "id", 64)
	switch {
	case err != nil:
		return Tag{}, err
	case !has:
		return Tag{}, missing(e, "id")
	case id > 4095:
		return Tag{}, refuse(e.Place("id"), classXML, "vlan tag id %d too large (maximum 4095)", id)
	}
	mode, has := e.Attribute("nativeMode")
	if has && mode.Value != "tagged" && mode.Value != "untagged" {
		return Tag{}, badValue(e, mode, "")
	}
	return Tag{ID: int(id), NativeMode: mode.Value}, nil
}

// trunk reads whether guests tag their frames themselves; with several VLANs they do.
func (d *decoder) trunk(e *xmltree.Node, v *VLAN, native bool) error {
	trunk, at := e.Own("trunk"), e.Place("trunk")
	yes := strings.EqualFold(trunk, "yes")
	switch {
	case trunk != "" && !yes && len(v.Tags) > 1:
		return refuse(at, classXML, "invalid \"trunk='%s'\" in <vlan> - trunk='yes' is required for more than one vlan tag", trunk)
	case trunk != "" && !yes && native:
		return refuse(at, classXML, "invalid configuration in <vlan> - \"trunk='no'\" is not allowed with a native vlan id")
	case trunk != "" && !yes && !strings.EqualFold(trunk, "no"):
		return refuse(at, classXML, "invalid \"trunk='%s'\" in <vlan> - must be yes or no", trunk)
	case yes || len(v.Tags) > 1:
		v.Trunk = "yes"
	}
	return nil
}

// bandwidth reads limits. Empty ones are none.
func (d *decoder) bandwidth(e *xmltree.Node) (*Bandwidth, error) {
	if e == nil {
		return nil, nil
	}
	if e.Has("classID") && !d.guaranteed {
		return nil, refuse(e.Place("classID"), "", "classID attribute not supported on <bandwidth> in this usage context")
	}
	in, out := e.Named("inbound"), e.Named("outbound")
	switch {
	case len(in) > 1:
		return nil, refuse(in[1].At, "", "Only one child <inbound> element allowed")
	case len(out) > 1:
		return nil, refuse(out[1].At, "", "Only one child <outbound> element allowed")
	case len(in)+len(out) == 0:
		return nil, nil
	}
	b := &Bandwidth{}
	var err error
	if b.In, err = d.limit(first(in)); err != nil {
		return nil, err
	}
	b.Out, err = d.limit(first(out))
	return b, err
}

// limit reads the limits of one direction. A guarantee is a thing of single ports.
func (d *decoder) limit(e *xmltree.Node) (*Limit, error) {
	if e == nil {
		return nil, nil
	}
	if !e.Has("average") && !e.Has("floor") {
		return nil, refuse(e.At, "", "Missing mandatory average or floor attributes")
	}
	if e.Name == "outbound" && e.Has("floor") {
		return nil, refuse(e.Place("floor"), classUnsupported, "'floor' attribute allowed only in <inbound> element")
	}
	l := &Limit{}
	for _, number := range []struct {
		name string
		to   *int
	}{{"average", &l.Average}, {"peak", &l.Peak}, {"burst", &l.Burst}, {"floor", &l.Floor}} {
		a, has := e.Attribute(number.name)
		value, ok := parseUnsigned(a.Value, 10, 64)
		if has && (!ok || value > math.MaxInt) {
			return nil, refuse(a.ValueAt, classUnsupported, "could not convert bandwidth %s value '%s'", a.Name, a.Value)
		}
		*number.to = int(value)
	}
	if e.Has("floor") && !d.guaranteed {
		return nil, refuse(e.Place("floor"), classUnsupported, "floor attribute is not supported for this config")
	}
	return l, nil
}
