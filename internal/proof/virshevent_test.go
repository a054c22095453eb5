package proof

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"kvmnet/internal/cli"
	"kvmnet/internal/daemontest"
	"kvmnet/internal/libvirtxml"
	"kvmnet/internal/nstest"
	"kvmnet/internal/peers"
)

// record is what a program writes while it runs.
type record struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (r *record) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(b)
}

// lines are those so far, without what tells of networks that only probe.
func (r *record) lines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(strings.Split(r.text.String(), "\n"), func(line string) bool {
		return strings.Contains(line, "network probe:") || strings.HasPrefix(line, "events received:")
	})
}

func (r *record) has(text string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Contains(r.text.String(), text)
}

// listener is a net-event that runs.
type listener struct {
	run   func(args ...string) peers.Said
	heard *record
	stop  func() int // interrupts it; returns its exit code
}

// TestLifeOfNetworksIsToldAsVirshTellsIt listens to both while networks live.
func TestLifeOfNetworksIsToldAsVirshTellsIt(t *testing.T) {
	t.Parallel()
	lv := peers.StartLibvirt(t)
	m := daemontest.NewMachine(t, nstest.Host(t, "kvmnet").NS())
	m.Start(0)
	lab := lv.File("lab.xml", "<network><name>lab</name><bridge name='virbr55'/></network>")
	probe := lv.File("probe.xml", "<network><name>probe</name><bridge name='virbr56'/></network>")
	both := []*listener{listenVirsh(t, lv), listenKvmnet(t, m)}
	for _, l := range both {
		nstest.Eventually(t, patience, func() error { // it listens from some moment on
			l.run("net-define", probe)
			l.run("net-undefine", "probe")
			if !l.heard.has("network probe: Undefined") {
				return fmt.Errorf("it does not listen")
			}
			return nil
		})
		for _, line := range []string{"net-define " + lab, "net-start lab", "net-autostart lab", "net-update lab add dns-txt <txt/>", "net-destroy lab",
			"net-start nope", "net-start lab", "net-undefine lab", "net-destroy lab", "net-create " + lab, "net-destroy lab"} {
			l.run(strings.Fields(line)...)
		}
		nstest.Eventually(t, patience, func() error {
			if n := strings.Count(strings.Join(l.heard.lines(), "\n"), "network lab: Stopped"); n < 3 {
				return fmt.Errorf("heard\n%s", strings.Join(l.heard.lines(), "\n"))
			}
			return nil
		})
		if code := l.stop(); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
	virsh, kvmnet := both[0].heard.lines(), both[1].heard.lines()
	if !slices.Equal(virsh, kvmnet) || len(virsh) < 9 {
		t.Errorf("virsh\n%s\nkvmnet\n%s", strings.Join(virsh, "\n"), strings.Join(kvmnet, "\n"))
	}
}

func listenVirsh(t *testing.T, lv *peers.Libvirt) *listener {
	t.Helper()
	heard := &record{}
	cmd := exec.CommandContext(t.Context(), "virsh", "-c", lv.URI(), "net-event", "--event", "lifecycle", "--loop")
	cmd.Stdout, cmd.Stderr = heard, os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &listener{lv.Virsh, heard, func() int {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}}
}

func listenKvmnet(t *testing.T, m *daemontest.Machine) *listener {
	t.Helper()
	heard := &record{}
	ctx, cancel := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() {
		code <- cli.Run(ctx, []string{"--socket", filepath.Join(m.Dir, "sock"), "net-event", "--event", "lifecycle", "--loop"}, cli.Options{Stdout: heard, Stderr: os.Stderr})
	}()
	return &listener{func(args ...string) peers.Said { return kvmnetSays(t, m, args...) }, heard, func() int {
		cancel()
		return <-code
	}}
}

// TestEverySectionIsOffered: the command line names the sections that there are.
func TestEverySectionIsOffered(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if code := cli.Run(t.Context(), []string{"net", "update", "--help"}, cli.Options{Stdout: &out, Stderr: os.Stderr}); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	_, list, _ := strings.Cut(out.String(), "Sections are those of virsh, of which it refuses some, and more:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	if got := strings.Fields(strings.ReplaceAll(list, ",", " ")); !slices.Equal(got, libvirtxml.UpdateSections()) {
		t.Errorf("offered are %q, there are %q", got, libvirtxml.UpdateSections())
	}
}
