package libvirtxml

import (
	"cmp"
	"strconv"
)

// ip writes an address of the host, always with an end tag.
func (w *writer) ip(ip IP) {
	w.open("ip", pair{name: "family", value: ip.Family}, pair{name: "address", value: ip.Address}, pair{name: "netmask", value: ip.Netmask},
		pair{name: "prefix", value: ip.Prefix}, pair{name: "localPtr", value: ip.LocalPtr})
	if ip.TFTPRoot != "" {
		w.empty("tftp", pair{name: "root", value: ip.TFTPRoot})
	}
	w.dhcp(ip.DHCP)
	w.close("ip")
}

// dhcp writes the settings of the DHCP service. What guests boot is written only
// where some get an address.
func (w *writer) dhcp(d *DHCP) {
	if d == nil || len(d.Ranges)+len(d.Hosts) == 0 {
		return
	}
	w.open("dhcp")
	for _, r := range d.Ranges {
		w.dhcpRange(r)
	}
	for _, h := range d.Hosts {
		w.dhcpHost(h)
	}
	if b := d.Bootp; b != nil {
		w.empty("bootp", pair{name: "file", value: b.File, keep: true}, pair{name: "server", value: b.Server})
	}
	w.close("dhcp")
}

func (w *writer) dhcpRange(r Range) {
	w.around("range", []pair{{name: "start", value: r.Start}, {name: "end", value: r.End}}, func(w *writer) { w.lease(r.Lease) })
}

func (w *writer) dhcpHost(h Host) {
	w.around("host", []pair{{name: "mac", value: h.MAC}, {name: "id", value: h.ID}, {name: "name", value: h.Name}, {name: "ip", value: h.IP}}, func(w *writer) { w.lease(h.Lease) })
}

// lease writes a lease time; one without end has no unit.
func (w *writer) lease(l *Lease) {
	switch {
	case l == nil:
	case l.Expiry == 0:
		w.empty("lease", pair{name: "expiry", value: "0"})
	default:
		w.empty("lease", pair{name: "expiry", value: strconv.Itoa(l.Expiry)}, pair{name: "unit", value: cmp.Or(l.Unit, "minutes")})
	}
}

func (w *writer) route(r Route) {
	w.empty("route", pair{name: "family", value: r.Family}, pair{name: "address", value: r.Address}, pair{name: "netmask", value: r.Netmask},
		pair{name: "prefix", value: r.Prefix}, pair{name: "gateway", value: r.Gateway}, pair{name: "metric", value: positive(r.Metric)})
}
