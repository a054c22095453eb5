package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"
)

// caller makes each call in the goroutine that makes it, over a connection that it keeps
// for the next one. The transport of net/http has two goroutines for a connection: to wake
// them takes longer than to write and read, and somebody waits with his guest.
type caller struct {
	dial func(ctx context.Context) (net.Conn, error)
	idle chan *line // holds one
}

func newCaller(dial func(ctx context.Context) (net.Conn, error)) *caller {
	return &caller{dial, make(chan *line, 1)}
}

// line is a connection that carries one call at a time.
type line struct {
	net.Conn
	in *bufio.Reader
}

// RoundTrip implements http.RoundTripper. A request that could not be written was
// answered early, or the daemon went away: what there is to read tells.
func (c *caller) RoundTrip(q *http.Request) (*http.Response, error) {
	l, err := c.line(q.Context())
	if err != nil {
		return nil, err
	}
	a := &answer{ctx: q.Context(), line: l, caller: c}
	a.stop = context.AfterFunc(a.ctx, func() { l.SetDeadline(time.Unix(1, 0)) })
	unsent := q.Write(l)
	r, err := http.ReadResponse(l.in, q)
	if err != nil {
		err = a.why(err)
		a.Close()
		return nil, err
	}
	a.last = r.Close || unsent != nil
	a.body, r.Body = r.Body, a
	return r, nil
}

// line is the one that is kept, unless the daemon has closed it, or a new one.
func (c *caller) line(ctx context.Context) (*line, error) {
	select {
	case l := <-c.idle:
		if l.quiet() {
			return l, nil
		}
		l.Close()
	default:
	}
	conn, err := c.dial(ctx)
	if err != nil {
		return nil, err
	}
	return &line{conn, bufio.NewReader(conn)}, nil
}

// quiet reports whether nothing comes in, not even the end.
func (l *line) quiet() (quiet bool) {
	raw, err := l.Conn.(syscall.Conn).SyscallConn()
	if err != nil || l.in.Buffered() > 0 {
		return false
	}
	var b [1]byte
	err = raw.Control(func(fd uintptr) {
		_, _, failed := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		quiet = failed == syscall.EAGAIN
	})
	return quiet && err == nil
}

// keep has the line for the next call, if it holds none.
func (c *caller) keep(l *line) error {
	select {
	case c.idle <- l:
		return nil
	default:
		return l.Close()
	}
}

// CloseIdleConnections closes the connection that is kept, for http.Client.
func (c *caller) CloseIdleConnections() {
	select {
	case l := <-c.idle:
		l.Close()
	default:
	}
}

// answer is the body of an answer, with the line it comes by.
type answer struct {
	body   io.Reader
	ctx    context.Context
	stop   func() bool // looking out for the end of ctx
	line   *line
	caller *caller
	last   bool // of the line
	whole  bool // it was read to its end
}

// Read implements io.Reader.
func (a *answer) Read(b []byte) (int, error) {
	n, err := a.body.Read(b)
	a.whole = a.whole || err == io.EOF
	return n, a.why(err)
}

// Close implements io.Closer.
func (a *answer) Close() error {
	if a.stop() && a.whole && !a.last {
		return a.caller.keep(a.line)
	}
	return a.line.Close()
}

// why tells an error that came of the end of the context as that.
func (a *answer) why(err error) error {
	if err != nil && err != io.EOF && a.ctx.Err() != nil {
		return a.ctx.Err()
	}
	return err
}
