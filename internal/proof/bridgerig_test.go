package proof

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// outpost is a machine of which an administrator has nothing but SSH: a switch, the
// administrator's machine with the gateway's addresses on it, and the machine itself,
// which can be booted again from what is on its disk.
type outpost struct {
	t       testing.TB
	net     addressing
	lan     *testhost.Host
	admin   *testhost.Host
	machine *testhost.Host      // since the last boot
	daemon  *daemontest.Machine // on it
	keys    sshKeys
	program string

	survived bool // the daemon had no such op as it was to be killed at
}

// addressing is how the machine's NIC comes to its address.
type addressing struct {
	six    bool // IPv6, else IPv4
	dhcp   bool // the address has an end, and is asked for at boot
	onlink bool // a host address, and a gateway that no prefix holds
	joins  bool // there is a bridge br0 already, with an address and a port
}

func (a addressing) String() string {
	words := []string{"ipv4", "static", "plain"}
	if a.six {
		words[0] = "ipv6"
	}
	if a.dhcp {
		words[1] = "dhcp"
	}
	if a.onlink {
		words[2] = "onlink"
	}
	if a.joins {
		words = append(words, "joins")
	}
	return strings.Join(words, " ")
}

// address of the machine, with its prefix length.
func (a addressing) address() netip.Prefix {
	switch {
	case a.six && a.onlink:
		return netip.MustParsePrefix("2001:db8:2::2/128")
	case a.six:
		return netip.MustParsePrefix("2001:db8:2::2/64")
	case a.onlink:
		return netip.MustParsePrefix("192.0.2.2/32")
	}
	return netip.MustParsePrefix("192.0.2.2/24")
}

func (a addressing) gateway() netip.Addr {
	switch {
	case a.six && a.onlink:
		return netip.MustParseAddr("fe80::1")
	case a.six:
		return netip.MustParseAddr("2001:db8:2::1")
	}
	return netip.MustParseAddr("192.0.2.1")
}

// own is the address that the bridge has before.
func (a addressing) own() netip.Prefix {
	if a.six {
		return netip.MustParsePrefix("2001:db8:7::1/64")
	}
	return netip.MustParsePrefix("10.7.0.1/24")
}

// networkFile is what systemd-networkd has of the NIC.
func (a addressing) networkFile() string {
	text := "[Match]\nName=eth0\n\n[Network]\n"
	if a.dhcp {
		text += "DHCP=" + map[bool]string{false: "ipv4", true: "ipv6"}[a.six] + "\n"
	} else {
		text += "Address=" + a.address().String() + "\n"
	}
	text += "\n[Route]\nGateway=" + a.gateway().String() + "\n"
	if a.onlink {
		text += "GatewayOnLink=yes\n"
	}
	return text
}

