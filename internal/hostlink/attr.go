package hostlink

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"
)

var native = binary.NativeEndian

// typeMask is NLA_TYPE_MASK: a type without its nested and byte-order flags.
const typeMask = 0x3fff

// Attr is an attribute of an rtnetlink message, as the kernel told it.
type Attr struct {
	Type uint16 `json:"type"`
	Data []byte `json:"data,omitempty"`
}

// Attrs are the attributes of a message in the kernel's order.
type Attrs []Attr

// parseAttrs reads attributes and copies them. It ends at the first malformed one.
func parseAttrs(b []byte) (list Attrs) {
	for kind, data := range attributes(b) {
		list = append(list, Attr{kind, slices.Clone(data)})
	}
	return list
}

// attributes yields the attributes in b, the flag bits of their types cleared.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size := int(native.Uint16(b))
			if size < unix.SizeofRtAttr || size > len(b) {
				return
			}
			if !yield(native.Uint16(b[2:])&typeMask, b[unix.SizeofRtAttr:size]) {
				return
			}
			b = b[min(align(size), len(b)):]
		}
	}
}

func align(n int) int { return (n + unix.RTA_ALIGNTO - 1) &^ (unix.RTA_ALIGNTO - 1) }

// appendTo writes the attributes behind b.
func (l Attrs) appendTo(b []byte) []byte {
	for _, a := range l {
		size := unix.SizeofRtAttr + len(a.Data)
		b = native.AppendUint16(b, uint16(size))
		b = native.AppendUint16(b, a.Type)
		b = append(b, a.Data...)
		b = append(b, make([]byte, align(size)-size)...)
	}
	return b
}

// get is the value of an attribute, nil when it is not there.
func (l Attrs) get(kind uint16) []byte {
	for _, a := range l {
		if a.Type == kind {
			return a.Data
		}
	}
	return nil
}

// has says whether an attribute is there; some have no value.
func (l Attrs) has(kind uint16) bool {
	return slices.ContainsFunc(l, func(a Attr) bool { return a.Type == kind })
}

// number reads a 32-bit attribute, 0 when it is not there.
func (l Attrs) number(kind uint16) uint32 { return number(l.get(kind)) }

// text reads an attribute that is a string.
func (l Attrs) text(kind uint16) string { return unix.ByteSliceToString(l.get(kind)) }

// addr reads an attribute that is an address, the zero Addr when it is not there.
func (l Attrs) addr(kind uint16) netip.Addr {
	a, _ := netip.AddrFromSlice(l.get(kind))
	return a
}

// with puts an attribute in the place of the one of its type, or at the end.
func (l Attrs) with(kind uint16, data []byte) Attrs {
	l = slices.Clone(l)
	for i := range l {
		if l[i].Type == kind {
			l[i].Data = data
			return l
		}
	}
	return append(l, Attr{kind, data})
}

// without leaves out the attributes of some types.
func (l Attrs) without(kinds ...uint16) Attrs {
	return slices.DeleteFunc(slices.Clone(l), func(a Attr) bool { return slices.Contains(kinds, a.Type) })
}

// number reads 32 bits, 0 when there are fewer.
func number(b []byte) uint32 {
	switch {
	case len(b) >= 4:
		return native.Uint32(b)
	case len(b) >= 2:
		return uint32(native.Uint16(b))
	case len(b) == 1:
		return uint32(b[0])
	}
	return 0
}

func bytes32(n uint32) []byte { return native.AppendUint32(nil, n) }

func bytesText(s string) []byte { return append([]byte(s), 0) }
