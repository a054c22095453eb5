package libvirtxml

import (
	"os"
	"strings"
)

// Check applies the rules that libvirt has for a network it is to define or to start,
// beyond those of reading. The error is an *Error without a place.
func (n *Network) Check() error {
	for _, rule := range []func() string{n.checkName, n.checkMode, n.checkDHCP, n.checkDevices, n.checkPortGroups, n.checkPorts} {
		if message := rule(); message != "" {
			return &Error{Message: message}
		}
	}
	return nil
}

// bridged reports whether guests are on a bridge of the network's own.
func (n *Network) bridged() bool {
	switch n.mode() {
	case "none", "nat", "route", "open":
		return true
	}
	return false
}

// limited reports whether ports can have limits: they need a bridge.
func (n *Network) limited() bool {
	return n.bridged() || n.mode() == "bridge" && n.Bridge != nil && n.Bridge.Name != ""
}

// in ends a message with the network and its mode.
func (n *Network) in(what string) string {
	return classUnsupported + "Unsupported " + what + " element in network " + n.Name + " with forward mode='" + n.mode() + "'"
}

func (n *Network) checkName() string {
	if strings.Contains(n.Name, "\n") {
		return "invalid char in name: \n"
	}
	return ""
}

// checkMode refuses what the host does nothing for, since it has no address there.
func (n *Network) checkMode() string {
	if n.bridged() {
		return ""
	}
	switch {
	case !n.MAC.IsZero():
		return n.in("<mac>")
	case len(n.IPs) > 0:
		return n.in("<ip>")
	case n.DNS != nil && len(n.DNS.TXT)+len(n.DNS.SRV)+len(n.DNS.Hosts) > 0:
		return n.in("<dns>")
	case n.Domain != nil:
		return n.in("<domain>")
	case n.Bandwidth != nil && !n.limited():
		return n.in("network-wide <bandwidth>")
	}
	return ""
}

// checkDHCP refuses a second address of a family with DHCP.
func (n *Network) checkDHCP() string {
	seen := map[string]bool{}
	for _, ip := range n.IPs {
		if ip.DHCP == nil || len(ip.DHCP.Ranges)+len(ip.DHCP.Hosts) == 0 {
			continue
		}
		family := "IPv4"
		if strings.Contains(ip.Address, ":") {
			family = "IPv6"
		}
		if seen[family] {
			return classUnsupported + "Multiple " + family + " dhcp sections found -- dhcp is supported only for a single " + family + " address on each network"
		}
		seen[family] = true
	}
	return ""
}

// checkDevices refuses devices that a mode cannot give to guests.
func (n *Network) checkDevices() string {
	switch {
	case n.Forward == nil:
	case n.mode() == "hostdev" && len(n.Forward.Interfaces) > 0:
		return classUnsupported + "hostdev network '" + n.Name + "' lists '" + n.Forward.Interfaces[0].Name +
			"' in the device pool, but hostdev networks require all devices to be listed by PCI address, not network device name"
	case n.mode() != "hostdev" && len(n.Forward.Addresses) > 0:
		return classUnsupported + "network '" + n.Name + "' has forward mode '" + n.mode() +
			"'  but lists a device by PCI address in the device pool. This is only supported for networks with forward mode 'hostdev'"
	default:
		return n.checkFunctions()
	}
	return ""
}

// checkFunctions refuses devices of the host that are no virtual functions: the
// kernel links those to the physical one.
func (n *Network) checkFunctions() string {
	for _, a := range n.Forward.Addresses {
		device := "/sys/bus/pci/devices/" + a.name()
		if _, err := os.Lstat(device + "/physfn"); err != nil {
			return classUnsupported + "device '" + device + "' in network '" + n.Name + "' is not an SR-IOV Virtual Function"
		}
	}
	return ""
}
