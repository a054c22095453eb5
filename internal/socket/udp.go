package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// Datagram is a query and its answer.
type Datagram struct {
	From  netip.AddrPort // without zone: Index says which link it means
	Index int            // interface by which it came; when the host itself asks, the one that has the address asked
	Data  []byte         // at most 2 KiB, valid until the handler returns
	Reply []byte         // empty, with room for 4 KiB; what the handler puts here is sent to From
}

const replySize = 4096

// UDP is a socket on one address.
type UDP struct {
	conn  *conn
	four  bool
	tally tally
}

// udpBuffer holds a burst of some thousand queries.
const udpBuffer = 4 << 20

// ListenUDP opens a socket on an address, which the host need not have yet. A
// link-local address carries its interface as the zone. When somebody else has
// the port, the error is a *TakenError.
func ListenUDP(ns *netns.NS, addr netip.AddrPort) (*UDP, error) {
	u := &UDP{four: addr.Addr().Is4()}
	domain := unix.AF_INET6
	if u.four {
		domain = unix.AF_INET
	}
	var err error
	u.conn, err = open(ns, domain, unix.SOCK_DGRAM, 0, func(fd int) error { return u.prepare(fd, addr) })
	if err != nil {
		err = taken(err, ns, "udp", addr.Addr().String(), addr, 0)
		return nil, fmt.Errorf("listen on udp %s: %w", addr, err)
	}
	return u, nil
}

func (u *UDP) prepare(fd int, addr netip.AddrPort) (err error) {
	options := []option{
		{"IPV6_V6ONLY", unix.SOL_IPV6, unix.IPV6_V6ONLY, 1},
		{"IPV6_FREEBIND", unix.SOL_IPV6, unix.IPV6_FREEBIND, 1},
		{"IPV6_RECVPKTINFO", unix.SOL_IPV6, unix.IPV6_RECVPKTINFO, 1},
	}
	if u.four {
		options = []option{
			{"IP_FREEBIND", unix.SOL_IP, unix.IP_FREEBIND, 1},
			{"IP_PKTINFO", unix.SOL_IP, unix.IP_PKTINFO, 1},
		}
	}
	if err := set(fd, options...); err != nil {
		return err
	}
	receiveBuffer(fd, udpBuffer)
	var zone int
	if name := addr.Addr().Zone(); name != "" {
		if zone, err = indexOf(fd, name); err != nil {
			return err
		}
	}
	return bind(fd, addr, zone)
}

// Close ends Serve.
func (u *UDP) Close() error { return u.conn.close() }

// Counters returns what was counted so far. Lost is not known of UDP.
func (u *UDP) Counters() Counters { return u.tally.counters() }

var exchanges = sync.Pool{New: func() any {
	e := &exchange{}
	e.wire()
	return e
}}

// Serve reads queries and hands them out in batches, until Close, when it returns
// nil. The replies of a batch leave together. Several goroutines may serve one
// socket.
func (u *UDP) Serve(handle func(batch []Datagram)) error {
	r := newReader[*exchange](u.conn, &exchanges)
	send := sending{u: u}
	send.try = send.once
	for {
		e, err := r.next()
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case err != nil && !passing(err):
			return fmt.Errorf("receive: %w", err)
		case err != nil:
			continue
		}
		handle(u.unpack(e))
		send.all(e)
		exchanges.Put(e)
	}
}

// passing says whether the next read may go well: the kernel reports an ICMP
// error, or that it had no memory, once.
func passing(err error) bool {
	switch err {
	case unix.ECONNREFUSED, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.ENETDOWN, unix.EMSGSIZE, unix.ENOMEM, unix.ENOBUFS:
		return true
	}
	return false
}

// unpack makes datagrams of what was received. Those that were cut off are left
// out.
func (u *UDP) unpack(e *exchange) []Datagram {
	list := e.datagrams[:0]
	for i := range e.n {
		data, whole := e.message(i)
		if !whole {
			u.tally.malformed.Add(1)
			continue
		}
		e.slots[len(list)] = i
		list = append(list, Datagram{
			From: e.names[i].addrPort(), Index: u.arrival(e, i), Data: data, Reply: e.replies[i][:0],
		})
	}
	u.tally.received.Add(uint64(e.n))
	e.used = len(list)
	return list
}

// arrival is the interface by which a message came: the first field of
// in_pktinfo, the last of in6_pktinfo.
func (u *UDP) arrival(e *exchange, i int) int {
	if u.four {
		if info := e.ancillary(i, unix.SOL_IP, unix.IP_PKTINFO); len(info) >= unix.SizeofInet4Pktinfo {
			return int(binary.NativeEndian.Uint32(info))
		}
		return 0
	}
	if info := e.ancillary(i, unix.SOL_IPV6, unix.IPV6_PKTINFO); len(info) >= unix.SizeofInet6Pktinfo {
		return int(binary.NativeEndian.Uint32(info[16:]))
	}
	return 0
}

// Send sends an answer that took longer than the handler. It may be called from
// any goroutine and never waits: what the kernel has no room for is dropped and
// counted. The index is that of the query.
func (u *UDP) Send(to netip.AddrPort, index int, data []byte) error {
	if to.Addr().Is4() != u.four {
		return fmt.Errorf("send to %s: the socket is of the other family", to)
	}
	s := senders.Get().(*sender)
	s.size = s.to.setAddrPort(to, index)
	err := s.send(u.conn, data)
	if err == nil {
		u.tally.sent.Add(1)
		return nil
	}
	u.tally.dropped.Add(1)
	if full(err) {
		return nil
	}
	return fmt.Errorf("send to %s: %w", to, err)
}
