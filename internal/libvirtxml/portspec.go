package libvirtxml

import (
	"strings"

	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// noOwner is the UUID of the guest of a port that libvirt did not make.
const noOwner = "00000000-0000-0000-0000-000000000000"

// Spec translates the port to one of a network. What has no place there is kept, and
// told of in the notes with those of the reading.
func (p *Port) Spec(network string) (*spec.Port, []specfile.Problem) {
	to := &spec.Port{Network: network, UUID: p.UUID, Guest: p.Owner, MAC: p.MAC}
	if p.onNIC() {
		to.Type, to.Device = spec.Macvtap, p.Plug.Dev
	}
	to.Bandwidth = p.limits()
	if kept := p.kept(); kept != "" {
		to.Libvirt = &spec.Libvirt{Kept: kept}
	}
	return to, append(p.Notes, p.lacking()...)
}

// lacking tells of what kvmnet does not do for a port by itself.
func (p *Port) lacking() (notes []specfile.Problem) {
	lack := func(has bool, element, because string) {
		if has {
			notes = append(notes, specfile.Problem{Path: element, Message: "<" + element + "> is kept, but not supported here, because " + because})
		}
	}
	lack(p.Bandwidth != nil && p.onNIC(), "bandwidth", "limits are for ports of bridges, not for a macvtap")
	lack(p.Bandwidth != nil && p.Bandwidth.In != nil && p.Bandwidth.In.Floor > 0, "bandwidth", "a port has no rate that others must leave to it")
	lack(p.VLAN != nil, "vlan", "ports are not tagged")
	lack(p.VirtualPort != nil, "virtualport", "no switch outside is told of ports")
	lack(p.Isolated != "", "port", "isolation is the network's, for all of its ports")
	lack(p.TrustGuestRxFilters != "", "rxfilters", "a guest's filters are not followed")
	lack(p.Plug != nil && p.Plug.Type == "hostdev-pci", "plug", "devices of the host are not given to guests")
	return notes
}

// onNIC reports whether the port is a macvtap.
func (p *Port) onNIC() bool { return p.Plug != nil && p.Plug.Type == "direct" }

// limits are those that kvmnet keeps a port to; nil = none.
func (p *Port) limits() *spec.Bandwidth {
	if p.Bandwidth == nil || p.onNIC() {
		return nil
	}
	b := spec.Bandwidth{In: limitOf(p.Bandwidth.In), Out: limitOf(p.Bandwidth.Out)}
	if b == (spec.Bandwidth{}) {
		return nil
	}
	return &b
}

// takeLimits makes the limits those of a spec. What was kept of them stands where it
// says the same, and more.
func (p *Port) takeLimits(s *spec.Port) {
	if s.Device != "" || equal(p.limits(), s.Bandwidth) {
		return
	}
	kept := p.Bandwidth
	p.Bandwidth = renderBandwidth(s.Bandwidth)
	if p.Bandwidth != nil && p.Bandwidth.In != nil && kept != nil && kept.In != nil {
		p.Bandwidth.In.Floor = kept.In.Floor
	}
}

// kept is what a spec cannot say, as a part of a document.
func (p *Port) kept() string {
	rest := *p
	rest.UUID, rest.Owner, rest.MAC = "", "", spec.MAC{}
	if rest.ClassID == 0 && equal(rest.Bandwidth, renderBandwidth(p.limits())) {
		rest.Bandwidth = nil
	}
	if rest.OwnerUUID == noOwner {
		rest.OwnerUUID = ""
	}
	if rest.Plug != nil && rest.Plug.Type != "hostdev-pci" {
		rest.Plug = nil // the network tells
	}
	if text := rest.Format(); strings.Count(text, "\n") > len([]string{"<networkport>", "</networkport>"}) {
		return text
	}
	return ""
}

// PortOf says in libvirt's words what a spec says of a port on a running network:
// name is the guest's where the spec has none, and the network tells what the port
// is plugged into.
func PortOf(name string, s *spec.Port, n *Network) *Port {
	p := keptPort(s.Libvirt)
	p.UUID, p.Owner, p.MAC = strings.ToLower(s.UUID), speakable(or(s.Guest, name)), s.MAC
	p.OwnerUUID = or(p.OwnerUUID, noOwner)
	p.takeLimits(s)
	if p.Plug == nil {
		p.Plug = n.plugOf(s)
	}
	return p
}

// plugOf is what a port that is on the network hangs on.
func (n *Network) plugOf(s *spec.Port) *Plug {
	if n.Forward != nil && s.Device != "" {
		return &Plug{Type: "direct", Dev: s.Device, Mode: n.Forward.Mode}
	}
	plug, err := n.plug(nil)
	if err != nil {
		return nil
	}
	return plug
}

// keptPort reads what was kept. People may have edited it: what cannot be read is as
// if it was not there.
func keptPort(l *spec.Libvirt) *Port {
	if l == nil || l.Kept == "" {
		return &Port{}
	}
	root, _, err := readElement(l.Kept, networkLabel)
	if err != nil {
		return &Port{}
	}
	p, err := decodePort(root, false)
	if err != nil {
		return &Port{}
	}
	return p
}
