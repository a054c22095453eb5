package netfiles

import (
	"fmt"
	"slices"
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
