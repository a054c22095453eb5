package netfiles

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// networkdBridge writes three files, copies of the drop-ins, and a drop-in that lasts
// until the next boot. The user's own stay, and are hidden by files that sort before.
func networkdBridge(t Tree, c Conversion) ([]Change, error) {
	users, prefix, err := networkdPlan(t, c)
	if err != nil {
		return nil, err
	}
	e := newEdit(t)
	base := networkdDirs[0] + "/" + prefix + "kvmnet-" + c.Bridge
	head := header(unconvert(c.Bridge))
	e.set(base+".netdev", head+networkdNetdev(c), 0o644)
	from := "# What follows is from " + users.path + ".\n"
	if users.path == "" {
		from, users.own = "", parseUnit(networkdIP(c.Live))
	}
	text := head + "[Match]\nName=" + c.Bridge + "\n\n" + from + users.own.forBridge().squeeze().String()
	e.copy(base+".network", networkdIdentity(text, users, t.link(c.NIC)), users.path)
	for _, d := range users.dropins {
		if path.Base(d) == keepName {
			continue // KeepBack's, of this boot only
		}
		body := parseUnit(t.text(d)).forBridge().squeeze().String()
		if body != "" {
			e.copy(base+".network.d/"+path.Base(d), head+"# What follows is from "+d+".\n"+body, d)
		}
	}
	e.set(base+"-"+c.NIC+".network", head+networkdPort(c, users), 0o644)
	e.set(runNetworkd+path.Base(base)+".network.d/kvmnet-keep.conf", head+keep, 0o644)
	return e.changes(), nil
}

// networkdPlan finds the file that is in use for the NIC, and a prefix for ours.
func networkdPlan(t Tree, c Conversion) (network, string, error) {
	l := known(t, c)
	users, _ := networkOf(t, c.NIC, l)
	if n, ok := netdevOf(t, c.Bridge); ok {
		return users, "", &Refusal{fmt.Sprintf("make bridge %s: %s makes a device of that name: choose another with --name", c.Bridge, n.path)}
	}
	for _, key := range []string{"Bridge", "Bond", "VRF", "BatmanAdvanced"} {
		if to := users.all.get("Network", key); to != "" && key != "VRF" {
			return users, "", &Refusal{fmt.Sprintf("make %s a port of %s: %s makes it a port of %s: convert that one, or take the line %s= out", c.NIC, c.Bridge, users.path, to, key)}
		}
	}
	var hidden []string
	for _, p := range networks(t, ".network") {
		if n := loadNetwork(t, p); n.matches(c.NIC, l) || n.matchesBridge(c) {
			hidden = append(hidden, p)
		}
	}
	prefix, err := before("kvmnet-"+c.Bridge+".network", hidden)
	return users, prefix, err
}

// matchesBridge reports whether a file is for the bridge, too. Without udev, in a
// container, systemd-networkd takes a bridge for any Ethernet.
func (n network) matchesBridge(c Conversion) bool {
	return n.matches(c.Bridge, Link{MAC: c.MAC, Type: "bridge"}) || n.matches(c.Bridge, Link{MAC: c.MAC, Type: "ether"})
}

// known is what the NIC is known by; its MAC the caller knows, too.
func known(t Tree, c Conversion) Link {
	l := t.link(c.NIC)
	if l.MAC.IsZero() {
		l.MAC = c.MAC
	}
	if l.Type == "" {
		l.Type = "ether"
	}
	return l
}

func networkdNetdev(c Conversion) string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "[NetDev]\nName=%s\nKind=bridge\nMACAddress=%s\n", c.Bridge, c.MAC)
	if n := c.mtu(); n > 0 {
		fmt.Fprintf(b, "MTUBytes=%d\n", n)
	}
	fmt.Fprintf(b, "\n[Bridge]\nSTP=%s\nForwardDelaySec=%d\n", yes(c.STP), c.Delay)
	return b.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// nicSections and nicKeys stay with the NIC: they are of its queues and its hardware,
