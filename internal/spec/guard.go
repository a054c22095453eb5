package spec

import (
	"slices"
	"strings"
)

// Guard says what a guest is kept from sending: GuardOff, GuardStrict, or some of
// GuardWords, as a list or with commas between them: "mac, address". "" = what its
// network says; of a network off.
type Guard string

// The guards that have a name of their own.
const (
	GuardOff    Guard = "off"
	GuardStrict Guard = "strict" // all of GuardWords
)

// What guards keep a guest from.
const (
	GuardMAC     = "mac"     // frames from another Ethernet address than its own
	GuardAddress = "address" // packets, ARP and neighbour discovery from an address that is not its own
	GuardServer  = "server"  // to answer DHCP, or to advertise itself as a router
	GuardTag     = "tag"     // frames with a VLAN tag
	GuardStorm   = "storm"   // more broadcasts and multicasts than Storm lets it
)

// GuardWords are the parts of GuardStrict.
var GuardWords = []string{GuardMAC, GuardAddress, GuardServer, GuardTag, GuardStorm}

// Words lists what the guard keeps a guest from, in the order of GuardWords.
func (g Guard) Words() (kept []string) {
	if g == GuardStrict {
		return GuardWords
	}
	said := g.fields()
	for _, w := range GuardWords {
		if slices.Contains(said, w) {
			kept = append(kept, w)
		}
	}
	return kept
}

// Has reports whether a word of GuardWords is part of the guard.
func (g Guard) Has(word string) bool {
	return g == GuardStrict || slices.Contains(g.fields(), word)
}

// Covers reports whether the guard keeps a guest from all that the other does.
func (g Guard) Covers(other Guard) bool {
	return !slices.ContainsFunc(other.Words(), func(w string) bool { return !g.Has(w) })
}

func (g Guard) fields() []string { return words(string(g)) }

// UnmarshalList takes the words from a list.
func (g *Guard) UnmarshalList(list []string) error { *g = Guard(join(list)); return nil }

// UnmarshalJSON reads a word or a list.
func (g *Guard) UnmarshalJSON(b []byte) error { return readWords(b, (*string)(g)) }

// CheckGuard returns an error when the text is not a guard.
func CheckGuard(g Guard) error {
	said := g.fields()
	for i, w := range said {
		alone := w == string(GuardOff) || w == string(GuardStrict)
		switch {
		case alone && len(said) > 1:
			return advise("write it alone, or the words it is to be", "%s is no word beside others", w)
		case !alone && !slices.Contains(GuardWords, w):
			return advise(nearGuard(w), "%q is not a guard", w)
		case slices.Contains(said[:i], w):
			return advise("remove it", "%s is listed twice", w)
		}
	}
	if len(said) == 0 && g != "" {
		return advise(nearGuard(""), "%q is not a guard", string(g))
	}
	return nil
}

// nearGuard is the hint for a word that is none of a guard.
func nearGuard(word string) string {
	all := append([]string{string(GuardOff), string(GuardStrict)}, GuardWords...)
	if near := Nearest(word, all); near != "" {
		return "did you mean " + near + "?"
	}
	return "write off, strict, or some of " + strings.Join(GuardWords, ", ")
}

// Storm is how many frames to everybody one guest may send a second.
type Storm struct {
	Broadcast int `yaml:"broadcast,omitempty" json:"broadcast,omitempty"` // 0 = DefaultStorm's
	Multicast int `yaml:"multicast,omitempty" json:"multicast,omitempty"` // 0 = DefaultStorm's
}

// DefaultStorm is what the guard against storms lets pass where nothing is said.
var DefaultStorm = Storm{Broadcast: 200, Multicast: 1000}

// Access lets a user, or the members of a group, have ports on a network without
// being root.
type Access struct {
	User   string  `yaml:"user,omitempty" json:"user,omitempty"`     // name or number
	Group  string  `yaml:"group,omitempty" json:"group,omitempty"`   // name or number; of User and Group there is one
	Ports  int     `yaml:"ports,omitempty" json:"ports,omitempty"`   // most ports of one user at a time; 0 = any number
	Guards []Guard `yaml:"guards,omitempty" json:"guards,omitempty"` // guards a user may choose for a port; without, the network's stands
}

// GuardOf is the guard of a port of the network.
func (n *Network) GuardOf(p *Port) Guard {
	switch {
	case p != nil && p.Guard != "":
		return p.Guard
	case n.Guard != "":
		return n.Guard
	}
	return GuardOff
}

// StormOf is what the guard against storms lets a port of the network send.
func (n *Network) StormOf(p *Port) Storm {
	s := DefaultStorm
	for _, said := range []*Storm{n.Storm, p.storm()} {
		if said != nil && said.Broadcast > 0 {
			s.Broadcast = said.Broadcast
		}
		if said != nil && said.Multicast > 0 {
			s.Multicast = said.Multicast
		}
	}
	return s
}

func (p *Port) storm() *Storm {
	if p == nil {
		return nil
	}
	return p.Storm
}

// Held says that a port lives no longer than what uses it. Such ports are
// transient, and are asked for by programs, not written in files.
type Held string

// The ways in which a port is held.
const (
	// HeldOutside is a port whose interface is made and removed by others: the tap
	// that QEMU made before it ran its script, or one that a program was given by its
	// descriptor and that goes when the last descriptor is closed. kvmnet plugs it in,
	// never makes or deletes it, and forgets the port when the interface is gone.
	HeldOutside Held = "outside"
	// HeldOpen is a port whose tap kvmnet makes, and removes with the port when no
	// program has it open any more.
	HeldOpen Held = "open"
)
