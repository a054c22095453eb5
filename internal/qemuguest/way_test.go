package qemuguest

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestAWaySaysHowTheGuestGetsItsNIC(t *testing.T) {
	t.Parallel()
	c := Config{Assets: &Assets{QEMU: "qemu"}, Name: "vm1", Way: &Way{NIC: []string{"-nic", "bridge,br=br0"}, Processors: 2}}
	if err := c.check(); err != nil {
		t.Errorf("without a tap: %v", err)
	}
	line := strings.Join(arguments(c), " ")
	if strings.Contains(line, "-netdev") || !strings.HasSuffix(line, "-nic bridge,br=br0") || !strings.Contains(line, "-smp 2 ") {
		t.Errorf("%s", line)
	}
	c.Way = &Way{Wrap: []string{"nice", "-n", "5"}, Env: []string{"A=b"}, User: &syscall.Credential{Uid: 7}}
	cmd := c.Way.command([]string{"qemu", "-x"})
	if want := []string{"nice", "-n", "5", "qemu", "-x"}; !slices.Equal(cmd.Args, want) || filepath.Base(cmd.Path) != "nice" {
		t.Errorf("started is %q %q, want %q", cmd.Path, cmd.Args, want)
	}
	if !slices.Contains(cmd.Env, "A=b") || cmd.SysProcAttr.Credential.Uid != 7 {
		t.Errorf("it has %q of user %v", cmd.Env, cmd.SysProcAttr.Credential)
	}
	if line := strings.Join(arguments(c), " "); strings.Contains(line, "virtio-net-pci,") {
		t.Errorf("a NIC that the wrapper adds is there twice: %s", line)
	}
}

// A guest of somebody else's is spoken with over a socket, and hung up on.
func TestAttachSpeaksWithAGuestOfOthers(t *testing.T) {
	t.Parallel()
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs busybox: apt install busybox-static")
	}
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	ours, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	f, err := theirs.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	cmd := exec.Command(busybox, "sh", "agent.sh")
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.Stdin, cmd.Stdout = f, f
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	g, err := Attach(t.Context(), "vm1", ours)
	if err != nil {
		t.Fatal(err)
	}
	if out, exit, err := g.Run(t.Context(), "echo here; exit 3"); out != "here\n" || exit != 3 || err != nil {
		t.Errorf("got %q, %d, %v", out, exit, err)
	}
	if g.PID() != 0 {
		t.Errorf("it is process %d of ours", g.PID())
	}
	g.Close()
	if err := cmd.Wait(); err != nil { // it reads the end of its line
		t.Errorf("the guest ended: %v", err)
	}
	if _, _, err := g.Run(t.Context(), "true"); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("after it hung up: %v", err)
	}
}

func TestAttachGivesUpWhoSaysNothing(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := Attach(ctx, "vm1", ours); err == nil || !strings.Contains(err.Error(), "attach to guest vm1") {
		t.Errorf("got %v", err)
	}
	ours, theirs = net.Pipe()
	theirs.Close()
	if _, err := Attach(t.Context(), "vm1", ours); err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("got %v", err)
	}
}
