package kernel

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// The library asks for extended error messages when it opens a socket, and only
// by this variable. Without them a refusal is a bare errno.
func init() { nl.EnableErrorMessageReporting = true }

// Kernel is one network namespace seen through rtnetlink. Its methods may be
// called from any goroutine; requests on its one socket take turns.
type Kernel struct {
	ns      *netns.NS
	name    string
	sockets map[int]*nl.SocketHandle
	release release
	peers   func(name string) (*Kernel, bool)
}

// An Option is more than Open must know.
type Option func(*Kernel)

// Peers tells how to find the Kernel of another namespace by its name, "" being
// the daemon's own. Links that lead from one to the other need both.
func Peers(find func(name string) (*Kernel, bool)) Option {
	return func(k *Kernel) { k.peers = find }
}

// Open binds to a network namespace. The name is what its objects carry in their
// NS field, "" for the daemon's own. The namespace stays the caller's and must
// be open as long as the Kernel is.
func Open(ns *netns.NS, name string, options ...Option) (*Kernel, error) {
	s, err := nl.GetNetlinkSocketAt(vns.NsHandle(ns.Fd()), vns.None(), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	// Strict checks make the kernel filter dumps itself, and refuse what it
	// would otherwise ignore.
	if err := unix.SetsockoptInt(s.GetFd(), unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1); err != nil {
		s.Close()
		return nil, fmt.Errorf("set strict checks of rtnetlink socket: %w", err)
	}
	s.SetSendTimeout(&nl.SocketTimeoutTv)
	s.SetReceiveTimeout(&nl.SocketTimeoutTv)
	k := &Kernel{
		ns:      ns,
		name:    name,
		sockets: map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: {Socket: s}},
		release: running(),
	}
	for _, o := range options {
		o(k)
	}
	return k, nil
}

// peer finds the Kernel of a namespace.
func (k *Kernel) peer(name string) (*Kernel, error) {
	if name == k.name {
		return k, nil
	}
	if k.peers != nil {
		if p, there := k.peers(name); there {
			return p, nil
		}
	}
	if name == "" {
		return nil, errors.New("the daemon's own network namespace is not known here")
	}
	return nil, fmt.Errorf("network namespace %s is not there", name)
}

// routers says whether the namespace is one that we made, for a router, and
// everything in it counts.
func (k *Kernel) routers() bool { return k.name != "" }

// Close releases the socket.
func (k *Kernel) Close() error { return k.sockets[unix.NETLINK_ROUTE].Close() }

// release is the version of a kernel, 5.18 as {5, 18}.
type release struct{ major, minor int }

// running is the version of the running kernel, zero when it cannot be read.
func running() (r release) {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &r.major, &r.minor)
	}
	return r
}

func (r release) before(major, minor int) bool {
	return r.major < major || r.major == major && r.minor < minor
}

// marksAddrs says whether the kernel keeps the origin of an address.
func (r release) marksAddrs() bool { return !r.before(5, 18) }
