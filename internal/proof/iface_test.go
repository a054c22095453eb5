package proof

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"kvmnet/internal/cli"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/netns"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
)

// ifaceVerbs are those of virsh about interfaces.
var ifaceVerbs = []string{"begin", "bridge", "commit", "define", "destroy", "dumpxml", "edit", "list", "mac", "name", "rollback", "start", "unbridge", "undefine"}

// TestKvmnetExplainsInterfacesAsVirshDoes compares the help of each verb word for word,
// but for what only kvmnet has.
func TestKvmnetExplainsInterfacesAsVirshDoes(t *testing.T) {
	t.Parallel()
	peers.Need(t, "virsh", "libvirt-clients")
	ours := regexp.MustCompile(` \[--(output <string>|force)\]|    --(output <string>|force) .*\n`)
	for _, verb := range ifaceVerbs {
		want, err := exec.Command("virsh", "help", "iface-"+verb).Output()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if code := cli.Run(t.Context(), []string{"help", "iface-" + verb}, cli.Options{Stdout: &out, Stderr: &out}); code != 0 {
			t.Errorf("%s: exit code %d: %s", verb, code, &out)
		}
		if got := ours.ReplaceAllString(out.String(), ""); squeezed(got) != squeezed(string(want)) {
			t.Errorf("%s:\nvirsh says:\n%s\nkvmnet says:\n%s", verb, want, got)
		}
	}
	list, err := exec.Command("virsh", "help", "interface").Output()
	if err != nil || strings.Count(string(list), "\n    iface-") != len(ifaceVerbs) {
		t.Errorf("virsh has other verbs: %v\n%s", err, list)
	}
}

// squeezed is a text without what the place of an option that only one has changes.
func squeezed(text string) string {
	text = strings.ReplaceAll(text, "  OPTIONS\n\n", "")
	return strings.TrimSpace(regexp.MustCompile(` +`).ReplaceAllString(text, " "))
}

// TestKvmnetSaysOfInterfacesWhatVirshSays compares what the verbs say and how they end.
func TestKvmnetSaysOfInterfacesWhatVirshSays(t *testing.T) {
	t.Parallel()
	peers.Need(t, "virsh", "libvirt-clients")
	s := readVirshScript(t, "testdata/iface/verbs.virsh")
	if len(s.commands) < 80 {
		t.Errorf("only %d commands are compared", len(s.commands))
	}
	s.compare(t, s.testDriver(t), s.twoNICs(t))
}

const testNode = `<node>
<interface type="ethernet" name="eth0"><start mode="onboot"/><mac address="52:54:00:00:00:0a"/></interface>
<interface type="ethernet" name="eth1"><start mode="onboot"/><mac address="52:54:00:00:00:0b"/></interface>
</node>`

// testDriver is libvirt's driver for tests. It forgets all with each virsh: so all that
// was said before is said again.
func (s *virshScript) testDriver(t *testing.T) *speaker {
	t.Helper()
	dir := t.TempDir()
	s.write(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "node.xml"), []byte(testNode), 0o644); err != nil {
		t.Fatal(err)
	}
	var before []string
	say := func(args ...string) peers.Said {
		words := make([]string, len(args))
		for i, a := range args {
			words[i] = "'" + a + "'"
		}
		line := strings.Join(words, " ")
		said := batch(t, dir, append(before, "echo =====; echo --err =====", line))
		if theirs, ran := after(said.Out, "=====\n\n"); ran {
			before = append(before, line)
			said.Out = theirs
			said.Err, _ = after(said.Err, "error: =====\n")
		}
		return said
	}
	return &speaker{run: say, veil: s.veil(dir)}
}

func after(text, mark string) (string, bool) {
	_, rest, found := strings.Cut(text, mark)
	if !found {
		return text, false
	}
	return rest, true
}

func batch(t *testing.T, dir string, lines []string) peers.Said {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "virsh", "-c", "test://"+dir+"/node.xml", strings.Join(lines, "; "))
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir, "EDITOR=true")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	said := peers.Said{}
	var failed *exec.ExitError
	if err := cmd.Run(); errors.As(err, &failed) {
		said.Code = failed.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	said.Out, said.Err = out.String(), errs.String()
	return said
}

// twoNICs is a machine of ours with the same interfaces.
func (s *virshScript) twoNICs(t *testing.T) *speaker {
	t.Helper()
	m := nicMachine(t)
	m.Start(0)
	dir := t.TempDir()
	s.write(t, dir)
	return &speaker{func(args ...string) peers.Said { return kvmnetSays(t, m, args...) }, nil, s.veil(dir)}
}

// nicMachine has two NICs, eth0 and eth1, that are up.
func nicMachine(t *testing.T) *daemontest.Machine {
	t.Helper()
	ns, far := nstest.NS(t), nstest.NS(t)
	for n, nic := range []string{"eth0", "eth1"} {
		ipIn(t, far, "link", "add", nic, "address", fmt.Sprintf("52:54:00:00:00:0%x", 10+n), "type", "veth", "peer", "name", "far-"+nic)
		move(t, far, nic, ns)
		ipIn(t, far, "link", "set", "far-"+nic, "up")
		ipIn(t, ns, "link", "set", nic, "up")
	}
	m := daemontest.NewMachine(t, ns)
	if err := os.MkdirAll(filepath.Join(m.Dir, "root", "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	return m
}

func ipIn(t *testing.T, ns *netns.NS, args ...string) string {
	t.Helper()
	var out []byte
	err := ns.Do(func() (err error) { out, err = exec.Command("ip", args...).CombinedOutput(); return err })
	if err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// move gives an interface to another namespace.
func move(t *testing.T, from *netns.NS, name string, to *netns.NS) {
	t.Helper()
	err := from.Do(func() error {
		cmd := exec.Command("ip", "link", "set", name, "netns", "/proc/self/fd/3")
		f, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", to.Fd()))
		if err != nil {
			return err
		}
		defer f.Close()
		cmd.ExtraFiles = []*os.File{f}
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("move %s: %v", name, err)
	}
}
