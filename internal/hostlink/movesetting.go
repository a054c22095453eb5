package hostlink

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Settings that need care.
const (
	genMode   = "ipv6/conf/addr_gen_mode" // which link-local address the kernel makes
	secret    = "ipv6/conf/stable_secret" // sets addr_gen_mode, too
	temporary = "ipv6/conf/use_tempaddr"  // the kernel makes addresses of its own
	pathMTU   = "ipv6/conf/mtu"           // follows the MTU of the link
	reverse   = "ipv4/conf/rp_filter"     // would drop what comes in while routes go over
)

// quiet keeps the kernel from making addresses while ours are on their way: those that
// it would make are not the ones that connections use.
var quiet = map[string]string{genMode: "1", temporary: "0"}

// after are the settings that come last.
var after = []string{genMode, temporary, pathMTU, reverse}

func (m *move) set(key, value string) {
	if m.current[key] == value {
		return
	}
	m.add(setting{m.to.Name, key, value})
	if m.current[key] = value; key == secret {
		m.current[genMode] = "2"
	}
}

// settingsBefore sets what does no harm while both devices are in use. A setting that
// the new device does not know, or the old one did not, is left.
func (m *move) settingsBefore() {
	m.current = maps.Clone(m.to.Settings)
	if m.fresh {
		m.current = maps.Clone(m.want.Defaults)
		if _, there := m.current[pathMTU]; there {
			m.current[pathMTU] = strconv.Itoa(m.want.Link.MTU)
		}
	}
	for _, key := range order(m.want.Settings) {
		if _, known := m.current[key]; (known || key == secret) && !slices.Contains(after, key) {
			m.set(key, m.want.Settings[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(quiet)) {
		if _, known := m.current[key]; known && (m.fresh || key == temporary && m.current[key] != "-1" && m.parents()) {
			m.set(key, quiet[key])
		}
	}
}

// parents says whether the new device gets an address of which the kernel would make
// temporary ones.
func (m *move) parents() bool {
	return slices.ContainsFunc(m.want.of(unix.AF_INET6), func(a Address) bool {
		_, there := findAddress(m.to.Addresses, a.id())
		return !there && a.flags()&unix.IFA_F_MANAGETEMPADDR != 0
	})
}

func (m *move) settingsAfter() {
	for _, key := range after {
		value, wanted := m.want.Settings[key]
		if _, known := m.current[key]; wanted && known {
			m.set(key, value)
		}
	}
}

// order puts forwarding first, which the kernel lets others follow.
func order(settings map[string]string) []string {
	keys := slices.Sorted(maps.Keys(settings))
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	return keys
}

func rank(key string) int {
	if strings.HasSuffix(key, "/forwarding") {
		return 0
	}
	return 1
}
