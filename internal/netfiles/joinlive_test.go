package netfiles

import (
	"bytes"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"kvmnet/internal/nstest"
)

// belongings are the addresses and routes of an interface, as ip is told of them.
type belongings struct{ addresses, routes []string }

func (b *boot) belongings(ifname string) belongings {
	b.t.Helper()
	var has belongings
	for _, family := range []string{"-4", "-6"} {
		for l := range strings.Lines(b.ip("-o %s addr show dev %s scope global", family, ifname)) {
			if _, rest, ok := strings.Cut(l, " inet"); ok {
				words := strings.Fields(rest)
				from := slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, "/") })
				text := strings.Join(words[from:slices.Index(words, "scope")], " ")
				if at := slices.Index(words, "valid_lft"); words[at+1] != "forever" {
					text += " " + strings.ReplaceAll(strings.Join(words[at:at+4], " "), "sec", "")
				}
				has.addresses = append(has.addresses, text)
			}
		}
		for l := range strings.Lines(b.ip("%s route show table all dev %s", family, ifname)) {
			if !strings.Contains(l, "proto kernel") {
				has.routes = append(has.routes, family+" route replace "+strings.NewReplacer(" linkdown", "", " pref medium", "", "onlink", "").Replace(strings.TrimSpace(l)))
			}
		}
	}
	// A route that leads to a gateway comes before those by the gateway.
	slices.SortStableFunc(has.routes, func(a, b string) int { return strings.Count(a, " via ") - strings.Count(b, " via ") })
	return has
}

// give moves them, as a conversion does: addresses are there before they are taken.
func (b *boot) give(has belongings, from, to string, between ...string) {
	b.t.Helper()
	for _, a := range has.addresses {
		b.ip("addr replace %s dev %s %s", a, to, map[bool]string{true: "nodad"}[strings.Contains(a, ":")])
	}
	for _, command := range between {
		b.ip("%s", command)
	}
	for _, a := range has.addresses {
		b.ip("addr del %s dev %s", strings.Fields(a)[0], from)
	}
	for _, r := range has.routes {
		// systemd-networkd may have been first: to it a port that leaves is a new link.
		out, err := b.host.Command(b.t.Context(), "ip", strings.Fields(r+" dev "+to)...).CombinedOutput()
		if err != nil && !strings.Contains(string(out), "File exists") {
			b.t.Fatalf("ip %s dev %s: %v: %s", r, to, err, out)
		}
	}
}

// kept fails when one of addresses goes from an interface while something is done.
func (b *boot) kept(has map[string][]string, do func()) {
	b.t.Helper()
	var seen bytes.Buffer
	monitor := b.host.Command(b.t.Context(), "ip", "monitor", "address")
	monitor.Stdout = &seen
	must(b.t, monitor.Start())
	do()
	monitor.Close()
	for ifname, list := range has {
		for _, a := range list {
			gone := regexp.MustCompile(`(?m)^Deleted .*: ` + ifname + ` +inet6? ` + regexp.QuoteMeta(strings.Fields(a)[0]) + ` `)
			if gone.MatchString(seen.String()) {
				b.t.Errorf("%s went from %s:\n%s", a, ifname, seen.String())
			}
		}
	}
}

// live is a state in which nothing differs by how it came about: an address that is kept
// although it came by DHCP has no end, and its route no metric.
func live(state string) string {
	state = regexp.MustCompile(` nodad\b| dynamic\b`).ReplaceAllString(state, "")
	return regexp.MustCompile(`(?m)^(.*(?:proto kernel| inet ).*) metric \d+`).ReplaceAllString(state, "$1")
}

// comes waits for a live state.
func (b *boot) comes(want string, also ...string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		missing := gocmp.Diff(live(want), live(b.state()))
		links := b.ip("-d -o link")
		for _, w := range also {
			if !regexp.MustCompile(w).MatchString(links) {
				missing += fmt.Sprintf("no %q in\n%s", w, links)
			}
		}
		if missing == "" {
			return
		}
		b.late(deadline, "not as wanted (-want +got):\n"+missing)
	}
}

// TestReloadOfAJoinedBridgeTakesNoAddressAway joins a machine that runs, writes the
// files, has the manager read them again, and goes all the way back.
func TestReloadOfAJoinedBridgeTakesNoAddressAway(t *testing.T) {
	t.Parallel()
	for _, s := range realJoins(t) {
		if s.say["renderer"] != "" || s.say["live"] == "no" {
			continue // NetworkManager has no shield; a bridge that is down is not joined
		}
		t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			l := &liveJoin{t: t, s: s, nic: s.say["nic"], manager: Manager(s.say["manager"]), runs: running{"systemd-networkd"}}
			m := newMachine(t, s, joinStarts[l.manager])
			l.boot = m.boot()
			l.before, l.has = l.settled(), l.belongings(l.nic)
			l.own = l.belongings("br0")
			l.mac = regexp.MustCompile(`link/ether (\S+)`).FindStringSubmatch(l.ip("-o link show dev br0"))[1]
			l.into()
			l.comes(m.both(l.before), s.ports()...)
			l.outOf()
			l.comes(l.before, ` br0: .* link/ether `+l.mac+` `)
			l.off()
		})
	}
}

