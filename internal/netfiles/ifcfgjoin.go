package netfiles

import (
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// ifcfgJoin adds to the bridge's file what the NIC's says of addresses, leaves the NIC's
// with the device, and adds the files that belong to the addresses to the bridge's.
func ifcfgJoin(t Tree, c Conversion) ([]Change, error) {
	f := &faults{Conversion: c}
	bridge, _ := ifcfgOf(t, c.Bridge, t.link(c.Bridge))
	users, err := ifcfgUsers(t, f)
	if err != nil {
		return nil, err
	}
	if strings.ToLower(bridge.get("TYPE")) != "bridge" {
		f.noBridge(bridge.path)
	}
	m := &ifcfgMerger{faults: f, bridge: bridge, users: users, out: slices.Clone(bridge.shellFile)}
	m.all(len(ifcfgPorts(t, c.Bridge)) == 0, ifcfgByNM(t))
	e := newEdit(t)
	e.set(bridge.path, m.out.String(), 0o644)
	e.set(ifcfgPlace(t, users, c), ifcfgOfPort(users, c), 0o644)
	m.beside(e)
	if text := t.text(ifcfgGlobal); text != "" {
		e.set(ifcfgGlobal, renameWord(text, c.NIC, c.Bridge), 0o644)
	}
	if err := f.err(); err != nil {
		return nil, err
	}
	return e.changes(), nil
}

// ifcfgUsers is the NIC's file, or what one of what it has now would say.
func ifcfgUsers(t Tree, f *faults) (ifcfg, error) {
	users, ok := ifcfgOf(t, f.NIC, known(t, f.Conversion))
	if !ok {
		text, err := ifcfgText(t, spec.HostInterface{Name: f.NIC, Type: spec.EthernetInterface, IPv4: f.Live.IPv4, IPv6: f.Live.IPv6})
		return ifcfg{"", parseShell(text)}, err
	}
	for _, key := range []string{"BRIDGE", "MASTER", "TEAM_MASTER", "OVS_BRIDGE"} {
		if to := users.get(key); to != "" {
			f.portOf(users.path, to)
		}
	}
	return users, nil
}

// ifcfgPlace is where the NIC's file is, or is to be: the name of a file alone does not
// say whose it is.
func ifcfgPlace(t Tree, users ifcfg, c Conversion) string {
	to := ifcfgDir + "/ifcfg-" + c.NIC
	switch {
	case users.path != "":
		return users.path
	case t.Files[to] != nil:
		return ifcfgDir + "/ifcfg-kvmnet-" + c.NIC
	}
	return to
}

// ifcfgByNM reports whether NetworkManager reads the files, rather than the scripts.
func ifcfgByNM(t Tree) bool {
	return t.Has("/etc/systemd/system/multi-user.target.wants/NetworkManager.service") || !t.Has("/etc/init.d/network")
}

// ifcfgMerger adds what the NIC's file says to the bridge's.
type ifcfgMerger struct {
	*faults
	bridge, users ifcfg
	out           shellFile // the bridge's, as it is to be
}

func (m *ifcfgMerger) origin() string {
	if m.users.path == "" {
		return m.now()
	}
	return m.users.path
}

// disagree tells that the two files do.
func (m *ifcfgMerger) disagree(what string) { m.contradict(what, m.bridge.path, m.origin()) }

// put sets a variable in its place, or at the end.
func (m *ifcfgMerger) put(key, value string) {
	a := assignment{key, value, key + "=" + shellWord(value) + "\n"}
	for k, now := range slices.Backward(m.out) {
		if now.key == key {
			m.out[k] = a
			return
		}
	}
	if n := len(m.out); n > 0 {
		m.out[n-1].raw = ended(m.out[n-1].raw)
	}
	m.out = append(m.out, a)
}

// take copies a line of the NIC's file as it is written.
func (m *ifcfgMerger) take(a assignment) {
	m.drop(a.key)
	a.raw = ended(renameWord(a.raw, m.NIC, m.Bridge))
	m.out = append(m.out, a)
}

func (m *ifcfgMerger) drop(key string) {
	m.out = slices.DeleteFunc(m.out, func(a assignment) bool { return a.key == key })
}

// all merges what is of the device, the addresses of both families, and the rest.
func (m *ifcfgMerger) all(alone, byNM bool) {
	mac := strings.ToUpper(m.MAC.String())
	m.put("MACADDR", mac)
	if m.bridge.has("BRIDGE_MACADDR") {
		m.put("BRIDGE_MACADDR", mac)
	}
	if m.bridge.has("ONBOOT") && !isYes(m.bridge.get("ONBOOT")) && isYes(m.users.get("ONBOOT")) {
		m.put("ONBOOT", "yes")
	}
	if isNo(m.bridge.get("NM_CONTROLLED")) != isNo(m.users.get("NM_CONTROLLED")) && m.users.path != "" {
		m.disagree("NM_CONTROLLED")
	}
	m.mtu(alone)
	m.family4(byNM && !isNo(m.bridge.get("NM_CONTROLLED")))
	m.names()
	m.family6()
	m.rest()
}

// mtu: a bridge that says nothing follows its ports.
func (m *ifcfgMerger) mtu(alone bool) {
	said, _ := strconv.Atoi(m.bridge.get("MTU"))
	nic, _ := strconv.Atoi(m.users.get("MTU"))
	m.tooLong(said, nic, m.bridge.path)
	if nic == 0 {
		nic = m.Conversion.mtu()
	}
	if said == 0 && alone && nic > 0 {
		m.put("MTU", strconv.Itoa(nic))
	}
}
