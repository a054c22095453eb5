package verify

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// rule says what becomes of a guest's packet to somewhere else.
type rule int

const (
	never    rule = iota // it does not get there
	asSelf               // it gets there with the guest's address
	asHost               // it gets there with an address of the host, or the router
	asChosen             // it gets there with an address that was chosen for it
	free                 // the host's firewall decides; whatever gets there is as the guest sent it
)

// toOutside is the rule of a mode for packets to the outside.
func toOutside(n *spec.Network, v6 bool) rule {
	switch n.Mode {
	case spec.NAT:
		if v6 && n.NAT != nil && !spec.Truth(n.NAT.IPv6) {
			return asSelf
		}
		return asHost
	case spec.Route:
		return asSelf
	case spec.Open:
		return free
	}
	return never
}

// claim is a rule about a certain packet.
type claim struct {
	rule
	self   netip.Addr     // of the guest
	host   []netip.Addr   // of the host, where packets leave
	chosen spec.AddrRange // for it
	ports  spec.PortRange // to leave from; zero = any
	link   string         // the only interface to leave by; "" is any
	verb   verb
}

// verb is how to say that a packet gets there.
type verb struct{ does, did, not, nothing string }

var (
	leave  = verb{"leaves", "left", "does not leave", "nothing left"}
	arrive = verb{"arrives", "arrived", "does not arrive", "nothing arrived"}
)

func (c claim) expected() string {
	by := ""
	if c.link != "" {
		by = " by " + c.link
	}
	switch c.rule {
	case asSelf:
		return fmt.Sprintf("%s as %s%s", c.verb.does, c.self, by)
	case asHost:
		return fmt.Sprintf("%s as %s%s", c.verb.does, list(c.host), by)
	case asChosen:
		return fmt.Sprintf("%s as %s%s", c.verb.does, c.source(), by)
	case free:
		return fmt.Sprintf("%s as %s, if the host's firewall lets it", c.verb.does, c.self)
	}
	return c.verb.not
}

// source prints the chosen source.
func (c claim) source() string {
	text := c.chosen.From.String()
	if c.chosen.To != c.chosen.From {
		text = c.chosen.String()
	}
	if !c.ports.IsZero() {
		text += " from port " + c.ports.String()
	}
	return text
}

func list(addrs []netip.Addr) string {
	if len(addrs) == 0 {
		return "an address of the host"
	}
	var words []string
	for _, a := range addrs {
		words = append(words, a.String())
	}
	return strings.Join(words, " or ")
}

// judge compares the claim with the packet that got there, the zero packet if
// none did, and says what was seen. why are words about the answer.
func (c claim) judge(got testhost.Packet, why string) (saw string, ok bool) {
	saw = c.verb.nothing
	if seen(got) {
		saw = fmt.Sprintf("%s as %s", c.verb.did, got.Src)
		if c.rule == asChosen && !c.fromPort(got) {
			saw += fmt.Sprintf(" from port %d", got.SrcPort)
		}
		if c.link != "" && got.Interface != c.link {
			saw += " by " + got.Interface
		}
	}
	if why != "" {
		saw += ", " + why
	}
	return saw, c.holds(got)
}

func (c claim) holds(got testhost.Packet) bool {
	switch {
	case !seen(got):
		return c.rule == never || c.rule == free
	case c.link != "" && got.Interface != c.link:
		return false
	case c.rule == asChosen:
		return c.chosen.Contains(got.Src) && c.fromPort(got)
	case c.rule == asHost:
		return slices.Contains(c.host, got.Src)
	}
	return c.rule != never && got.Src == c.self
}

// fromPort reports whether a packet has one of the ports chosen for it, if it has
// any.
func (c claim) fromPort(got testhost.Packet) bool {
	return c.ports.IsZero() || got.SrcPort == 0 || c.ports.From <= got.SrcPort && got.SrcPort <= c.ports.To
}

// patience is how long to wait for the packet: what must not come has less time.
func (c claim) patience() time.Duration {
	if c.rule == never {
		return quiet
	}
	return patience
}
