package handover

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"kvmnet/internal/api"
)

// Opener decides who may have a port, and makes it. An error is or wraps an
// *api.Error, whose text the caller reads.
type Opener interface {
	// OpenPort returns the port and the descriptors of its tap, none for one that is
	// opened by name. Who called closes them.
	OpenPort(ctx context.Context, who api.Caller, r api.OpenPort) (api.Port, []*os.File, error)
	// KeepPort says that somebody keeps a port that is opened by name, whether its tap
	// is open or not.
	KeepPort(name string)
	// LeavePort says that nobody does any more.
	LeavePort(ctx context.Context, name string)
}

// patience is how long a program may take to ask, and to read an answer.
const patience = 10 * time.Second

// Server hands ports over.
type Server struct {
	opener      Opener
	listener    *net.UnixListener
	log         *slog.Logger
	vhostDevice string
	patience    time.Duration

	crowd       crowd
	mu          sync.Mutex
	connections map[*net.UnixConn]bool
	serving     sync.WaitGroup
}

// Listen opens the socket, for everybody. Serve closes it.
func Listen(path string, o Opener, log *slog.Logger) (*Server, error) {
	l, err := api.ListenPackets(path)
	if err != nil {
		return nil, err
	}
	return On(l, o, log), nil
}

// On serves at a socket that somebody else made, such as the service manager.
func On(l *net.UnixListener, o Opener, log *slog.Logger) *Server {
	return &Server{opener: o, listener: l, log: log, vhostDevice: vhostDevice, patience: patience, connections: map[*net.UnixConn]bool{}}
}

// Close closes the socket of a server that does not serve.
func (s *Server) Close() error { return s.listener.Close() }

// Serve answers until ctx ends. Ports that connections keep are kept beyond: it is
// the daemon that goes, not their guests.
func (s *Server) Serve(ctx context.Context) error {
	serving, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(serving, s.hangUp)
	defer stop()
	err := s.accept(serving)
	cancel()
	s.hangUp()
	s.serving.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// accept takes connections. A daemon that is out of descriptors takes none for a
// while, and goes on.
func (s *Server) accept(ctx context.Context) error {
	for {
		c, err := s.listener.AcceptUnix()
		switch {
		case err == nil:
			if s.remember(ctx, c) {
				s.serving.Go(func() { s.attend(ctx, c) })
			}
		case errors.Is(err, net.ErrClosed):
			return err
		default:
			s.log.Warn("accept a guest's program", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
}

func (s *Server) remember(ctx context.Context, c *net.UnixConn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ctx.Err() != nil { // hangUp may have passed
		c.Close()
		return false
	}
	s.connections[c] = true
	return true
}

func (s *Server) forget(c *net.UnixConn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.Close()
	delete(s.connections, c)
}

// hangUp ends what Serve and connections wait for.
func (s *Server) hangUp() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.connections {
		c.SetReadDeadline(time.Now())
	}
}
