package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"

	"github.com/vishvananda/netlink/nl"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// listener is a socket that waits for others at an address and port.
type listener struct {
	at    netip.AddrPort
	dual  bool // it is an IPv6 socket that takes IPv4, too
	inode uint32
}

// sock_diag(7): a request and an answer are these behind the header.
const (
	sizeDiagRequest = 56 // struct inet_diag_req_v2
	sizeDiagAnswer  = 72 // struct inet_diag_msg
	only6           = 11 // INET_DIAG_SKV6ONLY
)

// States of sockets (tcp_states.h), which those of other protocols borrow: one of
// UDP that is connected to nobody is closed.
const (
	stateClose  = 7
	stateListen = 10
)

// transport is a protocol and the states of its sockets that wait for others.
type transport struct {
	protocol uint8
	states   uint32
	loaded   string // is there when the kernel can have such sockets; "" = always
}

// transports are asked about by name. The kernel would load the module of SCTP for
// a question; who has no such file has no such socket.
var transports = map[string]transport{
	"tcp":  {unix.IPPROTO_TCP, 1 << stateListen, ""},
	"udp":  {unix.IPPROTO_UDP, 1 << stateClose, ""},
	"sctp": {unix.IPPROTO_SCTP, 1 << stateListen, "/proc/net/sctp"},
}

// listeners lists the sockets of a namespace that wait for others.
func listeners(ns *netns.NS, t transport) ([]listener, error) {
	if t.loaded != "" {
		if _, err := os.Stat(t.loaded); err != nil {
			return nil, nil
		}
	}
	s, err := nl.GetNetlinkSocketAt(vns.NsHandle(ns.Fd()), vns.None(), unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("open socket diagnosis: %w", err)
	}
	defer s.Close()
	s.SetReceiveTimeout(&nl.SocketTimeoutTv)
	sockets := map[int]*nl.SocketHandle{unix.NETLINK_SOCK_DIAG: {Socket: s}}
	var list []listener
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		r := nl.NewNetlinkRequest(unix.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
		r.Sockets = sockets
		r.AddRawData(diagRequest(family, t))
		msgs, err := r.Execute(unix.NETLINK_SOCK_DIAG, unix.SOCK_DIAG_BY_FAMILY)
		if err != nil && !errors.Is(err, unix.ENOENT) { // without IPv6 nobody answers for it
			return nil, fmt.Errorf("list sockets: %w", err)
		}
		for _, m := range msgs {
			if l, ok := parseListener(m); ok {
				list = append(list, l)
			}
		}
	}
	return list, nil
}

func diagRequest(family uint8, t transport) []byte {
	b := make([]byte, sizeDiagRequest)
	b[0], b[1] = family, t.protocol
	native.PutUint32(b[4:], t.states)
	return b
}

// parseListener reads one socket; ok is false when it has no port.
func parseListener(m []byte) (l listener, ok bool) {
	if len(m) < sizeDiagAnswer {
		return l, false
	}
	port := binary.BigEndian.Uint16(m[4:])
	addr := netip.AddrFrom4([4]byte(m[8:12]))
	if m[0] == unix.AF_INET6 {
		addr = netip.AddrFrom16([16]byte(m[8:24])).Unmap()
	}
	l = listener{at: netip.AddrPortFrom(addr, port), dual: addr == netip.IPv6Unspecified(), inode: native.Uint32(m[68:])}
	for kind, v := range attrs(m[sizeDiagAnswer:]) {
		if kind == only6 && len(v) > 0 && v[0] != 0 {
			l.dual = false
		}
	}
	return l, port != 0
}
