package conntrack

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
)

// Conn is the connection tracking of one network namespace. Its methods may be
// called from any goroutine; requests take turns.
type Conn struct {
	name    string
	sockets map[int]*nl.SocketHandle
}

// Open binds to a namespace. The name is what its flows carry in their NS field,
// "" for the daemon's own.
func Open(ns *netns.NS, name string) (*Conn, error) {
	s, err := nl.GetNetlinkSocketAt(vns.NsHandle(ns.Fd()), vns.None(), unix.NETLINK_NETFILTER)
	if err != nil {
		return nil, fmt.Errorf("open conntrack: %w", err)
	}
	s.SetSendTimeout(&nl.SocketTimeoutTv)
	s.SetReceiveTimeout(&nl.SocketTimeoutTv)
	return &Conn{name: name, sockets: map[int]*nl.SocketHandle{unix.NETLINK_NETFILTER: {Socket: s}}}, nil
}

// Close releases the socket.
func (c *Conn) Close() error { return c.sockets[unix.NETLINK_NETFILTER].Close() }

// List returns the connections of both families. Those in zones are left out: a
// zone is somebody else's, our program uses none. Both families come in one go,
// since the kernel goes through the connections of the whole machine.
func (c *Conn) List() ([]plan.Flow, error) {
	var list []plan.Flow
	err := c.request(nl.IPCTNL_MSG_CT_GET, unix.NLM_F_DUMP, unix.AF_UNSPEC).
		ExecuteIter(unix.NETLINK_NETFILTER, 0, func(m []byte) bool {
			if f, ok := parse(m); ok {
				f.NS = c.name
				list = append(list, f)
			}
			return true
		})
	if err != nil {
		return nil, fmt.Errorf("list connections: %w", err)
	}
	return list, nil
}

// Delete ends one connection. One that is gone is not an error.
func (c *Conn) Delete(f plan.Flow) error {
	family := uint8(unix.AF_INET)
	if f.Orig.Src.Addr().Is6() {
		family = unix.AF_INET6
	}
	r := c.request(nl.IPCTNL_MSG_CT_DELETE, unix.NLM_F_ACK, family)
	r.AddData(tupleAttr(f))
	_, err := r.Execute(unix.NETLINK_NETFILTER, 0)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("delete connection of %s to %s: %w", f.Orig.Src, f.Orig.Dst, err)
	}
	return nil
}

// request makes a message to ctnetlink; struct nfgenmsg follows its header.
func (c *Conn) request(kind, flags int, family uint8) *nl.NetlinkRequest {
	r := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_CTNETLINK<<8|kind, flags)
	r.Sockets = c.sockets
	r.AddData(&nl.Nfgenmsg{NfgenFamily: family, Version: nl.NFNETLINK_V0})
	return r
}
