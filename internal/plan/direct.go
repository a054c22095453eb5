package plan

import (
	"fmt"
	"slices"

	"kvmnet/internal/spec"
)

// Node is the device by which a program opens a macvtap; "" for other links.
func (l Link) Node() string {
	if l.Type != string(spec.Macvtap) || l.Index == 0 {
		return ""
	}
	return fmt.Sprintf("/dev/tap%d", l.Index)
}

// macvtap wants a port on a NIC. A guest keeps what it has while its network is
// stopped, and the cable is out: the link is down.
func (b *builder) macvtap(name string, p *spec.Port) {
	owner := Mark("port/" + name)
	l := Link{Mark: owner, Name: p.Interface, Type: string(spec.Macvtap), MAC: p.MAC, TapOwner: b.facts.UIDs[p.Owner]}
	have, there := b.facts.Links[l.Name]
	if p.Owner != "" && l.TapOwner == "" && !there {
		return // as for a tap
	}
	n, runs := b.live.Networks[p.Network]
	nic := b.lay.nicOf(name)
	switch {
	case runs && n.Direct != nil && nic != "":
		l.Lower, l.Sharing = nic, string(n.Direct.OrBridge())
		if !p.Unplugged {
			b.want.Add(Up{Mark: owner, Link: l.Name})
		}
	case there && have.Owner() == string(owner) && have.Type == l.Type:
		l.Lower = have.Lower
	default:
		return
	}
	b.want.Add(l)
	if b.facts.IPv6 {
		b.want.Add(Sysctl{Mark: owner, Family: "ipv6", Link: l.Name, Name: "disable_ipv6", Value: "1"})
	}
}

// nicOf is the NIC of the host that a port of a direct network is on, "" while there
// is none for it.
func (l *layout) nicOf(port string) string {
	if l.nics == nil {
		l.nics = l.chooseNICs()
	}
	return l.nics[port]
}

// chooseNICs finds a NIC for each port of direct networks that run: the one that
// is written, else the one it is on already, else, port by port in the order of
// their names, the one with the fewest ports, of several the first. So a port that
// comes moves no other.
func (l *layout) chooseNICs() map[string]string {
	nics, load := map[string]string{}, nicLoad{ports: map[string]int{}, alone: map[string]bool{}}
	var open []string
	for name, p := range sorted(l.live.Ports) {
		d := l.directOf(p)
		if d == nil {
			continue
		}
		nic := p.Device
		if have := l.facts.Links[p.Interface]; nic == "" && have.Owner() == "port/"+name && slices.Contains(d.Devices, have.Lower) {
			nic = have.Lower
		}
		switch _, there := l.facts.Links[nic]; {
		case nic == "":
			open = append(open, name)
		case there && load.takes(nic, d):
			nics[name] = nic
		}
	}
	for _, name := range open {
		nics[name] = l.freest(l.directOf(l.live.Ports[name]), &load)
	}
	return nics
}

func (l *layout) directOf(p *spec.Port) *spec.Direct {
	if n := l.live.Networks[p.Network]; n != nil && p.Type == spec.Macvtap {
		return n.Direct
	}
	return nil
}

// nicLoad tells which NICs are in use.
type nicLoad struct {
	ports map[string]int
	alone map[string]bool // a port has the whole NIC
}

// takes puts a port on a NIC; false when it cannot be there beside the others.
func (u *nicLoad) takes(nic string, d *spec.Direct) bool {
	whole := d.OrBridge() == spec.DirectPassthrough
	if u.alone[nic] || whole && u.ports[nic] > 0 {
		return false
	}
	u.ports[nic]++
	u.alone[nic] = whole
	return true
}

func (l *layout) freest(d *spec.Direct, load *nicLoad) string {
	best := ""
	for _, nic := range d.Devices {
		_, there := l.facts.Links[nic]
		full := load.alone[nic] || d.OrBridge() == spec.DirectPassthrough && load.ports[nic] > 0
		if there && !full && (best == "" || load.ports[nic] < load.ports[best]) {
			best = nic
		}
	}
	if best != "" {
		load.takes(best, d)
	}
	return best
}

// directWaits tells what keeps a port from its NIC.
func (l *layout) directWaits(name string, p *spec.Port) string {
	d := l.directOf(p)
	switch _, there := l.facts.Links[p.Device]; {
	case d == nil || l.nicOf(name) != "":
		return ""
	case p.Device != "" && !there:
		return "waits for interface " + p.Device + ", which does not exist"
	case p.Device != "":
		return "waits for interface " + p.Device + ", which another port has"
	}
	return "waits for an interface of network " + p.Network + ": none is there that is free"
}
