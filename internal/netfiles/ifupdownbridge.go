package netfiles

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

func placeAt(path string, line int) string { return fmt.Sprintf("%s:%d", path, line) }

// ifupdownBridge edits the user's stanzas: those of the NIC become the bridge's.
func ifupdownBridge(t Tree, c Conversion) ([]Change, error) {
	files := loadInterfaces(t)
	if err := ifupdownRefuse(files, c); err != nil {
		return nil, err
	}
	e := newEdit(t)
	m := &mover{Conversion: c, first: firstStanza(t, c.NIC), files: files}
	var paths []string
	for _, f := range files {
		text := m.file(f)
		if text != t.text(f.path) {
			e.set(f.path, text, 0o644)
			paths = append(paths, f.path)
		}
	}
	if len(m.faults) > 0 {
		return nil, &Refusal{strings.Join(m.faults, "\n")}
	}
	if m.first == "" {
		return nil, &Refusal{fmt.Sprintf("convert %s: no stanza of it is in %s", c.NIC, interfacesPath)}
	}
	cloudInit(e, c.Bridge, paths)
	return e.changes(), nil
}

// ifupdownRefuse finds what cannot be converted, all of it at once.
func ifupdownRefuse(files []interfacesFile, c Conversion) error {
	var faults []string
	add := func(f interfacesFile, s statement, format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s: convert %s: %s", f.at(s), c.NIC, fmt.Sprintf(format, args...)))
	}
	for _, f := range files {
		for _, s := range f.statements {
			rest := s.words[min(1, len(s.words)):]
			switch k := s.keyword(); {
			case k == "iface" && len(rest) > 0 && rest[0] == c.Bridge:
				add(f, s, "%s is defined here: choose another name with --name", c.Bridge)
			case k == "mapping" && slices.ContainsFunc(rest, func(w string) bool { return isAlias(w, c.NIC) }):
				add(f, s, "a mapping chooses what %s is: write the stanza that is meant without it", c.NIC)
			case slices.Contains(portKeys, k) && slices.Contains(rest, c.NIC):
				add(f, s, "it is a port of %s: convert that one", s.iface)
			case (k == "bond-master" || k == "bond_master") && s.iface == c.NIC:
				add(f, s, "it is a port of %s: convert that one", strings.Join(rest, " "))
			}
		}
	}
	if faults != nil {
		return &Refusal{strings.Join(faults, "\n")}
	}
	return nil
}

// portKeys are the options that name ports; each may be written with a dash.
var portKeys = []string{"bridge_ports", "bridge-ports", "bond-slaves", "bond_slaves", "slaves"}

// mover rewrites the files of ifupdown, one after the other.
type mover struct {
	Conversion
	first  string // place of the stanza that ifupdown comes to first: that one makes the bridge
	files  []interfacesFile
	faults []string
}

// file is the text of a file with the NIC's stanzas moved.
func (m *mover) file(f interfacesFile) string {
	var b strings.Builder
	for at, s := range f.statements {
		switch {
		case s.keyword() == "iface" && isAlias(s.iface, m.NIC):
			if f.at(s) != m.first {
				b.WriteString(m.rename(s.raw))
				continue
			}
			b.WriteString(m.port() + m.rename(ended(s.raw)) + m.options(f.statements[at+1:]))
		case s.keyword() == "auto" || strings.HasPrefix(s.keyword(), "allow-") || strings.HasPrefix(s.keyword(), "no-"):
			b.WriteString(m.auto(s))
		case s.option() && isAlias(s.iface, m.NIC):
			if !hardware(s.keyword()) {
				b.WriteString(m.option(f, s))
			}
		default:
			b.WriteString(s.raw)
		}
	}
	return b.String()
}

// rename puts the bridge's name in the place of the NIC's, as a word or with a label.
func (m *mover) rename(raw string) string {
	re := regexp.MustCompile(`(^|\s)` + regexp.QuoteMeta(m.NIC) + `(:\S*)?(\s|$)`)
	for { // two names side by side share the space between
		next := re.ReplaceAllString(raw, "${1}"+m.Bridge+"${2}${3}")
		if next == raw {
			return raw
		}
		raw = next
	}
}

