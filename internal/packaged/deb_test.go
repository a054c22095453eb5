package packaged

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
)

var withSystemd = flag.Bool("systemd", false, "also install on a Debian that mmdebstrap fetches, under systemd and OpenRC")

// repository is where the sources are.
const repository = "../.."

// packages builds the package in two versions, once for all tests.
func packages(t *testing.T) (dir string) {
	t.Helper()
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		t.Skip("needs dpkg-deb: no Debian")
	}
	built.Do(func() {
		for _, version := range []string{"v1.0.0", "v1.0.1"} {
			build(t, temporary, version)
		}
	})
	return temporary
}

var (
	built     sync.Once
	temporary string
)

func TestMain(m *testing.M) {
	var err error
	if temporary, err = os.MkdirTemp("", "kvmnet-packages-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(temporary)
	os.Exit(code)
}

func build(t *testing.T, dir, version string) (file string) {
	t.Helper()
	cmd := exec.Command("packaging/deb/build", version)
	cmd.Dir = repository
	cmd.Env = append(os.Environ(), "OUT="+dir, "COMPRESSION=none")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", cmd, err, out, err.(*exec.ExitError).Stderr)
	}
	return strings.TrimSpace(string(out))
}

func TestPackageIsTheSameWheneverItIsBuilt(t *testing.T) {
	first := filepath.Join(packages(t), "kvmnet_1.0.0_"+runtime.GOARCH+".deb")
	one, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	second := build(t, t.TempDir(), "v1.0.0")
	if two, _ := os.ReadFile(second); sha256.Sum256(one) != sha256.Sum256(two) {
		t.Errorf("%s and %s differ", first, second)
	}
}

// TestPackageComesAndGoesWithoutSystemd installs it on a copy of this machine, where
// nobody but we start the daemon.
func TestPackageComesAndGoesWithoutSystemd(t *testing.T) {
	m := boot(t, "/", packages(t), reaper)
	live(m, func(version string) {
		m.try(`kill $(pgrep -xf "kvmnet daemon")`)
		eventually(t, func() error { return m.try(`! pgrep -xf "kvmnet daemon"`) })
		m.start("kvmnet daemon")
		eventually(t, func() error { return m.try("kvmnet status | grep -q '^Last look: *[0-9]'") })
	})
}

// live is the life of a package: it is installed, made newer, removed and purged, while
// a guest talks to the outside.
func live(m *machine, restart func(version string)) {
	t := m.t
	m.run("if dpkg -s kvmnet >/dev/null 2>&1; then dpkg -P kvmnet; fi; rm -rf /etc/kvmnet /var/lib/kvmnet")
	before, kernel := m.files(), m.kernel()
	m.run("dpkg -i /mnt/packages/kvmnet_1.0.0_*.deb")
	restart("1.0.0")
	m.outside()
	m.run("kvmnet net add lab --nat 10.9.0.0/24 && kvmnet net autostart lab; kvmnet net list")
	m.run(`printf 'networks: {red: {mode: isolated}}\nrouters: {r1: {uplink: {network: lab, address: 10.9.0.9/24, gateway: 10.9.0.1}, interfaces: [{network: red, address: 10.8.0.1/24}]}}\n' | kvmnet apply -f -`)
	m.run("ip netns exec r1 ip addr | grep -q 10.8.0.1") // others see the namespaces of the daemon
	m.guest()
	m.run("kvmnet verify lab")

	ended := m.talk()
	m.run("dpkg -i /mnt/packages/kvmnet_1.0.1_*.deb")
	restart("1.0.1")
	if out := m.run("kvmnet status"); !regexp.MustCompile(`Daemon: *v?1\.0\.1, `).MatchString(out) {
		t.Errorf("after the upgrade:\n%s", out)
	}
	m.run("echo '# mine' >>/etc/default/kvmnet; dpkg -r kvmnet")
	if err := m.try("pgrep -xf '(/usr/sbin/)?kvmnet daemon *'"); err == nil {
		t.Error("the daemon goes on after the package was removed")
	}
	m.run("ip link show dev lab; test -e /etc/kvmnet/networks/lab.yaml; grep -q mine /etc/default/kvmnet")
	ended()

	m.run("ip netns del guest; dpkg -P kvmnet")
	m.run("ip netns del outside")
	if after := m.files(); after != before {
		t.Errorf("files before and after:\n%s", m.compare(before, after))
	}
	eventually(t, func() error {
		if after := m.kernel(); after != kernel {
			return fmt.Errorf("the kernel before and after:\n%s", m.compare(kernel, after))
		}
		return nil
	})
}

