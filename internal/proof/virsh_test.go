package proof

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kvmnet/internal/cli"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
	"kvmnet/internal/testhost"
)

// TestKvmnetSaysWhatVirshSays runs every script of testdata/virsh against Debian's
// libvirt and against kvmnet, and compares standard output, standard error and exit
// code of each command word for word.
func TestKvmnetSaysWhatVirshSays(t *testing.T) {
	// The editor of both changes the networks that are called edit-*.
	os.Unsetenv("VISUAL") // virsh takes an empty one for an editor
	t.Setenv("EDITOR", `sed -i -e '/<name>edit-range/,$ s/60\.254/60.200/' -e '/<name>edit-refused/,$ s/stp=/zone="a" stp=/'`)
	kept, err := os.MkdirTemp("", "virsh") // what is given up, too, ends with the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(kept) })
	t.Setenv("TMPDIR", kept)
	paths, err := filepath.Glob("testdata/virsh/*.virsh")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	commands := 0
	for _, path := range paths {
		s := readVirshScript(t, path)
		commands += len(s.commands)
		t.Run(strings.TrimSuffix(filepath.Base(path), ".virsh"), s.run)
	}
	if commands < 120 {
		t.Errorf("only %d commands are compared", commands)
	}
}

// speaker is one of both: a program, its daemon, and the machine that it manages.
type speaker struct {
	run  func(args ...string) peers.Said
	host *testhost.Host
	veil veil
}

func (s *virshScript) run(t *testing.T) { s.compare(t, s.virsh(t), s.kvmnet(t)) }

// compare has both say each command.
func (s *virshScript) compare(t *testing.T, theirs, ours *speaker) {
	t.Helper()
	same, excused := 0, 0
	for _, c := range s.commands {
		if args := words(c.text); args[0] == "guest" {
			lease(t, args[1:], theirs, ours)
			continue
		}
		virsh, kvmnet := theirs.say(c.text), ours.say(c.text)
		switch {
		case c.reason == "" && virsh == kvmnet:
			same++
		case c.reason == "":
			t.Errorf("line %d: %s\n%s", c.line, c.text, sides(virsh, kvmnet))
		case kvmnet == virsh:
			t.Errorf("line %d: %s\n    is the same now; but it is said to differ: %s", c.line, c.text, c.reason)
		case kvmnet != c.ours:
			t.Errorf("line %d: %s\n    is not as written, which is here called virsh:\n%s", c.line, c.text, sides(c.ours, kvmnet))
		default:
			excused++
		}
	}
	t.Logf("%d commands: %d the same, %d differ with a reason", len(s.commands), same, excused)
}

// say runs a command; $F is the directory of the files.
func (s *speaker) say(line string) peers.Said {
	args := words(line)
	for i, a := range args {
		args[i] = strings.ReplaceAll(a, "$F", s.veil.dir)
	}
	return s.veil.said(s.run(args...))
}

// virsh starts libvirt.
func (s *virshScript) virsh(t *testing.T) *speaker {
	t.Helper()
	lv := peers.StartLibvirt(t)
	dir := filepath.Dir(lv.File("probe", ""))
	s.write(t, dir)
	return &speaker{lv.Virsh, lv.Host(), s.veil(dir)}
}

// kvmnet starts our daemon, on a machine that has nothing but its loopback, as
// libvirt's has.
func (s *virshScript) kvmnet(t *testing.T) *speaker {
	t.Helper()
	host := nstest.Host(t, "kvmnet")
	m := daemontest.NewMachine(t, host.NS())
	m.Start(0)
	dir := t.TempDir()
	s.write(t, dir)
	return &speaker{func(args ...string) peers.Said { return kvmnetSays(t, m, args...) }, host, s.veil(dir)}
}

func (s *virshScript) veil(dir string) veil {
	given := ""
	for _, c := range s.commands {
		given += c.text + "\n"
	}
	for _, text := range s.files {
		given += text
	}
	return veil{dir, map[string]string{}, given}
}

// kvmnetSays runs a command of ours.
func kvmnetSays(t *testing.T, m *daemontest.Machine, args ...string) peers.Said {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var out, errs bytes.Buffer
	args = append([]string{"--socket", filepath.Join(m.Dir, "sock")}, args...)
	code := cli.Run(ctx, args, cli.Options{Version: "test", Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs})
	return peers.Said{Out: out.String(), Err: errs.String(), Code: code}
}

// guest plugs a host with a DHCP client into a bridge.
func (s *speaker) guest(t *testing.T, args []string) peers.Client {
	t.Helper()
	g := nstest.Host(t, args[0])
	nstest.Join(t, g, s.host, args[1], []netip.Prefix{}...)
	if len(args) > 2 {
		return peers.Dhclient6(t, g)
	}
	return peers.Udhcpc(t, g)
}

// lease has a guest of each take its lease, and waits until both list it: dnsmasq
// tells libvirt a little after it has told the guest.
func lease(t *testing.T, args []string, both ...*speaker) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var work sync.WaitGroup
	leases := make([]peers.Lease, len(both))
	for i, s := range both {
		c := s.guest(t, args)
		work.Go(func() {
			var err error
			if leases[i], err = c.Take(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	for i, s := range both {
		nstest.Eventually(t, patience, func() error { return s.lists(leases[i].Address.Addr().String() + "/") })
	}
}

// lists looks for a word among the leases of all networks.
func (s *speaker) lists(word string) error {
	all := ""
	for _, network := range strings.Fields(s.run("net-list", "--name").Out) {
		all += s.run("net-dhcp-leases", network).Out
	}
	if !strings.Contains(all, word) {
		return fmt.Errorf("no lease of %s in\n%s", word, all)
	}
	return nil
}
