package daemon_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/cli"
	"kvmnet/internal/nstest"
)

// The test binary is also the command kvmnet, and the machine that `kvmnet run` runs:
// that one has a tap in its environment.
const kvmnetVar = "KVMNET_TEST_CLI"

func runKvmnet() {
	switch {
	case os.Getenv(kvmnetVar) == "":
		return
	case os.Getenv("KVMNET_TAP0") != "":
		beMachine()
		os.Exit(0)
	}
	os.Exit(cli.Run(context.Background(), os.Args[1:], cli.Options{Version: "test"}))
}

// beMachine tells what it is given, and has its tap open until standard input ends.
func beMachine() {
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		for _, name := range []string{"Uid:", "Gid:", "Groups:", "CapPrm:", "CapEff:", "CapAmb:"} {
			if strings.HasPrefix(line, name) {
				fmt.Println(strings.Join(strings.Fields(line), " "))
			}
		}
	}
	names, _ := os.ReadDir("/proc/self/fd")
	for _, n := range names {
		if to, err := os.Readlink("/proc/self/fd/" + n.Name()); err == nil && strings.HasPrefix(to, "/dev/net/") || strings.HasPrefix(to, "socket:") {
			fmt.Println("inherited", to)
		}
	}
	if os.Getenv("KVMNET_FDS0") == "" {
		fmt.Println("opened", openTap(os.Getenv("KVMNET_TAP0")))
	}
	fmt.Println("pid", os.Getpid())
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// openTap opens a tap by its name, as Firecracker does.
func openTap(name string) error {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR, 0)
	if err != nil {
		return err
	}
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	return unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
}

// vm is a machine that runs.
type vm struct {
	cmd *exec.Cmd // kvmnet run, or what it became
	in  io.Closer
	out string
	pid int // of the machine
}

// kvmnet is the command, as a user; 0 is root.
func (m *machine) kvmnet(uid int, args ...string) *exec.Cmd {
	os.Chmod(m.Dir, 0o755) // as /run/kvmnet is
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), kvmnetVar+"=1", "KVMNET_SOCKET="+filepath.Join(m.Dir, "sock"))
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	return cmd
}