// and of what is stacked on it.
var (
	nicSections = []string{"SR-IOV", "CAN", "IPoIB", "BridgeVLAN", "Bridge", "QDisc", "NetworkEmulator", "TokenBucketFilter", "PIE", "FlowQueuePIE", "StochasticFairBlue",
		"StochasticFairnessQueueing", "BFIFO", "PFIFO", "PFIFOHeadDrop", "PFIFOFast", "CAKE", "ControlledDelay", "DeficitRoundRobinScheduler",
		"DeficitRoundRobinSchedulerClass", "EnhancedTransmissionSelection", "GenericRandomEarlyDetection", "FairQueueingControlledDelay", "FairQueueing",
		"TrivialLinkEqualizer", "HierarchyTokenBucket", "HierarchyTokenBucketClass", "ClassfulMultiQueueing", "BandMultiQueueing", "HeavyHitterFilter",
		"QuickFairQueueing", "QuickFairQueueingClass"}
	nicKeys = map[string][]string{
		"Network": {"VLAN", "MACVLAN", "MACVTAP", "IPVLAN", "IPVTAP", "VXLAN", "Xfrm", "Tunnel", "MACsec", "LLDP", "EmitLLDP", "ActiveSlave", "PrimarySlave"},
		"Link": {"MACAddress", "MTUBytes", "TransmitQueues", "ReceiveQueues", "TransmitQueueLength", "Promiscuous", "AllMulticast", "Multicast",
			"ARP", "ActivationPolicy", "RequiredForOnline"},
	}
	// shared keys are the bridge's as well.
	sharedKeys = []string{"MTUBytes", "ARP", "Multicast", "ActivationPolicy", "RequiredForOnline"}
)

func ofNIC(e entry) bool {
	return slices.Contains(nicSections, e.section) || slices.Contains(nicKeys[e.section], e.key)
}

// forBridge is what of a file goes to the bridge.
func (s sections) forBridge() sections {
	return s.only(func(e entry) bool {
		return e.section != "Match" && (!ofNIC(e) || e.section == "Link" && slices.Contains(sharedKeys, e.key))
	})
}

// networkdPort makes the NIC a port, with what stays with it.
func networkdPort(c Conversion, users network) string {
	s := parseUnit("[Match]\nName=" + c.NIC + "\n\n[Network]\nBridge=" + c.Bridge + "\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n")
	for _, section := range []string{"Network", "Link"} {
		kept := users.all.only(func(e entry) bool { return e.section == section && e.key != "" && ofNIC(e) && !e.waitsForAddress() })
		if len(kept) > 0 {
			if section == "Link" {
				s = append(s, parseUnit("\n[Link]\n")...)
			}
			s = append(s, kept...)
		}
	}
	if n := c.mtu(); n > 0 && users.all.get("Link", "MTUBytes") == "" {
		s = s.set("Link", "MTUBytes", fmt.Sprint(n))
	}
	if hardware := users.all.only(func(e entry) bool { return slices.Contains(nicSections, e.section) }); len(hardware) > 0 {
		s = append(append(s, entry{raw: "\n"}), hardware...)
	}
	return s.squeeze().String()
}

// waitsForAddress reports whether a line has a boot wait for a state that a port does not
// reach, such as RequiredForOnline=routable.
func (e entry) waitsForAddress() bool {
	return e.key == "RequiredForOnline" && !isYes(e.value) && !isNo(e.value)
}

// networkdIdentity keeps the identity by which the DHCP server knows the NIC. Without
// one of its own systemd-networkd derives it from the name that udev gave the device,
// which a bridge has not (dhcp_identifier_set_iaid of systemd): the server would take
// the bridge for another machine, with another address.
func networkdIdentity(text string, users network, l Link) string {
	s := parseUnit(text)
	iaid, ok := l.iaid()
	dhcp := users.all.get("Network", "DHCP")
	if !ok || dhcp == "" || dhcp == "no" || dhcp == "false" {
		return text
	}
	if users.all.get("DHCPv4", "IAID") == "" && users.all.get("DHCPv4", "ClientIdentifier") != "mac" && users.all.get("DHCP", "ClientIdentifier") != "mac" {
		s = s.set("DHCPv4", "IAID", iaid)
	}
	if users.all.get("DHCPv6", "IAID") == "" {
		s = s.set("DHCPv6", "IAID", iaid)
	}
	return s.String()
}

// iaid is the identity of the interface in a client id of RFC 4361: 255, four bytes of
// it, and the machine's DUID.
func (l Link) iaid() (string, bool) {
	var n uint32
	if len(l.ClientID) <= 10 || !strings.EqualFold(l.ClientID[:2], "ff") {
		return "", false
	}
	if _, err := fmt.Sscanf(l.ClientID[2:10], "%08x", &n); err != nil {
		return "", false
	}
	return fmt.Sprint(n), true
}
