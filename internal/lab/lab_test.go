package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"kvmnet/examples"
	"kvmnet/internal/api"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
)

// allKept is the last line of a demo whose promises were kept.
var allKept = regexp.MustCompile(`(?m)^(\d+) of (\d+) promises kept\n\z`)

// program starts this test binary as the kvmnet program, with a directory of its
// own for temporary files.
func program(t *testing.T, args ...string) (cmd *exec.Cmd, tmp string) {
	t.Helper()
	nstest.Need(t)
	exe, err := os.Executable()
	must(t, err)
	tmp, err = os.MkdirTemp("", "kvmnet-lab-") // shorter than the test's own, for sockets
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(tmp) })
	cmd = exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	return cmd, tmp
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// empty fails the test if a directory has something in it.
func empty(t *testing.T, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range left {
		t.Errorf("%s was left in %s", e.Name(), dir)
	}
}

func TestDemoKeepsEveryPromiseAndLeavesNothing(t *testing.T) {
	t.Parallel()
	cmd, tmp := program(t, "demo")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m := allKept.FindSubmatch(out)
	if m == nil || string(m[1]) != string(m[2]) || len(m[1]) < 3 {
		t.Errorf("no balance at the end of:\n%s", out)
	}
	for _, want := range []string{"machine as before", "shared     192.168.100.20 as 192.0.2.2, fd00:20::14 as 2001:db8:2::2",
		"routed     10.10.101.20 as 10.10.101.20", "private    nothing of 172.16.0.20"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q is missing in:\n%s", want, out)
		}
	}
	if strings.ContainsAny(string(out), "✗\x1b") && strings.Count(string(out), "✗") > 1 { // the legend has one
		t.Errorf("crosses or colours in:\n%s", out)
	}
	empty(t, tmp)
}

func TestDemoTellsWhichPromisesAreBroken(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	d := start(t, "all-modes.yaml", &out)
	// Somebody takes the rules away, and kvmnet is asked to look on.
	must(t, d.daemon.Pause(t.Context(), true))
	must(t, d.nft(t.Context(), "delete table inet kvmnet\ndelete table bridge kvmnet"))
	nstest.Run(t, d.world.machine.NS(), "nsenter", "--net="+filepath.Join(netnsIn(d.dir), "r1"), "nft", "delete", "table", "inet", "kvmnet")
	cells, err := d.proveAll(t.Context())
	must(t, err)
	// What gets through is told, whatever the degree: on a busy machine not every
	// protocol is answered within the second after which silence counts.
	through, lost := []string{"yes", "partly", arrived}, []string{no, arrived}
	told := []string{
		tells(t, cells, "shared", "guest → outside", v4, rewritten, lost...),
		tells(t, cells, "routed", "guest → guest of shared", v6, no, through...),
		tells(t, cells, "routed", "guest with a false source → outside", v4, no, "arrives as "),
		tells(t, cells, "shared", "guest → other networks' gateways", v4, no, through...),
		tells(t, cells, "private", "guest → the host's LAN address", v4, no, through...),
		tells(t, cells, "shared", "guest claims the gateway's address", v4, no, "heard by www"),
		tells(t, cells, "red", "guest claims the gateway's address", v6, no, "heard by vm"),
		tells(t, cells, "red", "guest → outside", v4, "yes, as 192.168.1.100", lost...),
		tells(t, cells, "red", "LAN host with a route → guest", v4, no, through...),
		tells(t, cells, "blue", "guest → the router's outside address", v6, no, through...),
		tells(t, cells, "shared", "forward web 8080: 127.0.0.1", v4, yes, no),
		tells(t, cells, "red", "forward shell 2222: outside", v6, kept, no),
	}
	var broken *Broken
	if err := d.report(cells); !errors.As(err, &broken) || broken.Broken < 10 || broken.Total != len(cells) {
		t.Fatalf("got %v", err)
	}
	for _, want := range told {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}

// tells waits until a promise is seen broken in one of the ways that outcomes begin
// with, asking again if need be, and returns the line that must tell it.
func tells(t *testing.T, cells []*cell, column, row string, f family, promise string, outcomes ...string) string {
	t.Helper()
	i := slices.IndexFunc(cells, func(c *cell) bool { return c.column == column && c.row == row && c.family == f })
	if i < 0 {
		t.Fatalf("nothing is promised of %s, %s, %s", column, row, f)
	}
	c := cells[i]
	nstest.Eventually(t, 30*time.Second, func() error {
		if c.promise == promise && slices.ContainsFunc(outcomes, func(o string) bool { return strings.HasPrefix(c.outcome, o) }) {
			return nil
		}
		was := c.verdict
		c.verdict = c.put(t.Context())
		return fmt.Errorf("%s, %s, %s: promised %q, seen %q (%s), want one of %q", column, row, f, c.promise, was.outcome, was.detail, outcomes)
	})
	return fmt.Sprintf("✗ %s, %s, %s: promised %q, seen %q", column, row, f, promise, c.outcome)
}

func TestDemoTakesDownWhenItIsAskedToEnd(t *testing.T) {
	t.Parallel()
	for _, moment := range []string{"build the machine", "apply all-modes.yaml", "plug two guests", "ask who reaches whom"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			cmd, tmp := program(t, "demo")
			r, w, err := os.Pipe()
			must(t, err)
			cmd.Stdout, cmd.Stderr = w, w
			must(t, cmd.Start())
			w.Close()
			var out strings.Builder
			for buf := make([]byte, 1024); ; {
				n, err := r.Read(buf)
				out.Write(buf[:n])
				if err != nil {
					break
				}
				if strings.Contains(string(buf[:n]), moment) {
					must(t, cmd.Process.Signal(syscall.SIGINT))
				}
			}
			if err := cmd.Wait(); cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("ended with %v", err)
			}
			if !strings.Contains(out.String(), "the demo was ended: ") || strings.Contains(out.String(), "promises kept") {
				t.Errorf("output:\n%s", out.String())
			}
			empty(t, tmp)
		})
	}
}

