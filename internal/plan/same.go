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
		return ok && h.Rate/bitsPerByte == w.Rate/bitsPerByte
	case Program:
		h, ok := have.(Program)
		return ok && h.Fingerprint == w.Fingerprint
	}
	return true // addresses, routes and the up state are their own keys
}

// bitsPerByte: the kernel keeps a rate in bytes a second.
const bitsPerByte = 8

func sameLink(w, h Link) bool {
	if w.Foreign {
		return w.Master == h.Master
	}
	bridge := w.Type != "bridge" || w.STP == h.STP && (!w.STP || w.ForwardDelay == 0 || w.ForwardDelay == h.ForwardDelay)
	return bridge && sameMAC(w, h) && (w.Lower == "" || w.Lower == h.Lower) && w.Owner() == h.Owner() && w.Master == h.Master && (w.MTU == 0 || w.MTU == h.MTU)
}

// sameMAC compares the addresses of bridges and of what is in the namespace of a
// router. The MAC of a port is its guest's, not the device's.
func sameMAC(w, h Link) bool {
	return w.MAC.IsZero() || w.MAC == h.MAC || w.Type != "bridge" && w.NS == ""
}
