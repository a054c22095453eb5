package hostlink

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"kvmnet/internal/netns"
)

// socket speaks rtnetlink in one namespace. It sends many requests at a time, so that
// the kernel works through them in one call, and nothing of ours comes between.
type socket struct {
	fd  int
	seq uint32
}

// request is a message to the kernel.
type request struct {
	kind, flags uint16
	body        []byte
}

// Sizes of buffers: of the socket, and of one answer (the kernel's dumps come in parts
// of 32 KiB at most).
const (
	socketBuffer = 4 << 20
	answerBuffer = 64 << 10
)

// most is how many requests go to the kernel at a time. The answer to each waits in
// the socket's buffer until all are done.
const most = 1024

func open(ns *netns.NS) (s *socket, err error) {
	err = ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		s = &socket{fd: fd}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open rtnetlink socket: %w", err)
	}
	for _, o := range []struct{ level, name, value int }{
		{unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, socketBuffer},
		{unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer},
		{unix.SOL_NETLINK, unix.NETLINK_EXT_ACK, 1},
		{unix.SOL_NETLINK, unix.NETLINK_CAP_ACK, 1},
	} {
		// Smaller buffers and shorter errors do, too.
		_ = unix.SetsockoptInt(s.fd, o.level, o.name, o.value)
	}
	if err := unix.SetsockoptTimeval(s.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 30}); err != nil {
		s.close()
		return nil, fmt.Errorf("set timeout of rtnetlink socket: %w", err)
	}
	return s, nil
}

func (s *socket) close() { unix.Close(s.fd) }

// send writes requests one behind the other and returns the number of the first.
func (s *socket) send(reqs []request) (first uint32, err error) {
	first = s.seq + 1
	var b []byte
	for _, r := range reqs {
		s.seq++
		b = native.AppendUint32(b, uint32(unix.SizeofNlMsghdr+len(r.body)))
		b = native.AppendUint16(b, r.kind)
		b = native.AppendUint16(b, r.flags|unix.NLM_F_REQUEST)
		b = native.AppendUint32(b, s.seq)
		b = native.AppendUint32(b, 0)
		b = append(b, r.body...)
		b = append(b, make([]byte, align(len(r.body))-len(r.body))...)
	}
	for {
		err = unix.Sendto(s.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
		if !errors.Is(err, unix.EINTR) {
			return first, err
		}
	}
}

// answer is one message of the kernel.
type answer struct {
	kind, flags uint16
	seq         uint32
	body        []byte
}

// receive reads what has come, at least one message.
func (s *socket) receive(buf []byte) (list []answer, err error) {
	n, _, err := unix.Recvfrom(s.fd, buf, 0)
	for errors.Is(err, unix.EINTR) {
		n, _, err = unix.Recvfrom(s.fd, buf, 0)
	}
	if err != nil {
		return nil, err
	}
	for b := buf[:n]; len(b) >= unix.SizeofNlMsghdr; {
		size := int(native.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return nil, errors.New("the kernel's answer is cut off")
		}
		list = append(list, answer{
			kind: native.Uint16(b[4:]), flags: native.Uint16(b[6:]), seq: native.Uint32(b[8:]),
			body: b[unix.SizeofNlMsghdr:size],
		})
		b = b[min(align(size), len(b)):]
	}
	return list, nil
}

// change makes the kernel do all requests, each whether or not those before it could
// be done, and returns the verdict on each.
func (s *socket) change(reqs []request) ([]error, error) {
	var verdicts []error
	for len(reqs) > 0 {
		part := reqs[:min(most, len(reqs))]
		reqs = reqs[len(part):]
		v, err := s.changePart(part)
		verdicts = append(verdicts, v...)
		if err != nil {
			return verdicts, fmt.Errorf("talk to the kernel: %w", err)
		}
	}
	return verdicts, nil
}

func (s *socket) changePart(reqs []request) ([]error, error) {
	for i := range reqs {
		reqs[i].flags |= unix.NLM_F_ACK
	}
	first, err := s.send(reqs)
	if err != nil {
		return nil, err
	}
	verdicts := make([]error, len(reqs))
	buf := make([]byte, answerBuffer)
	for open := len(reqs); open > 0; {
		list, err := s.receive(buf)
		if err != nil {
			return nil, err
		}
		for _, a := range list {
			if i := a.seq - first; a.kind == unix.NLMSG_ERROR && int(i) < len(reqs) {
				verdicts[i] = verdict(a)
				open--
			}
		}
	}
	return verdicts, nil
}

// dump asks for all objects of a kind, again if they changed meanwhile.
func (s *socket) dump(kind uint16, head []byte) ([][]byte, error) {
	for range 20 {
		list, torn, err := s.dumpOnce(kind, head)
		if err != nil || !torn {
			return list, err
		}
	}
	return nil, errors.New("the kernel's list changes all the time")
}

func (s *socket) dumpOnce(kind uint16, head []byte) (list [][]byte, torn bool, err error) {
	first, err := s.send([]request{{kind, unix.NLM_F_DUMP, head}})
	if err != nil {
		return nil, false, err
	}
	for {
		buf := make([]byte, answerBuffer) // kept: the list is of slices of it
		answers, err := s.receive(buf)
		if err != nil {
			return nil, false, err
		}
		for _, a := range answers {
			torn = torn || a.flags&unix.NLM_F_DUMP_INTR != 0
			switch {
			case a.seq != first:
			case a.kind == unix.NLMSG_DONE, a.kind == unix.NLMSG_ERROR:
				return list, torn, verdict(a)
			default:
				list = append(list, a.body)
			}
		}
	}
}

// Attributes of an extended acknowledgement (linux/netlink.h).
const ackMessage = 1

// verdict reads an acknowledgement: nil, or the errno with what the kernel says of it.
func verdict(a answer) error {
	if len(a.body) < 4 || native.Uint32(a.body) == 0 {
		return nil
	}
	errno := unix.Errno(-int32(native.Uint32(a.body)))
	if a.flags&unix.NLM_F_ACK_TLVS == 0 || len(a.body) < 4+unix.SizeofNlMsghdr {
		return errno
	}
	// A capped acknowledgement has the header of the request only.
	for kind, data := range attributes(a.body[4+unix.SizeofNlMsghdr:]) {
		if kind == ackMessage {
			return fmt.Errorf("%s: %w", unix.ByteSliceToString(data), errno)
		}
	}
	return errno
}
