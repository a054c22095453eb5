package nft

import (
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// message is one request to nftables about one of our tables.
type message struct {
	family byte
	verb   int // unix.NFT_MSG_…
	flags  netlink.HeaderFlags
	attrs  attributes
}

func (m message) netlink() netlink.Message {
	return netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | m.verb),
			Flags: netlink.Request | m.flags,
		},
		Data: append([]byte{m.family, unix.NFNETLINK_V0, 0, 0}, m.attrs...),
	}
}

// transaction collects changes that take effect at one instant, or not at all.
type transaction struct {
	messages []netlink.Message
	family   byte   // of the table that is changed
	sets     uint32 // anonymous sets made so far, which are numbered
}

// begin returns a transaction on the main table.
func begin() transaction { return transaction{family: unix.NFPROTO_INET} }

// do adds a change that makes nothing: a deletion.
func (t *transaction) do(verb int, attrs attributes) {
	t.messages = append(t.messages, message{t.family, verb, 0, attrs}.netlink())
}

// make adds a change that makes what is not there yet. Rules are put behind those
// that are there.
func (t *transaction) make(verb int, attrs attributes) {
	t.messages = append(t.messages, message{t.family, verb, netlink.Create | netlink.Append, attrs}.netlink())
}

// boundary begins or ends a transaction.
func boundary(kind netlink.HeaderType) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: kind, Flags: netlink.Request},
		Data:   []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, unix.NFNL_SUBSYS_NFTABLES},
	}
}

// commit sends a transaction. The kernel has done it, or refused it, when the
// sending returns: its complaints are waiting then. The first is returned.
func (c *Conn) commit(t transaction) error {
	if len(t.messages) == 0 {
		return nil
	}
	whole := append([]netlink.Message{boundary(unix.NFNL_MSG_BATCH_BEGIN)}, t.messages...)
	whole = append(whole, boundary(unix.NFNL_MSG_BATCH_END))
	if err := c.makeRoom(whole); err != nil {
		return err
	}
	if _, err := c.conn.SendMessages(whole); err != nil {
		return fmt.Errorf("send to nftables: %w", err)
	}
	return c.complaints()
}

// makeRoom lets the socket take the whole transaction, which has to go in one
// piece.
func (c *Conn) makeRoom(messages []netlink.Message) error {
	need := 0
	for _, m := range messages {
		need += unix.NLMSG_HDRLEN + aligned(len(m.Data))
	}
	if need <= c.room {
		return nil
	}
	need = max(need, leastRoom)
	if err := c.conn.SetWriteBuffer(need); err != nil {
		return fmt.Errorf("make room for %d bytes to nftables: %w", need, err)
	}
	c.room = need
	return nil
}

const leastRoom = 1 << 18

func (c *Conn) complaints() (first error) {
	for {
		ready, err := c.readable()
		if err != nil || !ready {
			return firstOf(first, err)
		}
		_, err = c.conn.Receive()
		first = firstOf(first, err)
	}
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// readable reports whether an answer waits.
func (c *Conn) readable() (ready bool, err error) {
	raw, err := c.conn.SyscallConn()
	if err != nil {
		return false, err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		for {
			_, failed = unix.Poll(polled, 0)
			if failed != unix.EINTR {
				break
			}
		}
		ready = polled[0].Revents != 0
	})
	return ready, firstOf(err, failed)
}
