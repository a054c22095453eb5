package verify

import (
	"encoding/binary"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"kvmnet/internal/testhost"
)

// exit listens at all doors of a place and reports marked packets that leave it,
// those by an interface that is a network's own apart. A filter in the kernel keeps all
// other traffic away from us. It sees packets as they leave: after routing,
// filters and NAT.
type exit struct {
	place  *place
	ledger *ledger
	file   *os.File
	raw    syscall.RawConn
	done   chan struct{}

	mu     sync.Mutex
	closed bool
	buf    []byte
}

func listen(p *place, l *ledger) (*exit, error) {
	e := &exit{place: p, ledger: l, done: make(chan struct{}), buf: make([]byte, 1<<16)}
	var fd int
	err := p.ns.Do(func() (err error) {
		fd, err = openExit(l.run)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listen for what leaves: %w", err)
	}
	e.file = os.NewFile(uintptr(fd), "exit")
	if e.raw, err = e.file.SyscallConn(); err != nil {
		e.file.Close()
		return nil, fmt.Errorf("listen for what leaves: %w", err)
	}
	go e.run()
	return e, nil
}

// openExit makes a cooked packet socket, because uplinks without Ethernet header
// (PPP, tun) look the same through it. It hears nothing before its filter is set.
func openExit(run [4]byte) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, fmt.Errorf("open socket: %w", err)
	}
	defer func() {
		if err != nil {
			unix.Close(fd)
		}
	}()
	program, err := marked(binary.BigEndian.Uint32(run[:]))
	if err != nil {
		return 0, err
	}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &program); err != nil {
		return 0, fmt.Errorf("attach filter: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8}); err != nil {
		return 0, fmt.Errorf("bind: %w", err)
	}
	return fd, nil
}

// marked is the filter: echo requests, echo replies, datagrams and segments whose
// data begins with the mark of the run. A packet quoted in an ICMP error has it
// further behind, so errors are not taken for probes. A load beyond the packet's
// end refuses it.
func marked(run uint32) (unix.SockFprog, error) {
	const short, long, ipv6 = 8, 20, 40 // headers of ICMP and UDP, of TCP without options, of IPv6
	raw, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 1},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 6, SkipTrue: 8},     // to IPv6
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 4, SkipTrue: 14}, // to the refusal
		bpf.LoadMemShift{Off: 0},                                 // X = length of the IPv4 header
		bpf.LoadAbsolute{Off: 9, Size: 1},                        // protocol
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: 2},
		bpf.LoadIndirect{Off: short, Size: 4}, // what follows both headers
		bpf.Jump{Skip: 7},                     // to the comparison
		bpf.LoadIndirect{Off: long, Size: 4},
		bpf.Jump{Skip: 5},                 // to the comparison
		bpf.LoadAbsolute{Off: 6, Size: 1}, // IPv6: next header
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.IPPROTO_TCP, SkipTrue: 2},
		bpf.LoadAbsolute{Off: ipv6 + short, Size: 4},
		bpf.Jump{Skip: 1}, // to the comparison
		bpf.LoadAbsolute{Off: ipv6 + long, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: run, SkipFalse: 1},
		bpf.RetConstant{Val: 1 << 16},
		bpf.RetConstant{Val: 0},
	})
	if err != nil {
		return unix.SockFprog{}, fmt.Errorf("assemble filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		filter[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}, nil
}

func (e *exit) run() {
	defer close(e.done)
	e.raw.Read(func(fd uintptr) bool {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.drain(int(fd))
		return e.closed
	})
}

// flush reports what is queued, so that "nothing left" is true when it is said.
func (e *exit) flush() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.raw.Control(func(fd uintptr) { e.drain(int(fd)) })
	}
}

// drain reads what is queued. The lock is held.
func (e *exit) drain(fd int) {
	for {
		n, sa, err := unix.Recvfrom(fd, e.buf, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR, err == unix.ENETDOWN: // some interface went down
			continue
		case err != nil:
			return
		}
		ll, ok := sa.(*unix.SockaddrLinklayer)
		if !ok || ll.Pkttype != unix.PACKET_OUTGOING || n == 0 {
			continue
		}
		name, inner := e.place.door(ll.Ifindex)
		p := parseIP(e.buf[:n])
		p.Interface, p.Outgoing = name, true
		e.ledger.add(p, sighting{by: e.place, inner: inner})
	}
}

// parseIP takes an IP packet apart.
func parseIP(b []byte) testhost.Packet {
	etherType := uint16(testhost.EtherIPv4)
	if b[0]>>4 == 6 {
		etherType = testhost.EtherIPv6
	}
	frame := binary.BigEndian.AppendUint16(make([]byte, 12, 14+len(b)), etherType)
	return testhost.ParsePacket(append(frame, b...))
}

// Close ends the listening.
func (e *exit) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	err := e.file.Close()
	<-e.done
	return err
}
