package netfiles

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"kvmnet/internal/nstest"
	"kvmnet/internal/resolved/resolvedtest"
	"kvmnet/internal/testhost"
)

// patience is how long a manager may take on a busy machine.
const patience = 10 * time.Second

// inside has the shell enter the machine of a test: $0 is its root. The system's files
// and programs are those of the machine that runs the tests, with the root's and the
// unpacked packages' above them. Where /sys cannot be written, managers do not wait for
// udev.
const inside = `set -e
mount -t overlay -o lowerdir="$0/etc:/etc" overlay /etc
for dir in etc/systemd/network etc/NetworkManager; do # files that change while it runs
	if [ -d "$0/$dir" ]; then mount --bind "$0/$dir" "/$dir"; fi
done
mount -t overlay -o lowerdir="$PACKAGES/usr:/usr" overlay /usr
mount --bind "$0/run" /run
mount --bind "$0/var/lib" /var/lib
mount -t sysfs -o ro sysfs /sys
chown -R systemd-network: /run/systemd/netif
exec "$@"`

// machine is a root that is booted again and again, each time in a new namespace.
type machine struct {
	t         *testing.T
	scene     scene
	root      string
	packages  string
	converted bool
	start     func(*boot) // starts the manager
}

// boot is a machine that runs.
type boot struct {
	*machine
	host *testhost.Host
	bus  *resolvedtest.Bus
	log  *bytes.Buffer // of the manager; read it when it has ended
	cmd  *testhost.Cmd
}

func newMachine(t *testing.T, s scene, start func(*boot)) *machine {
	t.Helper()
	nstest.Need(t)
	nstest.Users(t)
	packages, err := find()
	if err != nil {
		t.Skip(err)
	}
	m := &machine{t: t, scene: s, root: s.root(t), packages: packages, start: start}
	if err := m.furnish(); err != nil {
		t.Fatal(err)
	}
	os.Chmod(m.root, 0o755)
	os.Chmod(filepath.Dir(m.root), 0o755)
	return m
}

// furnish makes the directories that packages and systemd make, and the hook of
// bridge-utils.
func (m *machine) furnish() error {
	var errs []error
	for _, dir := range []string{"etc/network/if-up.d", "etc/network/if-down.d", "etc/network/if-pre-up.d", "etc/network/if-post-down.d", "run/systemd/netif/links",
		"run/systemd/netif/leases", "run/systemd/netif/lldp", "run/network", "run/NetworkManager", "var/lib/dhcp", "var/lib/NetworkManager", "var/lib/systemd/network"} {
		errs = append(errs, os.MkdirAll(filepath.Join(m.root, dir), 0o755))
	}
	for _, dir := range []string{"if-pre-up.d", "if-post-down.d"} {
		if err := os.Symlink("/lib/bridge-utils/ifupdown.sh", filepath.Join(m.root, "etc/network", dir, "bridge")); !errors.Is(err, fs.ErrExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// boot starts the machine with one NIC, whose cable leads to a bridge outside.
func (m *machine) boot() *boot {
	m.t.Helper()
	if err := errors.Join(os.RemoveAll(filepath.Join(m.root, "run")), m.furnish()); err != nil { // a boot empties /run
		m.t.Fatal(err)
	}
	b := &boot{machine: m, host: nstest.Host(m.t, "machine"), log: &bytes.Buffer{}}
	lan := nstest.Host(m.t, "lan")
	if err := errors.Join(lan.Bridge("lan0"), b.host.Plug(testhost.Plug{Inside: m.scene.say["nic"], MAC: m.scene.mac(), Outside: lan.NS(), OutsideName: "port", Bridge: "lan0", MTU: 9000})); err != nil {
		m.t.Fatal(err)
	}
	nstest.Run(m.t, b.host.NS(), "ip", "link", "set", m.scene.say["nic"], "down", "mtu", "1500")
	if m.scene.say["dhcp"] != "" {
		m.serveDHCP(lan)
		must(m.t, m.name(!m.converted))
	}
	m.start(b)
	return b
}

// serveDHCP gives everybody an address by their client id, as dnsmasq does.
func (m *machine) serveDHCP(lan *testhost.Host) {
	m.t.Helper()
	must(m.t, lan.AddAddress("lan0", netip.MustParsePrefix("10.0.9.1/24")))
	cmd := lan.Command(m.t.Context(), "dnsmasq", "-k", "-C", "/dev/null", "--port=0", "--interface=lan0", "--bind-interfaces", "--no-ping", "--pid-file=", "--user=root",
		"--dhcp-range=10.0.9.100,10.0.9.200,1h", "--dhcp-leasefile="+filepath.Join(m.root, "leases"))
	must(m.t, cmd.Start())
}

// name gives the NIC an identity of DHCP that does not follow from its MAC, as udev's name
// does on hardware, or takes it away.
func (m *machine) name(on bool) error {
	dir := filepath.Join(m.root, "run/systemd/network/10-all.network.d")
	if !on {
		return os.RemoveAll(dir)
	}
	return errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "udev.conf"), []byte("[DHCPv4]\nIAID=195939070\n"), 0o644))
}