// newOutpost builds one and boots the machine with the given addressing.
func newOutpost(t testing.TB, a addressing) *outpost {
	t.Helper()
	s := &outpost{t: t, net: a, lan: nstest.Host(t, "lan"), admin: nstest.Host(t, "admin"), keys: newKeys(t)}
	s.fine(s.lan.Bridge("lan0"))
	nstest.Join(t, s.admin, s.lan, "lan0", netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8:2::1/64"), netip.MustParsePrefix("fe80::1/64"))
	text, err := theBinary()
	s.fine(err)
	s.program = filepath.Join(s.keys.dir, "kvmnet")
	s.fine(os.WriteFile(s.program, text, 0o755))
	s.daemon = daemontest.NewMachine(t, nil)
	s.write("/etc/systemd/network/10-eth0.network", a.networkFile())
	if a.joins {
		s.write("/etc/systemd/network/20-br0.netdev", "[NetDev]\nName=br0\nKind=bridge\nMACAddress=02:00:00:00:07:01\n")
		s.write("/etc/systemd/network/20-br0.network", "[Match]\nName=br0\n\n[Network]\nAddress="+a.own().String()+"\n")
	}
	s.write("/etc/systemd/system/multi-user.target.wants/systemd-networkd.service", "")
	s.boot()
	return s
}

func (s *outpost) fine(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *outpost) root() string { return daemontest.Options(s.daemon.Dir).Root }

func (s *outpost) write(path, text string) {
	s.t.Helper()
	s.fine(os.MkdirAll(filepath.Join(s.root(), filepath.Dir(path)), 0o755))
	s.fine(os.WriteFile(filepath.Join(s.root(), path), []byte(text), 0o644))
}

// boot throws the machine's kernel state away, and makes it anew as the network
// manager would by its files; then SSH and the daemon start.
func (s *outpost) boot() {
	s.t.Helper()
	s.powerOff()
	s.machine = nstest.Host(s.t, "machine")
	s.daemon.NS = s.machine.NS()
	machine := s.machine
	s.t.Cleanup(func() {
		if s.machine == machine { // not booted since
			s.daemon.Kill()
			s.killAll()
		}
	})
	s.fine(s.machine.Plug(testhost.Plug{MAC: spec.GenerateMAC("machine"), Outside: s.lan.NS(), OutsideName: "v-machine", Bridge: "lan0"}))
	s.recover()
	tree, err := netfiles.Read(s.root(), "")
	s.fine(err)
	defined, errs := netfiles.AllDefined(tree)
	if len(errs) > 0 || len(defined) == 0 {
		s.t.Fatalf("the machine has no network after a boot: %v", errs)
	}
	for _, d := range defined {
		s.bringUp(d.Interface)
	}
	if s.net.joins {
		s.ip("link", "add", "guest", "master", "br0", "address", "02:00:00:00:07:02", "type", "veth", "peer", "name", "far", "address", "02:00:00:00:07:03")
		s.ip("link", "set", "guest", "up")
		s.ip("link", "set", "far", "up")
	}
	s.keys.serve(s.t, s.machine)
	s.daemon.Start(0)
}

// powerOff ends everything on the machine at once.
func (s *outpost) powerOff() {
	s.daemon.Kill()
	if s.machine != nil {
		s.killAll()
		s.fine(s.machine.Close())
	}
	os.RemoveAll(daemontest.RuntimeDir(s.daemon.Dir))
	os.RemoveAll(filepath.Join(s.root(), "run"))
}

// killAll kills the processes on the machine: those of sessions are children of a
// server that is gone.
func (s *outpost) killAll() {
	s.t.Helper()
	id, err := s.machine.NS().ID()
	s.fine(err)
	processes, err := filepath.Glob("/proc/[0-9]*")
	s.fine(err)
	for _, p := range processes {
		var st unix.Stat_t
		pid, _ := strconv.Atoi(filepath.Base(p))
		if unix.Stat(p+"/ns/net", &st) == nil && st.Ino == id && pid != os.Getpid() { // not one that ended meanwhile
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// recover is what runs before the network comes up.
func (s *outpost) recover() {
	s.t.Helper()
	o := daemontest.Options(s.daemon.Dir)
	out, err := s.machine.Command(s.t.Context(), s.program, "recover", "--root", o.Root, "--state-dir", o.StateDir).CombinedOutput()
	if err != nil {
		s.t.Fatalf("recover: %v: %s", err, out)
	}
}

// bringUp does what a network manager does.
func (s *outpost) bringUp(i spec.HostInterface) {
	s.t.Helper()
	if i.Bridge != nil {
		s.ip("link", "add", i.Name, "address", i.MAC.String(), "type", "bridge")
		for _, p := range i.Bridge.Ports {
			s.ip("link", "set", p.Name, "master", i.Name)
		}
	}
	s.ip("link", "set", i.Name, "up")
	ip, word := i.IPv4, "-4"
	if s.net.six {
		ip, word = i.IPv6, "-6"
	}
	if ip == nil {
		return // the NIC of a bridge
	}
	for _, a := range ip.Addresses {
		s.address(i.Name, a)
	}
	if ip.DHCP {
		s.address(i.Name, s.net.address(), "valid_lft", "3600", "preferred_lft", "1800")
	}
	for _, r := range ip.Routes {
		words := []string{word, "route", "add", r.To.String(), "dev", i.Name}
		if r.Via.IsValid() {
			words = append(words, "via", r.Via.String())
		}
		if r.OnLink {
			words = append(words, "onlink")
		}
		s.ip(words...)
	}
}

func (s *outpost) ip(words ...string) {
	s.t.Helper()
	nstest.Run(s.t, s.machine.NS(), "ip", words...)
}

// dump is the machine as it is. Links, and ports of a bridge, have other numbers after a
// boot.
func (s *outpost) dump() string {
	return portNumber.ReplaceAllString(daemontest.Index.ReplaceAllString(nstest.Dump(s.t, s.machine.NS()), "$1"), "$1 …")
}

var portNumber = regexp.MustCompile(`(port_id|port_no|designated_port) \w+`)

// files are the machine's configuration files, without those that a boot forgets.
func (s *outpost) files() string {
	var b strings.Builder
	s.fine(filepath.WalkDir(s.root(), func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if strings.HasPrefix(path, filepath.Join(s.root(), "run")) {
			return nil
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s\n%s\n", strings.TrimPrefix(path, s.root()), text)
		return err
	}))
	return b.String()
}

// becomes waits until the machine is as a dump says, and reports how it differs.
func (s *outpost) becomes(want string) error {
	var diff string
	deadline := time.Now().Add(20 * time.Second)
	for {
		if diff = nstest.Diff(want, s.dump()); diff == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the machine differs (-want +got):\n%s", diff)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// changes are the changes that the daemon tells of.
func (s *outpost) changes() []api.HostChange {
	s.t.Helper()
	list, err := s.daemon.Client.Changes(s.t.Context())
	s.fine(err)
	return list
}

func (s *outpost) address(iface string, a netip.Prefix, more ...string) {
	s.t.Helper()
	words := append([]string{"addr", "add", a.String(), "dev", iface}, more...)
	if a.Addr().Is6() {
		words = append(words, "nodad")
	}
	s.ip(words...)
}
