package manage

import (
	"cmp"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
	"kvmnet/internal/specfile"
)

// askerOf finds what entries can call a caller. A user or group without a name has its
// number.
func askerOf(c api.Caller) asker {
	uid := strconv.Itoa(c.UID)
	who := asker{name: "user " + uid, users: []string{uid}}
	if u, err := user.LookupId(uid); err == nil {
		who.name, who.users = u.Username, []string{u.Username, uid}
	}
	for _, gid := range c.Groups {
		text := strconv.Itoa(gid)
		who.groups = append(who.groups, text)
		if g, err := user.LookupGroupId(text); err == nil {
			who.groups = append(who.groups, g.Name)
		}
	}
	who.all = c.UID == 0 || c.UID == os.Geteuid() || slices.Contains(who.groups, api.Group)
	return who
}

// portsOf counts the ports of a user on a network, however they were made.
func (w world) portsOf(network string, c api.Caller) (n int) {
	id, known := strconv.Itoa(c.UID), map[string]string{}
	for _, p := range w.live().Ports {
		if p.Network != network || p.Owner == "" {
			continue
		}
		if known[p.Owner] == "" {
			known[p.Owner], _ = uid(p.Owner)
		}
		if known[p.Owner] == id {
			n++
		}
	}
	return n
}

// permit refuses what access does not let a caller have. It goes by the definition,
// where there is one: who may have ports does not wait for a network's next start.
func (m *Manager) permit(w world, network string, c api.Caller, guard spec.Guard) error {
	n := cmp.Or(w.defined.Networks[network], w.running.Networks[network])
	r := access(network, n, askerOf(c), wish{guard: guard, has: w.portsOf(network, c)})
	if r == nil {
		return nil
	}
	text := "network " + network + ": " + r.why
	if at := m.accessLine(w, network, r.line); at != "" {
		text += " (" + at + ")"
	}
	if r.way != "" {
		text += "; " + r.way
	}
	return conflict("%s", text)
}

// accessLine finds where a line of access stands, "class.yaml:12:7".
func (m *Manager) accessLine(w world, network string, line int) string {
	if line < 0 || w.defined.Networks[network] == nil {
		return ""
	}
	name := network + ".yaml"
	text, err := os.ReadFile(filepath.Join(m.configDir, "networks", name))
	if err != nil {
		return ""
	}
	f, _ := specfile.Parse(name, text)
	at := f.Locate(spec.Problem{Path: spec.Index(spec.Field(spec.Field("networks", network), "access"), line)})
	if at.Line == 0 {
		return ""
	}
	return name + ":" + strconv.Itoa(at.Line) + ":" + strconv.Itoa(at.Column)
}