// tree reads the machine's files, and the identity that the DHCP server knows it by.
func (m *machine) tree() Tree {
	m.t.Helper()
	t := m.scene.tree(m.t, m.root)
	delete(t.Files, "/run/systemd/network/10-all.network.d/udev.conf") // which stands for udev
	leases, _ := filepath.Glob(filepath.Join(m.root, "run/systemd/netif/leases/*"))
	for _, p := range leases {
		text, err := os.ReadFile(p)
		must(m.t, err)
		l := t.Links[m.scene.say["nic"]]
		l.ClientID = variable(string(text), "CLIENTID=")
		t.Links[m.scene.say["nic"]] = l
	}
	return t
}

// off ends what runs.
func (b *boot) off() {
	b.t.Helper()
	if b.cmd != nil {
		b.cmd.Close()
	}
	if err := b.host.Close(); err != nil {
		b.t.Error(err)
	}
}

// command prepares a program of the machine.
func (b *boot) command(args ...string) *testhost.Cmd {
	cmd := b.host.Command(b.t.Context(), "sh", append([]string{"-c", inside, b.root}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "PACKAGES=" + b.packages}
	if b.bus != nil {
		cmd.Env = append(cmd.Env, "DBUS_SYSTEM_BUS_ADDRESS="+b.bus.Address)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return cmd
}

// run runs a program of the machine to its end.
func (b *boot) run(args ...string) string {
	b.t.Helper()
	out, err := b.command(args...).CombinedOutput()
	if err != nil {
		b.t.Fatalf("%q: %v\n%s", args, err, out)
	}
	return string(out)
}

// daemon starts one that stays.
func (b *boot) daemon(args ...string) {
	b.t.Helper()
	b.cmd = b.command(args...)
	b.cmd.Stdout, b.cmd.Stderr = b.log, b.log
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
}

// startBus starts a bus that other users can reach: systemd-networkd is not root.
func (b *boot) startBus() {
	b.bus = resolvedtest.NewBus(b.t)
	dir, _, _ := strings.Cut(strings.TrimPrefix(b.bus.Address, "unix:path="), "/run/")
	if err := os.Chmod(dir, 0o755); err != nil {
		b.t.Fatal(err)
	}
	b.bus.Start(b.t)
}

// startNetworkd starts systemd-networkd with a bus.
func startNetworkd(b *boot) {
	b.startBus()
	b.daemon("/usr/lib/systemd/systemd-networkd")
}

// startNetplan has netplan write first for the one who does the work.
func startNetplan(b *boot) {
	b.run("/usr/libexec/netplan/generate", "--root-dir", b.root)
	if b.scene.say["renderer"] == string(NetworkManager) {
		startNM(b)
		return
	}
	startNetworkd(b)
}

// startIfupdown brings up what is auto and what appears. It is done when it ends.
func startIfupdown(b *boot) {
	b.run("sh", "-c", `ifup -a && ifup -a --allow=hotplug`)
}

// startNM starts NetworkManager, which leaves DNS alone.
func startNM(b *boot) {
	conf := filepath.Join(b.root, "run/NetworkManager/conf.d/test.conf")
	text := "[main]\ndns=none\nrc-manager=unmanaged\nplugins=keyfile\ndhcp=internal\nauth-polkit=false\n[logging]\nlevel=INFO\n"
	if err := errors.Join(os.MkdirAll(filepath.Dir(conf), 0o755), os.WriteFile(conf, []byte(text), 0o644)); err != nil {
		b.t.Fatal(err)
	}
	b.startBus()
	b.daemon("/usr/sbin/NetworkManager", "--no-daemon")
}

// volatile is what differs from boot to boot.
var volatile = regexp.MustCompile(`(?m)(valid_lft|preferred_lft|expires) \S+|@\S+|qlen \d+|\\|group default|link-netns \S+|link-netnsid \d+|^\d+: `)

// state prints the machine's addresses, routes and rules.
func (b *boot) state() string {
	b.t.Helper()
	var lines []string
	for _, cmd := range []string{"-o -4 addr show", "-o -6 addr show scope global", "-4 route show table all", "-6 route show table all", "rule"} {
		for l := range strings.Lines(nstest.Run(b.t, b.host.NS(), "ip", strings.Fields(cmd)...)) {
			l = strings.Join(strings.Fields(volatile.ReplaceAllString(l, "")), " ")
			skip := slices.ContainsFunc([]string{" lo ", "fe80::", "ff00::/8", "anycast", "linkdown"}, func(w string) bool { return strings.Contains(" "+l+" ", w) })
			if !skip || strings.Contains(l, "via fe80::1 ") && !strings.Contains(l, "linkdown") {
				lines = append(lines, l)
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// becomes waits for a state.
func (b *boot) becomes(want string, also ...string) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		got := b.state()
		missing := gocmp.Diff(want, got)
		links := nstest.Run(b.t, b.host.NS(), "ip", "-d", "-o", "link")
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

// settled waits until the state has what a scene says, and returns it.
func (b *boot) settled() string {
	b.t.Helper()
	for deadline := time.Now().Add(patience); ; {
		got, missing := b.state(), ""
		for w := range strings.SplitSeq(b.scene.say["has"], "; ") {
			if !strings.Contains(got, w) {
				missing += fmt.Sprintf("no %q in\n%s\n", w, got)
			}
		}
		if missing == "" && got == b.state() { // not read while it came about
			return got
		}
		b.late(deadline, missing)
	}
}

// late fails the test when its time is over, with what the manager said.
func (b *boot) late(deadline time.Time, missing string) {
	b.t.Helper()
	if time.Now().Before(deadline) {
		time.Sleep(20 * time.Millisecond)
		return
	}
	if b.cmd != nil {
		b.cmd.Close()
	}
	b.t.Fatalf("%s\nlog:\n%s", missing, b.log)
}

// bridged is a state in which the bridge has what the NIC had.
func (m *machine) bridged(state string) string {
	state = regexp.MustCompile(`\b`+m.scene.say["nic"]+`\b`).ReplaceAllString(state, "br0")
	if m.scene.say["renderer"] != "" { // of which Warnings warns
		state = strings.ReplaceAll(state, "metric 100", "metric 425")
	}
	lines := strings.Split(state, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestRealManagersMakeTheBridge boots each scene's machine as it is, then with the files
// of a conversion, and then with these undone: the bridge has what the NIC had, and
// afterwards the NIC has it again.
func TestRealManagersMakeTheBridge(t *testing.T) {
	t.Parallel()
	starts := map[Manager]func(*boot){Networkd: startNetworkd, Netplan: startNetplan, Ifupdown: startIfupdown, NetworkManager: startNM}
	for _, s := range scenes(t, "testdata/real/*.txtar") {
		t.Run(strings.TrimSuffix(filepath.Base(s.path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			manager := Manager(s.say["manager"])
			m := newMachine(t, s, starts[manager])
			b := m.boot()
			before := b.settled()
			b.off()

			changes, err := Bridge(m.tree(), manager, s.conversion())
			must(t, err)
			must(t, Write(m.root, changes))
			m.converted = true
			b = m.boot()
			stp := map[bool]string{true: "stp_state 1", false: "forward_delay 0 .*stp_state 0"}[s.say["stp"] == "on"]
			if manager == NetworkManager || s.say["renderer"] != "" {
				stp = "stp_state 0" // NetworkManager leaves the delay alone, which without STP is none
			}
			mtu := "mtu " + cmp.Or(s.say["mtu"], "1500") + " "
			b.becomes(m.bridged(before), ` br0: .*UP.* `+mtu+`.* link/ether `+s.say["mac"]+` .*`+stp, s.say["nic"]+`@\S+ .*UP.* `+mtu+`.*master br0 `)
			b.off()

			must(t, Write(m.root, Undo(changes)))
			m.converted = false
			b = m.boot()
			b.becomes(before)
			if links := nstest.Run(t, b.host.NS(), "ip", "link"); strings.Contains(links, "br0") {
				t.Errorf("br0 is still there:\n%s", links)
			}
			b.off()
		})
	}
}
