package dns

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	mostStreams = 256 // TCP connections of a network
	mostPerPeer = 16  // of which those of one client
	streamIdle  = 10 * time.Second
)

// connections are the open TCP connections.
type connections struct {
	mu       sync.Mutex
	open     map[net.Conn]netip.Addr
	byClient map[netip.Addr]int
	closed   bool
}

// add takes a connection in, unless the client has too many. When there is no
// room any other one is given up for it (RFC 7766 section 6.2.3): a guest that
// makes up addresses and holds all of them must not keep the others out, and what
// they ask takes a moment only.
func (l *connections) add(c net.Conn, client netip.Addr) (given net.Conn, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.byClient[client] >= mostPerPeer {
		return nil, false
	}
	if len(l.open) >= mostStreams {
		for given = range l.open {
			break
		}
		l.drop(given)
	}
	if l.open == nil {
		l.open, l.byClient = map[net.Conn]netip.Addr{}, map[netip.Addr]int{}
	}
	l.open[c] = client
	l.byClient[client]++
	return given, true
}

func (l *connections) remove(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(c)
}

// drop forgets a connection, if it is known.
func (l *connections) drop(c net.Conn) {
	client, known := l.open[c]
	if !known {
		return
	}
	delete(l.open, c)
	if l.byClient[client]--; l.byClient[client] <= 0 {
		delete(l.byClient, client)
	}
}

// close ends all connections and lets no more in.
func (l *connections) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for c := range l.open {
		c.Close()
	}
}

// serveStreams takes connections until the listener is closed.
func (s *Server) serveStreams(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			s.rest()
			continue
		}
		s.accept(c)
	}
}

// rest waits a little when there are no more descriptors: they come back.
func (s *Server) rest() {
	select {
	case <-time.After(10 * time.Millisecond):
	case <-s.ctx.Done():
	}
}

// accept serves a connection of a client that may ask.
func (s *Server) accept(c net.Conn) {
	st := s.state.Load()
	from := c.RemoteAddr().(*net.TCPAddr).AddrPort()
	from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
	if st == nil {
		c.Close()
		return
	}
	who, ok := s.admits(st, from, 0, true)
	if !ok {
		s.tally.denied.Add(1)
		c.Close()
		return
	}
	given, ok := s.conns.add(c, from.Addr())
	if !ok {
		given = c
	}
	if given != nil {
		s.tally.refused.Add(1)
		given.Close()
	}
	if !ok {
		return
	}
	s.tasks.Go(func() {
		defer c.Close()
		defer s.conns.remove(c)
		s.serveStream(c, who)
	})
}

// serveStream answers the queries of a connection one after the other (RFC 7766
// section 6.2.1) until the client ends it, is idle, or asks too much.
func (s *Server) serveStream(c net.Conn, who client) {
	in := bufio.NewReaderSize(c, 512)
	var b []byte
	answers := make(chan []byte, 1)
	r := request{who: who, later: func() func([]byte) { return func(b []byte) { answers <- b } }}
	for {
		c.SetDeadline(time.Now().Add(streamIdle))
		var err error
		if b, err = readMessage(in, b); err != nil {
			return
		}
		if r.st = s.state.Load(); r.st == nil {
			return
		}
		answer, waits := s.handle(&r, b, true)
		if waits {
			select {
			case answer = <-answers:
			case <-s.ctx.Done():
				return
			}
		}
		if answer == nil {
			return
		}
		c.SetDeadline(time.Now().Add(streamIdle))
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(answer)), uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// readMessage reads a message after its length into a buffer that is used again.
func readMessage(in io.Reader, b []byte) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(in, size[:]); err != nil {
		return b, err
	}
	n := int(binary.BigEndian.Uint16(size[:]))
	if cap(b) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	_, err := io.ReadFull(in, b)
	return b, err
}
