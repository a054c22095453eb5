package libvirtxml

import (
	"math"
	"net/netip"
	"strings"
)

// dhcp reads <dhcp> of an address.
func (d *decoder) dhcp(e *node, ip IP) (*DHCP, error) {
	dhcp := &DHCP{}
	for _, c := range e.children {
		if c.kind != elementNode {
			continue
		}
		if err := d.dhcpEntry(c, ip, dhcp); err != nil {
			return nil, err
		}
	}
	return dhcp, nil
}

// dhcpEntry reads one element of <dhcp>.
func (d *decoder) dhcpEntry(e *node, ip IP, dhcp *DHCP) error {
	switch e.name {
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
func (d *decoder) dhcpRange(e *node, ip IP) (r Range, err error) {
	var ends [2]netip.Addr
	for i, name := range []string{"start", "end"} {
		if !e.has(name) {
			return r, refuse(e.at, classXML, "Missing '%s' attribute in dhcp range for network '%s'", name, d.network)
		}
		var ok bool
		if ends[i], ok = parseAddress(e.value(name)); !ok {
			return r, notAddress(e.place(name), e.value(name))
		}
	}
	r.Start, r.End = formatAddress(ends[0]), formatAddress(ends[1])
	if err := checkRange(e.place("start"), ends[0], ends[1], &ip); err != nil {
		return r, err
	}
	r.Lease, err = d.leaseOf(e)
	return r, err
}

// dhcpHost reads a reservation at ip. Looking for one, a part of it will do.
func (d *decoder) dhcpHost(e *node, ip IP) (h Host, err error) {
	h = Host{MAC: e.value("mac"), ID: e.value("id"), Name: e.value("name")}
	is6 := strings.Contains(ip.Address, ":")
	if err := d.hostMAC(e, is6); err != nil {
		return h, err
	}
	if bad := strings.Trim(h.ID, "0123456789abcdefABCDEF:"); bad != "" {
		at := strings.IndexFunc(h.ID, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF:", r) })
		return h, refuse(e.place("id"), classXML, "Invalid character '%s' in id '%s' of network '%s'", h.ID[at:at+1], h.ID, d.network)
	}
	if e.has("name") && strings.IndexAny(h.Name, letters) != 0 {
		return h, refuse(e.place("name"), classXML, "Cannot use host name '%s' in network '%s'", h.Name, d.network)
	}
	if e.has("ip") {
		a, ok := parseAddress(e.value("ip"))
		if !ok {
			return h, refuse(e.place("ip"), classXML, "Invalid IP address in static host definition for network '%s'", d.network)
		}
		h.IP = formatAddress(a)
	}
	if err := d.hostIsEnough(e, is6); err != nil {
		return h, err
	}
	h.Lease, err = d.leaseOf(e)
	return h, err
}

func (d *decoder) hostMAC(e *node, is6 bool) error {
	if !e.has("mac") {
		return nil
	}
	written, at := e.value("mac"), e.place("mac")
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
func (d *decoder) hostIsEnough(e *node, is6 bool) error {
	mac, id, name, ip := e.has("mac"), e.has("id"), e.has("name"), e.has("ip")
	switch {
	case d.partial && !mac && !name && !ip:
		return refuse(e.at, classXML, "At least one of name, mac, or ip attribute must be specified for static host definition in network '%s' ", d.network)
	case d.partial:
		return nil
	case is6 && !id && !name:
		return refuse(e.at, classXML, "Static host definition in IPv6 network '%s' must have id or name attribute", d.network)
	case !is6 && !mac && !name:
		return refuse(e.at, classXML, "Static host definition in IPv4 network '%s' must have mac or name attribute", d.network)
	case !ip:
		return refuse(e.at, classXML, "Missing IP address in static host definition for network '%s'", d.network)
	}
	return nil
}

// bootp reads what guests boot. Without a file, and with IPv6, it says nothing; of
// several the last counts.
func (d *decoder) bootp(e *node, ip IP, dhcp *DHCP) error {
	if !e.has("file") || strings.Contains(ip.Address, ":") {
		return nil
	}
	b := &Bootp{File: e.value("file")}
	if e.has("server") {
		a, ok := parseAddress(e.value("server"))
		if !ok {
			return notAddress(e.place("server"), e.value("server"))
		}
		b.Server = formatAddress(a)
	}
	dhcp.Bootp = b
	return nil
}

// leaseOf reads the lease time of a range or a reservation, of several the last.
func (d *decoder) leaseOf(e *node) (lease *Lease, err error) {
	for _, c := range e.named("lease") {
		if lease, err = d.lease(c); err != nil {
			return nil, err
		}
	}
	return lease, nil
}

func (d *decoder) lease(e *node) (*Lease, error) {
	a, has := e.attribute("expiry")
	if !has {
		return nil, nil
	}
	expiry, ok := parseUnsigned(a.value, 0, 64)
	if !ok || expiry > math.MaxInt {
		return nil, e.badValue(a, " Expected non-negative integer value")
	}
	unit, has := e.attribute("unit")
	switch {
	case !has:
		unit.value = "minutes"
	case unit.value != "seconds" && unit.value != "minutes" && unit.value != "hours":
		return nil, e.badValue(unit, "")
	}
	if expiry > 0 && (unit.value == "seconds" && expiry < 120 || unit.value == "minutes" && expiry < 2) {
		return nil, refuse(a.valueAt, classUnsupported, "The minimum lease time should be greater than 2 minutes")
	}
	return &Lease{Expiry: int(expiry), Unit: unit.value}, nil
}