func TestDemoBringsUpAFileOfTheUser(t *testing.T) {
	t.Parallel()
	nstest.Need(t)
	const file = `
networks:
  four:   {mode: nat, uplink: enp1s0, nat: {ipv6: false}, subnets: [{address: 10.1.0.1/28}, {address: "2001:db8:77::1/64"}]}
  late:   {mode: route, autostart: false, subnets: [{address: 10.2.0.1/29}]}
  asked:  {mode: isolated, onDemand: true, subnets: [{address: "fd00:3::1/64"}]}
  bridged: {mode: bridge, bridge: {name: vmbr0}}
`
	var out strings.Builder
	err := Run(t.Context(), Options{File: &api.File{Name: "mine.yaml", Text: file}, Out: &out})
	if err != nil || !allKept.MatchString(out.String()) {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"four       10.1.0.4 as 192.0.2.2, 2001:db8:77::14 as 2001:db8:77::14", "late       10.2.0.4 as 10.2.0.4\n",
		"asked      nothing of fd00:3::14\n", "bridged    203.0.113."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in:\n%s", want, out.String())
		}
	}
}

func TestDemoPassesOnWhatTheDaemonSays(t *testing.T) {
	t.Parallel()
	nstest.Need(t)
	const file = "networks:\n  lan: {mode: nat, subnets: [{address: 192.0.2.129/25}]}\n"
	err := Run(t.Context(), Options{File: &api.File{Name: "mine.yaml", Text: file}})
	if err == nil || !strings.Contains(err.Error(), "mine.yaml:2:") || !strings.Contains(err.Error(), "192.0.2.128/25 is in use") {
		t.Errorf("got %v", err)
	}
}

func TestDemoRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Guests: "docker"}, `"docker" is no kind of guest: choose veth or qemu`},
		{Options{Guests: GuestsQEMU, Keep: true}, "virtual machines end with the demo and cannot be kept; keep the lab with --guests veth"},
		{Options{Exe: "/none/kvmnet"}, "find the kvmnet program: lstat /none: no such file or directory"},
	} {
		if err := Run(t.Context(), c.o); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

// A user without any privilege becomes root of a namespace of his own.
func TestDemoRunsWithoutRoot(t *testing.T) {
	t.Parallel()
	cmd, _ := program(t, "demo", "--topology", "-")
	if os.Geteuid() != 0 || !mapsAllUsers(t) {
		t.Skip("needs root, to become nobody")
	}
	// The test binary lies in a directory of root's.
	dir, err := os.MkdirTemp("", "kvmnet-nobody-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	tmp := filepath.Join(dir, "tmp")
	must(t, errors.Join(os.Chmod(dir, 0o755), os.Mkdir(tmp, 0o700), os.Chown(tmp, 65534, 65534)))
	exe := filepath.Join(dir, "kvmnet")
	must(t, exec.Command("cp", cmd.Path, exe).Run())
	cmd.Path, cmd.Args[0], cmd.Dir = exe, exe, "/"
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
	cmd.Stdin = strings.NewReader(examples.Text("03-nat.yaml"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	if strings.Contains(string(out), errNeedsRoot.Error()) {
		t.Skipf("needs unprivileged user namespaces: %s", out)
	}
	if err != nil || !allKept.Match(out) {
		t.Errorf("%v\n%s", err, out)
	}
	empty(t, tmp)
}

func mapsAllUsers(t *testing.T) bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	must(t, err)
	return strings.Contains(string(text), "4294967295")
}

// behindNAT is a network behind a router that leaves by the network of 03-nat.yaml.
const behindNAT = `
  inner: {mode: isolated}
routers:
  r1:
    uplink: {network: nat, address: 192.168.100.5/24, gateway: 192.168.100.1}
    interfaces: [{network: inner, address: 10.3.0.1/24, egress: masquerade}]
`

func TestDemoKeptStaysUntilRemoved(t *testing.T) {
	nstest.Need(t)
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	keepDir = filepath.Join(t.TempDir(), "kvmnet-demo")
	var out strings.Builder
	o := Options{Keep: true, Out: &out, File: &api.File{Name: "n.yaml", Text: examples.Text("03-nat.yaml") + behindNAT}}
	must(t, Run(t.Context(), o))
	t.Cleanup(func() { Remove(io.Discard) })
	if !strings.Contains(out.String(), "ip netns exec kvmnet-demo-nat-1 ping 198.51.100.1") {
		t.Errorf("output:\n%s", out.String())
	}
	names := func() []string {
		paths, err := filepath.Glob(filepath.Join(netns.Dir, namePrefix+"*"))
		must(t, err)
		return paths
	}
	if !strings.Contains(out.String(), "nsenter --net="+filepath.Join(netnsIn(keepDir), "r1")) {
		t.Errorf("the router is not told of:\n%s", out.String())
	}
	if got := names(); len(got) != 8 {
		t.Errorf("named namespaces: %v", got)
	}
	client := api.NewClient(socketIn(keepDir))
	defer client.Close()
	st, err := client.Status(t.Context())
	if err != nil || st.Running != 2 || st.Ports != 4 || st.Routers != 1 {
		t.Errorf("the daemon says %+v, %v", st, err)
	}
	if err := Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "kvmnet demo --remove") {
		t.Errorf("a second lab: %v", err)
	}
	if _, err := client.Status(t.Context()); err != nil {
		t.Errorf("the second one did harm: %v", err)
	}
	out.Reset()
	must(t, Remove(&out))
	if !strings.HasPrefix(out.String(), "Removed the lab: its daemon, 8 namespaces") || len(names()) > 0 {
		t.Errorf("%s, left %v", out.String(), names())
	}
	if _, err := client.Status(t.Context()); err == nil {
		t.Error("the daemon still answers")
	}
	if _, err := os.Stat(keepDir); err == nil {
		t.Error("the directory is still there")
	}
	out.Reset()
	must(t, Remove(&out))
	if out.String() != "There is no lab to remove.\n" {
		t.Error(out.String())
	}
}

func TestRecordEndsOnlyTheProcessItMeans(t *testing.T) {
	t.Parallel()
	child := exec.Command("sleep", "60")
	must(t, child.Start())
	ended := make(chan error, 1)
	go func() { ended <- child.Wait() }()
	t.Cleanup(func() { child.Process.Kill() })
	start, err := startOf(child.Process.Pid)
	must(t, err)
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", child.Process.Pid))
	must(t, err)
	for _, r := range []record{
		{PID: child.Process.Pid, Start: start + 1, Exe: exe},
		{PID: child.Process.Pid, Start: start, Exe: exe + "x"},
		{PID: 1 << 22, Start: start, Exe: exe}, // above pid_max
		{},
	} {
		must(t, r.end())
	}
	if err := child.Process.Signal(syscall.Signal(0)); err != nil {
		t.Fatalf("a stranger was ended: %v", err)
	}
	must(t, record{PID: child.Process.Pid, Start: start, Exe: exe}.end())
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("it goes on")
	}
}

func TestSnapshotSeesWhatANetworkManagerLeaves(t *testing.T) {
	t.Parallel()
	h := nstest.Host(t, "machine")
	must(t, h.Bridge("br0"))
	for _, c := range []struct{ change, back, want string }{
		{"ip link add v0 type veth peer name v1", "ip link del v0", "+ link v0 type veth"},
		{"ip link set br0 down", "ip link set br0 up", "- link br0 type bridge"},
		{"ip link set br0 alias kvmnet", "ip link set br0 alias ''", "+ link br0 type bridge"},
		{"ip address add 10.0.0.1/24 dev br0", "ip address del 10.0.0.1/24 dev br0", "+ address 10.0.0.1/24 dev br0"},
		{"ip route add 10.1.0.0/16 dev lo table 7", "ip route del 10.1.0.0/16 dev lo table 7", "+ route "},
		{"nft add table inet left", "nft delete table inet left", "+ nft table inet left {"},
		{"sysctl -qw net.ipv4.conf.br0.forwarding=1", "sysctl -qw net.ipv4.conf.br0.forwarding=0", "+ net/ipv4/conf/br0/forwarding = 1"},
		{"sysctl -qw net.ipv6.conf.all.forwarding=1", "sysctl -qw net.ipv6.conf.all.forwarding=0", "+ net/ipv6/conf/all/forwarding = 1"},
	} {
		before, err := snapshot(t.Context(), h)
		must(t, err)
		nstest.Run(t, h.NS(), "sh", "-c", c.change)
		after, err := snapshot(t.Context(), h)
		must(t, err)
		if diff := strings.Join(changed(before, after), "\n"); !strings.Contains(diff, c.want) {
			t.Errorf("%s: got %q, want %q", c.change, diff, c.want)
		}
		nstest.Run(t, h.NS(), "sh", "-c", c.back)
	}
}

// start brings an example up with guests on its networks, taken down at the end
// of the test, which then fails unless the machine is as before.
func start(t *testing.T, example string, out io.Writer) *demo {
	t.Helper()
	d := begin(t, example, out)
	must(t, d.route())
	must(t, d.plugAll(t.Context()))
	return d
}

// begin brings an example up without guests, and without routes to it.
func begin(t *testing.T, example string, out io.Writer) *demo {
	t.Helper()
	nstest.Need(t)
	top, err := parseTopology(example, examples.Text(example))
	must(t, err)
	o := Options{Out: out, Guests: GuestsVeth}
	must(t, o.findExe())
	d := newDemo(o, top)
	t.Cleanup(func() {
		if err := d.takeDown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	must(t, d.up(t.Context()))
	return d
}
