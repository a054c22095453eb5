package netfiles

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// networkdDefine writes a .netdev file for what is no hardware, a .network file, and one
// for each port.
func networkdDefine(e *edit, i spec.HostInterface) error {
	if i.Start == spec.StartHotplug {
		return cannot(Networkd, i, "start: hotplug", "it configures devices whenever they appear: leave start out")
	}
	prefix, err := networkdPrefix(e.result(), i)
	if err != nil {
		return err
	}
	base := networkdDirs[0] + "/" + prefix + "kvmnet-" + i.Name
	head := header(undefine(i.Name))
	if dev := networkdDevice(i); dev != "" {
		e.set(base+".netdev", head+dev, 0o644)
	}
	text := head + "[Match]\nName=" + i.Name + "\n" + networkdLink(i) + "\n" + networkdIP(i)
	e.set(base+".network", text, 0o644)
	for _, port := range i.Ports() {
		text := head + "[Match]\nName=" + port.Name + "\n" + networkdLink(port) + "\n[Network]\n" + networkdMaster(i) + "LinkLocalAddressing=no\n"
		e.set(base+"-"+port.Name+".network", text, 0o644)
	}
	if i.Type == spec.VLANInterface {
		return networkdCarry(e, base, head, i)
	}
	return nil
}

// networkdPrefix finds the one with which our files are used.
func networkdPrefix(t Tree, i spec.HostInterface) (string, error) {
	var hidden []string
	for _, name := range append([]string{i.Name}, portNames(i)...) {
		l := t.link(name)
		if l.Type == "" && name != i.Name {
			l.Type = "ether"
		}
		if n, ok := networkOf(t, name, l); ok {
			hidden = append(hidden, n.path)
		}
	}
	return before("kvmnet-"+i.Name+".network", hidden)
}

// networkdCarry tells the interface below of the VLAN: by a drop-in to the file it has,
// or by one of its own.
func networkdCarry(e *edit, base, head string, i spec.HostInterface) error {
	line := "[Network]\nVLAN=" + i.Name + "\n"
	on := i.VLAN.On
	l := e.tree.link(on)
	if l.Type == "" {
		l.Type = "ether"
	}
	n, ok := networkOf(e.result(), on, l)
	switch {
	case !ok:
		e.set(base+"-"+on+".network", head+"[Match]\nName="+on+"\n\n"+line+"LinkLocalAddressing=no\n", 0o644)
	case n.names() == nil || len(n.names()) > 1:
		return cannot(Networkd, i, "vlan.on: "+on, n.path+" is for several interfaces: give "+on+" a file of its own")
	default:
		e.set(networkdDirs[0]+"/"+path.Base(n.path)+".d/kvmnet-"+i.Name+".conf", head+line, 0o644)
	}
	return nil
}

// cannot refuses what a manager has no words for.
func cannot(m Manager, i spec.HostInterface, what, why string) error {
	return &Refusal{fmt.Sprintf("define %s with %s: %s: %s", i.Name, m, what, why)}
}

func networkdMaster(i spec.HostInterface) string {
	if i.Type == spec.BondInterface {
		return "Bond=" + i.Name + "\n"
	}
	return "Bridge=" + i.Name + "\n"
}

func networkdLink(i spec.HostInterface) string {
	b := &strings.Builder{}
	if i.MTU > 0 {
		fmt.Fprintf(b, "MTUBytes=%d\n", i.MTU)
	}
	if !i.MAC.IsZero() && (i.Type == "" || i.Type == spec.EthernetInterface) {
		fmt.Fprintf(b, "MACAddress=%s\n", i.MAC)
	}
	if i.Start == spec.StartNone {
		b.WriteString("ActivationPolicy=manual\nRequiredForOnline=no\n")
	}
	if b.Len() == 0 {
		return ""
	}
	return "\n[Link]\n" + b.String()
}

func networkdDevice(i spec.HostInterface) string {
	b := &strings.Builder{}
	if i.Type == "" || i.Type == spec.EthernetInterface {
		return ""
	}
	fmt.Fprintf(b, "[NetDev]\nName=%s\nKind=%s\n", i.Name, i.Type)
	if !i.MAC.IsZero() {
		fmt.Fprintf(b, "MACAddress=%s\n", i.MAC)
	}
	switch d := i.Bridge; {
	case i.Type == spec.BridgeInterface && d != nil:
		fmt.Fprintf(b, "\n[Bridge]\nSTP=%s\nForwardDelaySec=%d\n", yes(d.STP), d.Delay)
	case i.Type == spec.VLANInterface:
		fmt.Fprintf(b, "\n[VLAN]\nId=%d\n", i.VLAN.Tag)
	case i.Type == spec.BondInterface:
		b.WriteString("\n[Bond]\n" + networkdBond(i.Bond))
	}
	return b.String()
}

