package netfiles

import (
	"cmp"
	"crypto/sha1"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// nmDirs are where NetworkManager has connection profiles, the strongest first.
var nmDirs = []string{"/run/NetworkManager/system-connections", "/etc/NetworkManager/system-connections", "/usr/lib/NetworkManager/system-connections"}

// nmOwn is where those are that people have made.
const nmOwn = "/etc/NetworkManager/system-connections"

// profile is a connection profile of NetworkManager.
type profile struct {
	path string
	sections
}

// nmProfiles lists the profiles, the strongest of those with one uuid.
func nmProfiles(t Tree) []profile {
	var list []profile
	seen := map[string]bool{}
	for _, dir := range nmDirs {
		for _, p := range t.in(dir) {
			f, name := t.Files[p], path.Base(p)
			if f.masked() || strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || dir != nmOwn && !strings.HasSuffix(name, ".nmconnection") {
				continue
			}
			one := profile{p, parseKeyfile(string(f.Text))}
			if id := one.get("connection", "uuid"); one.has("connection") && (id == "" || !seen[id]) {
				seen[id] = true
				list = append(list, one)
			}
		}
	}
	return list
}

// kind is the type of a profile by its newer name.
func (p profile) kind() string {
	switch k := p.get("connection", "type"); k {
	case "802-3-ethernet":
		return "ethernet"
	default:
		return k
	}
}

// master is the bridge or bond of a port, by name or uuid.
func (p profile) master() string {
	return cmp.Or(p.get("connection", "controller"), p.get("connection", "master"))
}

func (p profile) priority() int {
	n, _ := strconv.Atoi(p.get("connection", "autoconnect-priority"))
	return n
}

func (p profile) automatic() bool { return p.get("connection", "autoconnect") != "false" }

// fits reports whether a profile for Ethernet may be used for an interface.
func (p profile) fits(name string, l Link) bool {
	if k := p.kind(); k != "ethernet" {
		return false
	}
	if is := p.get("connection", "interface-name"); is != "" && is != name {
		return false
	}
	if mac, err := spec.ParseMAC(p.wired("mac-address")); err == nil && mac != l.MAC && mac != l.PermanentMAC {
		return false
	}
	if globs := p.words("match", "interface-name"); len(globs) > 0 && !glob(globs, name) {
		return false
	}
	for _, no := range p.words("ethernet", "mac-address-blacklist") {
		if mac, err := spec.ParseMAC(no); err == nil && mac == l.MAC {
			return false
		}
	}
	return p.get("match", "driver") == "" || glob(p.words("match", "driver"), l.Driver)
}

// wired is a value of the section of Ethernet, which has two names.
func (p profile) wired(key string) string {
	return cmp.Or(p.get("ethernet", key), p.get("802-3-ethernet", key))
}

// words splits a list.
func (p profile) words(section, key string) []string {
	return strings.FieldsFunc(p.get(section, key), func(r rune) bool { return r == ';' || r == ',' || r == ' ' })
}

// exact reports whether a profile is for this interface by name or hardware.
func (p profile) exact() bool {
	return p.get("connection", "interface-name") != "" || p.wired("mac-address") != ""
}

// nmRanked sorts profiles: the one in use on a link comes first, and then those that
// NetworkManager would choose. It returns by what it sorted.
func nmRanked(t Tree, l Link, list []profile) (rank func(profile) int) {
	active := parseKeyfile(t.text(fmt.Sprintf("/run/NetworkManager/devices/%d", l.Index))).get("device", "connection-uuid")
	rank = func(p profile) int {
		switch {
		case active != "" && p.get("connection", "uuid") == active:
			return 1 << 20
		case !p.automatic():
			return -1 << 20
		}
		return p.priority()
	}
	slices.SortStableFunc(list, func(a, b profile) int { return rank(b) - rank(a) })
	return rank
}

// nmProfileOf is the profile that an interface has: that which is in use, else that
// which NetworkManager would choose, the others that fit follow. Two of which it could
// be either are refused.
func nmProfileOf(t Tree, name string, l Link) ([]profile, error) {
	var fit []profile
	for _, p := range nmProfiles(t) {
		if p.fits(name, l) {
			fit = append(fit, p)
		}
	}
	rank := nmRanked(t, l, fit)
	if len(fit) > 1 && rank(fit[0]) == rank(fit[1]) && fit[0].automatic() {
		return fit, &Refusal{fmt.Sprintf("choose the profile of %s: NetworkManager may take %s or %s, both with priority %d: switch autoconnect off in one, or bring the other up (nmcli connection up)",
			name, fit[0].path, fit[1].path, fit[0].priority())}
	}
	return fit, nil
}

// uuid5 is a UUID of RFC 9562, section 5.5, of a name on this machine: the same each
// time.
func uuid5(t Tree, name string) string {
	sum := sha1.Sum([]byte("kvmnet\x00" + strings.TrimSpace(t.text("/etc/machine-id")) + "\x00" + name))
	sum[6], sum[8] = sum[6]&0x0f|0x50, sum[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// unmanaged reports whether NetworkManager leaves an interface alone, and which file
// says so.
func unmanaged(t Tree, name string, l Link) (string, bool) {
	if text := t.text(fmt.Sprintf("/run/NetworkManager/devices/%d", l.Index)); l.Index > 0 && text != "" {
		if parseKeyfile(text).get("device", "managed") == "false" {
			return "NetworkManager itself", true
		}
	}
	by, off := "", false
	conf := append(t.across([]string{"/etc/NetworkManager/conf.d", "/run/NetworkManager/conf.d", "/usr/lib/NetworkManager/conf.d"}, ".conf"), "/etc/NetworkManager/NetworkManager.conf")
	for _, p := range conf {
		s := parseKeyfile(t.text(p))
		if list, ok := s.find("keyfile", "unmanaged-devices"); ok {
			by, off = p, specMatches(list, name, l)
		}
	}
	for _, p := range conf {
		for _, e := range parseKeyfile(t.text(p)) {
			if strings.HasPrefix(e.section, "device") && e.key == "managed" && (e.value == "0" || isNo(e.value)) && specMatches(deviceMatch(t, p, e.section), name, l) {
				return p, true
			}
		}
	}
	return by, off
}

func deviceMatch(t Tree, p, section string) string {
	match, ok := parseKeyfile(t.text(p)).find(section, "match-device")
	if !ok {
		return "*"
	}
	return match
}

func isNo(s string) bool { return slices.Contains([]string{"no", "false", "off"}, strings.ToLower(s)) }

// specMatches judges a device list of NetworkManager.conf(5).
func specMatches(list, name string, l Link) bool {
	has := false
	for _, w := range strings.FieldsFunc(list, func(r rune) bool { return r == ';' || r == ',' }) {
		w = strings.TrimSpace(w)
		except := strings.HasPrefix(w, "except:")
		if !specMatch(strings.TrimPrefix(w, "except:"), name, l) {
			continue
		}
		if except {
			return false
		}
		has = true
	}
	return has
}

func specMatch(w, name string, l Link) bool {
	key, value, ok := strings.Cut(w, ":")
	mac, err := spec.ParseMAC(w)
	switch {
	case w == "*":
		return true
	case err == nil:
		return mac == l.MAC || mac == l.PermanentMAC
	case !ok:
		return w == name
	}
	switch key {
	case "interface-name":
		return glob([]string{strings.TrimPrefix(strings.TrimPrefix(value, "="), "~")}, name)
	case "mac":
		mac, err := spec.ParseMAC(value)
		return err == nil && (mac == l.MAC || mac == l.PermanentMAC)
	case "type":
		return value == "ethernet" && (l.Type == "ether" || l.Type == "") || value == "wifi" && l.Type == "wlan" || value == l.Type
	case "driver":
		return glob([]string{value}, l.Driver)
	}
	return false
}
