package libvirtxml

import (
	"math"
	"strings"
)

// portGroup reads a class of ports.
func (d *decoder) portGroup(e *node) (PortGroup, error) {
	g := PortGroup{Name: e.own("name")}
	if g.Name == "" {
		return g, refuse(e.at, classXML, "Missing required name attribute in portgroup")
	}
	if strings.EqualFold(e.own("default"), "yes") {
		g.Default = "yes"
	}
	var err error
	if g.TrustGuestRxFilters, err = e.yesNo("trustGuestRxFilters"); err != nil {
		return g, err
	}
	if g.VirtualPort, err = d.virtualport(first(e.elements("virtualport")), false); err != nil {
		return g, err
	}
	if g.Bandwidth, err = d.bandwidth(first(e.elements("bandwidth"))); err != nil {
		return g, err
	}
	g.VLAN, err = d.vlan(first(e.elements("vlan")))
	return g, err
}

// vlan reads what tags the frames of guests.
func (d *decoder) vlan(e *node) (*VLAN, error) {
	if e == nil {
		return nil, nil
	}
	v, native := &VLAN{}, 0
	tags := e.elements("tag")
	if len(tags) == 0 {
		return nil, refuse(e.at, classXML, "missing tag id - each <vlan> must have at least one <tag id='n'/> subelement")
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
			return nil, refuse(c.place("nativeMode"), classXML, "duplicate native vlan setting")
		}
		v.Tags = append(v.Tags, tag)
	}
	return v, d.trunk(e, v, native > 0)
}

// tag reads one VLAN.
func (d *decoder) tag(e *node) (Tag, error) {
	id, has, err := e.unsigned("id", 64)
	switch {
	case err != nil:
		return Tag{}, err
	case !has:
		return Tag{}, e.missing("id")
	case id > 4095:
		return Tag{}, refuse(e.place("id"), classXML, "vlan tag id %d too large (maximum 4095)", id)
	}
	mode, has := e.attribute("nativeMode")
	if has && mode.value != "tagged" && mode.value != "untagged" {
		return Tag{}, e.badValue(mode, "")
	}
	return Tag{ID: int(id), NativeMode: mode.value}, nil
}

// trunk reads whether guests tag their frames themselves; with several VLANs they do.
func (d *decoder) trunk(e *node, v *VLAN, native bool) error {
	trunk, at := e.own("trunk"), e.place("trunk")
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
func (d *decoder) bandwidth(e *node) (*Bandwidth, error) {
	if e == nil {
		return nil, nil
	}
	if e.has("classID") && !d.guaranteed {
		return nil, refuse(e.place("classID"), "", "classID attribute not supported on <bandwidth> in this usage context")
	}
	in, out := e.named("inbound"), e.named("outbound")
	switch {
	case len(in) > 1:
		return nil, refuse(in[1].at, "", "Only one child <inbound> element allowed")
	case len(out) > 1:
		return nil, refuse(out[1].at, "", "Only one child <outbound> element allowed")
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
func (d *decoder) limit(e *node) (*Limit, error) {
	if e == nil {
		return nil, nil
	}
	if !e.has("average") && !e.has("floor") {
		return nil, refuse(e.at, "", "Missing mandatory average or floor attributes")
	}
	if e.name == "outbound" && e.has("floor") {
		return nil, refuse(e.place("floor"), classUnsupported, "'floor' attribute allowed only in <inbound> element")
	}
	l := &Limit{}
	for _, number := range []struct {
		name string
		to   *int
	}{{"average", &l.Average}, {"peak", &l.Peak}, {"burst", &l.Burst}, {"floor", &l.Floor}} {
		a, has := e.attribute(number.name)
		value, ok := parseUnsigned(a.value, 10, 64)
		if has && (!ok || value > math.MaxInt) {
			return nil, refuse(a.valueAt, classUnsupported, "could not convert bandwidth %s value '%s'", a.name, a.value)
		}
		*number.to = int(value)
	}
	if e.has("floor") && !d.guaranteed {
		return nil, refuse(e.place("floor"), classUnsupported, "floor attribute is not supported for this config")
	}
	return l, nil
}
