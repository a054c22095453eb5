package tftp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

const (
	port          = 69
	mostTransfers = 64          // at a time
	mostOfOne     = 8           // of one client, which may be a guest's boot loader gone wild
	patience      = time.Second // for an acknowledgement, unless the client says otherwise
)

// Server serves one directory at one address.
type Server struct {
	ns      *netns.NS
	bridge  string
	plan    plan.TFTP
	conn    *net.UDPConn
	timeout time.Duration
	work    sync.WaitGroup

	mu     sync.Mutex
	closed bool
	busy   map[netip.Addr]int // transfers by client
	total  int
	conns  map[net.Conn]struct{} // sockets of transfers
}

// Open listens at the UDP port 69 of t.Listen in the namespace, which must stay
// open until Close, and only for what comes in on that interface. Errors are a directory that is not there and whatever bind
// says, such as EADDRINUSE.
func Open(ns *netns.NS, bridge string, t plan.TFTP) (*Server, error) {
	return start(ns, bridge, t, patience)
}

func start(ns *netns.NS, bridge string, t plan.TFTP, timeout time.Duration) (*Server, error) {
	root, err := os.OpenRoot(t.Dir)
	if err != nil {
		return nil, fmt.Errorf("serve %s by TFTP: %w", t.Dir, err)
	}
	root.Close()
	s := &Server{ns: ns, bridge: bridge, plan: t, timeout: timeout, busy: map[netip.Addr]int{}, conns: map[net.Conn]struct{}{}}
	err = ns.Do(func() (err error) {
		listening := net.ListenConfig{Control: s.bind}
		c, err := listening.ListenPacket(context.Background(), "udp", netip.AddrPortFrom(t.Listen, port).String())
		if err == nil {
			s.conn = c.(*net.UDPConn)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("serve %s by TFTP at %s: %w", t.Dir, t.Listen, err)
	}
	s.work.Go(s.serve)
	return s, nil
}

// bind ties a socket to the bridge: the host answers on any of its interfaces for
// any of its addresses otherwise, and a LAN would read what is for guests.
func (s *Server) bind(_, _ string, raw syscall.RawConn) (err error) {
	if control := raw.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), s.bridge) }); control != nil {
		return control
	}
	return os.NewSyscallError("bind to "+s.bridge, err)
}

// Close ends all transfers at once and gives the port back.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.Close()
	}
	s.mu.Unlock()
	err := s.conn.Close()
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	s.work.Wait()
	return err
}

// serve takes requests until the socket is closed. Other errors of a socket that
// is not connected are about single packets.
func (s *Server) serve() {
	buf := make([]byte, 2048)
	for {
		n, from, err := s.conn.ReadFromUDPAddrPort(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			s.take(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		}
	}
}

// take starts the transfer that a request asks for. What is no request is not
// answered, lest two servers answer each other for ever.
func (s *Server) take(b []byte, client netip.AddrPort) {
	r, err := parse(b)
	switch {
	case r.op == opWrite:
		s.refuse(client, fault{codeAccess, "the server is read only"})
	case err != nil && r.op == opRead:
		s.refuse(client, fault{codeIllegal, "malformed request, or a mode other than octet and netascii"})
	case err != nil:
	case !s.admit(client.Addr()):
		s.refuse(client, fault{codeOther, "too many transfers, try again later"})
	default:
		s.work.Go(func() {
			defer s.leave(client.Addr())
			s.send(r, client)
		})
	}
}

// refuse answers from the server's own port: there is no transfer whose port it
// could be.
func (s *Server) refuse(client netip.AddrPort, f fault) {
	s.conn.WriteToUDPAddrPort(failure(f.code, f.text), client) // a client that does not hear it asks again
}

func (s *Server) admit(client netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.total >= mostTransfers || s.busy[client] >= mostOfOne {
		return false
	}
	s.total++
	s.busy[client]++
	return true
}

func (s *Server) leave(client netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total--
	if s.busy[client]--; s.busy[client] == 0 {
		delete(s.busy, client)
	}
}

// send opens the file and sends it. A client hears why not, where it is the
// file's fault.
func (s *Server) send(r request, client netip.AddrPort) {
	c, err := open(s.plan.Dir, r.name, r.text)
	if f, ok := errors.AsType[fault](err); ok {
		s.refuse(client, f)
		return
	}
	defer c.Close()
	conn, err := s.dial(client)
	if err != nil {
		return // no route back to the client
	}
	defer s.hang(conn)
	err = newTransfer(conn, c, negotiate(r.options, c.size, room(conn)), s.timeout).run()
	if f, ok := errors.AsType[fault](err); ok {
		conn.Write(failure(f.code, f.text))
	}
}

// dial makes the socket of a transfer. It is connected, so the kernel drops what
// others send, and an ICMP error of the client ends the transfer.
func (s *Server) dial(client netip.AddrPort) (conn *net.UDPConn, err error) {
	err = s.ns.Do(func() (err error) {
		from := net.Dialer{Control: s.bind, LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(s.plan.Listen, 0))}
		c, err := from.Dial("udp", client.String())
		if err == nil {
			conn = c.(*net.UDPConn)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		conn.Close()
		return nil, net.ErrClosed
	}
	s.conns[conn] = struct{}{}
	return conn, nil
}

func (s *Server) hang(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	conn.Close()
}

// room is the largest block that reaches the client in one packet: the MTU of
// the way to it without the headers of IP, UDP and TFTP.
func room(conn *net.UDPConn) int {
	level, name, headers := syscall.IPPROTO_IP, syscall.IP_MTU, 20+8+4
	if conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap().Is6() {
		level, name, headers = syscall.IPPROTO_IPV6, syscall.IPV6_MTU, 40+8+4
	}
	mtu := 0
	if raw, err := conn.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { mtu, _ = syscall.GetsockoptInt(int(fd), level, name) })
	}
	return min(max(mtu-headers, defaultBlock), largest)
}