func networkdBond(d *spec.BondDetails) string {
	b := &strings.Builder{}
	if d == nil {
		d = &spec.BondDetails{}
	}
	if d.Mode != "" {
		fmt.Fprintf(b, "Mode=%s\n", d.Mode)
	}
	if m := d.MII; m != nil {
		fmt.Fprintf(b, "MIIMonitorSec=%dms\n", m.Every)
		if m.UpDelay > 0 {
			fmt.Fprintf(b, "UpDelaySec=%dms\n", m.UpDelay)
		}
		if m.DownDelay > 0 {
			fmt.Fprintf(b, "DownDelaySec=%dms\n", m.DownDelay)
		}
	}
	if a := d.ARP; a != nil {
		fmt.Fprintf(b, "ARPIntervalSec=%dms\nARPIPTargets=%s\n", a.Every, a.Target)
		if a.Validate != "" {
			fmt.Fprintf(b, "ARPValidate=%s\n", a.Validate)
		}
	}
	return b.String()
}

func portNames(i spec.HostInterface) []string {
	var names []string
	for _, p := range i.Ports() {
		names = append(names, p.Name)
	}
	return names
}

// networkdUndefine removes the files that are for this interface alone, and those that
// make others its ports.
func networkdUndefine(e *edit, name string) error {
	t := e.tree
	found := false
	for _, p := range networks(t, ".netdev") {
		if n := loadNetwork(t, p); n.all.get("NetDev", "Name") == name {
			found = true
			e.drop(n)
		}
	}
	for _, p := range networks(t, ".network") {
		n := loadNetwork(t, p)
		s := n.all
		switch {
		case slices.Equal(n.names(), []string{name}):
			found = true
			e.drop(n)
		case s.get("Network", "Bridge") == name || s.get("Network", "Bond") == name:
			if !ours(t.text(p)) {
				return &Refusal{fmt.Sprintf("undefine %s: %s makes another interface its port: take the line out, or remove the file", name, p)}
			}
			e.drop(n)
		case slices.Contains(s.list("Network", "VLAN"), name):
			if err := networkdUncarry(e, n, name); err != nil {
				return err
			}
		}
	}
	if n, ok := networkOf(e.result(), name, t.link(name)); ok && !found {
		return &Refusal{fmt.Sprintf("undefine %s: %s is for other interfaces, too: give %s a file of its own, or edit that one", name, n.path, name)}
	}
	return nil
}

// networkdUncarry takes a VLAN from the interface below.
func networkdUncarry(e *edit, n network, name string) error {
	of := ".d/kvmnet-" + name + ".conf"
	for _, d := range n.dropins {
		if strings.HasSuffix(d, of) {
			e.remove(d)
			return nil
		}
	}
	if ours(e.text(n.path)) {
		e.drop(n)
		return nil
	}
	return &Refusal{fmt.Sprintf("undefine %s: %s says VLAN=%s: take the line out", name, n.path, name)}
}

// drop removes a file with its drop-ins. One outside of /etc is hidden instead: the
// system's packages own it.
func (e *edit) drop(n network) {
	for _, p := range append([]string{n.path}, n.dropins...) {
		if strings.HasPrefix(p, "/etc/") {
			e.remove(p)
		}
	}
	if !strings.HasPrefix(n.path, "/etc/") {
		e.set(networkdDirs[0]+"/"+path.Base(n.path), "", 0o644)
	}
}

// networkdDefined reads what the files say of an interface.
func networkdDefined(t Tree, name string) *spec.HostInterface {
	n, ok := networkOf(t, name, t.link(name))
	dev, made := netdevOf(t, name)
	if !ok && !made || ok && len(n.all.list("Network", "Bridge"))+len(n.all.list("Network", "Bond")) > 0 {
		return nil // a port is told of with its bridge
	}
	i := &spec.HostInterface{Name: name, Type: spec.EthernetInterface}
	readNetworkdDevice(t, dev.all, i)
	readNetworkdLink(n.all, i)
	readNetworkdIP(n.all, i)
	return i
}

