package libvirtxml

import (
	"slices"
	"strconv"

	"kvmnet/internal/xmltree"
)

// parameter is what a type of virtual port may be told.
type parameter struct {
	name  string
	uuid  bool
	most  uint64 // of a number
	size  int    // of a text
	types []string
}

// parameters are in the order in which libvirt writes them.
var parameters = []parameter{
	{name: "managerid", most: 0xff, types: []string{"", "802.1Qbg"}},
	{name: "typeid", most: 0xffffff, types: []string{"", "802.1Qbg"}},
	{name: "typeidversion", most: 0xff, types: []string{"", "802.1Qbg"}},
	{name: "instanceid", uuid: true, types: []string{"", "802.1Qbg"}},
	{name: "interfaceid", uuid: true, types: []string{"", "openvswitch", "midonet"}},
	{name: "profileid", size: 39, types: []string{"", "802.1Qbh", "openvswitch", "midonet"}},
}

// checked are the parameters in the order in which libvirt looks for those that a type
// does not know.
var checked = append(slices.Clone(parameters[:4]), parameters[5], parameters[4])

// virtualport reads how a switch outside is told of a guest.
func (d *decoder) virtualport(e *xmltree.Node, needsType bool) (*VirtualPort, error) {
	if e == nil {
		return nil, nil
	}
	kind, has := e.Attribute("type")
	switch {
	case !has && needsType:
		return nil, refuse(e.At, classXML, "missing required virtualport type")
	case has && !slices.Contains([]string{"802.1Qbg", "802.1Qbh", "openvswitch", "midonet"}, kind.Value):
		return nil, refuse(kind.ValueAt, classUnsupported, "unknown virtualport type %s", kind.Value)
	}
	v := &VirtualPort{Type: kind.Value}
	c := first(e.Named("parameters"))
	for _, p := range parameters {
		value, err := p.read(c)
		if err != nil {
			return nil, err
		}
		if value != "" {
			v.Parameters = append(v.Parameters, Attribute{Name: p.name, Value: value})
		}
	}
	return v, v.allowed(c)
}

// read reads a parameter, "" when it is not there.
func (p parameter) read(e *xmltree.Node) (string, error) {
	a, has := e.Attribute(p.name)
	if !has {
		return "", nil
	}
	switch {
	case p.uuid:
		uuid, ok := parseUUID(a.Value)
		if !ok {
			return "", refuse(a.ValueAt, classXML, "cannot parse %s parameter as a uuid", p.name)
		}
		return uuid, nil
	case p.size > 0 && len(a.Value) > p.size:
		return "", refuse(a.ValueAt, classXML, "%s parameter too long", p.name)
	case p.size > 0:
		return a.Value, nil
	}
	value, ok := parseNumber(a.Value, 0, 32)
	of := "of"
	if p.name == "typeid" {
		of = "for"
	}
	switch {
	case !ok:
		return "", refuse(a.ValueAt, classXML, "cannot parse value of %s parameter", p.name)
	case value > p.most:
		return "", refuse(a.ValueAt, classXML, "value %s %s out of range", of, p.name)
	}
	return strconv.FormatUint(value, 10), nil
}

// allowed checks that a type of virtual port knows the parameters it has.
func (v *VirtualPort) allowed(e *xmltree.Node) error {
	for _, p := range checked {
		for _, has := range v.Parameters {
			if has.Name == p.name && !slices.Contains(p.types, v.Type) {
				return refuse(e.Place(p.name), classXML, "extra %s unsupported in <virtualport type='%s'>", p.name, v.Type)
			}
		}
	}
	return nil
}
