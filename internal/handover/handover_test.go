package handover

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
	"kvmnet/internal/nstest"
)

func TestTapIsHandedOver(t *testing.T) {
	t.Parallel()
	o := &opener{}
	c := dial(t, serve(t, o).path)
	for _, queues := range []int{1, 3} {
		opened, files, err := c.Open(t.Context(), api.OpenPort{Network: "lab", Queues: queues})
		if err != nil {
			t.Fatal(err)
		}
		if opened.Port.Spec.Network != "lab" || opened.Taps != queues || opened.Vhosts != 0 || len(files) != queues {
			t.Errorf("got %+v with %d files", opened, len(files))
		}
		for _, f := range files {
			// The pipe ends, so no copy of it stays with the server.
			if text, err := io.ReadAll(f); string(text) != opened.Port.Name || err != nil {
				t.Errorf("got the tap of %q, %v, want that of %q", text, err, opened.Port.Name)
			}
			if flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("the descriptor has the flags %#x, %v: programs inherit it", flags, err)
			}
			f.Close()
		}
	}
	if o.asked[1].Queues != 3 {
		t.Errorf("the daemon was asked for %+v", o.asked)
	}
}

func TestVhostComesBesideTheTap(t *testing.T) {
	t.Parallel()
	for device, want := range map[string]int{"/dev/null": 2, "/dev/no-vhost-net": 0} {
		d := serve(t, &opener{}, func(s *Server) { s.vhostDevice = device })
		opened, files, err := dial(t, d.path).Open(t.Context(), api.OpenPort{Network: "lab", Queues: 2, Vhost: true})
		if err != nil {
			t.Fatal(err)
		}
		if opened.Taps != 2 || opened.Vhosts != want || len(files) != 2+want {
			t.Errorf("%s: got %+v with %d files", device, opened, len(files))
		}
		closeAll(files)
	}
	// What is there and cannot be opened is an error, and the port is not kept.
	o := &opener{}
	d := serve(t, o, func(s *Server) { s.vhostDevice = "/" })
	_, _, err := dial(t, d.path).Open(t.Context(), api.OpenPort{Network: "lab", Vhost: true})
	if err == nil || !strings.Contains(err.Error(), "open /: is a directory") {
		t.Errorf("got %v", err)
	}
	if left := o.leftPorts(); !slices.Equal(left, []string{"lab-1"}) {
		t.Errorf("left %v", left)
	}
}

func TestCallerIsWhoTheKernelSays(t *testing.T) {
	t.Parallel()
	nstest.Users(t)
	o := &opener{}
	d := serve(t, o)
	many := make([]uint32, 100) // more than there is room for at first
	for i := range many {
		many[i] = uint32(2000 + i)
	}
	askAs(t, d.path, &syscall.Credential{Uid: 1234, Gid: 55, Groups: []uint32{7, 55, 9}})
	askAs(t, d.path, &syscall.Credential{Uid: 4321, Gid: 4321, Groups: many})
	first, second := o.by[0], o.by[1]
	if first.UID != 1234 || !slices.Equal(first.Groups, []int{55, 7, 9}) || first.PID <= 0 {
		t.Errorf("got %+v", first)
	}
	if second.UID != 4321 || len(second.Groups) != 101 || second.Groups[0] != 4321 || second.Groups[100] != 2099 {
		t.Errorf("got %+v", second)
	}
}

func TestRefusalIsAnError(t *testing.T) {
	t.Parallel()
	want := &api.Error{Code: api.CodeConflict, Reason: "why", Message: "no", Problems: []api.Problem{{Text: "line"}}}
	c := dial(t, serve(t, &opener{refuse: want}).path)
	for range 2 { // the connection lives
		_, files, err := c.Open(t.Context(), api.OpenPort{Network: "lab"})
		var got *api.Error
		if !errors.As(err, &got) || got.Code != want.Code || got.Reason != want.Reason || got.Error() != "no\nline" || files != nil {
			t.Errorf("got %v, %v", err, files)
		}
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	t.Parallel()
	o := &opener{}
	d := serve(t, o)
	for packet, want := range map[string]string{
		`{"network":`:                          "read the request: unexpected EOF",
		`{"netwrok":"lab"}`:                    `read the request: unknown field "netwrok"`,
		`{} {}`:                                "read the request: something follows the JSON value",
		`{"mac":"52:54"}`:                      `"52:54"`,
		`{"queues":254}`:                       "254 queues do not fit into one answer",
		`{"queues":127,"vhost":true}`:          "127 queues do not fit into one answer",
		`{"queues":-1}`:                        "-1 queues",
		`{"queues":9223372036854775807}`:       "do not fit",
		strings.Repeat(" ", maxRequest) + "{}": "the request is larger than 16384 bytes",
	} {
		c := dial(t, d.path)
		if _, err := c.conn.Write([]byte(packet)); err != nil {
			t.Fatal(err)
		}
		_, _, err := c.read()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: got %v, want %s", packet, err, want)
		}
	}
	_, _, err := dial(t, d.path).Open(t.Context(), api.OpenPort{Guest: strings.Repeat("x", maxRequest)})
	if err == nil || err.Error() != "the request is larger than 16384 bytes" {
		t.Errorf("got %v", err)
	}
	if len(o.asked) > 0 {
		t.Errorf("the daemon was asked for %+v", o.asked)
	}
}

