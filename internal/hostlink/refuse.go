package hostlink

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// refuse lists all reasons for which an interface cannot move into a bridge, each with
// what to do instead.
func refuse(s State, o Options) error {
	var errs []error
	no := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	name := s.Name
	switch {
	case s.Link.Flags&unix.IFF_LOOPBACK != 0:
		no("%s is the loopback: name the interface with the cable", name)
	case s.Link.Kind == "bridge":
		no("%s is a bridge: use it as it is, or name one of its ports", name)
	case s.Link.Hardware != unix.ARPHRD_ETHER:
		no("%s carries no Ethernet, a bridge nothing else: let the guests use nat or route", name)
	}
	if s.Link.Wireless {
		no("%s is wireless: an access point takes no frames from the addresses of guests; let the guests use nat or route", name)
	}
	if m := s.Link.Master; m != "" {
		no("%s is a port of %s already: let the guests use %s if that is a bridge, or take it out: ip link set %s nomaster", name, m, m, name)
	}
	if !s.up() && s.Link.Flags&unix.IFF_LOOPBACK == 0 {
		no("%s is down, and nothing can be seen of what it would carry: ip link set %s up", name, name)
	}
	for _, u := range s.Link.Uppers {
		if slices.Contains(exclusive, u.Kind) {
			no("%s is a %s on %s, which takes the frames that a bridge needs: take it away first: ip link del %s", u.Name, u.Kind, name, u.Name)
		}
	}
	return errors.Join(append(errs, refuseBridge(s, o)...)...)
}

// exclusive are the kinds that take frames from the device below, as a bridge does: the
// kernel lets but one do so.
var exclusive = []string{"macvlan", "macvtap", "ipvlan", "ipvtap", "macsec"}

func refuseBridge(s State, o Options) []error {
	no := func(format string, args ...any) []error { return []error{fmt.Errorf(format, args...)} }
	switch b := s.Bridge; {
	case o.Bridge == "" || len(o.Bridge) >= unix.IFNAMSIZ || strings.ContainsAny(o.Bridge, "/: \t\n%") || o.Bridge == "." || o.Bridge == "..":
		return no("%q cannot be the name of an interface: at most 15 bytes, no space, no slash and no colon", o.Bridge)
	case o.Bridge == s.Name:
		return no("%s cannot be the name of its own bridge: name another one, such as br0", o.Bridge)
	case b == nil || b.Name != o.Bridge:
		return nil
	case b.Link.Kind != "bridge":
		return no("%s is there already, and no bridge: choose another name", b.Name)
	default:
		return refuseJoin(s, o)
	}
}

// warnings tell what does not come along.
func warnings(s State, o Options) (list []Warning) {
	warn := func(format string, args ...any) { list = append(list, Warning(fmt.Sprintf(format, args...))) }
	for _, u := range s.Link.Uppers {
		if u.Kind == "vlan" {
			warn("%s stays on %s and goes on working: it takes its frames before the bridge does, so guests do not see that VLAN", u.Name, s.Name)
		}
	}
	for _, g := range s.Groups {
		if !g.Static {
			warn("a program listens to %s on %s: it does not hear it on %s until it joins there", g.Address, s.Name, o.Bridge)
		}
	}
	if !slices.Contains(usualQdiscs, s.Link.Qdisc) {
		warn("the queue discipline %s stays on %s, where it shapes what guests send, too", s.Link.Qdisc, s.Name)
	}
	for _, a := range s.Addresses {
		if a.kernelOnly() && !a.linkLocal() {
			warn("%s stays on %s until it ends, and %s has a copy that the kernel does not renew", a.local(), s.Name, o.Bridge)
		}
		if a.failed() {
			warn("%s stays on %s: somebody else on the link has it", a.local(), s.Name)
		}
	}
	if s.Link.LRO {
		warn("the kernel switches large receive offload off on %s, as on every port of a bridge; only a revert switches it on again", s.Name)
	}
	if mode := s.Settings[genMode]; mode == "2" || mode == "3" {
		warn("router advertisements will give %s another address than %s, whose own ends in its time", o.Bridge, s.Name)
	}
	if o.STP {
		warn("with a spanning tree a port that comes up later forwards after %d seconds only", 2*max(o.Delay, shortestDelay))
	}
	return list
}

// usualQdiscs are those that an interface has unless somebody shapes it.
var usualQdiscs = []string{"", "noqueue", "noop", "mq", "pfifo_fast", "fq_codel", "fq", "pfifo", "cake"}
