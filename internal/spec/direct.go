package spec

import "slices"

var directModes = []DirectMode{DirectBridge, DirectVEPA, DirectPrivate, DirectPassthrough}

// OrBridge is the mode that holds: bridge where none is written.
func (d *Direct) OrBridge() DirectMode {
	if d.Mode == "" {
		return DirectBridge
	}
	return d.Mode
}

// direct checks a network whose ports are macvtaps on NICs of the host.
func (c *checker) direct(path string, n *Network) {
	at := Field(path, "direct")
	if n.Direct.Mode != "" && !slices.Contains(directModes, n.Direct.Mode) {
		c.add(Field(at, "mode"), oneOf(string(n.Direct.Mode), "modes", texts(directModes)), "%q is not a mode of macvtap", string(n.Direct.Mode))
	}
	if n.Bridge.Name != "" {
		c.add(Field(Field(path, "bridge"), "name"), "remove it, or direct", "the ports are on NICs of the host, not in a bridge")
	}
	if n.Isolated {
		c.add(Field(path, "isolated"), "write direct: {mode: private}", "macvtap ports know isolation as a mode")
	}
	c.directDevices(Field(at, "devices"), n.Direct.Devices)
}

func (c *checker) directDevices(path string, devices []string) {
	if len(devices) == 0 {
		c.add(path, "name NICs of the host, for instance direct: {devices: [eth1]}", "there is no NIC to put ports on")
	}
	if !c.few(path, len(devices), maxBridgePorts) {
		return
	}
	for i, name := range devices {
		c.addError(Index(path, i), "", CheckInterfaceName(name))
		if slices.Contains(devices[:i], name) {
			c.add(Index(path, i), "remove it", "%q is listed twice", name)
		}
	}
}

// directPort checks a port against a network that has a bridge or NICs.
func (c *checker) directPort(path string, p *Port, n *Network) {
	switch {
	case n == nil:
	case n.Direct != nil && (p.Type == Tap || p.Type == Veth):
		c.add(Field(path, "type"), "remove it", "network %q has no bridge for a %s, its ports are macvtaps", p.Network, p.Type)
	case n.Direct == nil && p.Type == Macvtap:
		c.add(Field(path, "type"), "remove it, or give the network direct: {devices: [eth1]}", "network %q has no NICs for a macvtap", p.Network)
	case n.Direct != nil && p.Device != "" && !slices.Contains(n.Direct.Devices, p.Device):
		c.add(Field(path, "device"), oneOf(p.Device, "NICs", n.Direct.Devices), "network %q has no NIC %q", p.Network, p.Device)
	}
	if p.Device != "" && (p.Type == Tap || p.Type == Veth || n != nil && n.Direct == nil && p.Type == "") {
		c.add(Field(path, "device"), "remove it", "only a macvtap has a NIC below it")
	}
}
