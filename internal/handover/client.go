package handover

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/api"
)

// Client is the daemon, as programs see it that want ports. Ports that are opened by
// name last as long as it is not closed.
type Client struct {
	path string
	conn *net.UnixConn
}

// Dial connects to the daemon's socket at a path.
func Dial(path string) (*Client, error) {
	conn, err := net.DialUnix("unixpacket", nil, &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err == nil {
		return &Client{path, conn}, nil
	}
	var cause syscall.Errno
	if errors.As(err, &cause) {
		err = cause
	}
	way := "start it with 'kvmnet daemon' (as root) or name another with --socket"
	if errors.Is(err, fs.ErrPermission) {
		way = "make its folder one that everybody may enter (chmod o+x)"
	}
	return nil, fmt.Errorf("connect to the daemon at %s: %w; %s", path, err, way)
}

// Close ends the connection, and leaves the ports that were opened by name.
func (c *Client) Close() error { return c.conn.Close() }

// Open asks for a port. The descriptors of its tap come first, then those of
// vhost-net; programs that are started do not inherit them.
func (c *Client) Open(ctx context.Context, r api.OpenPort) (api.Opened, []*os.File, error) {
	stop := context.AfterFunc(ctx, func() { c.conn.SetDeadline(time.Now()) })
	defer stop()
	packet, err := json.Marshal(r)
	if err != nil {
		return api.Opened{}, nil, fmt.Errorf("encode the request: %w", err)
	}
	if len(packet) > maxRequest {
		return api.Opened{}, nil, refuse("the request is larger than %d bytes", maxRequest)
	}
	// A daemon that refuses the connection answers before it is asked: what there is to
	// read tells more than that nothing can be written.
	_, wrote := c.conn.Write(packet)
	opened, files, err := c.read()
	switch {
	case err == nil:
		return opened, files, nil
	case ctx.Err() != nil:
		return api.Opened{}, nil, ctx.Err()
	case errors.As(err, new(*api.Error)):
		return api.Opened{}, nil, err
	case errors.Is(err, errGone) || wrote != nil:
		return api.Opened{}, nil, fmt.Errorf("the daemon at %s went away before it answered", c.path)
	}
	return api.Opened{}, nil, fmt.Errorf("read the answer of the daemon at %s: %w", c.path, err)
}

var errGone = errors.New("it went away")

// read takes one answer. Descriptors that come with a bad one are closed.
func (c *Client) read() (api.Opened, []*os.File, error) {
	packet, beside := make([]byte, maxAnswer), make([]byte, unix.CmsgSpace(maxDescriptors*4))
	n, m, flags, _, err := c.conn.ReadMsgUnix(packet, beside)
	if errors.Is(err, unix.ECONNRESET) { // told once, before what is there to read
		n, m, flags, _, err = c.conn.ReadMsgUnix(packet, beside)
	}
	if err != nil || n == 0 {
		return api.Opened{}, nil, errGone
	}
	var files []*os.File
	for _, fd := range descriptors(beside[:m]) {
		files = append(files, os.NewFile(uintptr(fd), "tap"))
	}
	opened, err := parseAnswer(packet[:n], len(files))
	if flags&unix.MSG_TRUNC != 0 {
		err = fmt.Errorf("it is larger than %d bytes", maxAnswer)
	}
	if err != nil {
		closeAll(files)
		return api.Opened{}, nil, err
	}
	return opened, files, nil
}
