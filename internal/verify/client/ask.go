package client

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// Ask asks a server for a name as the kernel of a namespace sends it, over "udp"
// or "tcp". The error tells why there is no answer.
func (n Name) Ask(ctx context.Context, ns *netns.NS, network string, from, to netip.Addr, wait time.Duration) (*Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var err error
	for range attempts {
		var a *Answer
		if a, err = n.once(ctx, ns, network, from, to, wait/attempts); err == nil {
			return a, nil
		}
		select {
		case <-time.After(wait / (10 * attempts)): // after a refusal, too
		case <-ctx.Done():
			return nil, err
		}
	}
	return nil, err
}

func (n Name) once(ctx context.Context, ns *netns.NS, network string, from, to netip.Addr, wait time.Duration) (*Answer, error) {
	d := net.Dialer{Timeout: wait, LocalAddr: local(network, from)}
	var conn net.Conn
	err := ns.Do(func() (err error) {
		conn, err = d.DialContext(ctx, network, netip.AddrPortFrom(to, dnsPort).String())
		return err
	})
	if err != nil {
		return nil, plainly(err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	conn.SetDeadline(time.Now().Add(wait))
	id := newID()
	q, err := n.message(id)
	if err != nil {
		return nil, err
	}
	if network == "tcp" {
		return n.overTCP(conn, id, q)
	}
	return n.overUDP(conn, id, q)
}

func local(network string, from netip.Addr) net.Addr {
	if network == "tcp" {
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
	}
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0))
}

// plainly drops from an error what Go says about the socket.
func plainly(err error) error {
	var op *net.OpError
	var number unix.Errno
	switch {
	case errors.As(err, &op) && op.Timeout(), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, unix.EHOSTUNREACH): // nobody answers ARP, which the kernel tells after three seconds
		return errSilent
	case errors.As(err, &number):
		return number
	}
	return err
}

var errSilent = errors.New("silence")

// overUDP passes over what is no answer: anybody can send that.
func (n Name) overUDP(conn net.Conn, id uint16, q []byte) (*Answer, error) {
	if _, err := conn.Write(q); err != nil {
		return nil, plainly(err)
	}
	for buf := make([]byte, 1<<16); ; {
		size, err := conn.Read(buf)
		if err != nil {
			return nil, plainly(err)
		}
		if a, err := n.read(id, buf[:size]); err == nil {
			return a, nil
		}
	}
}

// overTCP writes the length of a message before it (RFC 1035, section 4.2.2).
func (n Name) overTCP(conn net.Conn, id uint16, q []byte) (*Answer, error) {
	if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(q))), q...)); err != nil {
		return nil, plainly(err)
	}
	buf := make([]byte, 1<<16)
	if _, err := io.ReadFull(conn, buf[:2]); err != nil {
		return nil, plainly(err)
	}
	buf = buf[:binary.BigEndian.Uint16(buf)]
	if _, err := io.ReadFull(conn, buf); err != nil {
		return nil, plainly(err)
	}
	return n.read(id, buf)
}