func TestTooLargeAnswerIsAnErrorAndLeavesThePort(t *testing.T) {
	t.Parallel()
	o := &opener{problem: strings.Repeat("x", maxAnswer)}
	_, files, err := dial(t, serve(t, o).path).Open(t.Context(), api.OpenPort{Network: "lab"})
	if err == nil || !strings.Contains(err.Error(), "are too many for one packet") || files != nil {
		t.Errorf("got %v", err)
	}
	nstest.Eventually(t, 10*time.Second, func() error { return is(o.leftPorts(), "lab-1") })
}

func TestPortOpenedByNameIsKeptUntilTheConnectionEnds(t *testing.T) {
	t.Parallel()
	o := &opener{}
	d := serve(t, o, func(s *Server) { s.patience = 100 * time.Millisecond })
	c := dial(t, d.path)
	for range 2 {
		opened, files, err := c.Open(t.Context(), api.OpenPort{Network: "lab", ByName: true})
		if err != nil || opened.Taps != 0 || len(files) > 0 {
			t.Fatalf("got %+v, %v, %v", opened, files, err)
		}
	}
	// One that keeps nothing is hung up meanwhile.
	silent := dial(t, d.path)
	if _, _, err := silent.read(); !errors.Is(err, errGone) {
		t.Errorf("a silent connection got %v", err)
	}
	if left := o.leftPorts(); len(left) > 0 || !slices.Equal(o.kept, []string{"lab-1", "lab-2"}) {
		t.Errorf("kept %v, left %v", o.kept, left)
	}
	c.Close()
	nstest.Eventually(t, 10*time.Second, func() error { return is(o.leftPorts(), "lab-1", "lab-2") })
}

func TestDaemonThatEndsLeavesNoPort(t *testing.T) {
	t.Parallel()
	o := &opener{}
	d := serve(t, o)
	c := dial(t, d.path)
	if _, _, err := c.Open(t.Context(), api.OpenPort{Network: "lab", ByName: true}); err != nil {
		t.Fatal(err)
	}
	d.stop()
	if left := o.leftPorts(); len(left) > 0 {
		t.Errorf("left %v: its guest runs", left)
	}
	if _, err := os.Stat(d.path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	_, _, err := c.Open(t.Context(), api.OpenPort{Network: "lab"})
	if want := "the daemon at " + d.path + " went away before it answered"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestProgramThatGoesBeforeTheAnswerLeavesNoPort(t *testing.T) {
	t.Parallel()
	o := &opener{enough: make(chan struct{})}
	c := dial(t, serve(t, o).path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := c.Open(ctx, api.OpenPort{Network: "lab"}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	other := dial(t, c.path) // whose request was written
	if _, err := other.conn.Write([]byte(`{"network":"lab"}`)); err != nil {
		t.Fatal(err)
	}
	c.Close()
	other.Close()
	close(o.enough)
	nstest.Eventually(t, 10*time.Second, func() error {
		if len(o.leftPorts()) == 0 {
			return errors.New("no port is left")
		}
		return nil
	})
}

func TestFloodOfOneUserLeavesTheOthersIn(t *testing.T) {
	t.Parallel()
	nstest.Users(t)
	d := serve(t, &opener{})
	for range maxWaitingEach {
		dial(t, d.path)
	}
	nstest.Eventually(t, 10*time.Second, func() error { // when the last was counted
		_, _, err := dial(t, d.path).Open(t.Context(), api.OpenPort{Network: "lab"})
		if want := "take another request: user 0 has 64 connections already; try again when one has ended"; err == nil || err.Error() != want {
			t.Logf("got %v", err)
			return errors.New("the flood is not refused")
		}
		return nil
	})
	if got := askAs(t, d.path, &syscall.Credential{Uid: 1234, Gid: 1234}); got.Error != "" || got.Files != 1 {
		t.Errorf("another user got %+v", got)
	}
}

func TestConnectionsThatKeepPortsAreNoFlood(t *testing.T) {
	t.Parallel()
	d := serve(t, &opener{})
	for range maxWaitingEach + 6 {
		if _, _, err := dial(t, d.path).Open(t.Context(), api.OpenPort{Network: "lab", ByName: true}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCrowdIsCountedOut: it ends empty, whatever has happened.
func TestCrowdIsCountedOut(t *testing.T) {
	t.Parallel()
	d := serve(t, &opener{})
	for i := range 200 {
		c := dial(t, d.path)
		if _, files, err := c.Open(t.Context(), api.OpenPort{Network: "lab", ByName: i%2 == 0}); err == nil {
			closeAll(files)
		}
		c.Close()
	}
	nstest.Eventually(t, 10*time.Second, func() error {
		d.crowd.mu.Lock()
		defer d.crowd.mu.Unlock()
		if d.crowd.waiting != 0 || len(d.crowd.users) > 0 {
			return errors.New("somebody is still counted")
		}
		return nil
	})
}

func is(got []string, want ...string) error {
	if !slices.Equal(got, want) {
		return errors.New("left " + strings.Join(got, " ") + ", want " + strings.Join(want, " "))
	}
	return nil
}
