package netfiles

import (
	"fmt"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// highest is the priority that NetworkManager knows for profiles.
const highest = "999"

// nmBridge writes a profile of the bridge with the user's addresses, one that makes the
// NIC its port, and switches the user's off.
func nmBridge(t Tree, c Conversion) ([]Change, error) {
	fit, err := nmProfileOf(t, c.NIC, known(t, c))
	if err != nil {
		return nil, err
	}
	for _, p := range nmProfiles(t) {
		if p.get("connection", "interface-name") == c.Bridge {
			return nil, &Refusal{fmt.Sprintf("make bridge %s: %s is a profile of that name: choose another with --name", c.Bridge, p.path)}
		}
	}
	users := profile{"", parseKeyfile(nmIP(c.Live))}
	if len(fit) > 0 {
		users = fit[0]
	}
	if to := users.master(); to != "" {
		return nil, &Refusal{fmt.Sprintf("make %s a port of %s: %s makes it a port of %s: convert that one", c.NIC, c.Bridge, users.path, to)}
	}
	e := newEdit(t)
	head := nmOrigin(users, c)
	e.set(nmOwn+"/kvmnet-"+c.Bridge+".nmconnection", head+nmBridgeProfile(t, c, users), 0o600)
	e.set(nmOwn+"/kvmnet-"+c.Bridge+"-"+c.NIC+".nmconnection", head+nmPortProfile(t, c, users, uuid5(t, c.Bridge)), 0o600)
	nmSwitchOff(e, fit)
	return e.changes(), nil
}

// nmOrigin begins a file: who wrote it, and from where it is.
func nmOrigin(users profile, c Conversion) string {
	head := header(unconvert(c.Bridge))
	if users.path != "" {
		head += "# The addresses are from " + users.path + ".\n"
	}
	return head
}

// nmSwitchOff has NetworkManager not take a profile of the NIC by itself that it would
// rather have than ours.
func nmSwitchOff(e *edit, fit []profile) {
	for _, p := range fit {
		if strings.HasPrefix(p.path, nmOwn) && p.automatic() && (p.exact() || p.priority() >= 999) {
			e.set(p.path, parseKeyfile(e.tree.text(p.path)).set("connection", "autoconnect", "false").String(), 0o600)
		}
	}
}

// what of a profile stays with the hardware, and what is of the profile as such.
var (
	nmHardware = []string{"ethernet", "802-3-ethernet", "802-1x", "dcb", "ethtool", "link", "tc", "sriov"}
	nmMoved    = []string{"zone", "permissions", "dns-over-tls", "mdns", "llmnr", "metered", "stable-id", "secondaries", "wait-device-timeout", "auth-retries", "autoconnect-retries", "lldp", "mud-url"}
)

func nmBridgeProfile(t Tree, c Conversion, users profile) string {
	s := parseKeyfile(fmt.Sprintf("[connection]\nid=%s\nuuid=%s\ntype=bridge\ninterface-name=%[1]s\nautoconnect-priority=%[3]s\n", c.Bridge, uuid5(t, c.Bridge), highest))
	for _, key := range nmMoved {
		if value, ok := users.find("connection", key); ok {
			s = s.set("connection", key, value)
		}
	}
	s = s.set("bridge", "stp", fmt.Sprint(c.STP))
	if c.STP {
		s = s.set("bridge", "forward-delay", fmt.Sprint(c.Delay))
	}
	s = s.set("bridge", "mac-address", strings.ToUpper(c.MAC.String()))
	if mtu := nmMTU(c, users); mtu != "" {
		s = s.set("ethernet", "mtu", mtu)
	}
	rest := users.only(func(e entry) bool {
		return e.section != "connection" && e.section != "match" && !slices.Contains(nmHardware, e.section)
	})
	return nmMetrics(parseKeyfile(s.String() + "\n" + rest.squeeze().String())).String()
}

// nmMetrics keeps the rank of the NIC's routes: where nothing is said those of Ethernet
// have metric 100, and those of bridges 425.
func nmMetrics(s sections) sections {
	for _, family := range []string{"ipv4", "ipv6"} {
		_, said := s.find(family, "route-metric")
		if method := s.get(family, "method"); !said && (method == "auto" || method == "manual" || method == "dhcp") {
			s = s.set(family, "route-metric", "100")
		}
	}
	return s
}

func nmMTU(c Conversion, users profile) string {
	if mtu := users.wired("mtu"); mtu != "" {
		return mtu
	}
	if n := c.mtu(); n > 0 {
		return fmt.Sprint(n)
	}
	return ""
}

// nmPortProfile has what the user's says of the hardware. It is for the NIC by name: the
// bridge, its master by uuid or name, has the same MAC.
func nmPortProfile(t Tree, c Conversion, users profile, master string) string {
	s := parseKeyfile(fmt.Sprintf("[connection]\nid=%s %s\nuuid=%s\ntype=ethernet\ninterface-name=%[2]s\nmaster=%[4]s\nslave-type=bridge\nautoconnect-priority=%s\n",
		c.Bridge, c.NIC, uuid5(t, c.Bridge+" "+c.NIC), master, highest))
	stays := users.only(func(e entry) bool { return slices.Contains(nmHardware, e.section) })
	text := s.String() + "\n" + stays.squeeze().String()
	if s = parseKeyfile(text); users.wired("mtu") == "" && c.mtu() > 0 {
		s = s.set("ethernet", "mtu", fmt.Sprint(c.mtu()))
	}
	return s.squeeze().String() + "\n[bridge-port]\n"
}

// nmIP is the part of a profile that an interface's addresses make up.
func nmIP(i spec.HostInterface) string {
	return nmFamily("ipv4", ip(i.IPv4), i.IPv4 != nil) + "\n" + nmFamily("ipv6", ip(i.IPv6), i.IPv6 != nil)
}

// nmFamily: method auto of IPv6 has DHCP where router advertisements say so; without
// autoconf it is dhcp.
func nmFamily(section string, f spec.InterfaceIP, said bool) string {
	b := &strings.Builder{}
	method := "disabled"
	switch {
	case f.DHCP && section == "ipv6" && !f.Autoconf:
		method = "dhcp"
	case f.DHCP || f.Autoconf:
		method = "auto"
	case len(f.Addresses) > 0:
		method = "manual"
	case section == "ipv6":
		method = "link-local"
	case said && len(f.Routes) > 0:
		method = "link-local"
	}
	fmt.Fprintf(b, "[%s]\nmethod=%s\n", section, method)
	for n, a := range f.Addresses {
		fmt.Fprintf(b, "address%d=%s\n", n+1, a)
	}
	for n, r := range f.Routes {
		b.WriteString(nmRoute(n+1, r))
	}
	if len(f.DNS) > 0 {
		fmt.Fprintf(b, "dns=%s;\n", join(f.DNS, ";"))
	}
	if len(f.Search) > 0 {
		fmt.Fprintf(b, "dns-search=%s;\n", strings.Join(f.Search, ";"))
	}
	if f.PeerDNS != nil {
		fmt.Fprintf(b, "ignore-auto-dns=%v\n", !*f.PeerDNS)
	}
	return b.String()
}

func nmRoute(n int, r spec.InterfaceRoute) string {
	text := fmt.Sprintf("route%d=%s", n, r.To)
	if r.Via.IsValid() {
		text += "," + r.Via.String()
	} else if r.Metric > 0 {
		text += "," + unspecified(r.To)
	}
	if r.Metric > 0 {
		text += fmt.Sprintf(",%d", r.Metric)
	}
	var options []string
	if r.OnLink {
		options = append(options, "onlink=true")
	}
	if r.Source.IsValid() {
		options = append(options, "src="+r.Source.String())
	}
	if len(options) > 0 {
		text += fmt.Sprintf("\nroute%d_options=%s", n, strings.Join(options, ","))
	}
	return text + "\n"
}
