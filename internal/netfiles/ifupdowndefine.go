package netfiles

import (
	"fmt"
	"net"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// ifupdownFile is where the definition of an interface is written: a name that a
// source-directory takes.
func ifupdownFile(name string) string {
	return "/etc/network/interfaces.d/kvmnet-" + strings.ReplaceAll(name, ".", "_")
}

// ifupdownDefine writes a file of its own, and has the main one name it.
func ifupdownDefine(e *edit, i spec.HostInterface) error {
	for _, f := range []*spec.InterfaceIP{i.IPv4, i.IPv6} {
		if f != nil && f.PeerDNS != nil && !*f.PeerDNS {
			return cannot(Ifupdown, i, "peerDNS: false", "the DHCP client decides: say so in its own configuration (dhclient.conf(5))")
		}
	}
	b := &strings.Builder{}
	b.WriteString(header(undefine(i.Name)))
	for _, port := range i.Ports() {
		b.WriteString(ifupdownPort(i, port))
	}
	switch i.Start {
	case spec.StartHotplug:
		fmt.Fprintf(b, "allow-hotplug %s\n", i.Name)
	case spec.StartOnBoot, "":
		fmt.Fprintf(b, "auto %s\n", i.Name)
	}
	stanzas := ifupdownStanzas(i)
	details := ifupdownDetails(i)
	for n, s := range stanzas {
		fmt.Fprintf(b, "iface %s %s\n", i.Name, s.heading)
		if n == 0 {
			s.options = append(details, s.options...)
		}
		for _, o := range s.options {
			b.WriteString("    " + o + "\n")
		}
	}
	p := ifupdownFile(i.Name)
	e.set(p, b.String(), 0o644)
	ifupdownSource(e, p)
	return nil
}

// ifupdownSource has the main file name ours, where it does not yet.
func ifupdownSource(e *edit, p string) {
	for _, f := range loadInterfaces(e.result()) {
		if f.path == p {
			return
		}
	}
	text := e.text(interfacesPath)
	if text != "" {
		text = ended(text) + "\n"
	}
	e.set(interfacesPath, text+"source /etc/network/interfaces.d/kvmnet-*\n", 0o644)
}

func ifupdownPort(i, port spec.HostInterface) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "iface %s inet manual\n", port.Name)
	if i.Type == spec.BondInterface {
		fmt.Fprintf(b, "    bond-master %s\n", i.Name)
	}
	for _, o := range ifupdownDetails(port) {
		fmt.Fprintf(b, "    %s\n", o)
	}
	return b.String() + "\n"
}

// ifupdownDetails are the options that are not of a family.
func ifupdownDetails(i spec.HostInterface) []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	names := strings.Join(portNames(i), " ")
	if names == "" {
		names = "none"
	}
	switch {
	case i.Bridge != nil:
		add("bridge_ports %s", names)
		add("bridge_stp %s", map[bool]string{true: "on", false: "off"}[i.Bridge.STP])
		add("bridge_fd %d", i.Bridge.Delay)
		if !i.Bridge.STP {
			add("bridge_maxwait 0")
		}
	case i.Bond != nil:
		add("bond-slaves %s", names)
		for _, o := range bondOptions(i.Bond) {
			add("bond-%s %s", strings.ReplaceAll(o[0], "_", "-"), o[1])
		}
	case i.VLAN != nil:
		add("vlan-raw-device %s", i.VLAN.On)
		add("vlan-id %d", i.VLAN.Tag)
	}
	if !i.MAC.IsZero() {
		add("%s %s", map[bool]string{true: "bridge_hw", false: "hwaddress"}[i.Bridge != nil], i.MAC)
	}
	if i.MTU > 0 {
		add("mtu %d", i.MTU)
	}
	return list
}

// stanza is an iface statement with its options.
type stanza struct {
	heading string
	options []string
}

