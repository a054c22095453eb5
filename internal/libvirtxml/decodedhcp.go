package libvirtxml

import (
	"math"
	"net/netip"
	"strings"

	"kvmnet/internal/xmltree"
)

// dhcp reads <dhcp> of an address.
func (d *decoder) dhcp(e *xmltree.Node, ip IP) (*DHCP, error) {
	dhcp := &DHCP{}
	for _, c := range e.Children {
		if c.Kind != xmltree.Element {
			continue
		}
		if err := d.dhcpEntry(c, ip, dhcp); err != nil {
			return nil, err
		}
	}
	return dhcp, nil
}

// dhcpEntry reads one element of <dhcp>.
func (d *decoder) dhcpEntry(e *xmltree.Node, ip IP, dhcp *DHCP) error {
	switch e.Name {
	case "range":
		r, err := d.dhcpRange(e, ip)
		if err != nil {
			return err
		}
		dhcp.Ranges = append(dhcp.Ranges, r)
	case "host":
		h, err := d.dhcpHost(e, ip)
		if err != nil {
			return err
		}
		dhcp.Hosts = append(dhcp.Hosts, h)
	case "bootp":
		return d.bootp(e, ip, dhcp)
	}
	return nil
}

// dhcpRange reads a range of addresses for whoever asks at ip.
func (d *decoder) dhcpRange(e *xmltree.Node, ip IP) (r Range, err error) {
	var ends [2]netip.Addr
	for i, name := range []string{"start", "end"} {
		if !e.Has(name) {
			return r, refuse(e.At, classXML, "Missing '%s' attribute in dhcp range for network '%s'", name, d.network)
		}
		var ok bool
		if ends[i], ok = parseAddress(e.Value(name)); !ok {
			return r, notAddress(e.Place(name), e.Value(name))
		}
	}
	r.Start, r.End = formatAddress(ends[0]), formatAddress(ends[1])
	if err := checkRange(e.Place("start"), ends[0], ends[1], &ip); err != nil {
		return r, err
	}
	r.Lease, err = d.leaseOf(e)
	return r, err
}

// dhcpHost reads a reservation at ip. Looking for one, a part of it will do.
func (d *decoder) dhcpHost(e *xmltree.Node, ip IP) (h Host, err error) {
	h = Host{MAC: e.Value("mac"), ID: e.Value("id"), Name: e.Value("name")}
	is6 := strings.Contains(ip.Address, ":")
	if err := d.hostMAC(e, is6); err != nil {
		return h, err
	}
	if bad := strings.Trim(h.ID, "0123456789abcdefABCDEF:"); bad != "" {
		at := strings.IndexFunc(h.ID, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF:", r) })
		return h, refuse(e.Place("id"), classXML, "Invalid character '%s' in id '%s' of network '%s'", h.ID[at:at+1], h.ID, d.network)
	}
	if e.Has("name") && strings.IndexAny(h.Name, letters) != 0 {
		return h, refuse(e.Place("name"), classXML, "Cannot use host name '%s' in network '%s'", h.Name, d.network)
	}
	if e.Has("ip") {
		a, ok := parseAddress(e.Value("ip"))
		if !ok {
			return h, refuse(e.Place("ip"), classXML, "Invalid IP address in static host definition for network '%s'", d.network)
		}
		h.IP = formatAddress(a)
	}
	if err := d.hostIsEnough(e, is6); err != nil {
		return h, err
	}
	h.Lease, err = d.leaseOf(e)
	return h, err
}

func (d *decoder) hostMAC(e *xmltree.Node, is6 bool) error {
	if !e.Has("mac") {
		return nil
	}
	written, at := e.Value("mac"), e.Place("mac")
	mac, ok := parseMAC(written)
	switch {
	case is6:
		return refuse(at, classXML, "Invalid to specify MAC address '%s' in network '%s' IPv6 static host definition", written, d.network)
	case !ok:
		return refuse(at, classXML, "Cannot parse MAC address '%s' in network '%s'", written, d.network)
	case mac.IsMulticast():
		return refuse(at, classXML, "expected unicast mac address, found multicast '%s' in network '%s'", written, d.network)
	}
	return nil
}

// hostIsEnough checks that a reservation says for whom it is, and what.
func (d *decoder) hostIsEnough(e *xmltree.Node, is6 bool) error {
	mac, name, ip := e.Has("mac"), e.Has("name"), e.Has("ip")
	id := e.Value("id") != "" // an empty one is for nobody
	switch {
	case d.partial && !mac && !name && !ip:
		return refuse(e.At, classXML, "At least one of name, mac, or ip attribute must be specified for static host definition in network '%s' ", d.network)
	case d.partial:
		return nil
	case is6 && !id && !name:
		return refuse(e.At, classXML, "Static host definition in IPv6 network '%s' must have id or name attribute", d.network)
	case !is6 && !mac && !name:
		return refuse(e.At, classXML, "Static host definition in IPv4 network '%s' must have mac or name attribute", d.network)
	case !ip:
		return refuse(e.At, classXML, "Missing IP address in static host definition for network '%s'", d.network)
	}
	return nil
}

// bootp reads what guests boot. Without a file, and with IPv6, it says nothing; of
// several the last counts.
func (d *decoder) bootp(e *xmltree.Node, ip IP, dhcp *DHCP) error {
	if !e.Has("file") || strings.Contains(ip.Address, ":") {
		return nil
	}
	b := &Bootp{File: e.Value("file")}
	if e.Has("server") {
		a, ok := parseAddress(e.Value("server"))
		if !ok {
			return notAddress(e.Place("server"), e.Value("server"))
		}
		b.Server = formatAddress(a)
	}
	dhcp.Bootp = b
	return nil
}

// leaseOf reads the lease time of a range or a reservation, of several the last.
func (d *decoder) leaseOf(e *xmltree.Node) (lease *Lease, err error) {
	for _, c := range e.Named("lease") {
		if lease, err = d.lease(c); err != nil {
			return nil, err
		}
	}
	return lease, nil
}

func (d *decoder) lease(e *xmltree.Node) (*Lease, error) {
	a, has := e.Attribute("expiry")
	if !has {
		return nil, nil
	}
	expiry, ok := parseUnsigned(a.Value, 0, 64)
	if !ok || expiry > math.MaxInt {
		return nil, badValue(e, a, " Expected non-negative integer value")
	}
	unit, has := e.Attribute("unit")
	switch {
	case !has:
		unit.Value = "minutes"
	case unit.Value != "seconds" && unit.Value != "minutes" && unit.Value != "hours":
		return nil, badValue(e, unit, "")
	}
	if expiry > 0 && (unit.Value == "seconds" && expiry < 120 || unit.Value == "minutes" && expiry < 2) {
		return nil, refuse(a.ValueAt, classUnsupported, "The minimum lease time should be greater than 2 minutes")
	}
	return &Lease{Expiry: int(expiry), Unit: unit.Value}, nil
}
