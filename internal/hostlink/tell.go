package hostlink

// Tell works out how whoever listens to the kernel hears of the link-local addresses of
// an interface: they are set to what they are. Systemd-networkd takes a port that leaves
// its bridge for a new link, and does not ask what it has; before it knows of a
// link-local address it solicits no router and gets no address by DHCPv6.
func Tell(s State) (ops []Op) {
	for _, a := range s.Addresses {
		if a.linkLocal() && !a.failed() {
			ops = append(ops, setAddress("change", s.Name, a.flagged(a.flags()&given)))
		}
	}
	return ops
}
