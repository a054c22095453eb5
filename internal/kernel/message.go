package kernel

import (
	"encoding/binary"
	"iter"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

// nlaTypeMask is NLA_TYPE_MASK: a type without its nested and byte-order flags.
const nlaTypeMask = 0x3fff

// request makes a request on the kept socket. A dump during which the kernel's
// lists changed is asked for again.
func (k *Kernel) request(kind, flags int, data ...nl.NetlinkRequestData) *nl.NetlinkRequest {
	return &nl.NetlinkRequest{
		NlMsghdr: unix.NlMsghdr{
			Len:   unix.SizeofNlMsghdr,
			Type:  uint16(kind),
			Flags: unix.NLM_F_REQUEST | uint16(flags),
		},
		Data:             data,
		Sockets:          k.sockets,
		RetryInterrupted: true,
	}
}

// change sends a request and waits for the kernel's verdict.
func (k *Kernel) change(kind, flags int, data ...nl.NetlinkRequestData) error {
	_, err := k.request(kind, flags|unix.NLM_F_ACK, data...).Execute(unix.NETLINK_ROUTE, 0)
	return err
}

// dump asks for all objects of a kind.
func (k *Kernel) dump(kind, answer int, data ...nl.NetlinkRequestData) ([][]byte, error) {
	return k.request(kind, unix.NLM_F_DUMP, data...).Execute(unix.NETLINK_ROUTE, uint16(answer))
}

// attrs yields the attributes of a message behind its fixed header, the flag
// bits of their types cleared. It ends at the first malformed one.
func attrs(b []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size := int(native.Uint16(b))
			if size < unix.SizeofRtAttr || size > len(b) {
				return
			}
			kind := native.Uint16(b[2:]) & nlaTypeMask
			if !yield(int(kind), b[unix.SizeofRtAttr:size]) {
				return
			}
			b = b[min(align(size), len(b)):]
		}
	}
}

func align(n int) int { return (n + unix.RTA_ALIGNTO - 1) &^ (unix.RTA_ALIGNTO - 1) }

// number reads a 32-bit attribute, 0 when it is too short.
func number(b []byte) int {
	if len(b) < 4 {
		return 0
	}
	return int(int32(native.Uint32(b)))
}

func attr(kind int, value []byte) *nl.RtAttr { return nl.NewRtAttr(kind, value) }

func attr32(kind int, value int) *nl.RtAttr { return attr(kind, nl.Uint32Attr(uint32(value))) }

func attrText(kind int, text string) *nl.RtAttr { return attr(kind, nl.ZeroTerminated(text)) }

// parsed reads messages and leaves out those that parse does not take.
func parsed[T any](msgs [][]byte, parse func([]byte) (T, bool)) []T {
	list := make([]T, 0, len(msgs))
	for _, m := range msgs {
		if v, ok := parse(m); ok {
			list = append(list, v)
		}
	}
	return list
}