// runVM runs a machine, and waits until it is ready.
func (m *machine) runVM(uid int, net string) (*vm, error) {
	m.T.Helper()
	cmd := m.kvmnet(uid, "run", "--net", net, "--", "/proc/self/exe")
	in, err := cmd.StdinPipe()
	if err != nil {
		m.T.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.T.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := m.NS.Do(cmd.Start); err != nil {
		m.T.Fatal(err)
	}
	v := &vm{cmd: cmd, in: in}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "ready"; {
		v.out += lines.Text() + "\n"
		if pid, ok := strings.CutPrefix(lines.Text(), "pid "); ok {
			v.pid, _ = strconv.Atoi(pid)
		}
	}
	if v.pid == 0 {
		cmd.Wait()
		return nil, errors.New(said.String())
	}
	m.T.Cleanup(v.kill)
	return v, nil
}

func (v *vm) kill() {
	v.in.Close()
	v.cmd.Process.Kill()
	v.cmd.Wait()
}

func (m *machine) mustRunVM(uid int, net string) *vm {
	m.T.Helper()
	v, err := m.runVM(uid, net)
	if err != nil {
		m.T.Fatal(err)
	}
	return v
}

// afterOneGuest is what the namespace looks like when a guest was there and went: the
// kernel gives a bridge larger segments when its last port has gone.
func (m *machine) afterOneGuest() string {
	m.T.Helper()
	m.mustRunVM(0, "lab,by=fd").kill()
	m.portsAre(0)
	m.Settled()
	var dump string
	nstest.Eventually(m.T, 30*time.Second, func() error { // it tells of the carrier a little later
		if dump = nstest.Dump(m.T, m.NS); !strings.Contains(dump, ": lab: <NO-CARRIER") || !strings.Contains(dump, "src 10.9.0.1 linkdown") {
			return errors.New("lab has a carrier")
		}
		return nil
	})
	return dump
}

// portsAre waits until the daemon has so many ports.
func (m *machine) portsAre(want int) {
	m.T.Helper()
	nstest.Eventually(m.T, 30*time.Second, func() error {
		ports, err := m.Client.Ports(m.T.Context())
		if err == nil && len(ports) != want {
			err = fmt.Errorf("there are %d ports, want %d: %+v", len(ports), want, ports)
		}
		return err
	})
}

// is waits until the namespace is as it was.
func (m *machine) is(before string) {
	m.T.Helper()
	nstest.Eventually(m.T, 30*time.Second, func() error {
		if d := nstest.Diff(before, nstest.Dump(m.T, m.NS)); d != "" {
			return errors.New(d)
		}
		return nil
	})
}

const labForUsers = `
networks:
  lab:
    mode: nat
    subnets: [{address: 10.9.0.1/24}]
    access: [{user: "4321", ports: 5}]
  red: {mode: isolated}
`

func TestUserWithoutPrivilegesRunsMachines(t *testing.T) {
	t.Parallel()
	nstest.Users(t)
	m := newMachine(t, nstest.NewLab(t).Machine.NS())
	m.Start(0)
	m.Apply(labForUsers)
	before := m.afterOneGuest()
	var vms []*vm
	for range 5 {
		vms = append(vms, m.mustRunVM(4321, "lab,by=fd"))
	}
	m.portsAre(5)
	for _, want := range []string{"Uid: 4321 4321 4321 4321\n", "Gid: 4321 4321 4321 4321\n", "Groups:\n",
		"CapPrm: 0000000000000000\n", "CapEff: 0000000000000000\n", "CapAmb: 0000000000000000\n"} {
		if !strings.Contains(vms[0].out, want) {
			t.Errorf("the machine has not %q:\n%s", want, vms[0].out)
		}
	}
	// One tap, and no socket of ours.
	if strings.Count(vms[0].out, "inherited") != 1 || !strings.Contains(vms[0].out, "inherited /dev/net/tun\n") {
		t.Errorf("the machine inherited more than a tap:\n%s", vms[0].out)
	}
	for net, want := range map[string]string{
		"lab,by=fd": "kvmnet: network lab: user 4321 may have 5 ports at a time, and user 4321 has 5 (lab.yaml:",
		"red,by=fd": "kvmnet: network red: user 4321 may not have ports there; put 'access: [{user: 4321, ports: 5}]' into",
	} {
		if _, err := m.runVM(4321, net); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", net, err, want)
		}
	}
	// Another user is not let in by what that one may.
	if _, err := m.runVM(4322, "lab,by=fd"); err == nil || !strings.Contains(err.Error(), "user 4322 may not have ports there") {
		t.Errorf("another user got %v", err)
	}
	// Killed or not, a machine takes its port with it; then there is room for one.
	vms[0].cmd.Process.Kill()
	vms[1].in.Close()
	m.portsAre(3)
	vms = append(vms, m.mustRunVM(4321, "lab,by=fd"))
	m.portsAre(4)
	for _, v := range vms {
		v.kill()
	}
	m.portsAre(0)
	m.is(before)
}

// TestKilledRunAndMachineLeaveNothing: of a tap that is opened by its name, too.
func TestKilledRunAndMachineLeaveNothing(t *testing.T) {
	t.Parallel()
	nstest.Users(t)
	m := newMachine(t, nstest.NewLab(t).Machine.NS())
	m.Start(0)
	m.Apply(labForUsers)
	before := m.afterOneGuest()
	// run is killed, the machine goes on, and then is killed.
	v := m.mustRunVM(0, "lab,by=name")
	if !strings.Contains(v.out, "opened <nil>\n") || strings.Contains(v.out, "inherited") {
		t.Errorf("the machine says:\n%s", v.out)
	}
	m.portsAre(1)
	v.cmd.Process.Kill()
	m.portsAre(1)
	syscall.Kill(v.pid, syscall.SIGKILL)
	m.portsAre(0)
	m.is(before)
	// The machine is killed: run tells, and takes the port with it.
	v = m.mustRunVM(0, "lab,by=name")
	syscall.Kill(v.pid, syscall.SIGKILL)
	var failed *exec.ExitError
	if err := v.cmd.Wait(); !errors.As(err, &failed) || failed.ExitCode() != 137 {
		t.Errorf("got %v, want exit code 137", err)
	}
	m.portsAre(0)
	m.is(before)
	// A restart of the daemon disturbs neither.
	v = m.mustRunVM(0, "lab,by=name")
	w := m.mustRunVM(0, "lab,by=fd")
	m.Stop()
	m.Start(0)
	m.Settled()
	m.portsAre(2)
	v.kill()
	syscall.Kill(v.pid, syscall.SIGKILL)
	w.kill()
	m.portsAre(0)
	m.is(before)
}
