package netfiles

import (
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// networkdDefined reads what the files say of an interface.
func networkdDefined(t Tree, name string) *spec.HostInterface {
	n, ok := networkOf(t, name, t.link(name))
	dev, made := netdevOf(t, name)
	if !ok && !made || ok && len(n.all.list("Network", "Bridge"))+len(n.all.list("Network", "Bond")) > 0 {
		return nil // a port is told of with its bridge
	}
	n = n.lasting(t)
	i := &spec.HostInterface{Name: name, Type: spec.EthernetInterface}
	readNetworkdDevice(t, dev.all, i)
	readNetworkdLink(n.all, i)
	if ok {
		readNetworkdIP(n.all, i)
	}
	return i
}

func readNetworkdLink(s sections, i *spec.HostInterface) {
	if mtu, err := strconv.Atoi(s.get("Link", "MTUBytes")); err == nil {
		i.MTU = mtu
	}
	if mac, err := spec.ParseMAC(s.get("Link", "MACAddress")); err == nil {
		i.MAC = mac
	}
	if p := s.get("Link", "ActivationPolicy"); p == "manual" || p == "down" || p == "always-down" {
		i.Start = spec.StartNone
	}
}

func readNetworkdDevice(t Tree, s sections, i *spec.HostInterface) {
	if mac, err := spec.ParseMAC(s.get("NetDev", "MACAddress")); err == nil {
		i.MAC = mac
	}
	if mtu, err := strconv.Atoi(s.get("NetDev", "MTUBytes")); err == nil {
		i.MTU = mtu
	}
	switch kind := s.get("NetDev", "Kind"); kind {
	case "bridge":
		i.Type = spec.BridgeInterface
		i.Bridge = &spec.BridgeDetails{STP: isYes(s.get("Bridge", "STP")), Ports: networkdPorts(t, "Bridge", i.Name)}
		i.Bridge.Delay, _ = spec.ParseSeconds(strings.TrimSuffix(s.get("Bridge", "ForwardDelaySec"), "s"))
	case "bond":
		i.Type = spec.BondInterface
		i.Bond = readNetworkdBond(s)
		i.Bond.Ports = networkdPorts(t, "Bond", i.Name)
	case "vlan":
		i.Type = spec.VLANInterface
		i.VLAN = &spec.VLANDetails{On: networkdBelow(t, i.Name)}
		i.VLAN.Tag, _ = strconv.Atoi(s.get("VLAN", "Id"))
	}
}

func readNetworkdBond(s sections) *spec.BondDetails {
	d := &spec.BondDetails{Mode: s.get("Bond", "Mode")}
	if every := milliseconds(s.get("Bond", "MIIMonitorSec")); every > 0 {
		d.MII = &spec.BondMII{Every: every, UpDelay: milliseconds(s.get("Bond", "UpDelaySec")), DownDelay: milliseconds(s.get("Bond", "DownDelaySec"))}
	}
	if every := milliseconds(s.get("Bond", "ARPIntervalSec")); every > 0 {
		d.ARP = &spec.BondARP{Every: every, Validate: s.get("Bond", "ARPValidate")}
		if targets := s.list("Bond", "ARPIPTargets"); len(targets) > 0 {
			d.ARP.Target = address(targets[0])
		}
	}
	return d
}

// milliseconds reads a span such as 100ms, 1s or 0.1 (seconds).
func milliseconds(s string) int {
	for unit, factor := range map[string]float64{"ms": 1, "s": 1000, "": 1000} {
		number, ok := strings.CutSuffix(s, unit)
		if n, err := strconv.ParseFloat(strings.TrimSpace(number), 64); ok && err == nil && n >= 0 && n < 1e6 {
			return int(n*factor + 0.5)
		}
	}
	return 0
}

// networkdPorts are the interfaces that files make ports.
func networkdPorts(t Tree, key, master string) []spec.HostInterface {
	var list []spec.HostInterface
	for _, p := range networks(t, ".network") {
		n := loadNetwork(t, p)
		if n.all.get("Network", key) != master {
			continue
		}
		names := n.names()
		if names == nil {
			names = t.matching(n)
		}
		for _, name := range names {
			port := spec.HostInterface{Name: name, Type: spec.EthernetInterface}
			readNetworkdLink(n.all, &port)
			list = append(list, port)
		}
	}
	return list
}

// matching lists the interfaces that are there and that a file is for.
func (t Tree) matching(n network) []string {
	var names []string
	for name, l := range t.Links {
		if n.matches(name, l) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// networkdBelow is the interface that a VLAN is on.
func networkdBelow(t Tree, vlan string) string {
	for _, p := range networks(t, ".network") {
		if n := loadNetwork(t, p); slices.Contains(n.all.list("Network", "VLAN"), vlan) {
			if names := append(n.names(), t.matching(n)...); len(names) > 0 {
				return names[0]
			}
		}
	}
	return ""
}

// networkdNames are the interfaces that files tell of by name, or that are there.
func networkdNames(t Tree) []string {
	var names []string
	for _, p := range networks(t, ".network") {
		n := loadNetwork(t, p)
		if !strings.HasPrefix(p, "/usr/") && !strings.HasPrefix(p, "/lib/") {
			names = append(names, n.names()...) // packages name what few machines have, such as the host0 of containers
		}
		names = append(names, t.matching(n)...)
	}
	for _, p := range networks(t, ".netdev") {
		if name := loadNetwork(t, p).all.get("NetDev", "Name"); name != "" {
			names = append(names, name)
		}
	}
	return names
}
