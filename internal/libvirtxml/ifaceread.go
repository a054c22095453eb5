package libvirtxml

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/xmltree"
)

// device reads an interface, or a port of one that has the type within; "" is none. Its
// parts are read in libvirt's order, so that of several mistakes libvirt's is the first.
func (f *InterfaceFile) device(path string, e *xmltree.Node, within spec.InterfaceType) (i spec.HostInterface) {
	f.places[path] = e.At
	f.word(spec.Field(path, "name"), e, "name", &i.Name)
	if !f.kind(path, e, within, &i) {
		return i
	}
	if i.Name == "" {
		f.refuse(e.At, spec.Field(path, "name"), "interface has no name")
	}
	f.unknown(e, i.Type, within)
	f.settings(path, e, within, &i)
	if i.Type != spec.BridgeInterface {
		f.link(e)
	}
	f.mac(spec.Field(path, "mac"), e.Element("mac"), &i)
	f.details(path, e, &i)
	return i
}

// kind reads the type, which tells what else there may be.
func (f *InterfaceFile) kind(path string, e *xmltree.Node, within spec.InterfaceType, i *spec.HostInterface) bool {
	at := spec.Field(path, "type")
	word, has := e.Attribute("type")
	types := map[spec.InterfaceType][]spec.InterfaceType{
		"": spec.InterfaceTypes, spec.BondInterface: {spec.EthernetInterface},
		spec.BridgeInterface: {spec.EthernetInterface, spec.BondInterface, spec.VLANInterface},
	}[within]
	i.Type = spec.InterfaceType(word.Value)
	switch {
	case !has:
		f.refuse(e.At, at, "Missing required attribute 'type' in element 'interface'")
	case !slices.Contains(spec.InterfaceTypes, i.Type):
		f.refuse(word.ValueAt, at, "Invalid value for attribute 'type' in element 'interface': '%s'.", word.Value)
	case !slices.Contains(types, i.Type):
		f.refuse(word.ValueAt, at, "interface has unsupported type '%s'", word.Value)
	default:
		f.places[at] = word.ValueAt
		return true
	}
	return false
}

// settings reads when an interface comes up, its MTU and its addresses. A port may have
// an MTU of its own, of which libvirt does not know.
func (f *InterfaceFile) settings(path string, e *xmltree.Node, within spec.InterfaceType, i *spec.HostInterface) {
	if within == "" {
		f.start(spec.Field(path, "start"), e.Element("start"), i)
	}
	if mtu := e.Element("mtu"); mtu.Has("size") {
		at := spec.Field(path, "mtu")
		f.places[at] = mtu.Place("size")
		size, ok := parseUnsigned(mtu.Value("size"), 10, 32)
		if i.MTU = int(size); !ok || size > math.MaxInt32 {
			f.refuseMTU(at, mtu)
		}
	}
	if within == "" {
		f.protocols(path, e, i)
	}
}

// refuseMTU refuses one that is no number. Libvirt does, too, and does not say why.
func (f *InterfaceFile) refuseMTU(path string, mtu *xmltree.Node) {
	if f.refusal == nil {
		f.refusal = located(f.lines, &fault{mtu.Place("size"), "An error occurred, but the cause is unknown"})
	}
	f.fault(mtu.Place("size"), path, "write for instance size='1500'", "the MTU %q is no number", mtu.Value("size"))
}

func (f *InterfaceFile) start(path string, e *xmltree.Node, i *spec.HostInterface) {
	mode, has := e.Attribute("mode")
	if !has || mode.Value == "" {
		return
	}
	f.places[path] = mode.ValueAt
	if i.Start = spec.StartMode(mode.Value); !slices.Contains(spec.StartModes, i.Start) {
		f.refuse(mode.ValueAt, path, "unknown interface startmode %s", mode.Value)
		i.Start = ""
	}
}

// link reads what a dump of a running interface tells of its cable, which nobody
// defines.
func (f *InterfaceFile) link(e *xmltree.Node) {
	link := e.Element("link")
	if link == nil {
		return
	}
	states := []string{"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"}
	if speed, has := link.Attribute("speed"); has {
		if _, ok := parseUnsigned(speed.Value, 10, 32); !ok {
			f.refuse(speed.ValueAt, "", "Invalid value for attribute 'speed' in element 'link': '%s'. Expected non-negative integer value", speed.Value)
		}
	}
	if state, has := link.Attribute("state"); has && !slices.Contains(states, state.Value) {
		f.refuse(state.ValueAt, "", "Invalid value for attribute 'state' in element 'link': '%s'.", state.Value)
	}
	f.note(link.At, "remove it", "<link> has no effect: it tells how the cable is, which nobody defines")
}

