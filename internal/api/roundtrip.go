package api

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// perCall makes each call over a connection of its own, in the goroutine that makes it.
// The transport of net/http keeps two goroutines for a connection: to wake them takes
// longer than to connect, and somebody waits with his guest.
type perCall struct {
	dial func(ctx context.Context) (net.Conn, error)
}

// RoundTrip implements http.RoundTripper. A request that could not be written was
// answered early, or the daemon went away: what there is to read tells.
func (p perCall) RoundTrip(q *http.Request) (*http.Response, error) {
	conn, err := p.dial(q.Context())
	if err != nil {
		return nil, err
	}
	a := &answer{conn: conn, ctx: q.Context()}
	a.stop = context.AfterFunc(a.ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	q = q.Clone(a.ctx)
	q.Close = true // after the answer
	q.Write(conn)
	r, err := http.ReadResponse(bufio.NewReader(conn), q)
	if err != nil {
		err = a.why(err)
		a.Close()
		return nil, err
	}
	a.body, r.Body = r.Body, a
	return r, nil
}

// answer is the body of an answer, with its connection.
type answer struct {
	body io.Reader
	conn net.Conn
	ctx  context.Context
	stop func() bool // looking out for the end of ctx
}

// Read implements io.Reader.
func (a *answer) Read(b []byte) (int, error) {
	n, err := a.body.Read(b)
	return n, a.why(err)
}

// Close implements io.Closer.
func (a *answer) Close() error {
	a.stop()
	return a.conn.Close()
}

// why tells an error that came of the end of the context as that.
func (a *answer) why(err error) error {
	if err != nil && err != io.EOF && a.ctx.Err() != nil {
		return a.ctx.Err()
	}
	return err
}