func ifupdownStanzas(i spec.HostInterface) []stanza {
	list := slices.Concat(ifupdownFamily("inet", i.IPv4), ifupdownFamily("inet6", i.IPv6))
	if len(list) == 0 {
		return []stanza{{heading: "inet manual"}}
	}
	return list
}

// ifupdownFamily: DHCP and each address have a stanza.
func ifupdownFamily(family string, f *spec.InterfaceIP) []stanza {
	if f == nil {
		return nil
	}
	var list []stanza
	switch {
	case f.DHCP && family == "inet6" && !f.Autoconf:
		list = append(list, stanza{"inet6 dhcp", []string{"accept_ra 1"}})
	case f.DHCP && family == "inet6":
		list = append(list, stanza{"inet6 auto", []string{"dhcp 1"}})
	case f.DHCP:
		list = append(list, stanza{"inet dhcp", nil})
	case f.Autoconf:
		list = append(list, stanza{"inet6 auto", nil})
	}
	for _, a := range f.Addresses {
		list = append(list, stanza{family + " static", []string{"address " + a.String()}})
	}
	if len(list) == 0 {
		list = append(list, stanza{family + " manual", nil})
	}
	last := &list[len(list)-1].options
	for _, r := range f.Routes {
		*last = append(*last, ifupdownRoute(r, len(f.Addresses) > 0))
	}
	if len(f.DNS) > 0 {
		*last = append(*last, "dns-nameservers "+join(f.DNS, " "))
	}
	if len(f.Search) > 0 {
		*last = append(*last, "dns-search "+strings.Join(f.Search, " "))
	}
	return list
}

func ifupdownRoute(r spec.InterfaceRoute, static bool) string {
	if static && r.To.Bits() == 0 && r.Via.IsValid() && r.Metric == 0 && !r.OnLink && !r.Source.IsValid() {
		return "gateway " + r.Via.String()
	}
	text := "up ip route replace " + r.To.String()
	if r.To.Addr().Is6() {
		text = "up ip -6 route replace " + r.To.String()
	}
	if r.Via.IsValid() {
		text += " via " + r.Via.String()
	}
	text += " dev $IFACE"
	if r.Metric > 0 {
		text += fmt.Sprintf(" metric %d", r.Metric)
	}
	if r.Source.IsValid() {
		text += " src " + r.Source.String()
	}
	if r.OnLink {
		text += " onlink"
	}
	return text
}

// ifupdownUndefine takes the stanzas of an interface out.
func ifupdownUndefine(e *edit, name string) error {
	for _, f := range loadInterfaces(e.tree) {
		if f.path == ifupdownFile(name) {
			e.remove(f.path)
			continue
		}
		var b strings.Builder
		for _, s := range f.statements {
			k := s.keyword()
			switch {
			case s.iface != "" && isAlias(s.iface, name) && s.words != nil:
			case k == "auto" || strings.HasPrefix(k, "allow-"):
				b.WriteString(without(s, name))
			default:
				b.WriteString(s.raw)
			}
		}
		if text := b.String(); text != e.tree.text(f.path) {
			e.set(f.path, text, 0o644)
		}
	}
	return nil
}

// without is a line of names without one.
func without(s statement, name string) string {
	rest := slices.DeleteFunc(slices.Clone(s.words[1:]), func(w string) bool { return isAlias(w, name) })
	switch {
	case len(rest) == len(s.words)-1:
		return s.raw
	case len(rest) == 0:
		return ""
	}
	return s.words[0] + " " + strings.Join(rest, " ") + "\n"
}

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
		r.ports = slices.DeleteFunc(s.words[1:], func(w string) bool { return w == "none" })
	case plain == "bond_master":
		r.port = true
	case strings.HasPrefix(plain, "bond_"):
		r.bond[strings.TrimPrefix(plain, "bond_")] = value
	case strings.HasPrefix(plain, "bridge_"):
		r.bridge[strings.TrimPrefix(plain, "bridge_")] = value
	case key == "up" || key == "post-up":
		r.route(to, s.words[1:])
	}
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
