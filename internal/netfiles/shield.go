package netfiles

import (
	"bytes"
	"path"
	"slices"
	"strings"
)

// runNetworkd is where files for systemd-networkd are that a boot forgets.
const runNetworkd = "/run/systemd/network/"

// keep has systemd-networkd keep what it finds on a link that becomes its own. Otherwise
// it removes all that, even what it adds again a moment later: as of systemd 252 an
// address with a broadcast address, and all that came by DHCP. Later boots begin with an
// empty link, and do not need it.
const keep = "# What the interface has was moved to it while the machine ran.\n[Network]\nKeepConfiguration=yes\n"

// keepName is its file.
const keepName = "kvmnet-keep.conf"

// Shield works out the files that keep a running systemd-networkd from a bridge until
// its change is confirmed. It configures any link that a file of it matches, and one
// that knows the NIC by its MAC, or asks for any name, matches the bridge, too. They are
// to be written, and the manager told (Reload), before the bridge is made, and undone
// when the change is reverted. Bridge's files hide them.
func Shield(t Tree, m Manager, c Conversion) ([]Change, error) {
	if _, ok := netdevOf(t, c.Bridge); ok && byNetworkd(t, m, c.Bridge) {
		return shieldJoined(t, c)
	}
	if m != Networkd {
		return nil, nil
	}
	_, prefix, err := networkdPlan(t, c)
	if err != nil {
		return nil, err
	}
	e := newEdit(t)
	if slices.ContainsFunc(networks(t, ".network"), func(p string) bool { return loadNetwork(t, p).matchesBridge(c) }) {
		e.set(runNetworkd+prefix+"kvmnet-"+c.Bridge+".network",
			header(unconvert(c.Bridge))+"# The change waits for its confirmation.\n[Match]\nName="+c.Bridge+"\n\n[Link]\nUnmanaged=yes\n", 0o644)
	}
	return e.changes(), nil
}

// ShieldBack works out the file that keeps a running systemd-networkd from a NIC while it
// gets all back from its bridge: it would make it a port again, or configure it beside
// us, and fail. It is to be written, and the manager told, before the kernel is changed,
// and undone when the change is confirmed or reverted. The NIC has nothing of its own
// then: what systemd-networkd is told to leave alone it first clears. (For that the
// bridge has none.)
func ShieldBack(t Tree, m Manager, c Conversion) []Change {
	if !byNetworkd(t, m, c.Bridge) && !byNetworkd(t, m, c.NIC) {
		return nil
	}
	e := newEdit(t)
	e.set(shieldBackPath(c.NIC),
		header(unconvert(c.Bridge))+"# The change waits for its confirmation.\n[Match]\nName="+c.NIC+"\n\n[Link]\nUnmanaged=yes\n", 0o644)
	return e.changes()
}

// shieldBackPath is the file of ShieldBack: "-" sorts before all that the names of
// Bridge's files begin with.
func shieldBackPath(nic string) string { return runNetworkd + "-kvmnet-" + nic + ".network" }

// UnshieldBack works out how a NIC that ShieldBack keeps from systemd-networkd becomes
// its again, with what it has; nothing where there is no such file.
func UnshieldBack(t Tree, m Manager, nic string) []Change {
	if !t.Has(shieldBackPath(nic)) {
		return nil
	}
	e := newEdit(t)
	e.remove(shieldBackPath(nic))
	return append(KeepBack(t, m, e.changes(), nic), e.changes()...)
}

// byNetworkd reports whether systemd-networkd configures an interface, for itself or for
// netplan.
func byNetworkd(t Tree, m Manager, name string) bool {
	if m == Netplan {
		files, err := loadNetplan(t)
		d, ok := netplanOf(files, name, t.link(name))
		return err == nil && ok && d.renderer(files) == "networkd"
	}
	return m == Networkd
}

// KeepBack works out the files that have a running systemd-networkd keep what the NIC has
// when it takes it over again, until the next boot, and what a bridge has that stays.
// They are to be written with those of the undoing.
func KeepBack(t Tree, m Manager, undo []Change, nic string) []Change {
	after := t.with(undo)
	return append(keepNIC(t, after, m, nic), keepBridge(t, after, m, nic)...)
}

func keepNIC(t, after Tree, m Manager, nic string) []Change {
	if !byNetworkd(after, m, nic) {
		return nil
	}
	l := t.link(nic)
	if l.Type == "" {
		l.Type = "ether"
	}
	e := newEdit(t)
	dropin := func(name string) []Change {
		e.set(runNetworkd+name+".d/"+keepName, keep, 0o644)
		return e.changes()
	}
	if m == Netplan { // which writes the file itself anew
		files, _ := loadNetplan(after)
		d, _ := netplanOf(files, nic, l)
		return dropin("10-netplan-" + d.id + ".network")
	}
	for _, p := range networks(after, ".network") {
		if n := loadNetwork(after, p); !strings.HasPrefix(path.Base(p), "-kvmnet-") && n.matches(nic, l) {
			text, mode := content(after.Files[p]), after.Files[p].Mode
			if now := t.Files[p]; now == nil || !bytes.Equal(now.Text, text) {
				return dropin(path.Base(p)) // the undoing writes it
			}
			// A drop-in alone does not make systemd 252 read a file again.
			return append(dropin(path.Base(p)), Change{Path: p, Before: text, After: text, Mode: mode, Touch: true})
		}
	}
	return nil
}

// with is a tree after changes.
func (t Tree) with(changes []Change) Tree {
	e := newEdit(t)
	for _, c := range changes {
		if c.After == nil {
			e.remove(c.Path)
		} else {
			e.set(c.Path, string(c.After), c.Mode)
		}
	}
	return e.result()
}
