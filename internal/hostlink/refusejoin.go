package hostlink

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
)

// refuseJoin lists all reasons for which an interface cannot come into a bridge that is
// there already.
func refuseJoin(s State, o Options) (errs []error) {
	no := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	b := *s.Bridge
	if b.Link.Details.number(unix.IFLA_BR_STP_STATE) != 0 {
		no("%s speaks the spanning tree protocol, and a new port would be silent for twice its forward delay: ip link set %s type bridge stp_state 0", b.Name, b.Name)
	}
	if o.STP || o.Delay > 0 {
		no("bridge %s is there already, and a spanning tree and a delay are for new bridges: leave them out, and set them on %s afterwards: ip link set %s type bridge stp_state 1 forward_delay 400", b.Name, b.Name, b.Name)
	}
	if m := b.Link.Master; m != "" {
		no("%s is a port of %s: take it out: ip link set %s nomaster", b.Name, m, b.Name)
	}
	if !b.up() {
		no("%s is down, and nothing can be seen of what it would carry: ip link set %s up", b.Name, b.Name)
	}
	if b.Link.MAC.IsZero() {
		no("%s has no MAC, to which it could not go back: give it one: ip link set %s address %s", b.Name, b.Name, beside(s.Link.MAC))
	}
	if filters := b.Link.Details; filters.number(unix.IFLA_BR_VLAN_FILTERING) != 0 && filters.number(unix.IFLA_BR_VLAN_DEFAULT_PVID) == 0 {
		no("%s filters VLANs and has none for new ports, so %s would be cut off: ip link set %s type bridge vlan_default_pvid 1", b.Name, s.Name, b.Name)
	}
	if b.up() && !b.Link.Ready && b.Settings[noIPv6] == "0" && len(b.Link.Uppers) > 0 {
		no("%s has had no carrier yet, and %s on it could not go back to that: give %s a port first, or take %s away: ip link del %s",
			b.Name, b.Link.Uppers[0].Name, b.Name, b.Link.Uppers[0].Name, b.Link.Uppers[0].Name)
	}
	for _, u := range s.Link.Uppers {
		if slices.Contains(b.Ports, u.Name) {
			no("%s is a port of %s, and on %s: frames would go round between both: ip link set %s nomaster", u.Name, b.Name, s.Name, u.Name)
		}
	}
	if mtu := s.Link.MTU; mtu < leastMTU6 && b.Link.MTU >= leastMTU6 && len(b.of(unix.AF_INET6)) > 0 {
		no("%s has the MTU %d, and %s would lose its IPv6 by it: ip link set %s mtu %d", s.Name, mtu, b.Name, s.Name, leastMTU6)
	}
	return append(append(errs, sharedAddresses(s)...), sharedRoutes(s)...)
}

// beside is a MAC that somebody may give who has another one (IEEE 802, section 8.4).
func beside(mac spec.MAC) spec.MAC {
	mac[0] = mac[0]&^1 | 2
	mac[5] ^= 0x80
	return mac
}

// leastMTU6 is IPV6_MIN_MTU (RFC 8200, section 5): with less there is no IPv6.
const leastMTU6 = 1280

// sharedAddresses are those that cannot come beside each other: the same address, and
// IPv4 addresses of the same subnet, of which the second would become secondary.
func sharedAddresses(s State) (errs []error) {
	for _, a := range s.Addresses {
		for _, b := range s.Bridge.Addresses {
			switch {
			case a.linkLocal():
			case a.local() == b.local():
				errs = append(errs, fmt.Errorf("%s is an address of %s and of %s: take it from one: ip addr del %s dev %s",
					a.local(), s.Name, s.Bridge.Name, b.short(), s.Bridge.Name))
			case a.family() == unix.AF_INET && a.subnet() == b.subnet():
				errs = append(errs, fmt.Errorf("%s of %s and %s of %s are of the same subnet: take one away: ip addr del %s dev %s",
					a.short(), s.Name, b.short(), s.Bridge.Name, b.short(), s.Bridge.Name))
			}
		}
	}
	return errs
}

// sharedRoutes are those that go by both, as the ways of one route.
func sharedRoutes(s State) (errs []error) {
	for _, r := range s.Routes {
		if r.Attrs.has(unix.RTA_MULTIPATH) && r.uses(s.Bridge.Index) {
			errs = append(errs, fmt.Errorf("the route to %s goes by %s and by %s, which would be one: make two of it, with a metric of each: ip%s route del %s",
				r.destination(), s.Name, s.Bridge.Name, map[bool]string{true: " -6"}[r.family() == unix.AF_INET6], r.destination()))
		}
	}
	return errs
}
