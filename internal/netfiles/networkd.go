package netfiles

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"kvmnet/internal/spec"
)

// networkdDirs are where systemd-networkd looks, the first one first.
var networkdDirs = []string{"/etc/systemd/network", "/run/systemd/network", "/usr/local/lib/systemd/network", "/usr/lib/systemd/network", "/lib/systemd/network"}

// networks lists the files of a kind that count, in the order they are tried.
func networks(t Tree, ending string) []string {
	return slices.DeleteFunc(t.across(networkdDirs, ending), func(p string) bool { return t.Files[p].masked() })
}

// network is a .network or .netdev file with its drop-ins.
type network struct {
	path    string
	own     sections
	dropins []string // paths
	all     sections // of the file and then its drop-ins
}

// loadNetwork reads a file with its drop-ins (systemd.network(5)).
func loadNetwork(t Tree, p string) network {
	n := network{path: p, own: parseUnit(t.text(p))}
	var dirs []string
	for _, d := range networkdDirs {
		dirs = append(dirs, path.Join(d, path.Base(p)+".d"))
	}
	n.all = slices.Clone(n.own)
	for _, d := range t.across(dirs, ".conf") {
		if !t.Files[d].masked() {
			n.dropins = append(n.dropins, d)
			n.all = append(n.all, parseUnit(t.text(d))...)
		}
	}
	return n
}

// networkOf is the .network file that systemd-networkd uses for an interface: the
// first that matches.
func networkOf(t Tree, name string, l Link) (network, bool) {
	for _, p := range networks(t, ".network") {
		if n := loadNetwork(t, p); n.matches(name, l) {
			return n, true
		}
	}
	return network{}, false
}

// matches judges by [Match]. What is not known of the interface matches nothing, and a
// file without any condition matches nothing either.
func (n network) matches(name string, l Link) bool {
	asked := false
	for _, key := range matchKeys {
		words := n.all.list("Match", key)
		if len(words) == 0 {
			continue
		}
		asked = true
		if !matchOne(key, words, name, l) {
			return false
		}
	}
	return asked
}

// matchKeys are the conditions that an interface can be held against. Conditions of the
// machine (Host=, Virtualization=, …) are taken to hold: the interface is configured.
var matchKeys = []string{"Name", "OriginalName", "MACAddress", "PermanentMACAddress", "Driver", "Type", "Kind", "Path", "Property", "WLANInterfaceType", "SSID", "BSSID"}

func matchOne(key string, words []string, name string, l Link) bool {
	not := strings.HasPrefix(words[0], "!")
	if not {
		words = append([]string{words[0][1:]}, words[1:]...)
	}
	has := false
	switch key {
	case "Name", "OriginalName":
		has = glob(words, name) || slices.ContainsFunc(l.AltNames, func(a string) bool { return glob(words, a) })
	case "MACAddress":
		return matchMAC(words, l.MAC)
	case "PermanentMACAddress":
		return matchMAC(words, l.PermanentMAC)
	case "Driver":
		has = glob(words, l.Driver)
	case "Type":
		has = glob(words, l.Type)
	case "Kind": // a NIC has none
		has = l.Type == "bridge" && glob(words, "bridge")
	case "Path":
		has = glob(words, l.Path)
	}
	return has != not
}

func matchMAC(words []string, mac spec.MAC) bool {
	return !mac.IsZero() && slices.ContainsFunc(words, func(w string) bool {
		got, err := spec.ParseMAC(w)
		return err == nil && got == mac
	})
}

// names are the interfaces a file is for when it says so by full names, nil when it
// may be for others, too.
func (n network) names() []string {
	words := n.all.list("Match", "Name")
	if len(words) == 0 || slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, "*?[!") }) {
		return nil
	}
	return words
}

// netdevOf is the file that makes a device of a name.
func netdevOf(t Tree, name string) (network, bool) {
	for _, p := range networks(t, ".netdev") {
		if n := loadNetwork(t, p); n.all.get("NetDev", "Name") == name {
			return n, true
		}
	}
	return network{}, false
}

// prefixes are those that names of kvmnet's files may begin with: the first that sorts
// before all that would be used instead.
var prefixes = []string{"05-", "00-", "0-"}

// before finds the prefix with which files come before those of others.
func before(stem string, others []string) (string, error) {
	for _, p := range prefixes {
		if !slices.ContainsFunc(others, func(o string) bool { return path.Base(o) <= p+stem }) {
			return p, nil
		}
	}
	slices.Sort(others)
	return "", &Refusal{fmt.Sprintf("write files for systemd-networkd: %s sorts before any name that kvmnet gives its own: rename it to begin with 10-", others[0])}
}