// auto renames in a line that says when interfaces come up. A bridge does not appear by
// itself: what was allow-hotplug is auto.
func (m *mover) auto(s statement) string {
	mine := func(w string) bool { return isAlias(w, m.NIC) }
	names := s.words[1:]
	if !slices.ContainsFunc(names, mine) {
		return s.raw
	}
	if !strings.HasPrefix(s.keyword(), "allow-") || s.keyword() == "allow-auto" {
		if raw := m.rename(s.raw); !m.made() || strings.HasPrefix(s.keyword(), "no-") {
			return raw
		}
		return s.keyword() + " " + m.NIC + " " + strings.Join(strings.Fields(m.rename(strings.Join(names, " "))), " ") + "\n"
	}
	others := slices.DeleteFunc(slices.Clone(names), mine)
	names = slices.DeleteFunc(slices.Clone(names), func(w string) bool { return !mine(w) })
	line := m.rename("auto "+strings.Join(names, " ")) + "\n"
	if len(others) > 0 {
		return s.keyword() + " " + strings.Join(others, " ") + "\n" + line
	}
	return line
}

// makes reports whether an option makes the device: a bond or a VLAN.
func makes(key string) bool {
	return key == "slaves" || slices.ContainsFunc([]string{"bond-", "bond_", "vlan-", "vlan_"}, func(p string) bool { return strings.HasPrefix(key, p) })
}

// made reports whether the NIC is a device that ifupdown makes: it has to be there before
// the bridge.
func (m *mover) made() bool {
	return slices.ContainsFunc(m.files, func(f interfacesFile) bool {
		return slices.ContainsFunc(f.statements, func(s statement) bool { return s.option() && s.iface == m.NIC && makes(s.keyword()) })
	})
}

// hardware reports whether an option is of the device itself, and stays with the NIC.
func hardware(key string) bool {
	if key == "hwaddress" || makes(key) {
		return true
	}
	return slices.ContainsFunc([]string{"link-", "ethernet-", "ethtool-", "offload-", "hardware-", "driver-"}, func(p string) bool { return strings.HasPrefix(key, p) })
}

// port is the stanza that the NIC has from now on: only what is of the device.
func (m *mover) port() string {
	var kept []string
	for _, f := range m.files {
		for _, s := range f.statements {
			if s.option() && s.iface == m.NIC && hardware(s.keyword()) && !slices.Contains(kept, s.raw) {
				kept = append(kept, ended(s.raw))
			}
		}
	}
	text := header(unconvert(m.Bridge))
	if len(kept) > 0 {
		text += "auto " + m.NIC + "\n"
	}
	return text + "iface " + m.NIC + " inet manual\n" + strings.Join(kept, "") + "\n"
}

func ended(raw string) string {
	if strings.HasSuffix(raw, "\n") {
		return raw
	}
	return raw + "\n"
}

// options are what makes a bridge of a stanza, indented as the one after it is.
func (m *mover) options(after []statement) string {
	indent, mtu := "    ", false
	for _, s := range after {
		if !s.option() {
			if s.words != nil {
				break
			}
			continue
		}
		mtu = mtu || s.keyword() == "mtu"
		if at := s.raw[:len(s.raw)-len(strings.TrimLeft(s.raw, " \t"))]; at != "" {
			indent = at
		}
	}
	stp := map[bool]string{true: "on", false: "off"}[m.STP]
	lines := []string{"bridge_ports " + m.NIC, "bridge_stp " + stp, fmt.Sprintf("bridge_fd %d", m.Delay), "bridge_hw " + m.MAC.String()}
	if !m.STP {
		lines = append(lines, "bridge_maxwait 0")
	}
	if n := m.userMTU(); n != "" && !mtu {
		lines = append(lines, "mtu "+n) // which bridge-utils gives the port, too
	}
	return indent + strings.Join(lines, "\n"+indent) + "\n"
}

// userMTU is that of any stanza of the NIC, else what it has now.
func (m *mover) userMTU() string {
	for _, f := range m.files {
		for _, s := range f.statements {
			if s.option() && s.iface == m.NIC && s.keyword() == "mtu" {
				return s.value()
			}
		}
	}
	if n := m.mtu(); n > 0 {
		return fmt.Sprint(n)
	}
	return ""
}

// mtu is the NIC's when it is not what every NIC has.
func (c Conversion) mtu() int {
	if c.MTU == 1500 {
		return 0
	}
	return c.MTU
}

// option rewrites an option that names the NIC, or says why it cannot.
func (m *mover) option(f interfacesFile, s statement) string {
	raw, left := retarget(s.raw, m.NIC, m.Bridge)
	if left {
		m.faults = append(m.faults, fmt.Sprintf("%s: convert %s: the line names %[2]s, and kvmnet cannot tell whether the NIC or the bridge is meant: write $IFACE for the bridge, or move the line to a script: %[3]s",
			f.at(s), m.NIC, strings.TrimSpace(s.raw)))
	}
	return raw
}
