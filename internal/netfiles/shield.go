package netfiles

// Shield works out the files that keep a running manager from a bridge until its change
// is confirmed. systemd-networkd configures any link that a file of it matches, and one
// that knows the NIC by its MAC matches the bridge, too: it would add the addresses by
// itself, and take them away for a moment when it later finds the bridge's own file. The
// files are in /run, so that a boot forgets them, and Bridge's hide them. They are to be
// written, and the manager told (Reload), before the bridge is made, and undone when the
// change is reverted.
func Shield(t Tree, m Manager, c Conversion) ([]Change, error) {
	if m != Networkd {
		return nil, nil
	}
	_, prefix, err := networkdPlan(t, c)
	if err != nil {
		return nil, err
	}
	if _, ok := networkOf(t, c.Bridge, Link{MAC: c.MAC, Type: "bridge"}); !ok {
		return nil, nil
	}
	e := newEdit(t)
	e.set("/run/systemd/network/"+prefix+"kvmnet-"+c.Bridge+".network",
		header(unconvert(c.Bridge))+"# The change waits for its confirmation.\n[Match]\nName="+c.Bridge+"\n\n[Link]\nUnmanaged=yes\n", 0o644)
	return e.changes(), nil
}
