package netfiles

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/nstest"
)

// move makes a bridge on the kernel and moves the NIC's addresses and routes there, as a
// conversion does.
func (b *boot) move() {
	b.t.Helper()
	nic := b.scene.say["nic"]
	b.ip("link add br0 address %s type bridge stp_state 0 forward_delay 0", b.scene.say["mac"])
	b.ip("link set br0 up mtu %s", cmp.Or(b.scene.say["mtu"], "1500"))
	b.carry(nic, "br0", func() { b.ip("link set %s master br0", nic) })
}

// back is move the other way round.
func (b *boot) back() {
	b.t.Helper()
	nic := b.scene.say["nic"]
	b.carry("br0", nic, func() {
		b.ip("link del br0")
		b.ip("link set %s up", nic)
	})
}

func (b *boot) ip(args string, a ...any) string {
	b.t.Helper()
	return nstest.Run(b.t, b.host.NS(), "ip", strings.Fields(fmt.Sprintf(args, a...))...)
}

// carry moves what one interface has to another; in between something is done.
func (b *boot) carry(from, to string, between func()) {
	b.t.Helper()
	var addresses, routes []string
	for _, family := range []string{"-4", "-6"} {
		for l := range strings.Lines(b.ip("-o %s addr show dev %s scope global", family, from)) {
			if _, rest, ok := strings.Cut(l, " inet"); ok {
				words := strings.Fields(rest)
				addresses = append(addresses, strings.Join(words[slices.IndexFunc(words, func(w string) bool { return strings.Contains(w, "/") }):slices.Index(words, "scope")], " "))
			}
		}
		for l := range strings.Lines(b.ip("%s route show table all dev %s", family, from)) {
			if words := strings.Fields(l); !strings.Contains(l, "proto kernel") && slices.Contains(words, "via") {
				routes = append(routes, family+" route replace "+strings.NewReplacer(" linkdown", "", " pref medium", "", "onlink", "").Replace(strings.TrimSpace(l)))
			}
		}
	}
	b.ip("addr flush dev %s scope global", from)
	between()
	for _, a := range addresses {
		nodad := map[bool]string{true: "nodad"}[strings.Contains(a, ":")]
		b.ip("addr replace %s dev %s %s", a, to, nodad)
	}
	for _, r := range routes {
		b.ip("%s dev %s onlink", r, to)
	}
}

// watch collects what becomes of an interface's addresses while something is done.
func (b *boot) watch(ifname string, do func()) {
	b.t.Helper()
	var seen bytes.Buffer
	monitor := b.host.Command(b.t.Context(), "ip", "monitor", "address", "dev", ifname)
	monitor.Stdout = &seen
	must(b.t, monitor.Start())
	do()
	monitor.Close()
	for l := range strings.Lines(seen.String()) {
		if strings.Contains(l, "Deleted") && !strings.Contains(l, "fe80:") {
			b.t.Errorf("addresses of %s went:\n%s", ifname, seen.String())
			return
		}
	}
}

// TestReloadTakesNoAddressAway converts a machine that runs, writes the files, and has
// the manager read them again: no address of the bridge goes, not even for a moment.
func TestReloadTakesNoAddressAway(t *testing.T) {
	t.Parallel()
	starts := map[string]func(*boot){"networkd": startNetworkd, "networkd-dhcp": startNetworkd, "netplan": startNetplan, "netplan-several": startNetplan, "nm": startNM}
	runs := map[string]running{"networkd": {"systemd-networkd"}, "networkd-dhcp": {"systemd-networkd"}, "netplan": {"systemd-networkd"}, "netplan-several": {"systemd-networkd"}, "nm": {"NetworkManager"}}
	for _, s := range scenes(t, "testdata/real/*.txtar") {
		name := strings.TrimSuffix(s.path[strings.LastIndex(s.path, "/")+1:], ".txtar")
		start, ok := starts[name]
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t, s, start)
			b := m.boot()
			b.settled()
			manager := Manager(s.say["manager"])
			changes, err := Bridge(m.tree(), manager, s.conversion())
			if err != nil {
				t.Fatal(err)
			}
			shield, err := Shield(m.tree(), manager, s.conversion())
			must(t, err)
			must(t, Write(m.root, shield))
			b.reload(manager, shield, runs[name])
			b.move()
			b.watch("br0", func() {
				must(t, Write(m.root, changes))
				b.reload(manager, changes, runs[name])
				b.reloaded(manager, "br0 +bridge +\\S+ +configured", s.say["nic"]+" +ether +enslaved +configur(ed|ing)") // systemd 252 does not look again when the bridge is its master already
			})
			links := nstest.Run(t, b.host.NS(), "ip", "-d", "-o", "link", "show", "dev", s.say["nic"])
			if !strings.Contains(links, "master br0") {
				t.Errorf("%s is no port of br0 any more:\n%s", s.say["nic"], links)
			}
			if manager == NetworkManager {
				b.off()
				return // to which a bridge that goes is a device that was unplugged
			}

			undo := append(Undo(changes), Undo(shield)...)
			shield = ShieldBack(m.tree(), manager, s.conversion())
			b.watch("br0", func() {
				must(t, Write(m.root, shield))
				b.reload(manager, shield, runs[name])
				b.reloaded(manager, s.say["nic"]+" +ether +enslaved +unmanaged")
			})
			b.back()
			b.watch(s.say["nic"], func() {
				must(t, Write(m.root, slices.Concat(Undo(shield), undo, KeepBack(m.tree(), manager, undo, s.say["nic"]))))
				b.reload(manager, undo, runs[name])
				b.reloaded(manager, s.say["nic"]+" +ether +routable +configured")
			})
			b.off()
		})
	}
}

