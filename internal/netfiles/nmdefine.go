package netfiles

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

func join[T fmt.Stringer](list []T, by string) string {
	var words []string
	for _, v := range list {
		words = append(words, v.String())
	}
	return strings.Join(words, by)
}

func unspecified(p netip.Prefix) string {
	if p.Addr().Is4() {
		return "0.0.0.0"
	}
	return "::"
}

// nmDefine writes a profile, and one for each port.
func nmDefine(e *edit, i spec.HostInterface) error {
	if i.Start == spec.StartHotplug {
		return cannot(NetworkManager, i, "start: hotplug", "it configures devices whenever they appear: leave start out")
	}
	head := header(undefine(i.Name))
	t := e.tree
	s := parseKeyfile(fmt.Sprintf("[connection]\nid=%s\nuuid=%s\ntype=%s\ninterface-name=%[1]s\n", i.Name, uuid5(t, i.Name), nmKind(i.Type)))
	if i.Start == spec.StartNone {
		s = s.set("connection", "autoconnect", "false")
	}
	if i.MTU > 0 {
		s = s.set("ethernet", "mtu", fmt.Sprint(i.MTU))
	}
	if !i.MAC.IsZero() && i.Type == spec.BridgeInterface {
		s = s.set("bridge", "mac-address", strings.ToUpper(i.MAC.String()))
	} else if !i.MAC.IsZero() {
		s = s.set("ethernet", "cloned-mac-address", strings.ToUpper(i.MAC.String()))
	}
	s, err := nmDetails(s, i)
	if err != nil {
		return err
	}
	e.set(nmOwn+"/kvmnet-"+i.Name+".nmconnection", head+s.String()+"\n"+nmIP(i), 0o600)
	for _, port := range i.Ports() {
		s := parseKeyfile(fmt.Sprintf("[connection]\nid=%s %s\nuuid=%s\ntype=%s\ninterface-name=%[2]s\nmaster=%[5]s\nslave-type=%s\nautoconnect-priority=%s\n",
			i.Name, port.Name, uuid5(t, i.Name+" "+port.Name), nmKind(port.Type), uuid5(t, i.Name), i.Type, highest))
		if port.MTU > 0 {
			s = s.set("ethernet", "mtu", fmt.Sprint(port.MTU))
		}
		if s, err = nmDetails(s, port); err != nil {
			return err
		}
		e.set(nmOwn+"/kvmnet-"+i.Name+"-"+port.Name+".nmconnection", head+s.String(), 0o600)
	}
	return nil
}

func nmKind(k spec.InterfaceType) string {
	if k == "" {
		return string(spec.EthernetInterface)
	}
	return string(k)
}

// nmDetails adds what is not of every interface.
func nmDetails(s sections, i spec.HostInterface) (sections, error) {
	switch {
	case i.Bridge != nil:
		s = s.set("bridge", "stp", fmt.Sprint(i.Bridge.STP))
		if i.Bridge.STP && i.Bridge.Delay > 0 {
			if i.Bridge.Delay < 2 || i.Bridge.Delay > 30 {
				return nil, cannot(NetworkManager, i, fmt.Sprintf("delay: %d", i.Bridge.Delay), "it takes 2 to 30 seconds")
			}
			s = s.set("bridge", "forward-delay", fmt.Sprint(i.Bridge.Delay))
		}
	case i.VLAN != nil:
		s = s.set("vlan", "id", fmt.Sprint(i.VLAN.Tag)).set("vlan", "parent", i.VLAN.On)
	case i.Bond != nil:
		for _, o := range bondOptions(i.Bond) {
			s = s.set("bond", o[0], o[1])
		}
	}
	return s, nil
}

// bondOptions are those of the kernel's module (bonding.rst), which NetworkManager, the
// network scripts and ifupdown pass on.
func bondOptions(d *spec.BondDetails) [][2]string {
	list := [][2]string{{"mode", "balance-rr"}}
	add := func(key, value string, is bool) {
		if is {
			list = append(list, [2]string{key, value})
		}
	}
	if d.Mode != "" {
		list[0][1] = d.Mode
	}
	if m := d.MII; m != nil {
		add("miimon", fmt.Sprint(m.Every), true)
		add("updelay", fmt.Sprint(m.UpDelay), m.UpDelay > 0)
		add("downdelay", fmt.Sprint(m.DownDelay), m.DownDelay > 0)
		add("use_carrier", "0", m.Carrier == "ioctl")
	}
	if a := d.ARP; a != nil {
		add("arp_interval", fmt.Sprint(a.Every), true)
		add("arp_ip_target", a.Target.String(), true)
		add("arp_validate", a.Validate, a.Validate != "")
	}
	return list
}

// readBond is bondOptions the other way round.
func readBond(get func(key string) string) *spec.BondDetails {
	number := func(key string) int { n, _ := strconv.Atoi(get(key)); return n }
	d := &spec.BondDetails{Mode: get("mode")}
	if every := number("miimon"); every > 0 {
		d.MII = &spec.BondMII{Every: every, UpDelay: number("updelay"), DownDelay: number("downdelay")}
		if get("use_carrier") == "0" {
			d.MII.Carrier = "ioctl"
		}
	}
	if every := number("arp_interval"); every > 0 {
		first, _, _ := strings.Cut(get("arp_ip_target"), ",")
		d.ARP = &spec.BondARP{Every: every, Target: address(first), Validate: get("arp_validate")}
	}
	return d
}

// nmUndefine removes the profiles of an interface and of its ports.
func nmUndefine(e *edit, name string) error {
	own, ids := nmNamed(e.tree, name)
	for _, p := range nmProfiles(e.tree) {
		if slices.Contains(ids, p.master()) || slices.ContainsFunc(own, func(o profile) bool { return o.path == p.path }) {
			if !strings.HasPrefix(p.path, nmOwn) {
				return &Refusal{fmt.Sprintf("undefine %s: %s is made anew at each boot, or comes with a package: remove it where it comes from", name, p.path)}
			}
			e.remove(p.path)
		}
	}
	return nil
}

// nmNamed are the profiles of an interface by its name, and what their ports call it.
func nmNamed(t Tree, name string) (own []profile, ids []string) {
	ids = []string{name}
	for _, p := range nmProfiles(t) {
		if p.get("connection", "interface-name") == name {
			own = append(own, p)
			if id := p.get("connection", "uuid"); id != "" {
				ids = append(ids, id)
			}
		}
	}
	return own, ids
}
