package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// answering is a daemon that does that with its first call.
func answering(t *testing.T, do func(net.Conn)) (socket string, done chan struct{}) {
	t.Helper()
	socket = t.TempDir() + "/s"
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	done = make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		http.ReadRequest(bufio.NewReader(conn))
		do(conn)
	}()
	return socket, done
}

func TestDaemonThatGoesBeforeItAnswers(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"", "HTTP/1.1 200 OK\r\n"} {
		socket, done := answering(t, func(c net.Conn) { io.WriteString(c, said) })
		_, err := client(t, socket).Status(t.Context())
		if err == nil || !strings.Contains(err.Error(), "went away before it answered") {
			t.Errorf("after %q: %v", said, err)
		}
		within(t, "the daemon", done)
	}
}

func TestCallsShareAConnectionUntilTheDaemonClosesIt(t *testing.T) {
	t.Parallel()
	socket := t.TempDir() + "/s"
	l, err := Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	conns := make(chan net.Conn, 10)
	srv := &http.Server{Handler: Handler(newFake()), ConnState: func(c net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns <- c
		}
	}}
	go srv.Serve(l)
	defer srv.Close()
	c := client(t, socket)
	for i := range 6 {
		if i == 3 {
			(<-conns).Close() // as a daemon that ends does
		}
		if _, err := c.Status(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(conns); n != 1 {
		t.Errorf("%d connections behind the first one", n)
	}
}

func TestCallThatIsCancelledLeavesTheDaemon(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	socket, done := answering(t, func(c net.Conn) {
		cancel()
		io.Copy(io.Discard, c) // until it is closed
	})
	if _, err := client(t, socket).Status(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	within(t, "the daemon", done)
}
