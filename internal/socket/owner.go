package socket

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// bound is a socket that has a port.
type bound struct {
	addr  netip.Addr
	index int // interface it is bound to, 0 = none
	inode uint32
}

// sock_diag(7): a request and an answer are a header and these.
const (
	sizeDiagRequest = unix.SizeofNlMsghdr + 56 // struct inet_diag_req_v2
	sizeDiagAnswer  = 72                       // struct inet_diag_msg
	tcpListen       = 10                       // TCP_LISTEN of tcp_states.h
)

// boundTo lists the sockets of a namespace that have a port; of TCP those that
// listen. /proc/net would not tell which interface a socket is bound to, and port
// 67 is often held once an interface.
func boundTo(ns *netns.NS, protocol uint8, port uint16) (list []bound, err error) {
	err = ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
		if err != nil {
			return fmt.Errorf("open socket diagnosis: %w", err)
		}
		defer unix.Close(fd)
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			some, err := diagnose(fd, family, protocol, port)
			if err != nil {
				return fmt.Errorf("list sockets: %w", err)
			}
			list = append(list, some...)
		}
		return nil
	})
	return list, err
}

// diagnose asks for the sockets of one family and reads the answers up to the
// end of the dump.
func diagnose(fd int, family, protocol uint8, port uint16) (list []bound, err error) {
	if err := unix.Sendto(fd, diagRequest(family, protocol, port), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	buf := make([]byte, 1<<15)
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err != nil {
			return nil, err
		}
		some, end, err := diagAnswers(buf[:n])
		list = append(list, some...)
		if end || err != nil {
			return list, err
		}
	}
}

func diagRequest(family, protocol uint8, port uint16) []byte {
	states := uint32(0xffffffff)
	if protocol == unix.IPPROTO_TCP {
		states = 1 << tcpListen
	}
	ne := binary.NativeEndian
	b := make([]byte, sizeDiagRequest)
	ne.PutUint32(b, sizeDiagRequest)
	ne.PutUint16(b[4:], unix.SOCK_DIAG_BY_FAMILY)
	ne.PutUint16(b[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	b[16], b[17] = family, protocol
	ne.PutUint32(b[20:], states)
	binary.BigEndian.PutUint16(b[24:], port)
	return b
}

// diagAnswers reads the messages of one datagram of a dump.
func diagAnswers(b []byte) (list []bound, end bool, err error) {
	ne := binary.NativeEndian
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(ne.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return list, true, unix.EBADMSG
		}
		body := b[unix.SizeofNlMsghdr:size]
		switch kind := ne.Uint16(b[4:]); {
		case kind == unix.NLMSG_DONE:
			return list, true, nil
		case kind == unix.NLMSG_ERROR && len(body) >= 4:
			return list, true, unix.Errno(-int32(ne.Uint32(body)))
		case kind == unix.SOCK_DIAG_BY_FAMILY && len(body) >= sizeDiagAnswer:
			list = append(list, parseBound(body))
		}
		b = b[min((size+3)&^3, len(b)):]
	}
	return list, false, nil
}

func parseBound(m []byte) bound {
	ne := binary.NativeEndian
	b := bound{index: int(ne.Uint32(m[40:])), inode: ne.Uint32(m[68:])}
	if m[0] == unix.AF_INET {
		b.addr = netip.AddrFrom4([4]byte(m[8:]))
	} else {
		b.addr = netip.AddrFrom16([16]byte(m[8:])).Unmap()
	}
	return b
}

// found is where the last socket was found. A server that listens on all addresses
// keeps every network from its port, and to look through all processes takes tens
// of milliseconds.
var found struct {
	sync.Mutex
	file string // the descriptor below /proc
}

// owner finds a process that has a socket open.
func owner(inode uint32) (pid int, command string, ok bool) {
	found.Lock()
	defer found.Unlock()
	want := fmt.Sprintf("socket:[%d]", inode)
	if target, _ := os.Readlink(found.file); target != want {
		found.file = search(want)
	}
	if found.file == "" {
		return 0, "", false
	}
	dir := filepath.Dir(filepath.Dir(found.file))
	pid, _ = strconv.Atoi(filepath.Base(dir))
	comm, err := os.ReadFile(dir + "/comm")
	return pid, strings.TrimSuffix(string(comm), "\n"), err == nil
}

// search finds a descriptor by what it leads to, "" = no process has it, or one
// that is not ours to see.
func search(target string) string {
	lists, _ := filepath.Glob("/proc/[0-9]*/fd")
	for _, list := range lists {
		fds, _ := os.ReadDir(list) // empty when the process ended meanwhile
		for _, fd := range fds {
			file := filepath.Join(list, fd.Name())
			if got, _ := os.Readlink(file); got == target {
				return file
			}
		}
	}
	return ""
}
