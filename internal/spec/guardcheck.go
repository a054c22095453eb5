package spec

import (
	"fmt"
	"slices"
	"strings"
)

// Limits of what guards and ports may ask for.
const (
	maxStorm  = 1_000_000 // frames a second
	maxQueues = 256       // MAX_TAP_QUEUES of the kernel
	maxAccess = 256
)

// networkGuards checks what a network says of its ports.
func (c *checker) networkGuards(path string, n *Network) {
	c.addError(Field(path, "guard"), "", CheckGuard(n.Guard))
	c.storm(Field(path, "storm"), n.Storm)
	if n.Direct != nil {
		c.unguarded(path, "use a bridge: {name: br0}", n.Guard, n.Storm)
	}
	if !c.few(Field(path, "access"), len(n.Access), maxAccess) {
		return
	}
	for i, a := range n.Access {
		at := Index(Field(path, "access"), i)
		c.access(at, a)
		twice := func(b Access) bool { return a.User == b.User && a.Group == b.Group }
		if a.User+a.Group != "" && slices.ContainsFunc(n.Access[:i], twice) {
			c.add(at, "write one line for each", "%s is listed twice", a.who())
		}
	}
}

// unguarded refuses guards where frames come past our filter: those of a macvtap go
// from its NIC to the guest, and no bridge sees them.
func (c *checker) unguarded(path, hint string, g Guard, s *Storm) {
	const because = "frames of a macvtap do not pass the host's bridge, so nothing guards them"
	if g != "" && g != GuardOff {
		c.add(Field(path, "guard"), hint, because)
	}
	if s != nil {
		c.add(Field(path, "storm"), hint, because)
	}
}

func (a Access) who() string {
	if a.User != "" {
		return "user " + a.User
	}
	return "group " + a.Group
}

func (c *checker) access(path string, a Access) {
	switch {
	case a.User == "" && a.Group == "":
		c.add(path, "write user: or group:", "it does not say who may have ports")
	case a.User != "" && a.Group != "":
		c.add(path, "write two lines", "it names a user and a group")
	}
	for _, field := range []struct{ name, value string }{{"user", a.User}, {"group", a.Group}} {
		if strings.IndexFunc(field.value, notInAccount) >= 0 {
			c.add(Field(path, field.name), "write one name a line", "%q is neither a name nor a number", field.value)
		}
	}
	if a.Ports < 0 {
		c.add(Field(path, "ports"), "remove it for any number", "%d is not a number of ports", a.Ports)
	}
	c.accessGuards(Field(path, "guards"), a.Guards)
}

func (c *checker) accessGuards(path string, guards []Guard) {
	if !c.few(path, len(guards), maxAccess) {
		return
	}
	for i, g := range guards {
		switch at := Index(path, i); {
		case g == "":
			c.add(at, "remove it, users may always leave the guard to the network", "the guard is missing")
		case c.addError(at, "", CheckGuard(g)):
		case slices.Contains(guards[:i], g):
			c.add(at, "remove it", "%s is listed twice", g)
		}
	}
}

// notInAccount reports what the name of a user or group cannot have.
func notInAccount(r rune) bool { return r <= ' ' || r > '~' || r == ':' }

func (c *checker) storm(path string, s *Storm) {
	if s == nil {
		return
	}
	for _, field := range []struct {
		name            string
		value, standard int
	}{{"broadcast", s.Broadcast, DefaultStorm.Broadcast}, {"multicast", s.Multicast, DefaultStorm.Multicast}} {
		if field.value < 0 || field.value > maxStorm {
			c.add(Field(path, field.name), fmt.Sprintf("remove it for %d", field.standard), "%d frames a second are outside 1 to %d", field.value, maxStorm)
		}
	}
}

// portLimits checks what a port says of its guest beside addresses.
func (c *checker) portLimits(path string, p *Port, n *Network) {
	kind := p.Type
	if kind == "" && n != nil && n.Direct != nil {
		kind = Macvtap
	}
	c.addError(Field(path, "guard"), "", CheckGuard(p.Guard))
	c.storm(Field(path, "storm"), p.Storm)
	c.bandwidth(Field(path, "bandwidth"), p.Bandwidth)
	c.queues(Field(path, "queues"), p.Queues, kind)
	c.held(Field(path, "held"), p.Held, kind)
	if kind != Macvtap {
		return
	}
	const hint = "put it on a network with a bridge"
	c.unguarded(path, hint, p.Guard, p.Storm)
	if p.Bandwidth != nil {
		c.add(Field(path, "bandwidth"), hint, "limits are for ports of bridges, not for a macvtap")
	}
}

func (c *checker) queues(path string, queues int, kind PortType) {
	switch {
	case queues < 0 || queues > maxQueues:
		c.add(path, "remove it for one", "%d queues are outside 1 to %d", queues, maxQueues)
	case queues > 1 && (kind == Veth || kind == Macvtap):
		c.add(path, "remove it", "a %s has no queues of its own, only a tap has", kind)
	}
}

func (c *checker) held(path string, h Held, kind PortType) {
	switch {
	case h == "" || h == HeldOutside:
	case h != HeldOpen:
		c.add(path, oneOf(string(h), "ways", []string{string(HeldOutside), string(HeldOpen)}), "%q is not a way in which a port is held", string(h))
	case kind == Veth || kind == Macvtap:
		c.add(path, "remove it", "no program opens a %s of ours, only a tap", kind)
	}
}
