package api

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEventsArriveOneByOneUntilCancelled(t *testing.T) {
	f := newFake()
	socket, _ := daemon(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	got, ended := make(chan Event), make(chan error)
	go func() { ended <- client(t, socket).Events(ctx, func(e Event) { got <- e }) }()
	within(t, "the listener", f.heard)
	for i := range 3 {
		want := Event{Type: "progress", Object: "network/lab", Done: i, Total: 3}
		f.events <- want
		// Nothing follows yet, so this one came through no buffer.
		if d := cmp.Diff(want, within(t, "an event", got)); d != "" {
			t.Error(d)
		}
	}
	cancel()
	if err := within(t, "the end", ended); err != nil {
		t.Errorf("got %v, want a clean end", err)
	}
	within(t, "the service to notice", f.left)
}

func TestEventsReachEveryClient(t *testing.T) {
	f := newFake()
	socket, _ := daemon(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	got, ended := make(chan Event, 2), make(chan error)
	for range 2 {
		go func() { ended <- client(t, socket).Events(ctx, func(e Event) { got <- e }) }()
		within(t, "the listener", f.heard)
	}
	// The fake hands each event to one listener, so both must have taken one
	// before either takes two: the second waits in its own send.
	f.events <- Event{Type: "started"}
	f.events <- Event{Type: "started"}
	within(t, "an event", got)
	within(t, "an event", got)
	cancel()
	for range 2 {
		if err := within(t, "the end", ended); err != nil {
			t.Error(err)
		}
	}
}

func TestEventsOfADaemonThatEndsAreAnError(t *testing.T) {
	tests := []struct {
		name string
		end  func(f *fake, stop func())
		want string
	}{
		{"the daemon stops", func(_ *fake, stop func()) { go stop() }, "ended the events"},
		{"the verb fails", func(f *fake, _ func()) {
			f.err = &Error{Code: CodeInternal, Message: "out of memory"}
			close(f.events)
		}, "out of memory"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			socket, stop := daemon(t, f)
			ended := make(chan error)
			go func() { ended <- client(t, socket).Events(t.Context(), func(Event) {}) }()
			within(t, "the listener", f.heard)
			test.end(f, stop)
			if err := within(t, "the end", ended); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestVerifyStreamsChecksAndItsError(t *testing.T) {
	checks := []Check{{Network: "lab", Promise: "guest → gateway", Expected: "answer", Seen: "answer", OK: true}, {Network: "lab", Promise: "guest → outside"}}
	broke := &Error{Code: CodeInternal, Message: "no space", Problems: []Problem{{Message: "p", Text: "p"}}}
	tests := []struct {
		name   string
		checks []Check
		err    error
	}{
		{"all done", checks, nil},
		{"none to do", nil, nil},
		{"fails in the middle", checks, broke},
		{"fails at once", nil, &Error{Code: CodeNotFound, Message: "no network named x"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := newFake()
			f.checks, f.err = test.checks, test.err
			socket, _ := daemon(t, f)
			c := client(t, socket)
			var got []Check
			err := c.Verify(t.Context(), VerifyRequest{Networks: []string{"lab"}, Outside: "192.0.2.1"}, func(c Check) { got = append(got, c) })
			if d := cmp.Diff(test.err, err); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
			if d := cmp.Diff(test.checks, got); d != "" {
				t.Errorf("checks (-want +got):\n%s", d)
			}
			if f.lastCall() != "Verify [lab] 192.0.2.1" {
				t.Errorf("the service saw %s", f.lastCall())
			}
			f.err = nil
			if err := c.Pause(t.Context(), true); err != nil { // the connection still serves
				t.Error(err)
			}
		})
	}
}

func TestVerifyThatIsCancelledIsNotDone(t *testing.T) {
	f := newFake()
	f.checks = []Check{{Network: "lab"}}
	socket, _ := daemon(t, f)
	ctx, cancel := context.WithCancel(t.Context())
	err := client(t, socket).Verify(ctx, VerifyRequest{}, func(Check) { cancel() })
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := client(t, socket).Verify(ctx, VerifyRequest{}, func(Check) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

func TestStreamCutInTheMiddleIsAnError(t *testing.T) {
	socket := t.TempDir() + "/s"
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		http.ReadRequest(bufio.NewReader(conn))
		line := `{"network":"lab"}` + "\n"
		conn.Write([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12\r\n" + line + "\r\n"))
		conn.(*net.UnixConn).CloseWrite()
	}()
	n := 0
	err = client(t, socket).Verify(t.Context(), VerifyRequest{}, func(Check) { n++ })
	if err == nil || !strings.Contains(err.Error(), "it went away") || n != 1 {
		t.Errorf("got %d checks and %v", n, err)
	}
	within(t, "the server", done)
}
