package netfiles

import (
	"fmt"
	"path"
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