func readNetworkdLink(s sections, i *spec.HostInterface) {
	if mtu, err := strconv.Atoi(s.get("Link", "MTUBytes")); err == nil {
		i.MTU = mtu
	}
	if mac, err := spec.ParseMAC(s.get("Link", "MACAddress")); err == nil {
		i.MAC = mac
	}
	if p := s.get("Link", "ActivationPolicy"); p == "manual" || p == "down" || p == "always-down" {
		i.Start = spec.StartNone
	}
}

func readNetworkdDevice(t Tree, s sections, i *spec.HostInterface) {
	if mac, err := spec.ParseMAC(s.get("NetDev", "MACAddress")); err == nil {
		i.MAC = mac
	}
	if mtu, err := strconv.Atoi(s.get("NetDev", "MTUBytes")); err == nil {
		i.MTU = mtu
	}
	switch kind := s.get("NetDev", "Kind"); kind {
	case "bridge":
		i.Type = spec.BridgeInterface
		i.Bridge = &spec.BridgeDetails{STP: isYes(s.get("Bridge", "STP")), Ports: networkdPorts(t, "Bridge", i.Name)}
		i.Bridge.Delay, _ = spec.ParseSeconds(strings.TrimSuffix(s.get("Bridge", "ForwardDelaySec"), "s"))
	case "bond":
		i.Type = spec.BondInterface
		i.Bond = readNetworkdBond(s)
		i.Bond.Ports = networkdPorts(t, "Bond", i.Name)
	case "vlan":
		i.Type = spec.VLANInterface
		i.VLAN = &spec.VLANDetails{On: networkdBelow(t, i.Name)}
		i.VLAN.Tag, _ = strconv.Atoi(s.get("VLAN", "Id"))
	}
}

func readNetworkdBond(s sections) *spec.BondDetails {
	d := &spec.BondDetails{Mode: s.get("Bond", "Mode")}
	if every := milliseconds(s.get("Bond", "MIIMonitorSec")); every > 0 {
		d.MII = &spec.BondMII{Every: every, UpDelay: milliseconds(s.get("Bond", "UpDelaySec")), DownDelay: milliseconds(s.get("Bond", "DownDelaySec"))}
	}
	if every := milliseconds(s.get("Bond", "ARPIntervalSec")); every > 0 {
		d.ARP = &spec.BondARP{Every: every, Validate: s.get("Bond", "ARPValidate")}
		if targets := s.list("Bond", "ARPIPTargets"); len(targets) > 0 {
			d.ARP.Target = address(targets[0])
		}
	}
	return d
}

// milliseconds reads a span such as 100ms, 1s or 0.1 (seconds).
func milliseconds(s string) int {
	for unit, factor := range map[string]float64{"ms": 1, "s": 1000, "": 1000} {
		number, ok := strings.CutSuffix(s, unit)
		if n, err := strconv.ParseFloat(strings.TrimSpace(number), 64); ok && err == nil && n >= 0 && n < 1e6 {
			return int(n*factor + 0.5)
		}
	}
	return 0
}

// networkdPorts are the interfaces that files make ports.
func networkdPorts(t Tree, key, master string) []spec.HostInterface {
	var list []spec.HostInterface
	for _, p := range networks(t, ".network") {
		n := loadNetwork(t, p)
		if n.all.get("Network", key) != master {
			continue
		}
		names := n.names()
		if names == nil {
			names = t.matching(n)
		}
		for _, name := range names {
			port := spec.HostInterface{Name: name, Type: spec.EthernetInterface}
			readNetworkdLink(n.all, &port)
			list = append(list, port)
		}
	}
	return list
}

// matching lists the interfaces that are there and that a file is for.
func (t Tree) matching(n network) []string {
	var names []string
	for name, l := range t.Links {
		if n.matches(name, l) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// networkdBelow is the interface that a VLAN is on.
func networkdBelow(t Tree, vlan string) string {
	for _, p := range networks(t, ".network") {
		if n := loadNetwork(t, p); slices.Contains(n.all.list("Network", "VLAN"), vlan) {
			if names := append(n.names(), t.matching(n)...); len(names) > 0 {
				return names[0]
			}
		}
	}
	return ""
}

// networkdNames are the interfaces that files tell of by name, or that are there.
func networkdNames(t Tree) []string {
	var names []string
	for _, p := range networks(t, ".network") {
		n := loadNetwork(t, p)
		names = append(append(names, n.names()...), t.matching(n)...)
	}
	for _, p := range networks(t, ".netdev") {
		if name := loadNetwork(t, p).all.get("NetDev", "Name"); name != "" {
			names = append(names, name)
		}
	}
	return names
}
