package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
)

// Client is a Service behind a unix socket: the daemon, as other programs see
// it. It may be used from several goroutines.
type Client struct {
	path string
	http *http.Client
}

var _ Service = (*Client)(nil)

// NewClient returns a client of the daemon that listens at a socket. It
// connects with the first call.
func NewClient(path string) *Client {
	c := &Client{path: path}
	c.http = &http.Client{
		Transport: newCaller(c.dial),
		// No call redirects. One that seems to was cleaned up by the other
		// side's router, and following it would do something else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c
}

// Close closes the connection that no call uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// dial connects, and tells a user without a daemon the way out.
func (c *Client) dial(ctx context.Context) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.path)
	if err == nil || ctx.Err() != nil {
		return conn, err
	}
	var cause syscall.Errno
	if errors.As(err, &cause) {
		err = cause
	}
	way := "start it with 'kvmnet daemon' (as root) or name another with --socket"
	if errors.Is(err, fs.ErrPermission) {
		way = "only root and members of the group kvmnet may use it"
	}
	return nil, fmt.Errorf("connect to the daemon at %s: %w; %s", c.path, err, way)
}

// do makes one call and decodes the answer into out unless out is nil.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	r, err := c.send(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer r.Body.Close()
	if out != nil {
		if err := json.NewDecoder(r.Body).Decode(out); err != nil {
			return fmt.Errorf("read the answer of the daemon at %s: %w", c.path, plainEOF(err))
		}
	}
	// A body read to its end lets the connection serve the next call.
	_, err = io.Copy(io.Discard, r.Body)
	return err
}

// send makes one call and returns the answer when it is not an error.
func (c *Client) send(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = encode(in); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	// Said here because the daemon stops reading a request that is too large,
	// and the write then fails before its answer is seen.
	if len(body) > MaxBody {
		return nil, tooLarge
	}
	q, err := http.NewRequestWithContext(ctx, method, "http://kvmnet"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/json")
	r, err := c.http.Do(q)
	if err != nil {
		return nil, c.unwrapURL(err)
	}
	if r.StatusCode/100 == 2 {
		return r, nil
	}
	defer r.Body.Close()
	return nil, readError(r)
}

// unwrapURL takes away the method and the made-up URL that net/http puts before
// its errors.
func (c *Client) unwrapURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) {
		return fmt.Errorf("the daemon at %s went away before it answered", c.path)
	}
	return err
}

// readError decodes an answer that is an error. One that is not ours comes from
// something else than a daemon of this version.
func readError(r *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(r.Body, MaxBody))
	var e Error
	if json.Unmarshal(text, &e) == nil && e.Code != "" {
		return &e
	}
	return &Error{Code: CodeInternal, Message: fmt.Sprintf("the daemon answered %s: %.200s", r.Status, strings.TrimSpace(string(text)))}
}

// plainEOF names a connection cut in the middle of an answer.
func plainEOF(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it went away")
	}
	return err
}

// path fills a name into the path of a call. Dots are escaped too: a name ".."
// must not climb.
func path(format, name string) string {
	return fmt.Sprintf(format, strings.ReplaceAll(url.PathEscape(name), ".", "%2E"))
}
