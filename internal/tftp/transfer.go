package tftp

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

// retries is how often packets are sent again before the client is given up.
const retries = 5

var (
	errStopped = errors.New("the client stopped the transfer")
	errChanged = fault{codeOther, "the file became shorter meanwhile"}
)

// transfer sends one file to one client. Blocks are numbered from 1; on the wire
// the numbers go on from 65535 to 0.
type transfer struct {
	conn    net.Conn // connected to the client
	file    content
	terms   terms
	timeout time.Duration

	acked  int64 // blocks the client has
	last   int64 // number of the last block, which is a short one
	packet []byte
	reply  []byte
}

func newTransfer(conn net.Conn, c content, t terms, timeout time.Duration) *transfer {
	if t.timeout > 0 {
		timeout = time.Duration(t.timeout) * time.Second
	}
	return &transfer{
		conn: conn, file: c, terms: t, timeout: timeout, last: c.size/int64(t.block) + 1,
		packet: make([]byte, 4+t.block), reply: make([]byte, 516),
	}
}

// run acknowledges the options, if there are any, and sends the blocks.
func (t *transfer) run() error {
	if len(t.terms.answer) > 0 {
		oack := t.terms.oack()
		send := func() (int64, error) { _, err := t.conn.Write(oack); return 0, err }
		if err := t.exchange(send); err != nil {
			return err
		}
	}
	for t.acked < t.last {
		if err := t.exchange(t.sendWindow); err != nil {
			return err
		}
	}
	return nil
}

// exchange sends until an acknowledgement comes. send tells the number of the
// last block that it sent.
func (t *transfer) exchange(send func() (int64, error)) error {
	for range 1 + retries {
		sent, err := send()
		if err != nil {
			return err
		}
		done, err := t.await(sent)
		if done || err != nil {
			return err
		}
	}
	return errors.New("the client does not answer")
}

// sendWindow sends the blocks that follow the acknowledged ones. They are read
// anew each time, so there is no memory of them.
func (t *transfer) sendWindow() (int64, error) {
	n := min(t.acked+int64(t.terms.window), t.last)
	for block := t.acked + 1; block <= n; block++ {
		if err := t.sendBlock(block); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (t *transfer) sendBlock(n int64) error {
	offset := (n - 1) * int64(t.terms.block)
	size := int(min(int64(t.terms.block), t.file.size-offset))
	binary.BigEndian.PutUint16(t.packet, opData)
	binary.BigEndian.PutUint16(t.packet[2:], uint16(n))
	if got, err := t.file.ReadAt(t.packet[4:4+size], offset); got < size {
		if errors.Is(err, io.EOF) {
			return errChanged
		}
		return faultOf(err)
	}
	_, err := t.conn.Write(t.packet[:4+size])
	return err
}

// await waits until the client acknowledges a block between those that it had
// and the last one sent. An acknowledgement of an earlier one is a duplicate, and
// sending again for it would double every packet from there on (RFC 1123 section
// 4.2.3.1). False is a client that says nothing.
func (t *transfer) await(sent int64) (bool, error) {
	if err := t.conn.SetReadDeadline(time.Now().Add(t.timeout)); err != nil {
		return false, err
	}
	for {
		n, err := t.conn.Read(t.reply)
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if n < 4 {
			continue
		}
		switch binary.BigEndian.Uint16(t.reply) {
		case opError:
			return false, errStopped
		case opAck:
			ahead := int64(binary.BigEndian.Uint16(t.reply[2:]) - uint16(t.acked))
			if ahead <= sent-t.acked && (ahead > 0 || sent == 0) {
				t.acked += ahead
				return true, nil
			}
		}
	}
}
