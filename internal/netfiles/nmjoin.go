package netfiles

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nmJoin adds to the bridge's profile what the NIC's says of addresses, writes one that
// makes the NIC its port, and switches the NIC's own off.
func nmJoin(t Tree, c Conversion) ([]Change, error) {
	fit, err := nmProfileOf(t, c.NIC, known(t, c))
	if err != nil {
		return nil, err
	}
	users := profile{"", parseKeyfile(nmIP(c.Live))}
	if len(fit) > 0 {
		users = fit[0]
	}
	f := &faults{Conversion: c}
	bridge := nmBridgeOf(t, f)
	_, ids := nmNamed(t, c.Bridge)
	if to := users.master(); to != "" {
		f.portOf(users.path, nmMasterName(to, ids, c))
	}
	if f.lines != nil {
		return nil, f.err()
	}
	m := &nmMerger{faults: f, bridge: bridge, users: users, out: slices.Clone(bridge.sections)}
	m.all(len(nmPorts(t, ids)) == 0)
	e := newEdit(t)
	nmSave(e, f, bridge, m.out.String())
	if f.lines != nil {
		return nil, f.err()
	}
	e.set(nmOwn+"/kvmnet-"+c.Bridge+"-"+c.NIC+".nmconnection", nmOrigin(users, c)+nmPortProfile(t, c, users, nmMaster(bridge, c)), 0o600)
	nmSwitchOff(e, fit)
	return e.changes(), nil
}

// nmMasterName is the name by which people know the bridge of a port.
func nmMasterName(to string, ids []string, c Conversion) string {
	if slices.Contains(ids, to) {
		return c.Bridge
	}
	return to
}

// nmMaster is what a port calls its bridge: the profile, so that no other of that name
// is meant.
func nmMaster(bridge profile, c Conversion) string {
	if id := bridge.get("connection", "uuid"); uuid.MatchString(id) {
		return id
	}
	return c.Bridge
}

// uuid is what a profile that has one is known by.
var uuid = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// nmBridgeOf is the profile that the bridge has: that which is in use, else that which
// NetworkManager would choose.
func nmBridgeOf(t Tree, f *faults) profile {
	own, _ := nmNamed(t, f.Bridge)
	rank := nmRanked(t, t.link(f.Bridge), own)
	switch {
	case len(own) == 0:
		f.add("no profile of NetworkManager is for %s by its name: make one, or choose another with --name", f.Bridge)
		return profile{}
	case own[0].kind() != "bridge":
		f.noBridge(own[0].path)
	case len(own) > 1 && rank(own[0]) == rank(own[1]):
		f.add("NetworkManager may take %s or %s for %s, both with priority %d: switch autoconnect off in one, or bring the other up (nmcli connection up)",
			own[0].path, own[1].path, f.Bridge, own[0].priority())
	}
	return own[0]
}

// nmSave writes the bridge's profile where people's are: there it hides one of its uuid
// that came with a package, and outlives one that was for this boot only.
func nmSave(e *edit, f *faults, bridge profile, text string) {
	to := bridge.path
	if path.Dir(to) != nmOwn {
		to = nmOwn + "/" + path.Base(to)
		if e.tree.Files[to] != nil {
			to = nmOwn + "/kvmnet-" + f.Bridge + ".nmconnection"
		}
	}
	if path.Dir(bridge.path) == nmDirs[0] {
		if by := nmMadeBy(bridge); by != "" {
			f.add("%s is made anew at each boot by %s: say there what %s is, or keep the profile (nmcli connection clone)", bridge.path, by, f.Bridge)
		}
		e.remove(bridge.path)
	}
	e.set(to, text, 0o600)
}

// nmMadeBy is the program that makes a profile in /run at each boot, if one does. Its
// profile would hide ours.
func nmMadeBy(p profile) string {
	if strings.HasPrefix(path.Base(p.path), "netplan-") {
		return "netplan"
	}
	return p.get("user", "org.freedesktop.NetworkManager.origin")
}

// all merges what is not of addresses, then these.
func (m *nmMerger) all(alone bool) {
	m.put("bridge", "mac-address", strings.ToUpper(m.MAC.String()))
	for _, section := range []string{"ethernet", "802-3-ethernet"} {
		if _, said := m.out.find(section, "cloned-mac-address"); said { // it would win
			m.put(section, "cloned-mac-address", strings.ToUpper(m.MAC.String()))
		}
	}
	m.mtu(alone)
	for _, e := range m.users.sections {
		switch {
		case e.key == "" || e.section == "ipv4" || e.section == "ipv6":
		case e.section == "connection" && slices.Contains(nmMoved, e.key) && !slices.Contains(nmDevice, e.key),
			e.section != "connection" && !slices.Contains(nmStay, e.section) && !strings.HasPrefix(e.section, "."):
			m.scalar(e, false)
		}
	}
	m.family("ipv4")
	m.family("ipv6")
}

// What is of the profile or of the device, and stays with the bridge's as it is.
var (
	nmDevice = []string{"permissions", "stable-id", "wait-device-timeout", "auth-retries", "autoconnect-retries", "lldp", "mud-url"}
	nmStay   = append([]string{"match", "user", "bridge-port"}, nmHardware...)
)

// mtu: a bridge that says nothing follows its ports.
func (m *nmMerger) mtu(alone bool) {
	said, _ := strconv.Atoi(m.bridge.wired("mtu"))
	nic, _ := strconv.Atoi(m.users.wired("mtu"))
	m.tooLong(said, nic, m.bridge.path)
	if mtu := nmMTU(m.Conversion, m.users); said == 0 && alone && mtu != "" {
		m.put("ethernet", "mtu", mtu)
	}
}
