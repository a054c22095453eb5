package netfiles

import (
	"fmt"
	"slices"
	"strings"
)

// refuse finds a NIC that is a port already, and what a bridge with the NIC's addresses
// must not be.
func (j joining) refuse() error {
	what := fmt.Sprintf("make %s a port of %s: ", j.c.NIC, j.c.Bridge)
	for _, key := range []string{"Bridge", "Bond", "BatmanAdvanced"} {
		if to := j.nic.all.get("Network", key); to != "" {
			return &Refusal{what + fmt.Sprintf("%s makes it a port of %s: convert that one, or take the line %s= out", j.nic.path, to, key)}
		}
	}
	for _, d := range j.devices {
		if kind := d.all.get("NetDev", "Kind"); kind != "bridge" {
			return &Refusal{what + fmt.Sprintf("%s makes %s a %s: choose another bridge with --name", d.path, j.c.Bridge, kind)}
		}
	}
	if len(j.devices) == 0 {
		return &Refusal{what + fmt.Sprintf("no .netdev file makes %s, so that it is not there after a boot: write one, or convert with --no-persist", j.c.Bridge)}
	}
	if at, e := j.bridge.says(j.t, hinders); at != "" && j.nic.all.get(e.section, e.key) != e.value {
		return &Refusal{what + fmt.Sprintf("%s says %s=%s, with which %s would not have after a boot what %s has now: take the line out", at, e.key, e.value, j.c.Bridge, j.c.NIC)}
	}
	return nil
}

// hinders reports whether a line keeps a bridge from having addresses after a boot.
func hinders(e entry) bool {
	switch e.section + "." + e.key {
	case "Link.Unmanaged":
		return isYes(e.value)
	case "Link.ActivationPolicy":
		return e.value != "" && e.value != "up" && e.value != "always-up"
	case "Network.Bridge", "Network.Bond", "Network.VRF":
		return e.value != ""
	}
	return false
}

// declined refuses a bridge that takes less from a DHCP server or a router than the NIC
// does: there is one client for both.
func (j joining) declined() error {
	no := func(e entry) bool {
		return slices.Contains([]string{"DHCP", "DHCPv4", "DHCPv6", "IPv6AcceptRA"}, e.section) && strings.HasPrefix(e.key, "Use") && isNo(e.value)
	}
	at, e := j.bridge.says(j.t, no)
	if _, said := j.nic.all.find(e.section, e.key); at == "" || said || !j.nic.dynamic() {
		return nil
	}
	return j.contradiction(no, func(o entry) bool { return o.section == "Network" || o.section == "Match" }, e.key+"="+e.value, "nothing of the kind", "take the line out, or have both say it")
}

// contradiction names both places.
func (j joining) contradiction(of, at func(entry) bool, bridge, nic, way string) error {
	there, _ := j.bridge.says(j.t, of)
	here, _ := j.nic.says(j.t, at)
	if here == "" {
		here = "what " + j.c.NIC + " has now"
	}
	return &Refusal{fmt.Sprintf("make %s a port of %s: in %s %s, in %s %s, and the bridge cannot have both: %s", j.c.NIC, j.c.Bridge, there, bridge, here, nic, way)}
}

// says is where a file says something last, as path:line.
func (n network) says(t Tree, is func(entry) bool) (at string, last entry) {
	for _, p := range append([]string{n.path}, n.dropins...) {
		for _, e := range parseUnit(t.text(p)) {
			if e.key != "" && is(e) {
				at, last = fmt.Sprintf("%s:%d", p, e.line), e
			}
		}
	}
	return at, last
}
