package netfiles

import "slices"

// Shield works out the files that keep a running systemd-networkd from taking the
// bridge's addresses away. They are to be written, and the manager told (Reload), before
// the bridge is made, and undone when the change is reverted or the NIC gets all back.
// They are in /run: a boot forgets them.
//
// It configures any link that a file of it matches, and one that knows the NIC by its
// MAC matches the bridge, too: the bridge is not its until Bridge's files hide the one
// that says so. And what it finds on a link that becomes its own it removes, even what
// it would add again (systemd 252: an address with a broadcast address, all of DHCP):
// KeepConfiguration= keeps that.
func Shield(t Tree, m Manager, c Conversion) ([]Change, error) {
	e := newEdit(t)
	const dir = "/run/systemd/network/"
	head := header(unconvert(c.Bridge))
	switch m {
	case Networkd:
		_, prefix, err := networkdPlan(t, c)
		if err != nil {
			return nil, err
		}
		file := dir + prefix + "kvmnet-" + c.Bridge + ".network"
		if slices.ContainsFunc(networks(t, ".network"), func(p string) bool { return loadNetwork(t, p).matchesBridge(c) }) {
			e.set(file, head+"# The change waits for its confirmation.\n[Match]\nName="+c.Bridge+"\n\n[Link]\nUnmanaged=yes\n", 0o644)
		}
		e.set(file+".d/kvmnet-keep.conf", head+keep, 0o644)
	case Netplan:
		e.set(dir+"10-netplan-"+c.Bridge+".network.d/kvmnet-keep.conf", head+keep, 0o644)
	}
	return e.changes(), nil
}

const keep = "# What the bridge has was moved to it while the machine ran.\n[Network]\nKeepConfiguration=yes\n"
