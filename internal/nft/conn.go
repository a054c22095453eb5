package nft

import (
	"errors"
	"fmt"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// Conn is our table in one network namespace. It may be used by several
// goroutines. Its socket stays open: closing one after a deletion waits for the
// kernel to free what was deleted, 12 ms each time.
type Conn struct {
	ns   *netns.NS
	name string

	mu    sync.Mutex
	conn  *netlink.Conn
	room  int        // bytes that fit into a transaction
	cache plan.State // what Observe saw at generation gen; nil = nothing known
	led   detours    // the same, beside it
	gen   uint32
}

// Open connects to nftables in a namespace, which must stay open as long as the
// Conn. The name is the one plan's objects carry, "" for the daemon's own
// namespace.
func Open(ns *netns.NS, name string) (*Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: ns.Fd()})
	if err != nil {
		return nil, fmt.Errorf("open nftables in namespace %q: %w", name, err)
	}
	// Each element of a transaction that is refused is complained of.
	if err := conn.SetReadBuffer(complaintsRoom); err != nil {
		return nil, errors.Join(fmt.Errorf("open nftables in namespace %q: %w", name, err), conn.Close())
	}
	return &Conn{ns: ns, name: name, conn: conn}, nil
}

const complaintsRoom = 1 << 22

// Close closes the socket; the table stays.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.conn.Close()
}

// forget makes the next Observe read the kernel.
func (c *Conn) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cache = nil
}
