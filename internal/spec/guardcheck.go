package spec

import "strings"

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
	if !c.few(Field(path, "access"), len(n.Access), maxAccess) {
		return
	}
	for i, a := range n.Access {
		c.access(Index(Field(path, "access"), i), a)
		for _, b := range n.Access[:i] {
			if a.User == b.User && a.Group == b.Group && a.User+a.Group != "" {
				c.add(Index(Field(path, "access"), i), "write one line for each", "%s is listed twice", a.who())
			}
		}
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
			c.add(Field(path, field.name), "", "%q is neither a name nor a number", field.value)
		}
	}
	if a.Ports < 0 {
		c.add(Field(path, "ports"), "remove it for any number", "%d is not a number of ports", a.Ports)
	}
	for i, g := range a.Guards {
		if g == "" {
			c.add(Index(Field(path, "guards"), i), "", "the guard is missing")
		}
		c.addError(Index(Field(path, "guards"), i), "", CheckGuard(g))
	}
}

// notInAccount reports what the name of a user or group cannot have.
func notInAccount(r rune) bool { return r <= ' ' || r > '~' || r == ':' }

func (c *checker) storm(path string, s *Storm) {
	if s == nil {
		return
	}
	for _, field := range []struct {
		name  string
		value int
	}{{"broadcast", s.Broadcast}, {"multicast", s.Multicast}} {
		if field.value < 0 || field.value > maxStorm {
			c.add(Field(path, field.name), "", "%d frames a second are outside 1 to %d", field.value, maxStorm)
		}
	}
}

// portLimits checks what a port says of its guest beside addresses.
func (c *checker) portLimits(path string, p *Port) {
	c.addError(Field(path, "guard"), "", CheckGuard(p.Guard))
	c.storm(Field(path, "storm"), p.Storm)
	c.bandwidth(Field(path, "bandwidth"), p.Bandwidth)
	switch {
	case p.Queues < 0 || p.Queues > maxQueues:
		c.add(Field(path, "queues"), "", "%d queues are outside 1 to %d", p.Queues, maxQueues)
	case p.Queues > 1 && (p.Type == Veth || p.Type == Macvtap):
		c.add(Field(path, "queues"), "remove it", "a %s has no queues of its own, only a tap has", p.Type)
	}
	if p.Type == Macvtap && (p.Guard != "" && p.Guard != GuardOff || p.Bandwidth != nil) {
		c.add(Field(path, "type"), "put it on a network with a bridge", "guards and limits are for ports of bridges, not for a macvtap")
	}
	if p.Held != "" && p.Held != HeldOutside && p.Held != HeldOpen {
		c.add(Field(path, "held"), oneOf(string(p.Held), "ways", []string{string(HeldOutside), string(HeldOpen)}), "%q is not a way in which a port is held", string(p.Held))
	}
}
