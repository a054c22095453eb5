package libvirtxml

// dns writes the settings of the DNS service, when there are some.
func (w *writer) dns(d *DNS) {
	if d == nil || d.Enable == "" && d.ForwardPlainNames == "" && len(d.Forwarders)+len(d.TXT)+len(d.SRV)+len(d.Hosts) == 0 {
		return
	}
	w.around("dns", []pair{{name: "enable", value: d.Enable}, {name: "forwardPlainNames", value: d.ForwardPlainNames}}, func(w *writer) {
		for _, f := range d.Forwarders {
			w.forwarder(f)
		}
		for _, t := range d.TXT {
			w.txt(t)
		}
		for _, s := range d.SRV {
			w.srv(s)
		}
		for _, h := range d.Hosts {
			w.dnsHost(h)
		}
	})
}

func (w *writer) forwarder(f Forwarder) {
	w.empty("forwarder", pair{name: "domain", value: f.Domain, keep: f.Addr == ""}, pair{name: "addr", value: f.Addr}, pair{name: "port", value: positive(f.Port)})
}

func (w *writer) txt(t TXT) {
	w.empty("txt", pair{name: "name", value: t.Name, keep: true}, pair{name: "value", value: t.Value, keep: true})
}

// srv writes a service record; its numbers need a target, be it empty.
func (w *writer) srv(s SRV) {
	w.empty("srv", pair{name: "service", value: s.Service, keep: true}, pair{name: "protocol", value: s.Protocol, keep: true},
		pair{name: "domain", value: s.Domain}, pair{name: "target", value: s.Target, keep: s.Port+s.Priority+s.Weight > 0},
		pair{name: "port", value: positive(s.Port)}, pair{name: "priority", value: positive(s.Priority)}, pair{name: "weight", value: positive(s.Weight)})
}

func (w *writer) dnsHost(h DNSHost) {
	w.open("host", pair{name: "ip", value: h.IP})
	for _, name := range h.Names {
		w.text("hostname", name)
	}
	w.close("host")
}
