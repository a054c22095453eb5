package libvirtxml

import (
	"slices"

	"kvmnet/internal/spec"
)

// ReadPort reads a port as libvirt does. An error is an *Error, and says what libvirt
// says.
func ReadPort(text []byte) (*Port, error) {
	root, l, err := readElement(text)
	if err != nil {
		return nil, relabel(err, "(networkport_definition)")
	}
	p, err := decodePort(root, true)
	if err != nil {
		return nil, l.located(err)
	}
	p.Notes = portNotes(root, l)
	return p, nil
}

// decodePort reads <networkport>, a whole one, or the part of one that was kept.
// Parts are read in the order in which libvirt reads them: of several mistakes it
// tells the first.
func decodePort(root *node, whole bool) (*Port, error) {
	if root.name != "networkport" {
		return nil, refuse(root.at, classXML, "expecting root element of 'networkport', not '%s'", fullName(root.prefix, root.name))
	}
	p, d := &Port{}, &portDecoder{decoder: decoder{guaranteed: true}, whole: whole}
	for _, part := range []func(*node, *Port) error{d.identity, d.guest, d.virtualPort, d.mac, d.traffic, d.filters, d.plug} {
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
func (d *portDecoder) lacks(root *node, what string) error {
	if !d.whole {
		return nil
	}
	return refuse(root.at, classInternal, "network port has no %s", what)
}

func (d *portDecoder) identity(root *node, p *Port) (err error) {
	p.UUID, err = d.uuid(root, root, "uuid")
	return err
}

// uuid reads a UUID in one of the elements.
func (d *portDecoder) uuid(root, in *node, what string) (string, error) {
	e := first(in.elements("uuid"))
	if e.content() == "" {
		return "", d.lacks(root, what)
	}
	uuid, ok := parseUUID(e.content())
	if !ok {
		return "", refuse(e.at, classInternal, "Unable to parse UUID '%s'", e.content())
	}
	return uuid, nil
}

// guest reads whose the port is.
func (d *portDecoder) guest(root *node, p *Port) (err error) {
	owner := first(root.elements("owner"))
	if p.Owner = first(owner.elements("name")).content(); p.Owner == "" {
		if err := d.lacks(root, "owner name"); err != nil {
			return err
		}
	}
	if p.OwnerUUID, err = d.uuid(root, owner, "owner UUID"); err != nil {
		return err
	}
	p.Group = first(root.elements("group")).content()
	return nil
}

func (d *portDecoder) virtualPort(root *node, p *Port) (err error) {
	p.VirtualPort, err = d.virtualport(first(root.elements("virtualport")), false)
	return err
}

func (d *portDecoder) mac(root *node, p *Port) error {
	e := first(root.elements("mac"))
	text := e.own("address")
	if text == "" {
		return d.lacks(root, "mac")
	}
	var ok bool
	if p.MAC, ok = parseMAC(text); !ok {
		return refuse(e.place("address"), classInternal, "Unable to parse MAC '%s'", text)
	}
	return nil
}

// traffic reads limits, VLANs and isolation.
func (d *portDecoder) traffic(root *node, p *Port) (err error) {
	limits := first(root.elements("bandwidth"))
	if p.ClassID, err = classID(limits); err != nil {
		return err
	}
	if p.Bandwidth, err = d.bandwidth(limits); err != nil {
		return err
	}
	if p.VLAN, err = d.vlan(first(root.elements("vlan"))); err != nil {
		return err
	}
	p.Isolated, err = d.isolated(root)
	return err
}

func classID(e *node) (int, error) {
	text := e.own("classID")
	if text == "" {
		return 0, nil
	}
	id, ok := parseNumber(text, 10, 32)
	if !ok {
		return 0, refuse(e.place("classID"), classInternal, "Unable to parse class id '%s'", text)
	}
	return int(id), nil
}

func (d *portDecoder) filters(root *node, p *Port) (err error) {
	p.TrustGuestRxFilters, err = first(root.elements("rxfilters")).yesNo("trustGuest")
	return err
}

// plug reads what the port hangs on.
func (d *portDecoder) plug(root *node, p *Port) error {
	e := first(root.elements("plug"))
	a, has := e.attribute("type")
	plug := &Plug{Type: a.value}
	read := map[string]func(*node, *Plug) error{"network": plugBridge, "bridge": plugBridge, "direct": plugDirect, "hostdev-pci": plugPCI}[a.value]
	switch {
	case !has || a.value == "none":
		return nil
	case read == nil:
		return e.badValue(a, "")
	}
	p.Plug = plug
	return read(e, plug)
}

func plugBridge(e *node, plug *Plug) error {
	if plug.Bridge = e.own("bridge"); plug.Bridge == "" {
		return refuse(e.at, classXML, "Missing network port bridge name")
	}
	plug.MACTableManager = e.own("macTableManager")
	if !slices.Contains([]string{"", "kernel", "libvirt"}, plug.MACTableManager) {
		return refuse(e.place("macTableManager"), classXML, "Invalid macTableManager setting '%s' in network port", plug.MACTableManager)
	}
	return nil
}

func plugDirect(e *node, plug *Plug) error {
	if plug.Dev = e.own("dev"); plug.Dev == "" {
		return refuse(e.at, classXML, "Missing network port link device name")
	}
	plug.Mode = or(e.own("mode"), string(spec.DirectVEPA))
	if !slices.Contains([]spec.DirectMode{spec.DirectBridge, spec.DirectVEPA, spec.DirectPrivate, spec.DirectPassthrough}, spec.DirectMode(plug.Mode)) {
		return refuse(e.place("mode"), classXML, "Invalid mode setting '%s' in network port", plug.Mode)
	}
	return nil
}

func plugPCI(e *node, plug *Plug) (err error) {
	if plug.Managed, err = e.yesNo("managed"); err != nil {
		return err
	}
	driver := first(e.elements("driver"))
	if plug.Driver = driver.own("name"); !slices.Contains([]string{"", "kvm", "vfio"}, plug.Driver) {
		return refuse(driver.place("name"), classXML, "Missing network port driver name")
	}
	address := first(e.elements("address"))
	if address == nil {
		return refuse(e.at, classXML, "Missing network port PCI address")
	}
	plug.Address, err = pciAddress(address)
	return err
}