// mac reads an address, which libvirt does not look at.
func (f *InterfaceFile) mac(path string, e *xmltree.Node, i *spec.HostInterface) {
	word, has := e.Attribute("address")
	if !has || word.Value == "" {
		return
	}
	f.places[path] = word.ValueAt
	mac, ok := parseMAC(word.Value)
	if !ok || mac.IsZero() {
		f.fault(word.ValueAt, path, "write for instance 52:54:00:12:34:56", "%q is not an Ethernet address", word.Value)
		return
	}
	i.MAC = mac
}

// details reads what the type needs.
func (f *InterfaceFile) details(path string, e *xmltree.Node, i *spec.HostInterface) {
	name := string(i.Type)
	if i.Type == spec.EthernetInterface {
		return
	}
	inside, at := e.Element(name), spec.Field(path, name)
	if inside == nil {
		f.refuse(e.At, at, "%s interface misses the %s element", name, name)
		return
	}
	f.places[at] = inside.At
	switch i.Type {
	case spec.BridgeInterface:
		i.Bridge = f.bridge(at, inside)
	case spec.BondInterface:
		i.Bond = f.bond(at, inside)
	case spec.VLANInterface:
		i.VLAN = f.vlan(at, inside)
	}
}

func (f *InterfaceFile) bridge(path string, e *xmltree.Node) *spec.BridgeDetails {
	b := &spec.BridgeDetails{}
	switch stp := e.Value("stp"); stp {
	case "on", "yes":
		b.STP = true
	case "", "off", "no":
	default:
		f.fault(e.Place("stp"), spec.Field(path, "stp"), "write stp='on' or stp='off'", "%q does not tell whether there is STP", stp)
	}
	f.delay(spec.Field(path, "delay"), e, b)
	b.Ports = f.portsOf(path, e, spec.BridgeInterface)
	return b
}

// delay reads the forward delay, which may have a fraction: netcf wrote 0.00.
func (f *InterfaceFile) delay(path string, e *xmltree.Node, b *spec.BridgeDetails) {
	word, has := e.Attribute("delay")
	if !has || word.Value == "" {
		return
	}
	f.places[path] = word.ValueAt
	seconds, err := strconv.ParseFloat(strings.TrimSpace(word.Value), 64)
	if err != nil || seconds != math.Trunc(seconds) || math.Abs(seconds) > math.MaxInt32 {
		f.fault(word.ValueAt, path, "write whole seconds, for instance delay='2'", "the forward delay %q is no number of seconds", word.Value)
		return
	}
	b.Delay = spec.Seconds(seconds)
}

func (f *InterfaceFile) portsOf(path string, e *xmltree.Node, within spec.InterfaceType) (ports []spec.HostInterface) {
	for k, port := range e.Elements("interface") {
		ports = append(ports, f.device(spec.Index(spec.Field(path, "ports"), k), port, within))
	}
	return ports
}

func (f *InterfaceFile) vlan(path string, e *xmltree.Node) *spec.VLANDetails {
	v := &spec.VLANDetails{}
	tag, on := spec.Field(path, "tag"), spec.Field(path, "on")
	if !e.Has("tag") {
		f.refuse(e.At, tag, "vlan interface misses the tag attribute")
	}
	f.word(on, e.Element("interface"), "name", &v.On)
	if v.On == "" {
		f.refuse(e.At, on, "vlan interface misses name attribute")
	}
	if e.Has("tag") {
		f.places[tag] = e.Place("tag")
		number, ok := parseUnsigned(e.Value("tag"), 10, 16)
		if v.Tag = int(number); !ok {
			f.fault(e.Place("tag"), tag, "write a number from 1 to 4094", "the VLAN %q is no number", e.Value("tag"))
		}
	}
	return v
}

// word reads an attribute as it is.
func (f *InterfaceFile) word(path string, e *xmltree.Node, name string, into *string) {
	if a, has := e.Attribute(name); has {
		f.places[path], *into = a.ValueAt, a.Value
	}
}
