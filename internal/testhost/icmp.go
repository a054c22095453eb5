package testhost

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// pinger is a raw ICMP socket that asks one address under a random identifier.
// It is not connected: so it also hears the errors that routers on the way send,
// and tells its own by the packet quoted in them.
type pinger struct {
	*socket
	to      netip.Addr
	dest    unix.Sockaddr
	id      uint16
	payload []byte // the same in every echo, against identifiers that collide
	buf     []byte
}

func newPinger(ns *netns.NS, p Probe) (*pinger, error) {
	proto := unix.IPPROTO_ICMP
	if p.To.Is6() {
		proto = unix.IPPROTO_ICMPV6
	}
	var seed [10]byte
	rand.Read(seed[:])
	g := &pinger{
		to:      p.To.WithZone(""),
		id:      binary.BigEndian.Uint16(seed[:]),
		payload: append(seed[2:], make([]byte, max(0, p.Size-8))...),
		buf:     make([]byte, 1<<16),
	}
	p.FromPort = 0
	var err error
	g.socket, err = openSocket(ns, domain(p.To), unix.SOCK_RAW, proto, func(fd int) (err error) {
		if g.dest, err = sockaddr(p.To, 0); err != nil {
			return err
		}
		return p.prepare(fd)
	})
	if err != nil {
		return nil, fmt.Errorf("ping %s: %w", p.To, err)
	}
	return g, nil
}

// ask sends echo request seq. The kernel fills in the checksum for ICMPv6 only.
func (g *pinger) ask(seq uint16) error {
	m := make([]byte, 8, 8+len(g.payload))
	m[0] = echoRequest(g.to.Is6())
	binary.BigEndian.PutUint16(m[4:], g.id)
	binary.BigEndian.PutUint16(m[6:], seq)
	m = append(m, g.payload...)
	if g.to.Is4() {
		binary.BigEndian.PutUint16(m[2:], checksum(0, m))
	}
	return g.send(m, g.dest)
}

// hear waits for one message and says which of our requests it is about. A
// message that is not about ours is the zero Result.
func (g *pinger) hear() (Result, uint16, error) {
	n, from, err := g.recv(g.buf)
	if err != nil {
		return Result{}, 0, err
	}
	m := g.buf[:n]
	if g.to.Is4() { // raw IPv4 sockets deliver the IP header as well
		if n < 20 || n < int(m[0]&15)*4 {
			return Result{}, 0, nil
		}
		m = m[int(m[0]&15)*4:]
	}
	r, seq := g.judge(m, from.Addr())
	return r, seq, nil
}

// judge reads an ICMP message: our echo reply, or an error that quotes our echo
// request.
func (g *pinger) judge(m []byte, from netip.Addr) (Result, uint16) {
	if len(m) < 8 {
		return Result{}, 0
	}
	v6 := g.to.Is6()
	if m[0] == echoReply(v6) && g.ours(m) && bytes.Equal(m[8:], g.payload) {
		return Result{OK: true, By: from}, binary.BigEndian.Uint16(m[6:])
	}
	reason := icmpReason(v6, m[0], m[1])
	if reason == "" {
		return Result{}, 0
	}
	quoted := quotedEcho(m[8:], g.to)
	if quoted == nil || quoted[0] != echoRequest(v6) || !g.ours(quoted) {
		return Result{}, 0
	}
	return Result{Reason: reason, By: from}, binary.BigEndian.Uint16(quoted[6:])
}

func (g *pinger) ours(m []byte) bool { return binary.BigEndian.Uint16(m[4:]) == g.id }

// quotedEcho finds the ICMP header in the packet that an error quotes, when that
// packet went to the address; else nil.
func quotedEcho(p []byte, to netip.Addr) []byte {
	header := 40
	if to.Is4() && len(p) >= 20 {
		header = int(p[0]&15) * 4
	}
	if len(p) < header+8 {
		return nil
	}
	if to.Is4() && netip.AddrFrom4([4]byte(p[16:20])) == to || to.Is6() && netip.AddrFrom16([16]byte(p[24:40])) == to {
		return p[header:]
	}
	return nil
}

func echoRequest(v6 bool) uint8 {
	if v6 {
		return 128
	}
	return 8
}

func echoReply(v6 bool) uint8 {
	if v6 {
		return 129
	}
	return 0
}

// askICMP sends echo requests until one is answered or refused.
func askICMP(ctx context.Context, ns *netns.NS, p Probe) Result {
	g, err := newPinger(ns, p)
	if err != nil {
		return failed(err)
	}
	defer g.Close()
	seq := uint16(0)
	send := func() error { seq++; return g.ask(seq) }
	return repeat(ctx, g.socket, p.Timeout, send, func() (Result, error) {
		r, _, err := g.hear()
		return r, err
	})
}
