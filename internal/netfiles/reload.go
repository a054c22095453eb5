package netfiles

import (
	"path"
	"slices"
	"strings"
)

// Reload lists the commands that make a running manager read its files again. None of
// them takes an interface down, or an address away. A manager that does not run reads
// its files when it starts.
func Reload(m Manager, changes []Change, ask Asker) []string {
	if len(changes) == 0 {
		return nil
	}
	var list []string
	if m == Netplan {
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

// header begins each file that is kvmnet's: who made it, and the way back.
func header(way string) string {
	return "# Written by kvmnet. Undo it with: " + way + "\n"
}

func unconvert(bridge string) string { return "kvmnet bridge unconvert " + bridge }
func undefine(name string) string    { return "kvmnet iface undefine " + name }

// ours reports whether kvmnet wrote a file.
func ours(text string) bool { return strings.HasPrefix(text, "# Written by kvmnet.") }

// stem is a file's name without its folder and its last ending.
func stem(p string) string { return strings.TrimSuffix(path.Base(p), path.Ext(p)) }

// glob reports whether one of shell patterns matches a name.
func glob(patterns []string, name string) bool {
	return name != "" && slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}
