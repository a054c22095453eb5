package proof

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"kvmnet/internal/nstest"
	"kvmnet/internal/spec"
)

// userNetworks are one that user 20001 may have five ports of, and one of others.
const userNetworks = `
networks:
  own: {mode: nat, bridge: {name: own0}, subnets: [{address: 10.1.0.1/24, dhcp: {}}], access: [{user: "20001", ports: 5}]}
  red: {mode: isolated, bridge: {name: red0}, access: [{user: "20002"}]}
`

// TestUsersRunWhatTheyMay has somebody without privileges run one virtual machine and
// four programs that stand for others. The machine has its tap, and nothing else that
// the user had not before.
func TestUsersRunWhatTheyMay(t *testing.T) {
	t.Parallel()
	assets := needGuests(t)
	r := rigOf(newWorld(t, ""), assets)
	r.put(userNetworks)
	before := r.view()
	vm := &visitor{rig: r, way: way{name: "run"}, name: "own1", mac: spec.GenerateMAC("own1"), on: site{"nat", "own", "own0", "10.1.0.1", "machine"}}
	var err error
	if vm.Guest, err = bootByRun(r, vm); err != nil {
		t.Fatal(err)
	}
	vm.leases()
	pid, err := vm.pid()
	r.fine(err)
	r.bare(pid)
	var others []*exec.Cmd
	for range 4 {
		cmd := r.asUser("run", "--net", "own", "--", "sh", "-c", "exec sleep 300", "sh", "{fd}")
		r.fine(r.NS.Do(cmd.Start))
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		others = append(others, cmd)
	}
	nstest.Eventually(t, patience, func() error { return r.ports(5) })
	r.refused("own", "user 20001 may have 5 ports at a time", "own.yaml:") // and the line
	r.refused("red", "may not have ports there", "kvmnet net edit red")
	if said := r.refusedHelper("red0"); !strings.Contains(said, "may not have ports there") {
		t.Errorf("the helper does not tell the policy: %s", said)
	}
	r.fine(others[0].Process.Kill())
	others[0].Wait()
	nstest.Eventually(t, patience, func() error { return r.ports(4) })
	for _, cmd := range others[1:] {
		r.fine(cmd.Process.Signal(syscall.SIGTERM))
		cmd.Wait()
	}
	r.fine(syscall.Kill(pid, syscall.SIGKILL))
	nstest.Eventually(t, patience, func() error { return differ(before, r.view()) })
}

// asUser is a command of the user without privileges.
func (r *guestRig) asUser(args ...string) *exec.Cmd {
	cmd := r.bin.command(args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: r.user}
	return cmd
}

// refused has the user run something on a network, in vain, and be told why.
func (r *guestRig) refused(network string, words ...string) {
	r.t.Helper()
	said, err := r.bin.run(r.asUser("run", "--net", network, "--", "true", "{fd}"))
	if err == nil {
		r.t.Errorf("%s is not refused: %s", network, said)
	}
	for _, w := range words {
		if !strings.Contains(said, w) {
			r.t.Errorf("the refusal of %s does not say %q: %s", network, w, said)
		}
	}
}

// refusedHelper asks as QEMU does, and returns what it would tell its user.
func (r *guestRig) refusedHelper(bridge string) string {
	r.t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	r.fine(err)
	ours, theirs := os.NewFile(uintptr(pair[0]), "ours"), os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	cmd := r.asUser("qemu-bridge-helper", "--br="+bridge, "--fd=3", "--use-vnet")
	cmd.ExtraFiles = []*os.File{theirs}
	said, err := r.bin.run(cmd)
	if err == nil {
		r.t.Errorf("%s is not refused: %s", bridge, said)
	}
	return said
}

// ports counts those there are.
func (r *guestRig) ports(want int) error {
	list, err := r.Client.Ports(r.t.Context())
	if err == nil && len(list) != want {
		err = fmt.Errorf("%d ports, want %d", len(list), want)
	}
	return err
}

// bare looks at a process for what it should not have: capabilities, other users'
// groups, and descriptors of the daemon's or of more taps than one.
func (r *guestRig) bare(pid int) {
	r.t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	r.fine(err)
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		switch value = strings.TrimSpace(value); {
		case name == "Uid" || name == "Gid":
			if value != "20001\t20001\t20001\t20001" {
				r.t.Errorf("the machine has %s %s", name, value)
			}
		case name == "Groups" && value != "" && value != "20001":
			r.t.Errorf("the machine is in groups %s", value)
		case strings.HasPrefix(name, "Cap") && name != "CapBnd" && strings.Trim(value, "0") != "":
			r.t.Errorf("the machine has %s %s", name, value)
		}
	}
	taps := 0
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	r.fine(err)
	for _, l := range links {
		to, err := os.Readlink(l)
		switch {
		case errors.Is(err, os.ErrNotExist): // QEMU opens and closes files
		case to == "/dev/net/tun":
			taps++
		case strings.HasPrefix(to, "socket:"), strings.HasPrefix(to, "net:"), strings.HasPrefix(to, r.Dir), strings.HasPrefix(to, "/proc"):
			r.t.Errorf("the machine has %s open", to)
		}
	}
	if taps != 1 {
		r.t.Errorf("the machine has %d taps open", taps)
	}
}
