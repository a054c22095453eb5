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
