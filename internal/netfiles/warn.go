package netfiles

import "fmt"

// Warnings lists what will not be as before although the files are written.
func Warnings(t Tree, m Manager, c Conversion) []string {
	switch m {
	case Ifupdown:
		if !t.Has("/lib/bridge-utils/ifupdown.sh", "/usr/lib/bridge-utils/ifupdown.sh", "/usr/share/ifupdown2") {
			return []string{fmt.Sprintf("ifupdown cannot make %s at the next boot: it needs bridge-utils (or ifupdown2): apt install bridge-utils", c.Bridge)}
		}
	case NetworkManager:
		return nmWarnings(t, c)
	case Netplan:
		return netplanWarnings(t, c)
	case Ifcfg:
		if !t.Has("/etc/init.d/network") && !t.Has("/usr/sbin/NetworkManager") {
			return []string{"no program that reads " + ifcfgDir + " was found: see that one is installed before the next boot"}
		}
	}
	return nil
}

// nmWarnings: what NetworkManager derives from the name and the profile is another for
// the bridge (RFC 7217 of addresses, the IAID of DHCPv6).
func nmWarnings(t Tree, c Conversion) []string {
	fit, _ := nmProfileOf(t, c.NIC, known(t, c))
	users := profile{}
	if len(fit) > 0 {
		users = fit[0]
	}
	method := users.get("ipv6", "method")
	if users.path != "" && method != "auto" && method != "dhcp" {
		return nil
	}
	// A file without the key means EUI-64 (nm-settings-keyfile(5)), the profile that
	// NetworkManager makes by itself does not.
	if mode := users.get("ipv6", "addr-gen-mode"); mode == "eui64" || mode == "0" || mode == "" && users.path != "" {
		return nil
	}
	return []string{fmt.Sprintf("from the next boot on %s has other automatic IPv6 addresses than %s has now: NetworkManager makes them from the profile and the name (ipv6.addr-gen-mode)", c.Bridge, c.NIC)}
}

// netplanWarnings: of a NIC that NetworkManager has, netplan cannot say the metric of
// routes that are not by DHCP.
func netplanWarnings(t Tree, c Conversion) []string {
	files, err := loadNetplan(t)
	if err != nil {
		return nil // Bridge tells
	}
	if d, ok := netplanOf(files, c.NIC, known(t, c)); ok && d.renderer(files) == "NetworkManager" {
		return []string{fmt.Sprintf("from the next boot on the routes of %s have metric 425, NetworkManager's for bridges, unless a metric is written in %s", c.Bridge, d.places()[0])}
	}
	return nil
}