// liveJoin is a machine whose NIC joins the bridge and leaves it.
type liveJoin struct {
	*boot
	t       *testing.T
	s       scene
	nic     string
	mac     string // of the bridge before
	manager Manager
	runs    running
	before  string
	has     belongings // of the NIC
	own     belongings // of the bridge
	changes []Change
}

func (l *liveJoin) write(changes []Change) {
	l.t.Helper()
	must(l.t, Write(l.root, changes))
	l.reload(l.manager, changes, l.runs)
}

func (l *liveJoin) into() {
	l.t.Helper()
	var err error
	l.changes, err = Join(l.tree(), l.manager, l.s.conversion())
	must(l.t, err)
	shield, err := Shield(l.tree(), l.manager, l.s.conversion())
	must(l.t, err)
	own, nic, both := map[string][]string{"br0": l.own.addresses}, map[string][]string{l.nic: l.has.addresses}, map[string][]string{"br0": append(slices.Clone(l.own.addresses), l.has.addresses...)}
	for _, state := range []string{"reverted", "confirmed"} {
		l.kept(own, func() {
			l.kept(nic, func() { l.write(shield); l.reloaded(l.manager, "br0 +bridge +\\S+ +config") })
			l.ip("link set br0 address %s", l.s.say["mac"])
			l.give(l.has, l.nic, "br0", "link set "+l.nic+" master br0")
			l.reloaded(l.manager, l.nic+" +ether +enslaved")
			if state == "confirmed" {
				return
			}
			back := ShieldBack(l.tree(), l.manager, l.s.conversion())
			l.write(back)
			l.reloaded(l.manager, l.nic+" +ether +enslaved +unmanaged")
			l.give(l.has, "br0", l.nic, "link set "+l.nic+" nomaster", "link set "+l.nic+" up")
			l.ip("link set br0 address %s", l.mac)
			l.kept(nic, func() {
				must(l.t, Write(l.root, Unshield(shield)))
				l.write(append(KeepBack(l.tree(), l.manager, Undo(back), l.nic), Undo(back)...))
				l.reloaded(l.manager, "br0 +bridge +\\S+ +config", l.nic+" +ether +routable +config")
			})
		})
		if state == "reverted" {
			l.comes(l.before, ` br0: .* link/ether `+l.mac+` `)
		}
	}
	l.kept(both, func() {
		must(l.t, Write(l.root, l.changes))
		must(l.t, Write(l.root, Undo(shield)))
		l.reload(l.manager, l.changes, l.runs)
		l.reloaded(l.manager, "br0 +bridge +\\S+ +configured", l.nic+" +ether +enslaved +configur(ed|ing)")
	})
}

func (l *liveJoin) outOf() {
	l.t.Helper()
	undo := Undo(l.changes)
	undo = slices.Concat(KeepBack(l.tree(), l.manager, undo, l.nic), undo)
	shield := ShieldBack(l.tree(), l.manager, l.s.conversion())
	own, nic, both := map[string][]string{"br0": l.own.addresses}, map[string][]string{l.nic: l.has.addresses}, map[string][]string{"br0": append(slices.Clone(l.own.addresses), l.has.addresses...)}
	l.kept(both, func() {
		l.write(shield)
		l.reloaded(l.manager, l.nic+" +ether +enslaved +unmanaged")
	})
	l.kept(own, func() {
		l.give(l.has, "br0", l.nic, "link set "+l.nic+" nomaster", "link set "+l.nic+" up")
		l.ip("link set br0 address %s", l.mac)
		l.kept(nic, func() {
			must(l.t, Write(l.root, undo))
			must(l.t, Write(l.root, Undo(shield)))
			l.reload(l.manager, undo, l.runs)
			l.reloaded(l.manager, "br0 +bridge +\\S+ +config", l.nic+" +ether +routable +configur(ed|ing)")
		})
	})
	if links := nstest.Run(l.t, l.host.NS(), "ip", "-o", "link", "show", "master", "br0"); strings.Contains(links, " "+l.nic+"@") {
		l.t.Errorf("%s is still a port:\n%s", l.nic, links)
	}
}
