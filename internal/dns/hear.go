package dns

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// listen hands on what a server answers to our question. Anything else on the
// socket is somebody's attempt to be taken for the server.
func (x *exchange) listen(ctx context.Context, server netip.AddrPort, c conn, id uint16) {
	b := make([]byte, mostUDP)
	for {
		n, err := c.Read(b)
		h := heard{from: server, err: err}
		if err == nil {
			h.m = x.match(b[:n], id)
		}
		if h.m == nil && (err == nil || errors.Is(err, io.EOF)) { // EOF is a datagram of no bytes
			continue
		}
		select {
		case x.heard <- h:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// match reads an answer, nil when it is not one to our question. Errors may come
// without the question.
func (x *exchange) match(b []byte, id uint16) *dns.Msg {
	if len(b) < headerLen || binary.BigEndian.Uint16(b) != id || b[2]&(flagQR>>8) == 0 {
		return nil
	}
	m, q := &dns.Msg{}, x.question.Question[0]
	if err := m.Unpack(b); err != nil && !m.Truncated {
		return nil
	}
	switch {
	case m.Opcode != dns.OpcodeQuery:
		return nil
	case len(m.Question) == 0 && isError(m.Rcode):
		m.Question = x.question.Question
	case len(m.Question) != 1 || m.Question[0].Qtype != q.Qtype || m.Question[0].Qclass != q.Qclass || !strings.EqualFold(m.Question[0].Name, q.Name):
		return nil
	}
	return m
}

// isError tells the codes by which a server says that it does not know rather
// than that there is nothing.
func isError(code int) bool { return code != dns.RcodeSuccess && code != dns.RcodeNameError }

// stream asks over TCP (RFC 7766).
func (x *exchange) stream(ctx context.Context, server netip.AddrPort) (*dns.Msg, error) {
	deadline := time.Now().Add(streaming)
	if x.deadline.Before(deadline) {
		deadline = x.deadline
	}
	c, err := x.dial(server, true, deadline)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	c.SetDeadline(deadline)
	u := x.conns[server]
	b, err := x.pack(u)
	if err != nil {
		return nil, err
	}
	if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)); err != nil {
		return nil, err
	}
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	b = make([]byte, binary.BigEndian.Uint16(size[:]))
	if _, err := io.ReadFull(c, b); err != nil {
		return nil, err
	}
	m := x.match(b, u.id)
	if m == nil || m.Truncated {
		return nil, errors.New("the answer over TCP is not one to the question")
	}
	return m, nil
}
