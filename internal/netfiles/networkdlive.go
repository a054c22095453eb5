package netfiles

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// Names of drop-ins that a boot forgets, beside keepName: what lasts over the end of a
// change, and what waits for it.
const (
	backName   = "kvmnet-back-" + keepName
	shieldName = "kvmnet-shield-" + keepName
)

// keepManaged is keep for a link that systemd-networkd has already, and whose file it
// reads again. With KeepConfiguration=yes systemd 252 keeps what others gave the link
// and drops what it gave itself (link_reconfigure_impl). With static it drops all that
// has an end, and with dhcp the addresses that do not look as its files say: those with
// a broadcast address, unless a file says that.
func keepManaged(dynamic bool, addresses []string) string {
	if !dynamic {
		return strings.Replace(keep, "=yes", "=static", 1)
	}
	text := strings.Replace(keep, "=yes", "=dhcp", 1)
	for _, a := range addresses {
		first, _, _ := strings.Cut(a, "\n")
		if p, ok := prefixOf(strings.TrimPrefix(first, "Address=")); ok && p.Addr().Is4() && p.Bits() <= 30 && !strings.Contains(a, "\nBroadcast=") {
			text += "\n[Address]\n" + a + "Broadcast=" + broadcast(p).String() + "\n"
		}
	}
	return text
}

// broadcast is what systemd-networkd gives an address: the last one of its subnet.
func broadcast(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		a[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(a)
}

// dynamic reports whether an interface has addresses that end.
func (n network) dynamic() bool {
	return families(n.all.get("Network", "DHCP")) != [2]bool{} || acceptsRA(n.all)
}

// addresses are those that a file says, as sections of their own would.
func (n network) addresses() []string {
	var list []string
	for _, a := range n.all.list("Network", "Address") {
		list = append(list, "Address="+a+"\n")
	}
	n.all.each("Address", func(part sections) {
		rest := part.without(func(e entry) bool { return e.key == "Address" }).says()
		list = append(list, strings.TrimSuffix("Address="+part.get("Address", "Address")+"\n"+rest, "\n")+"\n")
	})
	return list
}

// lasting is a file without what a boot forgets.
func (n network) lasting(t Tree) network {
	n.all = slices.Clone(n.own)
	n.dropins = slices.DeleteFunc(slices.Clone(n.dropins), func(d string) bool { return strings.HasSuffix(d, keepName) })
	for _, d := range n.dropins {
		n.all = append(n.all, parseUnit(t.text(d))...)
	}
	return n
}

// shieldJoined keeps a systemd-networkd that has the bridge from what would become of it
// once it has the NIC's MAC and carrier. A file that matches the NIC by its MAC matches
// the bridge, too: a copy of the bridge's own comes before it. A bridge that waits for a
// DHCP server behind a port would ask the NIC's.
func shieldJoined(t Tree, c Conversion) ([]Change, error) {
	j, err := networkdJoining(t, c)
	if err != nil {
		return nil, err
	}
	asks := families(j.bridge.all.get("Network", "DHCP")) != [2]bool{}
	if asks && t.link(c.Bridge).ClientID != "" {
		return nil, &Refusal{fmt.Sprintf("move %s into %s: systemd-networkd has an address of %[2]s from a DHCP server (%s says DHCP=), and gives it up as soon as the bridge gets the MAC of %[1]s: give %[2]s a fixed address first",
			c.NIC, c.Bridge, j.bridge.path)}
	}
	if j.bridge.path == "" || !j.moves && !asks {
		return nil, nil
	}
	e := newEdit(t)
	text := header(unconvert(c.Bridge)) + keepManaged(j.bridge.dynamic(), j.bridge.addresses())
	e.set(runNetworkd+path.Base(j.bridge.path)+".d/"+j.bridge.last(backName), text, 0o644)
	of := j.bridge
	if j.moves {
		of = j.copyBridge(e, runNetworkd)
	}
	if asks {
		text = strings.Replace(text, "[Network]\n", "[Network]\nDHCP=no\n", 1)
	}
	e.set(runNetworkd+path.Base(of.path)+".d/"+of.last(shieldName), text, 0o644)
	return e.changes(), nil
}

// Unshield takes back what Shield wrote when the change is reverted. What has
// systemd-networkd keep the addresses of a bridge that was there stays until a boot.
func Unshield(shield []Change) []Change {
	return slices.DeleteFunc(Undo(shield), func(c Change) bool { return strings.HasSuffix(c.Path, backName) })
}

// keepBridge has systemd-networkd keep what is a bridge's own when the NIC has left it:
// its file is read again without what was the NIC's.
func keepBridge(now, after Tree, m Manager, nic string) []Change {
	port, _ := networkOf(now, nic, known(now, Conversion{NIC: nic}))
	bridge := port.all.get("Network", "Bridge")
	if bridge == "" || !byNetworkd(after, m, bridge) {
		return nil
	}
	e := newEdit(now)
	head := header(unconvert(bridge))
	if m == Netplan {
		files, _ := loadNetplan(after)
		d, _ := netplanOf(files, bridge, Link{})
		e.set(runNetworkd+"10-netplan-"+bridge+".network.d/"+backName, head+netplanKeep(d), 0o644)
		return e.changes()
	}
	dev, made := netdevOf(after, bridge)
	l := Link{Type: "bridge"}
	l.MAC, _ = spec.ParseMAC(dev.all.get("NetDev", "MACAddress"))
	n, ok := networkOf(after, bridge, l)
	if !made || !ok {
		return nil
	}
	n = n.lasting(after)
	e.set(runNetworkd+path.Base(n.path)+".d/"+n.last(backName), head+keepManaged(n.dynamic(), n.addresses()), 0o644)
	return e.changes()
}

// netplanKeep is keepManaged of definitions of netplan.
func netplanKeep(defs ...netplanDef) string {
	var dynamic bool
	var addresses []string
	for _, d := range defs {
		i := spec.HostInterface{}
		readNetplanIP(d, &i)
		for _, a := range ip(i.IPv4).Addresses {
			addresses = append(addresses, "Address="+a.String()+"\n")
		}
		dynamic = dynamic || ip(i.IPv4).DHCP || ip(i.IPv6).DHCP || !isNo(d.text("accept-ra"))
	}
	return keepManaged(dynamic, addresses)
}
