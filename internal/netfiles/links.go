package netfiles

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// links reads what interfaces are known by from /sys, and from what udev and
// systemd-networkd keep in /run.
func (r *reader) links() {
	devices, _ := filepath.Glob(filepath.Join(r.root, "/sys/class/net/*"))
	for _, dir := range devices {
		var l Link
		l.Index, _ = strconv.Atoi(line(filepath.Join(dir, "ifindex")))
		l.MAC, _ = spec.ParseMAC(line(filepath.Join(dir, "address")))
		if line(filepath.Join(dir, "addr_assign_type")) == "0" { // NET_ADDR_PERM
			l.PermanentMAC = l.MAC
		}
		if driver, err := os.Readlink(filepath.Join(dir, "device/driver")); err == nil {
			l.Driver = filepath.Base(driver)
		}
		l.Type = linkType(dir)
		r.udev(&l)
		lease, _ := os.ReadFile(filepath.Join(r.root, "/run/systemd/netif/leases", strconv.Itoa(l.Index)))
		l.ClientID = variable(string(lease), "CLIENTID=")
		r.tree.Links[filepath.Base(dir)] = l
	}
}

// linkType is the type by the words of networkctl: that of the device where there is
// one, else that of the hardware (linux/if_arp.h).
func linkType(dir string) string {
	uevent, _ := os.ReadFile(filepath.Join(dir, "uevent"))
	if kind := variable(string(uevent), "DEVTYPE="); kind != "" {
		return kind
	}
	switch line(filepath.Join(dir, "type")) {
	case "1":
		return "ether"
	case "772":
		return "loopback"
	}
	return ""
}

// udev reads the database of udev, where it runs.
func (r *reader) udev(l *Link) {
	text, err := os.ReadFile(filepath.Join(r.root, "/run/udev/data/n"+strconv.Itoa(l.Index)))
	if err != nil {
		return
	}
	l.Path = variable(string(text), "E:ID_PATH=")
	if driver := variable(string(text), "E:ID_NET_DRIVER="); driver != "" {
		l.Driver = driver
	}
	for _, name := range []string{"ONBOARD", "SLOT", "PATH", "MAC"} {
		if alt := variable(string(text), "E:ID_NET_NAME_"+name+"="); alt != "" {
			l.AltNames = append(l.AltNames, alt)
		}
	}
}

// variable is what follows a prefix at the beginning of a line.
func variable(text, prefix string) string {
	for l := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(l), prefix); ok {
			return value
		}
	}
	return ""
}

func line(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}
