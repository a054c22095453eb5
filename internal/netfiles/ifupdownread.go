package netfiles

import (
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// ifupdownDefined reads the stanzas of an interface.
func ifupdownDefined(t Tree, name string) *spec.HostInterface {
	r := ifupdownReader{bond: map[string]string{}, bridge: map[string]string{}, i: spec.HostInterface{Name: name, Type: spec.EthernetInterface, Start: spec.StartNone}}
	for _, f := range loadInterfaces(t) {
		for _, s := range f.statements {
			switch {
			case s.keyword() == "auto" || s.keyword() == "allow-auto":
				if slices.Contains(s.words[1:], name) {
					r.i.Start = ""
				}
			case s.keyword() == "allow-hotplug" && slices.Contains(s.words[1:], name) && r.i.Start != "":
				r.i.Start = spec.StartHotplug
			case s.keyword() == "iface" && s.iface == name:
				r.begin(s)
			case s.option() && s.iface == name:
				r.option(s)
			}
		}
	}
	if !r.found || r.port || portOf(t, name) {
		return nil
	}
	r.end(t)
	return &r.i
}

// portOf reports whether another stanza has an interface as its port.
func portOf(t Tree, name string) bool {
	for _, f := range loadInterfaces(t) {
		for _, s := range f.statements {
			if slices.Contains(portKeys, s.keyword()) && slices.Contains(s.words[1:], name) {
				return true
			}
		}
	}
	return false
}

// ifupdownReader gathers what stanzas of one interface say.
type ifupdownReader struct {
	i           spec.HostInterface
	found, port bool
	v4, v6      spec.InterfaceIP
	family      *spec.InterfaceIP // of the stanza
	mask        string
	bond        map[string]string
	ports       []string
	bridge      map[string]string
}

func (r *ifupdownReader) begin(s statement) {
	r.found = true
	words := append(slices.Clone(s.words), "", "")
	r.family, r.mask = &r.v4, ""
	if words[2] == "inet6" {
		r.family = &r.v6
	}
	switch words[3] {
	case "dhcp":
		r.family.DHCP = true
	case "auto":
		r.family.Autoconf = true
	}
}

func (r *ifupdownReader) option(s statement) {
	to := func(netip.Addr) *spec.InterfaceIP { return r.family }
	key, value := s.keyword(), s.value()
	switch plain := strings.ReplaceAll(key, "-", "_"); {
	case key == "address":
		addAddress(to, value)
		r.masked()
	case key == "netmask":
		r.mask = value
		r.masked()
	case key == "gateway":
		addRoute(to, "", value, 0, false, "")
	case plain == "dns_nameservers" || plain == "dns_nameserver":
		for _, a := range s.words[1:] {
			addDNS(to, a)
		}
	case plain == "dns_search":
		r.family.Search = append(r.family.Search, s.words[1:]...)
	case key == "dhcp" && value == "1":
		r.family.DHCP = true
	case key == "mtu":
		r.i.MTU, _ = strconv.Atoi(value)
	case key == "hwaddress" || plain == "bridge_hw":
		if mac, err := spec.ParseMAC(s.words[len(s.words)-1]); err == nil {
			r.i.MAC = mac
		}
	case plain == "vlan_raw_device" || plain == "vlan_id":
		r.vlan(plain, value)
	case plain == "bridge_ports" || plain == "bond_slaves":
		r.i.Type = map[bool]spec.InterfaceType{true: spec.BridgeInterface, false: spec.BondInterface}[plain == "bridge_ports"]
		r.ports = namedPorts(s.words[1:])
	case plain == "bond_master":
		r.port = true
	case strings.HasPrefix(plain, "bond_"):
		r.bond[strings.TrimPrefix(plain, "bond_")] = value
	case strings.HasPrefix(plain, "bridge_"):
		r.bridge[strings.TrimPrefix(plain, "bridge_")] = value
	case key == "up" || key == "post-up":
		r.route(r.of, s.words[1:])
	}
}

// of is the family of an address.
func (r *ifupdownReader) of(a netip.Addr) *spec.InterfaceIP {
	if a.Is6() {
		return &r.v6
	}
	return &r.v4
}

// namedPorts are those of a bridge that are there by name: bridge-utils takes patterns as
// well (bridge-utils-interfaces(5)).
func namedPorts(words []string) []string {
	var names []string
	pattern := false
	for _, w := range words {
		switch {
		case w == "regex" || w == "noregex":
			pattern = w == "regex"
		case !pattern && w != "none" && w != "all":
			names = append(names, w)
		}
	}
	return names
}

func (r *ifupdownReader) vlan(key, value string) {
	if r.i.VLAN == nil {
		r.i.Type, r.i.VLAN = spec.VLANInterface, &spec.VLANDetails{}
	}
	if key == "vlan_id" {
		r.i.VLAN.Tag, _ = strconv.Atoi(value)
	} else {
		r.i.VLAN.On = value
	}
}

// masked gives the last address the length that netmask says: a number or four.
func (r *ifupdownReader) masked() {
	if r.mask == "" || len(r.family.Addresses) == 0 {
		return
	}
	last := &r.family.Addresses[len(r.family.Addresses)-1]
	if bits, ok := maskBits(r.mask); ok && bits <= last.Addr().BitLen() {
		*last = netip.PrefixFrom(last.Addr(), bits)
	}
}

func maskBits(text string) (int, bool) {
	if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= 128 {
		return n, true
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return 0, false
	}
	ones, bits := net.IPMask(a.AsSlice()).Size()
	return ones, bits > 0
}

// route reads a route from a command of ip(8).
func (r *ifupdownReader) route(to func(netip.Addr) *spec.InterfaceIP, words []string) {
	if len(words) < 4 || path.Base(words[0]) != "ip" {
		return
	}
	at := slices.Index(words, "route")
	if at < 0 || at+2 >= len(words) || !slices.Contains([]string{"add", "replace", "append"}, words[at+1]) {
		return
	}
	after := func(key string) string {
		if k := slices.Index(words, key); k >= 0 && k+1 < len(words) {
			return words[k+1]
		}
		return ""
	}
	metric, _ := strconv.Atoi(after("metric"))
	addRoute(to, words[at+2], after("via"), metric, slices.Contains(words, "onlink"), after("src"))
}

func (r *ifupdownReader) end(t Tree) {
	i := &r.i
	if name, tag, ok := strings.Cut(i.Name, "."); ok && i.Type == spec.EthernetInterface && name != "" {
		if n, err := strconv.Atoi(tag); err == nil {
			i.Type, i.VLAN = spec.VLANInterface, &spec.VLANDetails{Tag: n, On: name}
		}
	}
	if i.VLAN != nil && i.VLAN.Tag == 0 {
		if digits := i.Name[strings.LastIndexAny(i.Name, ".n")+1:]; digits != "" { // eth0.10, vlan10
			i.VLAN.Tag, _ = strconv.Atoi(digits)
		}
	}
	var list []spec.HostInterface
	for _, name := range r.ports {
		port := spec.HostInterface{Name: name, Type: spec.EthernetInterface}
		list = append(list, port)
	}
	switch i.Type {
	case spec.BridgeInterface:
		i.Bridge = &spec.BridgeDetails{STP: isYes(r.bridge["stp"]), Ports: list}
		i.Bridge.Delay, _ = spec.ParseSeconds(r.bridge["fd"])
	case spec.BondInterface:
		i.Bond = readBond(func(key string) string { return r.bond[key] })
		i.Bond.Ports = list
	}
	settle(i, &r.v4, &r.v6)
}

func ifupdownNames(t Tree) []string {
	var names []string
	for _, f := range loadInterfaces(t) {
		for _, s := range f.statements {
			if s.keyword() == "iface" && s.iface != "" && s.iface != "lo" && !strings.Contains(s.iface, ":") {
				names = append(names, s.iface)
			}
		}
	}
	return names
}
