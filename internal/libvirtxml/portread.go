package libvirtxml

import (
	"slices"

	"kvmnet/internal/spec"
	"kvmnet/internal/xmltree"
)

// ReadPort reads a port as libvirt does. An error is an *Error, and says what libvirt
// says.
func ReadPort(text []byte) (*Port, error) {
	root, l, err := readElement(string(text), portLabel)
	if err != nil {
		return nil, err
	}
	p, err := decodePort(root, true)
	if err != nil {
		return nil, located(l, err)
	}
	p.Notes = portNotes(root, l)
	return p, nil
}

// decodePort reads <networkport>, a whole one, or the part of one that was kept.
// Parts are read in the order in which libvirt reads them: of several mistakes it
// tells the first.
func decodePort(root *xmltree.Node, whole bool) (*Port, error) {
	if root.Name != "networkport" {
		return nil, refuse(root.At, classXML, "expecting root element of 'networkport', not '%s'", root.FullName())
	}
	p, d := &Port{}, &portDecoder{decoder: decoder{guaranteed: true}, whole: whole}
	for _, part := range []func(*xmltree.Node, *Port) error{d.identity, d.guest, d.virtualPort, d.mac, d.traffic, d.filters, d.plug} {
		if err := part(root, p); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// portDecoder makes a port out of elements.
type portDecoder struct {
	decoder
	whole bool
}

// lacks is the error for what every port has.
func (d *portDecoder) lacks(root *xmltree.Node, what string) error {
	if !d.whole {
		return nil
	}
	return refuse(root.At, classInternal, "network port has no %s", what)
}

func (d *portDecoder) identity(root *xmltree.Node, p *Port) (err error) {
	p.UUID, err = d.uuid(root, root, "uuid")
	return err
}

// uuid reads a UUID in one of the elements.
func (d *portDecoder) uuid(root, in *xmltree.Node, what string) (string, error) {
	e := in.Element("uuid")
	if e.Content() == "" {
		return "", d.lacks(root, what)
	}
	uuid, ok := parseUUID(e.Content())
	if !ok {
		return "", refuse(e.At, classInternal, "Unable to parse UUID '%s'", e.Content())
	}
	return uuid, nil
}

// guest reads whose the port is.
func (d *portDecoder) guest(root *xmltree.Node, p *Port) (err error) {
	owner := root.Element("owner")
	if p.Owner = owner.Element("name").Content(); p.Owner == "" {
		if err := d.lacks(root, "owner name"); err != nil {
			return err
		}
	}
	if p.OwnerUUID, err = d.uuid(root, owner, "owner UUID"); err != nil {
		return err
	}
	p.Group = root.Element("group").Content()
	return nil
}

func (d *portDecoder) virtualPort(root *xmltree.Node, p *Port) (err error) {
	p.VirtualPort, err = d.virtualport(root.Element("virtualport"), false)
	return err
}

func (d *portDecoder) mac(root *xmltree.Node, p *Port) error {
	e := root.Element("mac")
	text := e.Own("address")
	if text == "" {
		return d.lacks(root, "mac")
	}
	var ok bool
	if p.MAC, ok = parseMAC(text); !ok {
		return refuse(e.Place("address"), classInternal, "Unable to parse MAC '%s'", text)
	}
	return nil
}

// traffic reads limits, VLANs and isolation.
func (d *portDecoder) traffic(root *xmltree.Node, p *Port) (err error) {
	limits := root.Element("bandwidth")
	if p.ClassID, err = classID(limits); err != nil {
		return err
	}
	if p.Bandwidth, err = d.bandwidth(limits); err != nil {
		return err
	}
	if p.VLAN, err = d.vlan(root.Element("vlan")); err != nil {
		return err
	}
	p.Isolated, err = d.isolated(root)
	return err
}

func classID(e *xmltree.Node) (int, error) {
	text := e.Own("classID")
	if text == "" {
		return 0, nil
	}
	id, ok := parseNumber(text, 10, 32)
	if !ok {
		return 0, refuse(e.Place("classID"), classInternal, "Unable to parse class id '%s'", text)
	}
	return int(id), nil
}

func (d *portDecoder) filters(root *xmltree.Node, p *Port) (err error) {
	p.TrustGuestRxFilters, err = yesNo(root.Element("rxfilters"), "trustGuest")
	return err
}

// plug reads what the port hangs on.
func (d *portDecoder) plug(root *xmltree.Node, p *Port) error {
	e := root.Element("plug")
	a, has := e.Attribute("type")
	plug := &Plug{Type: a.Value}
	read := map[string]func(*xmltree.Node, *Plug) error{"network": plugBridge, "bridge": plugBridge, "direct": plugDirect, "hostdev-pci": plugPCI}[a.Value]
	switch {
	case !has || a.Value == "none":
		return nil
	case read == nil:
		return badValue(e, a, "")
	}
	p.Plug = plug
	return read(e, plug)
}

func plugBridge(e *xmltree.Node, plug *Plug) error {
	if plug.Bridge = e.Own("bridge"); plug.Bridge == "" {
		return refuse(e.At, classXML, "Missing network port bridge name")
	}
	plug.MACTableManager = e.Own("macTableManager")
	if !slices.Contains([]string{"", "kernel", "libvirt"}, plug.MACTableManager) {
		return refuse(e.Place("macTableManager"), classXML, "Invalid macTableManager setting '%s' in network port", plug.MACTableManager)
	}
	return nil
}

func plugDirect(e *xmltree.Node, plug *Plug) error {
	if plug.Dev = e.Own("dev"); plug.Dev == "" {
		return refuse(e.At, classXML, "Missing network port link device name")
	}
	plug.Mode = or(e.Own("mode"), string(spec.DirectVEPA))
	if !slices.Contains([]spec.DirectMode{spec.DirectBridge, spec.DirectVEPA, spec.DirectPrivate, spec.DirectPassthrough}, spec.DirectMode(plug.Mode)) {
		return refuse(e.Place("mode"), classXML, "Invalid mode setting '%s' in network port", plug.Mode)
	}
	return nil
}

func plugPCI(e *xmltree.Node, plug *Plug) (err error) {
	if plug.Managed, err = yesNo(e, "managed"); err != nil {
		return err
	}
	driver := e.Element("driver")
	if plug.Driver = driver.Own("name"); !slices.Contains([]string{"", "kvm", "vfio"}, plug.Driver) {
		return refuse(driver.Place("name"), classXML, "Missing network port driver name")
	}
	address := e.Element("address")
	if address == nil {
		return refuse(e.At, classXML, "Missing network port PCI address")
	}
	plug.Address, err = pciAddress(address)
	return err
}
