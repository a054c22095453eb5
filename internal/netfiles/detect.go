package netfiles

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Claim is why an interface is taken to be a manager's.
type Claim struct {
	Manager Manager // one that is not among the constants cannot be written for
	Why     string  // evidence: a file, a program that runs
}

func (c Claim) String() string { return string(c.Manager) + ": " + c.Why }

// Detect finds who has the configuration of an interface. Two managers that both have
// it are refused with the evidence for each, and so is one whose files kvmnet does not
// know. An interface that nobody has is kvmnet's own.
func Detect(t Tree, nic string, ask Asker) (Manager, error) {
	claims := Claims(t, nic, ask)
	var managers []Manager
	for _, c := range claims {
		if backends[c.Manager].bridge == nil {
			return "", &Refusal{fmt.Sprintf("write the configuration of %s: %s has it (%s), and kvmnet does not know its files: give %[1]s to another manager, or convert with --no-persist and write the files by hand", nic, c.Manager, c.Why)}
		}
		if !slices.Contains(managers, c.Manager) {
			managers = append(managers, c.Manager)
		}
	}
	switch len(managers) {
	case 0:
		return Own, nil
	case 1:
		return managers[0], nil
	}
	var why []string
	for _, c := range claims {
		why = append(why, c.String())
	}
	return "", &Refusal{fmt.Sprintf("write the configuration of %s: %d managers have it, and each would undo what the other does: take it from all but one:\n  %s", nic, len(managers), strings.Join(why, "\n  "))}
}

// Claims lists the evidence for each manager that has an interface. Netplan's files count
// for those that it writes for.
func Claims(t Tree, nic string, ask Asker) []Claim {
	l := t.link(nic)
	if l.Type == "" {
		l.Type = "ether"
	}
	var list []Claim
	add := func(m Manager, format string, args ...any) {
		list = append(list, Claim{m, fmt.Sprintf(format, args...)})
	}
	claimUnknown(t, nic, ask, add)
	if t.Has(t.ownPath(nic)) {
		add(Own, "%s", t.ownPath(nic))
	}
	if claimNetplan(t, nic, l, add) {
		return list
	}
	if claimIfcfg(t, nic, l, ask, add) {
		return list // NetworkManager reads these files, too
	}
	claimIfupdown(t, nic, add)
	claimNM(t, nic, l, ask, add)
	claimNetworkd(t, nic, l, ask, add)
	return list
}

type adder func(m Manager, format string, args ...any)

// claimUnknown finds managers that kvmnet cannot write for.
func claimUnknown(t Tree, nic string, ask Asker, add adder) {
	if ask.Running("wickedd") {
		add("wicked", "wickedd runs")
	} else if p := "/etc/sysconfig/network/ifcfg-" + nic; t.Has(p) && t.Has("/usr/sbin/wickedd") {
		add("wicked", "%s", p)
	}
	if ask.Running("connmand") {
		add("connman", "connmand runs")
	}
	if ask.Running("dhcpcd") && !dhcpcdLeaves(t.text("/etc/dhcpcd.conf"), nic) {
		if _, ok := ifupdownHas(t, nic); !ok { // which may have started it
			add("dhcpcd", "dhcpcd runs, and no denyinterfaces of /etc/dhcpcd.conf keeps it from %s", nic)
		}
	}
}

// dhcpcdLeaves judges dhcpcd.conf(5).
func dhcpcdLeaves(text, nic string) bool {
	var allow, deny []string
	for l := range strings.Lines(text) {
		words := strings.Fields(l)
		if len(words) < 2 {
			continue
		}
		patterns := strings.FieldsFunc(strings.Join(words[1:], " "), func(r rune) bool { return r == ' ' || r == ',' })
		switch words[0] {
		case "allowinterfaces":
			allow = append(allow, patterns...)
		case "denyinterfaces":
			deny = append(deny, patterns...)
		}
	}
	return glob(deny, nic) || len(allow) > 0 && !glob(allow, nic)
}

func claimNetplan(t Tree, nic string, l Link, add adder) bool {
	files, err := loadNetplan(t)
	if err != nil {
		add(Netplan, "its files cannot all be read: %v", err)
		return true
	}
	d, ok := netplanOf(files, nic, l)
	for _, p := range d.places() {
		add(Netplan, "%s defines %s, for %s", p, d.id, d.renderer(files))
	}
	return ok
}

func claimIfcfg(t Tree, nic string, l Link, ask Asker, add adder) bool {
	f, ok := ifcfgOf(t, nic, l)
	if !ok || !t.Has("/etc/init.d/network") && !enabledNM(t, ask) {
		return false
	}
	if _, off := unmanaged(t, nic, l); off && !t.Has("/etc/init.d/network") {
		return false
	}
	add(Ifcfg, "%s", f.path)
	return true
}

func claimIfupdown(t Tree, nic string, add adder) {
	if !t.Has("/sbin/ifup", "/usr/sbin/ifup", "/usr/share/ifupdown2") {
		return
	}
	if at, ok := ifupdownHas(t, nic); ok && !ifupdownLeaves(t, nic) {
		add(Ifupdown, "%s", at)
	}
}

// ifupdownLeaves reports whether all that ifupdown says of an interface is that others
// have it: iface eth0 inet manual, and nothing else.
func ifupdownLeaves(t Tree, nic string) bool {
	for _, f := range loadInterfaces(t) {
		for _, s := range f.statements {
			if s.iface == nic && (s.option() || s.keyword() == "iface" && (len(s.words) < 4 || s.words[3] != "manual")) {
				return false
			}
		}
	}
	return true
}

func enabledNM(t Tree, ask Asker) bool {
	return ask.Running("NetworkManager") || t.Has("/etc/systemd/system/multi-user.target.wants/NetworkManager.service")
}

// claimNM: Debian's NetworkManager leaves to ifupdown what that defines, unless it is
// told otherwise ([ifupdown] managed).
func claimNM(t Tree, nic string, l Link, ask Asker, add adder) {
	if !enabledNM(t, ask) {
		return
	}
	if _, off := unmanaged(t, nic, l); off {
		return
	}
	if _, ok := ifupdownHas(t, nic); ok && !isYes(nmConf(t, "ifupdown", "managed")) {
		return
	}
	fit, err := nmProfileOf(t, nic, l)
	switch {
	case err != nil:
		add(NetworkManager, "it manages %s, by %s or %s", nic, fit[0].path, fit[1].path)
	case len(fit) > 0:
		add(NetworkManager, "%s", fit[0].path)
	default:
		add(NetworkManager, "it manages all devices that nothing keeps it from, %s among them", nic)
	}
}

// nmConf is a value of NetworkManager's own configuration.
func nmConf(t Tree, section, key string) (value string) {
	conf := t.across([]string{"/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d"}, ".conf")
	for _, p := range append(conf, "/etc/NetworkManager/NetworkManager.conf") {
		if v, ok := parseKeyfile(t.text(p)).find(section, key); ok {
			value = v
		}
	}
	return value
}

func claimNetworkd(t Tree, nic string, l Link, ask Asker, add adder) {
	enabled := t.Has("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "/etc/systemd/system/dbus-org.freedesktop.network1.service")
	if !enabled && !ask.Running("systemd-networkd") {
		return
	}
	n, ok := networkOf(t, nic, l)
	if !ok || isYes(n.all.get("Link", "Unmanaged")) || strings.HasPrefix(path.Base(n.path), "10-netplan-") {
		return
	}
	add(Networkd, "%s", n.path)
}
