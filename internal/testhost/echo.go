package testhost

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// EchoPort is where an Echo answers unless told otherwise.
const EchoPort = 7777

// Echo answers "who am I" over TCP and UDP, IPv4 and IPv6, on every address of
// its host.
//
// TCP: the line "ADDRESS PORT" as soon as the connection is there, then every
// byte back until the client ends. UDP: the same line followed by the datagram,
// from the address that was asked. `nc HOST 7777` prints the line.
//
// Its Capture holds every packet that came in on any interface, so that a test
// can tell "not answered" from "did not arrive".
type Echo struct {
	*Capture
	host    *Host
	serving sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]bool // listeners and connections
}

// Serve starts an Echo on the given ports, EchoPort if there are none. It ends
// with the context, its Close, or the host's.
func (h *Host) Serve(ctx context.Context, ports ...uint16) (*Echo, error) {
	if len(ports) == 0 {
		ports = []uint16{EchoPort}
	}
	arrivals, err := h.capture(ctx, "", func(p Packet) bool { return !p.Outgoing })
	if err != nil {
		return nil, err
	}
	e := &Echo{Capture: arrivals, host: h, open: map[io.Closer]bool{}}
	for _, port := range ports {
		for _, family := range []string{"4", "6"} {
			if err := e.listen(family, port); err != nil {
				return nil, errors.Join(fmt.Errorf("serve port %d on %s: %w", port, h.name, err), e.Close())
			}
		}
	}
	if err := h.own(e); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { e.Close() })
	return e, nil
}

func (e *Echo) listen(family string, port uint16) error {
	address := fmt.Sprintf(":%d", port)
	var config net.ListenConfig
	config.SetMultipathTCP(false) // a probe wants the protocol it asked for
	var l net.Listener
	var u net.PacketConn
	err := e.host.ns.Do(func() (err error) {
		if l, err = config.Listen(context.Background(), "tcp"+family, address); err != nil {
			return err
		}
		config.Control = pktinfo
		u, err = config.ListenPacket(context.Background(), "udp"+family, address)
		return err
	})
	if l != nil {
		e.keep(l)
	}
	switch {
	case errors.Is(err, unix.EAFNOSUPPORT) && family == "6": // booted with ipv6.disable=1
		return nil
	case err != nil:
		return err
	}
	e.keep(u)
	e.serving.Go(func() { e.serveTCP(l) })
	e.serving.Go(func() { e.serveUDP(u.(*net.UDPConn)) })
	return nil
}

// pktinfo asks for the address that a datagram was sent to: the answer must come
// from there, or no client (and no NAT) knows it for an answer.
func pktinfo(network, _ string, c syscall.RawConn) (err error) {
	level, option := unix.IPPROTO_IP, unix.IP_PKTINFO
	if network == "udp6" {
		level, option = unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO
	}
	if lost := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), level, option, 1) }); lost != nil {
		return lost
	}
	return err
}

// keep remembers something to close; on a closed Echo it closes it at once.
func (e *Echo) keep(c io.Closer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		c.Close()
		return
	}
	e.open[c] = true
}

func (e *Echo) drop(c io.Closer) {
	e.mu.Lock()
	delete(e.open, c)
	e.mu.Unlock()
	c.Close()
}

func (e *Echo) serveTCP(l net.Listener) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // the client is gone again
			continue
		}
		e.keep(c)
		e.serving.Go(func() {
			defer e.drop(c)
			from := c.RemoteAddr().(*net.TCPAddr).AddrPort()
			if _, err := c.Write(seenLine(from)); err == nil {
				io.Copy(c, c)
			}
		})
	}
}

func seenLine(from netip.AddrPort) []byte {
	return fmt.Appendf(nil, "%s %d\n", from.Addr().Unmap().WithZone(""), from.Port())
}

func (e *Echo) serveUDP(c *net.UDPConn) {
	buf, oob := make([]byte, 1<<16), make([]byte, 128)
	for {
		n, m, _, from, err := c.ReadMsgUDPAddrPort(buf, oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // an ICMP error about an earlier answer
			continue
		}
		answer := append(seenLine(from), buf[:n]...)
		c.WriteMsgUDPAddrPort(answer, sameSource(oob[:m]), from)
	}
}

// sameSource turns the control message of a datagram into one that sends from
// the address it was sent to. The interface is left to routing, except that a
// link-local address means nothing without it.
func sameSource(oob []byte) []byte {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	for _, m := range messages {
		switch {
		case m.Header.Level == unix.IPPROTO_IP && m.Header.Type == unix.IP_PKTINFO && len(m.Data) >= 12:
			// int ifindex, in_addr spec_dst, in_addr addr
			return unix.PktInfo4(&unix.Inet4Pktinfo{Spec_dst: [4]byte(m.Data[4:8])})
		case m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_PKTINFO && len(m.Data) >= 20:
			info := &unix.Inet6Pktinfo{Addr: [16]byte(m.Data[:16])}
			if netip.AddrFrom16(info.Addr).IsLinkLocalUnicast() {
				info.Ifindex = binary.NativeEndian.Uint32(m.Data[16:20])
			}
			return unix.PktInfo6(info)
		}
	}
	return nil
}

// Close ends the servers and their connections and waits for them. What arrived
// can still be read.
func (e *Echo) Close() error {
	e.mu.Lock()
	closed := e.closed
	e.closed = true
	for c := range e.open {
		c.Close()
	}
	e.mu.Unlock()
	e.serving.Wait()
	if closed {
		return nil
	}
	e.host.disown(e)
	return e.Capture.Close()
}
