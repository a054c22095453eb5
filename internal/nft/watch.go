package nft

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Watch calls wake when somebody, we included, has changed any rule in the
// namespace, and once when it begins to listen. It returns when the context ends,
// with its error, or when the socket fails. A wake-up says look, not what.
func (c *Conn) Watch(ctx context.Context, wake func()) error {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{
		NetNS:  c.ns.Fd(),
		Groups: 1 << (unix.NFNLGRP_NFTABLES - 1),
	})
	if err != nil {
		return fmt.Errorf("watch nftables: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()
	for changed := true; ; {
		if changed {
			c.forget()
			wake()
		}
		messages, err := conn.Receive()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, unix.ENOBUFS):
			changed = true // events were lost: something changed
		case err != nil:
			return fmt.Errorf("watch nftables: %w", err)
		default:
			changed = slices.ContainsFunc(messages, endsTransaction)
		}
	}
}

// endsTransaction tells the message that follows the objects of a transaction
// when it is complete.
func endsTransaction(m netlink.Message) bool {
	return m.Header.Type == unix.NFNL_SUBSYS_NFTABLES<<8|unix.NFT_MSG_NEWGEN
}
