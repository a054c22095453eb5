package plan

// same reports whether the observed object has every field we manage as wanted.
func same(want, have Object) bool {
	switch w := want.(type) {
	case Link:
		h, ok := have.(Link)
		return ok && sameLink(w, h)
	case Sysctl:
		h, ok := have.(Sysctl)
		return ok && h.Value == w.Value
	case Element:
		h, ok := have.(Element)
		return ok && h.Value == w.Value
	case Chain:
		h, ok := have.(Chain)
		return ok && h.Digest == w.Digest
	case Shape:
		h, ok := have.(Shape)
		return ok && sameShape(w, h)
	case Redirect:
		h, ok := have.(Redirect)
		return ok && h.To == w.To
	case Isolation:
		h, ok := have.(Isolation)
		return ok && h.On == w.On
	case Program:
		h, ok := have.(Program)
		return ok && h.Fingerprint == w.Fingerprint
	}
	return true // addresses, routes and the up state are their own keys
}

func sameLink(w, h Link) bool {
	if w.Foreign {
		return w.Master == h.Master && (w.MTU == 0 || w.MTU == h.MTU) && (w.MAC.IsZero() || w.MAC == h.MAC)
	}
	bridge := w.Type != "bridge" || w.STP == h.STP && (!w.STP || w.ForwardDelay == 0 || w.ForwardDelay == h.ForwardDelay)
	return bridge && sameMAC(w, h) && sameNIC(w, h) && w.Owner() == h.Owner() && w.Master == h.Master && (w.MTU == 0 || w.MTU == h.MTU)
}

// sameNIC compares what is below a macvlan or macvtap, and how it is shared.
func sameNIC(w, h Link) bool {
	return (w.Lower == "" || w.Lower == h.Lower) && (w.Sharing == "" || w.Sharing == h.Sharing)
}

// sameMAC compares the addresses of bridges, of macvtaps and of what is in the
// namespace of a router. The MAC of another port is its guest's, not the device's.
func sameMAC(w, h Link) bool {
	ownMAC := w.Type == "bridge" || w.Type == "macvtap" || w.NS != ""
	return w.MAC.IsZero() || w.MAC == h.MAC || !ownMAC
}