// reload has the manager read its files again.
func (b *boot) reload(m Manager, changes []Change, runs running) {
	b.t.Helper()
	for _, line := range Reload(m, changes, runs) {
		line = strings.Replace(line, "netplan generate", "/usr/libexec/netplan/generate --root-dir "+b.root, 1)
		b.run(strings.Fields(line)...)
	}
}

// reloaded waits until a manager is done with its files.
func (b *boot) reloaded(m Manager, want ...string) {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		out := ""
		if m == NetworkManager {
			out, want = b.run("nmcli", "-t", "-f", "NAME", "connection"), []string{"(?m)^br0$"}
		} else {
			out = b.run("networkctl", "--no-pager", "list")
		}
		missing := slices.DeleteFunc(slices.Clone(want), func(w string) bool { return regexp.MustCompile(w).MatchString(out) })
		if len(missing) == 0 {
			return
		}
		b.late(deadline, fmt.Sprintf("no %q in\n%s", missing, out))
	}
}

// TestNothingIsReloadedThatDoesNotRun holds the commands of each manager.
func TestNothingIsReloadedThatDoesNotRun(t *testing.T) {
	t.Parallel()
	change := []Change{{Path: "/etc/netplan/x.yaml"}}
	for _, c := range []struct {
		m    Manager
		runs running
		want string
	}{
		{Networkd, running{"systemd-networkd"}, "networkctl reload"},
		{Networkd, nil, ""},
		{NetworkManager, running{"NetworkManager"}, "nmcli connection reload"},
		{NetworkManager, nil, ""},
		{Netplan, nil, "netplan generate"},
		{Netplan, running{"systemd-networkd", "NetworkManager"}, "netplan generate; networkctl reload; nmcli connection reload"},
		{Ifupdown, running{"NetworkManager"}, ""},
		{Ifcfg, running{"NetworkManager"}, "nmcli connection reload"},
		{Own, running{"NetworkManager"}, ""},
	} {
		if got := strings.Join(Reload(c.m, change, c.runs), "; "); got != c.want {
			t.Errorf("%s with %v: %q, want %q", c.m, c.runs, got, c.want)
		}
		if got := strings.Join(Reload(c.m, []Change{{Path: "/run/systemd/network/x"}}, c.runs), "; "); strings.Contains(got, "generate") {
			t.Errorf("%s for no file of netplan: %q", c.m, got)
		}
		if got := Reload(c.m, nil, c.runs); got != nil {
			t.Errorf("%s without a change: %q", c.m, got)
		}
	}
}

// TestRunningProgramsAreThoseOfOurNamespace asks for a program that runs here, and for
// one that does not.
func TestRunningProgramsAreThoseOfOurNamespace(t *testing.T) {
	t.Parallel()
	program := exec.Command("sleep", "60")
	must(t, program.Start())
	defer program.Wait()
	defer program.Process.Kill()
	nstest.Eventually(t, patience, func() error { // it is a copy of ours until it has begun
		if !(System{}).Running("sleep") {
			return errors.New("sleep does not run")
		}
		return nil
	})
	elsewhere := nstest.Host(t, "elsewhere").Command(t.Context(), "tail", "-f", "/dev/null")
	must(t, elsewhere.Start())
	nstest.Eventually(t, patience, func() error {
		if comm := line(fmt.Sprintf("/proc/%d/comm", elsewhere.Process.Pid)); comm != "tail" {
			return fmt.Errorf("still %s", comm)
		}
		return nil
	})
	if (System{}).Running("tail") {
		t.Error("a program of another network counts")
	}
	if (System{}).Running("no-such-program") || (System{Root: t.TempDir()}).Running("init") {
		t.Error("runs what does not")
	}
}
