package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"kvmnet/internal/api"
	"kvmnet/internal/handover"
	"kvmnet/internal/spec"
)

// guests hands out pipes as taps, of the networks lab and dmz.
type guests struct {
	f *fake
	n int
}

// serveGuests runs the other socket of a daemon, beside its own.
func serveGuests(after func(func()), f *fake, socket string) error {
	os.Chmod(filepath.Dir(socket), 0o755) // other users come here
	s, err := handover.Listen(handover.Path(socket, ""), &guests{f: f}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.Serve(ctx); close(done) }()
	after(func() { cancel(); <-done })
	return nil
}

func (g *guests) OpenPort(_ context.Context, who api.Caller, r api.OpenPort) (api.Port, []*os.File, error) {
	g.f.serial.Lock()
	defer g.f.serial.Unlock()
	g.f.note("open %+v as %d", r, who.UID)
	name := r.Network
	switch {
	case r.Bridge == "lab0":
		name = "lab"
	case r.Bridge != "":
		return api.Port{}, nil, conflict("", "bridge "+r.Bridge+" is not of a network")
	case name == "red":
		return api.Port{}, nil, conflict("", fmt.Sprintf("network red, access line 1: user %d may have 5 ports at a time, and has 5", who.UID))
	case g.f.find(name) == nil:
		return api.Port{}, nil, notFound("network", name)
	}
	g.n++
	p := &spec.Port{Network: name, Interface: fmt.Sprintf("%s-%d", name, g.n), MAC: r.MAC, Addresses: r.Addresses, Queues: r.Queues}
	if p.MAC.IsZero() && !r.AnyMAC {
		p.MAC = spec.MAC{0x52, 0x54, 0, 0, 0, byte(g.n)}
	}
	port := api.Port{Name: p.Interface, Spec: p, Status: api.PortStatus{MTU: 1500, Gateways: []string{"192.168.100.1/24", "fd00::1/64"}}}
	if r.ByName {
		return port, nil, nil
	}
	var taps []*os.File
	for range max(r.Queues, 1) {
		mine, far, err := os.Pipe()
		if err != nil {
			return api.Port{}, nil, err
		}
		far.Close()
		taps = append(taps, mine)
	}
	return port, taps, nil
}

func (g *guests) KeepPort(name string) { g.note("keep", name) }

func (g *guests) LeavePort(_ context.Context, name string) { g.note("leave", name) }

func (g *guests) note(what, name string) {
	g.f.serial.Lock()
	defer g.f.serial.Unlock()
	g.f.note("%s %s", what, name)
}

// saw reports whether the daemon was called so.
func (f *fake) saw(text string) error {
	f.serial.Lock()
	defer f.serial.Unlock()
	if !slices.ContainsFunc(f.seen, func(c string) bool { return strings.Contains(c, text) }) {
		return errors.New("the daemon saw " + strings.Join(f.seen, "\n"))
	}
	return nil
}

// tellVM is a VMM: it prints its arguments, what it inherited, and its configuration.
// It ends as VM_END says: an exit code, or kill.
func tellVM() {
	fmt.Println(filepath.Base(os.Args[0]), strings.Join(os.Args[1:], " "))
	names, _ := os.ReadDir("/proc/self/fd")
	for _, n := range names {
		to, err := os.Readlink("/proc/self/fd/" + n.Name())
		if err == nil && !slices.Contains([]string{"0", "1", "2"}, n.Name()) && !strings.HasPrefix(to, "anon_inode:") && !strings.HasPrefix(to, "/sys/fs/cgroup/") { // Go's own
			kind, _, _ := strings.Cut(to, ":")
			fmt.Println("inherited", kind)
		}
	}
	for _, e := range os.Environ() {
		if strings.HasPrefix(e, "KVMNET_") && !strings.HasPrefix(e, "KVMNET_SOCKET") {
			fmt.Println(e)
		}
	}
	if _, file := configFile(os.Args); file != "" {
		text, err := os.ReadFile(file)
		fmt.Println(string(text), err)
	}
	if os.Getenv("VM_END") == "kill" {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
	var code int
	fmt.Sscan(os.Getenv("VM_END"), &code)
	os.Exit(code)
}
