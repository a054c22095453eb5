package libvirtxml

import "cmp"

// forward writes how guests leave the network.
func (w *writer) forward(f *Forward) {
	if f == nil {
		return
	}
	devices := f.Interfaces
	if len(devices) == 0 && f.Dev != "" {
		devices = []Device{{Name: f.Dev}}
	}
	pairs := []pair{{name: "mode", value: cmp.Or(f.Mode, "nat")}}
	if len(devices) > 0 {
		pairs = []pair{{name: "dev", value: devices[0].Name, keep: true}, pairs[0]}
	}
	if f.Mode == "hostdev" {
		pairs = append(pairs, pair{name: "managed", value: cmp.Or(f.Managed, "no")})
	}
	w.around("forward", pairs, func(w *writer) {
		if f.Driver != nil {
			w.empty("driver", pair{name: "name", value: f.Driver.Name}, pair{name: "model", value: f.Driver.Model})
		}
		w.nat(f.NAT)
		w.devices("pf", f.PFs)
		w.devices("interface", devices)
		for _, a := range f.Addresses {
			w.empty("address", pair{name: "type", value: cmp.Or(a.Type, "pci")}, pair{name: "domain", value: a.Domain},
				pair{name: "bus", value: a.Bus}, pair{name: "slot", value: a.Slot}, pair{name: "function", value: a.Function})
		}
	})
}

// nat writes what refines mode nat, when there is something.
func (w *writer) nat(n *NAT) {
	if n == nil || *n == (NAT{}) {
		return
	}
	w.around("nat", []pair{{name: "ipv6", value: n.IPv6}}, func(w *writer) {
		if n.Start != "" {
			w.empty("address", pair{name: "start", value: n.Start}, pair{name: "end", value: n.End})
		}
		if n.PortStart != 0 || n.PortEnd != 0 {
			w.empty("port", number10("start", n.PortStart), number10("end", n.PortEnd))
		}
	})
}

// number10 is a number that is written even when it is 0.
func number10(name string, n int) pair {
	return pair{name: name, value: cmp.Or(positive(n), "0")}
}

func (w *writer) devices(name string, devices []Device) {
	for _, d := range devices {
		w.empty(name, pair{name: "dev", value: d.Name, keep: true}, pair{name: "connections", value: positive(d.Connections)})
	}
}

// bridge writes the bridge. One that libvirt sets up has its spanning tree protocol
// and its delay, written or not.
func (w *writer) bridge(b *Bridge, mode string) {
	if b == nil {
		b = &Bridge{}
	}
	pairs := []pair{{name: "name", value: b.Name}}
	switch mode {
	case "none", "nat", "route", "open":
		pairs = append(pairs, pair{name: "zone", value: b.Zone},
			pair{name: "stp", value: cmp.Or(b.STP, "on")}, pair{name: "delay", value: cmp.Or(b.Delay, "0")})
	default:
		if b.Name == "" && b.MACTableManager == "" {
			return
		}
	}
	w.empty("bridge", append(pairs, pair{name: "macTableManager", value: b.MACTableManager})...)
}

func (w *writer) mtu(size int) {
	if size > 0 {
		w.empty("mtu", pair{name: "size", value: positive(size)})
	}
}

func (w *writer) mac(n *Network) {
	if !n.MAC.IsZero() {
		w.empty("mac", pair{name: "address", value: n.MAC.String()})
	}
}

func (w *writer) domain(d *Domain) {
	if d != nil {
		w.empty("domain", pair{name: "name", value: d.Name, keep: true}, pair{name: "localOnly", value: d.LocalOnly}, pair{name: "register", value: d.Register})
	}
}

// isolated writes whether guests reach each other.
func (w *writer) isolated(word string) {
	if word != "" {
		w.empty("port", pair{name: "isolated", value: word})
	}
}
