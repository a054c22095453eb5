package netfiles

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// ranked is a state in which all routes of a bridge have the metric that the routes of an
// Ethernet have where nothing is said, see nmMetrics.
func ranked(state string) string {
	lines := strings.Split(strings.ReplaceAll(state, "metric 425", "metric 100"), "\n")
	slices.Sort(lines)
	return strings.Join(slices.Compact(lines), "\n")
}

// TestRealManagersMakeTheNICAPortOfTheUsersBridge boots each scene's machine as it is,
// then with the files of a joined NIC, and then with these undone: the bridge has what
// both had, with the NIC's MAC and both ports, and afterwards each has its own.
func TestRealManagersMakeTheNICAPortOfTheUsersBridge(t *testing.T) {
	t.Parallel()
	starts := map[Manager]func(*boot){Ifupdown: startIfupdown, NetworkManager: startNM}
	for _, s := range append(scenes(t, "testdata/join/ifupdown-real*.txtar"), scenes(t, "testdata/join/nm-real*.txtar")...) {
		t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			manager := Manager(s.say["manager"])
			m := newMachine(t, s, withPort(starts[manager]))
			b := m.boot()
			before := b.settled()
			b.off()

			changes, err := Join(m.tree(), manager, s.conversion())
			must(t, err)
			must(t, Write(m.root, changes))
			m.converted = true
			b = m.boot()
			both := m.both(before)
			if manager == NetworkManager {
				both = ranked(both)
			}
			b.becomes(both, s.ports()...)
			if manager == Ifupdown {
				b.run("sh", "-c", "ifdown -a; ifup -a") // restarted
				b.becomes(both, s.ports()...)
			}
			b.off()

			must(t, Write(m.root, Undo(changes)))
			m.converted = false
			b = m.boot()
			b.becomes(before, ` br0: .*link/ether `+s.say["bridge"])
			if ports := b.ip("-o link show master br0"); strings.Contains(ports, " "+s.say["nic"]+"@") {
				t.Errorf("still a port:\n%s", ports)
			}
			b.off()
		})
	}
}

// TestNetworkManagerReadsAJoinedBridgeWithoutTakingAnAddressAway joins a machine that
// runs, writes the files and has NetworkManager read them, and goes all the way back. It
// leaves alone what others give a device of its own, and does not give it again.
func TestNetworkManagerReadsAJoinedBridgeWithoutTakingAnAddressAway(t *testing.T) {
	t.Parallel()
	for _, s := range scenes(t, "testdata/join/nm-real*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			nic := s.say["nic"]
			m := newMachine(t, s, withPort(startNM))
			b := m.boot()
			b.settled()
			has, own := b.belongings(nic), b.belongings("br0")
			changes, err := Join(m.tree(), NetworkManager, s.conversion())
			must(t, err)
			both := map[string][]string{"br0": append(slices.Clone(own.addresses), has.addresses...)}

			b.kept(map[string][]string{"br0": own.addresses}, func() {
				b.ip("link set br0 address %s", s.say["mac"])
				b.give(has, nic, "br0", "link set "+nic+" master br0")
			})
			b.kept(both, func() {
				must(t, Write(m.root, changes))
				b.reload(NetworkManager, changes, running{"NetworkManager"})
				b.profile("br0 "+nic, true)
				b.holds(both, s.ports()...)
			})
			b.kept(map[string][]string{"br0": own.addresses}, func() {
				b.give(has, "br0", nic, "link set "+nic+" nomaster")
				b.ip("link set br0 address %s", s.say["bridge"])
			})
			b.kept(map[string][]string{"br0": own.addresses, nic: has.addresses}, func() {
				must(t, Write(m.root, Undo(changes)))
				b.reload(NetworkManager, changes, running{"NetworkManager"})
				b.profile("br0 "+nic, false)
				b.holds(map[string][]string{"br0": own.addresses, nic: has.addresses}, ` br0: .*link/ether `+s.say["bridge"])
			})
			b.off()
		})
	}
}

// holds waits until interfaces have addresses, and links are as patterns say.
func (b *boot) holds(has map[string][]string, links ...string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		missing, all := "", b.ip("-o addr")
		for ifname, list := range has {
			for _, a := range list {
				if a = strings.Fields(a)[0]; !regexp.MustCompile(`\b` + ifname + ` +inet6? ` + regexp.QuoteMeta(a) + ` `).MatchString(all) {
					missing += fmt.Sprintf("%s has not %s\n", ifname, a)
				}
			}
		}
		for _, w := range links {
			if !regexp.MustCompile(w).MatchString(b.ip("-d -o link")) {
				missing += fmt.Sprintf("no %q\n", w)
			}
		}
		if missing == "" {
			return
		}
		b.late(deadline, missing+all+b.ip("-d -o link"))
	}
}

// profile waits until NetworkManager knows a profile, or no longer.
func (b *boot) profile(name string, known bool) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		out := b.run("nmcli", "-t", "-f", "NAME", "connection")
		if slices.Contains(strings.Split(out, "\n"), name) == known {
			return
		}
		b.late(deadline, fmt.Sprintf("%q is known: %v\n%s", name, !known, out))
	}
}
