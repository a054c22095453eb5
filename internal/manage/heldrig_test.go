package manage

import (
	"context"
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// openTap makes a tap as the kernel does: it is there until the last of its descriptors
// is closed. These are ends of a pipe.
func (h *host) openTap(t Tap) ([]*os.File, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.has("", t.Name) {
		return nil, syscall.EBUSY
	}
	if h.refuse == "tap" {
		return nil, syscall.ENOSPC
	}
	kept, end, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	h.state.Add(plan.Link{Name: t.Name, Type: "tap", MAC: t.MAC, MTU: t.MTU, Open: true, Index: 100 + len(h.state)})
	go func() {
		io.Copy(io.Discard, kept)
		kept.Close()
		h.vanish(t.Name)
	}()
	queues := []*os.File{end}
	for len(queues) < t.Queues {
		fd, err := syscall.Dup(int(end.Fd()))
		if err != nil {
			return nil, err
		}
		queues = append(queues, os.NewFile(uintptr(fd), "queue"))
	}
	return queues, nil
}

// vanish takes a link away, and the loop hears of it.
func (h *host) vanish(link string) {
	h.change(func() {
		l, _ := h.state.Link("", link)
		h.drop(l)
		h.wake()
	})
}

// alter changes a link behind our back, and the loop hears of it.
func (h *host) alter(link string, do func(*plan.Link)) {
	h.change(func() {
		l, _ := h.state.Link("", link)
		do(&l)
		h.state.Add(l)
		h.wake()
	})
}

// nobody is a number that no user has.
const nobody = 3999999999

// open asks for a port as a user whose groups have no name, either.
func (r *rig) open(uid int, req api.OpenPort) (api.Port, []*os.File, error) {
	return r.OpenPort(r.t.Context(), api.Caller{UID: uid, Groups: []int{uid}}, req)
}

// opens does so, and the test closes what it has not closed itself.
func (r *rig) opens(uid int, req api.OpenPort) (api.Port, []*os.File) {
	r.t.Helper()
	p, files, err := r.open(uid, req)
	r.ok(err)
	r.t.Cleanup(func() { closeAll(files) })
	return p, files
}

// plugs plugs an interface in.
func (r *rig) plugs(iface, network string) api.Port {
	r.t.Helper()
	p, err := r.PlugPort(r.t.Context(), api.PlugPort{Interface: iface, Network: network})
	r.ok(err)
	return p
}

// ports names the ports that are known, sorted.
func (r *rig) ports() []string {
	r.t.Helper()
	w, err := r.world()
	r.ok(err)
	return w.all().Names("ports")
}

// are waits until just those ports are known.
func (r *rig) are(names ...string) {
	r.t.Helper()
	r.eventually("just ports", func() bool { return slices.Equal(r.ports(), names) })
}

// aged waits until a port is seen closed, and lets time pass.
func (r *rig) aged(p api.Port, by time.Duration) {
	r.t.Helper()
	r.eventually("it is seen closed", func() bool {
		r.reaper.mu.Lock()
		defer r.reaper.mu.Unlock()
		since, closed := r.reaper.idle[p.Spec.UUID]
		if closed {
			r.reaper.idle[p.Spec.UUID] = since.Add(-by)
		}
		return closed
	})
	r.engine.Wake()
	r.settled()
}

// set changes a port.
func (r *rig) set(name string, req api.SetPort) (api.Port, error) {
	return r.SetPort(context.Background(), name, req)
}

func at[T any](v T) *T { return &v }

// tapOf is a tap that a VMM made by itself.
func tapOf(name string) plan.Link {
	return plan.Link{Name: name, Type: "tap", MTU: 1500, MAC: spec.GenerateMAC(name), Index: 50}
}
