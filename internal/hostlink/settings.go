package hostlink

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// places are where settings of interfaces are, below /proc/sys/net.
var places = []string{"ipv4/conf", "ipv4/neigh", "ipv6/conf", "ipv6/neigh"}

// unmoved settings cannot be written, or are others in another unit.
var unmoved = []string{"mc_forwarding", "base_reachable_time", "retrans_time", "gc_interval", "gc_stale_time_ms", "gc_thresh1", "gc_thresh2", "gc_thresh3"}

// settings reads the settings of an interface, in the namespace of the thread. What
// has no value, such as a secret that was never set, is left out.
func settings(name string) map[string]string {
	all := map[string]string{}
	for _, place := range places {
		dir := filepath.Join("/proc/sys/net", place, name)
		files, _ := os.ReadDir(dir) // there is no IPv6 where the kernel has none
		for _, f := range files {
			if slices.Contains(unmoved, f.Name()) {
				continue
			}
			if value, err := os.ReadFile(filepath.Join(dir, f.Name())); err == nil {
				all[place+"/"+f.Name()] = strings.Join(strings.Fields(string(value)), " ")
			}
		}
	}
	return all
}

// defaults are the settings that the next interface has. Those of neighbours are shown
// in the first namespace only; in others the loopback has them as well.
func defaults() map[string]string {
	all := settings("default")
	for key, value := range settings("lo") {
		if _, there := all[key]; !there && strings.Contains(key, "/neigh/") {
			all[key] = value
		}
	}
	return all
}

// wireless says whether an interface is a station of a wireless network, by the tree of
// /sys, which may show the interfaces of another namespace.
func wireless(sys, name string, index int) bool {
	dir := filepath.Join(sys, "class/net", name)
	number, err := os.ReadFile(filepath.Join(dir, "ifindex"))
	if err != nil || strings.TrimSpace(string(number)) != strconv.Itoa(index) {
		return false
	}
	for _, mark := range []string{"wireless", "phy80211"} {
		if _, err := os.Stat(filepath.Join(dir, mark)); err == nil {
			return true
		}
	}
	return false
}
