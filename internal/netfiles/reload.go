package netfiles

import (
	"path"
	"slices"
)

// Reload lists the commands that make a running manager read its files again. None of
// them takes an interface down, or an address away. A manager that does not run reads
// its files when it starts. Netplan generates only when a file of it changes: what it
// writes anew systemd-networkd configures anew.
func Reload(m Manager, changes []Change, ask Asker) []string {
	if len(changes) == 0 {
		return nil
	}
	var list []string
	if m == Netplan && slices.ContainsFunc(changes, func(c Change) bool { return slices.Contains(netplanDirs, path.Dir(c.Path)) }) {
		list = append(list, "netplan generate")
	}
	if (m == Networkd || m == Netplan) && ask.Running("systemd-networkd") {
		list = append(list, "networkctl reload")
	}
	if (m == NetworkManager || m == Netplan || m == Ifcfg) && ask.Running("NetworkManager") {
		list = append(list, "nmcli connection reload")
	}
	return list
}
