package peers

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// Trace holds the DHCP messages of one client that passed an interface since it
// began.
type Trace struct{ capture *testhost.Capture }

// NewTrace listens on an interface of the host for the messages of a family, 4
// or 6, from and to a client, until the end of the test. What others on the
// network broadcast is not in it.
func NewTrace(t testing.TB, h *testhost.Host, ifname string, family int, client spec.MAC) *Trace {
	t.Helper()
	c, err := h.Capture(t.Context(), ifname, func(p testhost.Packet) bool {
		return p.Src.Is4() == (family == 4) && concerns(p, client)
	})
	if err != nil {
		t.Fatal(err)
	}
	return &Trace{c}
}

// concerns reports whether a packet is a message from or to the client. Answers
// of DHCPv4 may be broadcast, and name their client inside; those of DHCPv6 are
// sent to it alone.
func concerns(p testhost.Packet, client spec.MAC) bool {
	m, ok := parse(p)
	switch {
	case !ok:
		return false
	case m.Out:
		return p.SrcMAC == client
	case m.V4 != nil:
		return bytes.Equal(m.V4.ClientHWAddr, client[:])
	}
	return p.DstMAC == client
}

// Mark is the moment after all that was seen so far.
func (tr *Trace) Mark() time.Time {
	tr.capture.Packets() // reads what is queued
	return time.Now()
}

// Since lists the messages after a mark, oldest first.
func (tr *Trace) Since(mark time.Time) (list []Message) {
	for _, p := range tr.capture.Packets() {
		if m, ok := parse(p); ok && p.At.After(mark) {
			list = append(list, m)
		}
	}
	return list
}

// saw reports whether the client sent such a message after a mark.
func (tr *Trace) saw(mark time.Time, what func(Message) bool) bool {
	return slices.ContainsFunc(tr.Since(mark), func(m Message) bool { return m.Out && what(m) })
}

// Last is the last message of a type, or nil if there was none.
func (tr *Trace) Last(kind string) *Message {
	all := tr.Since(time.Time{})
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Type == kind {
			return &all[i]
		}
	}
	return nil
}

// answer is the last message that gave a lease, or nil.
func (tr *Trace) answer(family int) *Message {
	return tr.Last(map[int]string{4: "ACK", 6: "REPLY"}[family])
}

// Sent waits for a message of the client after a mark.
func (tr *Trace) Sent(ctx context.Context, mark time.Time, what func(Message) bool) (Message, error) {
	return tr.wait(ctx, mark, func(m Message) bool { return m.Out && what(m) })
}

// Answered waits until a message of the client was answered by one of the types,
// and returns the answer.
func (tr *Trace) Answered(ctx context.Context, mark time.Time, what func(Message) bool, types ...string) (Message, error) {
	asked := map[uint32]bool{}
	return tr.wait(ctx, mark, func(m Message) bool {
		if m.Out && what(m) {
			asked[m.XID] = true
		}
		return !m.Out && asked[m.XID] && slices.Contains(types, m.Type)
	})
}

func (tr *Trace) wait(ctx context.Context, mark time.Time, match func(Message) bool) (found Message, err error) {
	_, err = tr.capture.Wait(ctx, func(p testhost.Packet) bool {
		m, ok := parse(p)
		if ok = ok && p.At.After(mark) && match(m); ok {
			found = m
		}
		return ok
	})
	if err != nil {
		return Message{}, fmt.Errorf("%w; since then passed: %s", err, lines(tr.Since(mark)))
	}
	return found, nil
}

// lines prints messages, one a line.
func lines(list []Message) string {
	var b strings.Builder
	for _, m := range list {
		b.WriteString("\n\t" + m.String())
	}
	if b.Len() == 0 {
		return "nothing"
	}
	return b.String()
}
