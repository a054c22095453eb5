package dns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	patience  = 800 * time.Millisecond // until the next server is asked, too
	exhausted = 5 * time.Second        // until an exchange is given up
	streaming = 3 * time.Second        // for one exchange over TCP
)

// exchange asks upstream servers one question. Each server has a socket that
// stays open to the end, so that a slow answer counts while others are asked.
type exchange struct {
	dial     func(to netip.AddrPort, stream bool, deadline time.Time) (conn, error)
	servers  []netip.AddrPort // in the order to ask them; not empty
	question *dns.Msg         // with EDNS
	sent     func(to netip.AddrPort)

	deadline time.Time
	conns    map[netip.AddrPort]*upstream
	heard    chan heard
	failed   map[netip.AddrPort]bool
	readers  sync.WaitGroup
	fallback *dns.Msg // an error that a server answered
	last     error
}

// upstream is a server in an exchange.
type upstream struct {
	conn  conn
	id    uint16
	plain bool // without EDNS
}

// heard is what a server answered.
type heard struct {
	from netip.AddrPort
	m    *dns.Msg
	err  error
}

// run asks until a server answers. The servers are asked in turn, the next one
// whenever one fails or is silent for a while, until all failed or the time is
// over. When all there is are errors of servers, the last of them is the answer.
func (x *exchange) run(ctx context.Context) (*dns.Msg, netip.AddrPort, error) {
	defer x.readers.Wait()
	x.deadline = time.Now().Add(exhausted)
	ctx, cancel := context.WithDeadline(ctx, x.deadline)
	defer cancel()
	x.conns, x.failed, x.heard = map[netip.AddrPort]*upstream{}, map[netip.AddrPort]bool{}, make(chan heard)
	defer x.close()
	for turn := 0; ; turn++ {
		server, ok := x.next(turn)
		if !ok || ctx.Err() != nil || !time.Now().Before(x.deadline) {
			return x.giveUp()
		}
		if err := x.ask(ctx, server); err != nil {
			x.fail(server, err)
			continue
		}
		if m, from := x.wait(ctx, server); m != nil {
			return m, from, nil
		}
	}
}

// next is the server whose turn it is among those that have not failed.
func (x *exchange) next(turn int) (netip.AddrPort, bool) {
	for i := range x.servers {
		if s := x.servers[(turn+i)%len(x.servers)]; !x.failed[s] {
			return s, true
		}
	}
	return netip.AddrPort{}, false
}

func (x *exchange) giveUp() (*dns.Msg, netip.AddrPort, error) {
	switch {
	case x.fallback != nil:
		return x.fallback, netip.AddrPort{}, nil
	case x.last == nil || !time.Now().Before(x.deadline):
		x.last = fmt.Errorf("no answer within %s", exhausted)
	}
	return nil, netip.AddrPort{}, x.last
}

func (x *exchange) fail(server netip.AddrPort, err error) {
	x.failed[server], x.last = true, fmt.Errorf("ask %s: %w", server, err)
}

func (x *exchange) close() {
	for _, u := range x.conns {
		u.conn.Close()
	}
}

// ask sends the question to a server, again when it was sent before.
func (x *exchange) ask(ctx context.Context, server netip.AddrPort) error {
	u := x.conns[server]
	fresh := u == nil
	if fresh {
		c, err := x.dial(server, false, x.deadline)
		if err != nil {
			return err
		}
		u = &upstream{conn: c, id: uint16(rand.Uint32())}
		x.conns[server] = u
		c.SetDeadline(x.deadline)
	}
	b, err := x.pack(u)
	if err != nil {
		return err
	}
	x.sent(server)
	if fresh {
		x.readers.Go(func() { x.listen(ctx, server, u.conn, u.id) })
	}
	_, err = u.conn.Write(b)
	return err
}

// pack makes the bytes of the question for a server.
func (x *exchange) pack(u *upstream) ([]byte, error) {
	m := *x.question
	m.Id = u.id
	if u.plain {
		m.Extra = nil
	}
	return m.Pack()
}

// wait takes the first good answer of any server. It returns nothing when it is
// time to ask the next one.
func (x *exchange) wait(ctx context.Context, current netip.AddrPort) (*dns.Msg, netip.AddrPort) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, current
		case <-timer.C:
			return nil, current
		case h := <-x.heard:
			if m := x.judge(ctx, h); m != nil {
				return m, h.from
			}
			if x.failed[current] {
				return nil, current
			}
		}
	}
}

// judge makes the best of what a server answered: an answer cut short is asked
// for over TCP, a server that does not know EDNS is asked without. Errors are
// kept in case that nobody knows better.
func (x *exchange) judge(ctx context.Context, h heard) *dns.Msg {
	switch {
	case h.err != nil:
		x.fail(h.from, h.err)
		return nil
	case h.m.Truncated:
		m, err := x.stream(ctx, h.from)
		if err != nil {
			x.fail(h.from, err)
			return nil
		}
		h.m = m
	}
	if !isError(h.m.Rcode) {
		return h.m
	}
	u := x.conns[h.from]
	if (h.m.Rcode == dns.RcodeFormatError || h.m.Rcode == dns.RcodeNotImplemented) && !u.plain {
		u.plain = true
		if x.ask(ctx, h.from) == nil {
			return nil
		}
	}
	x.fallback = h.m
	x.fail(h.from, errors.New(dns.RcodeToString[h.m.Rcode]))
	return nil
}