// outside is a neighbour that our uplink reaches.
func (m *machine) outside() {
	m.t.Helper()
	m.run(`ip netns add outside
ip link add eth0 type veth peer name eth0 netns outside
ip addr add 192.0.2.2/24 dev eth0; ip link set eth0 up; ip route add default via 192.0.2.1
ip -n outside addr add 192.0.2.1/24 dev eth0; ip -n outside link set eth0 up; ip -n outside link set lo up`)
}

// guest is a host on the network lab.
func (m *machine) guest() {
	m.t.Helper()
	m.run(`ip netns add guest
ip link add tap0 type veth peer name eth0 netns guest
ip link set tap0 master lab up
ip -n guest addr add 10.9.0.50/24 dev eth0; ip -n guest link set eth0 up; ip -n guest route add default via 10.9.0.1`)
	eventually(m.t, func() error { return m.try("ip netns exec guest ping -c1 -W1 192.0.2.1") })
}

// echo and client are the two ends of a TCP connection: a line there and back, every
// ten milliseconds, until a signal.
const (
	echo = `perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(LocalPort => 7, Listen => 1, ReuseAddr => 1) or die; ` +
		`$c = $s->accept; $c->autoflush(1); print $c $_ while <$c>'`
	client = `perl -MIO::Socket::INET -e '$SIG{INT} = sub { print "echoed $n\n"; exit }; $| = 1; ` +
		`$c = IO::Socket::INET->new("192.0.2.1:7") or die; $c->autoflush(1); ` +
		`while (1) { $SIG{ALRM} = sub { die "silence after $n" }; alarm 3; print $c "$n\n"; defined(<$c>) or die "ended after $n"; $n++; select undef, undef, undef, 0.01 }'`
)

// talk has the guest ping and talk to the outside. The returned function ends that,
// and fails when anything was lost.
func (m *machine) talk() (ended func()) {
	m.start("ip netns exec outside " + echo)
	eventually(m.t, func() error { return m.try("ip netns exec outside ss -Hltn sport = :7 | grep -q LISTEN") })
	ping := m.start("ip netns exec guest ping -i 0.01 -q 192.0.2.1")
	tcp := m.start("ip netns exec guest " + client)
	return func() {
		m.t.Helper()
		said := ping("INT")
		sent := regexp.MustCompile(`(\d+) packets transmitted, (\d+) received`).FindStringSubmatch(said)
		if sent == nil || sent[1] != sent[2] || len(sent[1]) < 2 {
			m.t.Errorf("ping: %s", said)
		}
		if said := tcp("INT"); !regexp.MustCompile(`echoed \d{2,}`).MatchString(said) {
			m.t.Errorf("TCP: %s", said)
		} else {
			m.t.Log(sent[0], strings.Fields(said)[1:])
		}
	}
}

// files lists what is written on the disk, removals too, without what dpkg and systemd
// keep about themselves and the copies of accounts before; and those.
func (m *machine) files() string {
	m.t.Helper()
	return m.run(`cd /mnt/written; find . \( -path ./mnt -o -path ./var/lib/dpkg -o -path ./var/log -o -path ./var/cache \) -prune -o ` +
		`\( ! -type d -o -name '*kvmnet*' \) ! -path './etc/*group*' ! -path './etc/*shadow*' ! -name .pwd.lock -printf '%P %y %m %l\n' | sort; find /run -xdev -name '*kvmnet*'; cat /etc/group`)
}

// kernel lists what is in the network namespace of the machine.
func (m *machine) kernel() string {
	m.t.Helper()
	return m.run(`ip -br link; ip addr show dev lo; ip -4 route; ip -4 rule; ip netns list; nft list ruleset; ` +
		`grep -H . /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/conf/*/forwarding /proc/sys/net/ipv6/conf/*/forwarding`)
}

func (m *machine) compare(before, after string) string {
	dir := m.t.TempDir()
	os.WriteFile(filepath.Join(dir, "before"), []byte(before), 0o644)
	os.WriteFile(filepath.Join(dir, "after"), []byte(after), 0o644)
	out, _ := exec.Command("diff", "-U0", filepath.Join(dir, "before"), filepath.Join(dir, "after")).CombinedOutput()
	return string(out)
}
