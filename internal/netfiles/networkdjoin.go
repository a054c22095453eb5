package netfiles

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"kvmnet/internal/spec"
)

// joining is what files say of a bridge, and of a NIC that becomes a further port of it.
// A network without a path is none.
type joining struct {
	t           Tree
	c           Conversion
	nic, bridge network
	devices     []network // .netdev files of the bridge
	prefix      string    // of files of ours
	moves       bool      // another .network file matches the bridge once it has the NIC's MAC
	hides       bool      // a copy of the bridge's file is used in its place
}

// networkdJoin adds a port file for the NIC, and drop-ins: to the bridge's .netdev file
// with the NIC's MAC, to its .network file with what the NIC's says. Where the bridge's
// .network file is not for it alone, or is not the first that matches a bridge with
// that MAC, a copy that sorts before has the drop-in.
func networkdJoin(t Tree, c Conversion) ([]Change, error) {
	j, err := networkdJoining(t, c)
	if err != nil {
		return nil, err
	}
	if err := j.refuse(); err != nil {
		return nil, err
	}
	more, err := j.merge()
	if err != nil {
		return nil, err
	}
	e := newEdit(t)
	head := header(unconvert(c.Bridge))
	for _, d := range j.devices {
		e.set(j.dropin(d, networkdDirs[0]), head+j.device(d), 0o644)
	}
	of := j.bridge
	if j.hides {
		of = j.copyBridge(e, networkdDirs[0]+"/")
	}
	if text := more.squeeze().String(); text != "" {
		e.copy(j.dropin(of, networkdDirs[0]), head+j.from()+text, j.nic.path)
	}
	e.set(j.base()+"-"+c.NIC+".network", head+networkdPort(c, j.nic), 0o644)
	of.dropins = append(of.dropins, j.dropin(of, networkdDirs[0]))
	e.set(runNetworkd+path.Base(of.path)+".d/"+of.last(keepName), head+j.keep(more), 0o644)
	return e.changes(), nil
}

// networkdJoining finds what there is.
func networkdJoining(t Tree, c Conversion) (joining, error) {
	j := joining{t: t, c: c}
	l := known(t, c)
	nic, _ := networkOf(t, c.NIC, l)
	if j.nic = nic.lasting(t); nic.path == "" {
		j.nic.all = parseUnit(networkdIP(c.Live))
	}
	for _, p := range networks(t, ".netdev") {
		if n := loadNetwork(t, p); n.all.get("NetDev", "Name") == c.Bridge {
			j.devices = append(j.devices, n)
		}
	}
	now, later := j.links()
	bridge, _ := networkOf(t, c.Bridge, now)
	j.bridge = bridge.lasting(t)
	first, _ := networkOf(t, c.Bridge, later)
	j.moves = first.path != j.bridge.path
	j.hides = j.moves || !slices.Equal(first.names(), []string{c.Bridge}) || !strings.HasPrefix(first.path, "/etc/")
	var hidden []string
	for _, p := range networks(t, ".network") {
		if n := loadNetwork(t, p); n.matches(c.NIC, l) || j.hides && (n.matchesBridge(c) || p == j.bridge.path) {
			hidden = append(hidden, p)
		}
	}
	var err error
	j.prefix, err = before("kvmnet-"+c.Bridge+".network", hidden)
	return j, err
}

// links are what the bridge is known by now, and once it has the NIC's MAC.
func (j joining) links() (now, later Link) {
	now = j.t.link(j.c.Bridge)
	if now.Type == "" {
		now.Type = "bridge"
	}
	for _, d := range j.devices {
		if mac, err := spec.ParseMAC(d.all.get("NetDev", "MACAddress")); err == nil && now.MAC.IsZero() {
			now.MAC = mac
		}
	}
	later = now
	later.MAC, later.PermanentMAC = j.c.MAC, spec.MAC{}
	return now, later
}

// base begins the paths of our files.
func (j joining) base() string { return networkdDirs[0] + "/" + j.prefix + "kvmnet-" + j.c.Bridge }

// dropin is the path of our drop-in to a file: one that is read after the others.
func (j joining) dropin(n network, dir string) string {
	return path.Join(dir, path.Base(n.path)+".d", n.last("kvmnet-"+j.c.NIC+".conf"))
}

// last is a name of a drop-in that is read after the others.
func (n network) last(name string) string {
	for slices.ContainsFunc(n.dropins, func(d string) bool { return path.Base(d) > name }) && len(name) < 64 {
		name = "z" + name
	}
	return name
}

// device is what is new of the bridge as a device.
func (j joining) device(d network) string {
	text := "[NetDev]\nMACAddress=" + j.c.MAC.String() + "\n"
	if said := d.all.get("NetDev", "MTUBytes"); said != "" && j.lower(said) {
		text += fmt.Sprintf("MTUBytes=%d\n", j.mtu())
	}
	return text
}

// mtu is the NIC's.
func (j joining) mtu() int {
	said, _ := strconv.Atoi(j.nic.all.get("Link", "MTUBytes"))
	for _, n := range []int{j.c.MTU, said} {
		if n > 0 {
			return n
		}
	}
	return 1500
}

// lower reports whether the NIC has a smaller MTU than a text says.
func (j joining) lower(than string) bool {
	n, err := strconv.Atoi(than)
	return err == nil && j.mtu() < n
}

// copyBridge writes the bridge's file with its drop-ins under a name that sorts before.
func (j joining) copyBridge(e *edit, dir string) network {
	head := header(unconvert(j.c.Bridge))
	n := network{path: dir + j.prefix + "kvmnet-" + j.c.Bridge + ".network"}
	text, from := head+"[Match]\nName="+j.c.Bridge+"\n", func(p string) string { return "# What follows is from " + p + ".\n" }
	notMatch := func(e entry) bool { return e.section != "Match" }
	if body := j.bridge.own.only(notMatch).squeeze().String(); body != "" {
		text += "\n" + from(j.bridge.path) + body
	}
	e.copy(n.path, text, j.bridge.path)
	for _, d := range j.bridge.dropins {
		if body := parseUnit(j.t.text(d)).only(notMatch).squeeze().String(); body != "" {
			to := n.path + ".d/" + path.Base(d)
			e.copy(to, head+from(d)+body, d)
			n.dropins = append(n.dropins, to)
		}
	}
	return n
}

// keep is keepManaged of the bridge's file with what is more of it.
func (j joining) keep(more sections) string {
	all := network{all: append(slices.Clone(j.bridge.all), more...)}
	return keepManaged(j.nic.dynamic(), all.addresses())
}

// from tells where the sections of our drop-in come from.
func (j joining) from() string {
	if j.nic.path == "" {
		return "# What follows is what " + j.c.NIC + " had.\n"
	}
	return "# What follows is from " + strings.Join(append([]string{j.nic.path}, j.nic.dropins...), ", ") + ".\n"
}
