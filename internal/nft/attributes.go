package nft

import (
	"encoding/binary"
	"iter"
	"slices"

	"golang.org/x/sys/unix"
)

// attributes are netlink attributes as they came, or as they are sent: an
// observation has thousands, and most are looked at once. What is cut off or
// absent reads as zero.
type attributes []byte

// all yields the type and value of each attribute.
func (a attributes) all() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for kind, whole := range a.whole() {
			if !yield(kind, whole[unix.SizeofNlAttr:]) {
				return
			}
		}
	}
}

// whole yields the type of each attribute, and all its bytes but the padding.
func (a attributes) whole() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for len(a) >= unix.SizeofNlAttr {
			size := int(binary.NativeEndian.Uint16(a))
			kind := binary.NativeEndian.Uint16(a[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if size < unix.SizeofNlAttr || size > len(a) || !yield(int(kind), a[:size]) {
				return
			}
			a = a[min(aligned(size), len(a)):]
		}
	}
}

func aligned(n int) int { return (n + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1) }

// bytes returns the value of an attribute, nil when it is absent.
func (a attributes) bytes(kind int) []byte {
	for k, value := range a.all() {
		if k == kind {
			return value
		}
	}
	return nil
}

// nested returns the attributes that an attribute holds.
func (a attributes) nested(kind int) attributes { return a.bytes(kind) }

func (a attributes) text(kind int) string   { return cname(a.bytes(kind)) }
func (a attributes) uint32(kind int) uint32 { return uint32(be(a.bytes(kind))) }
func (a attributes) uint64(kind int) uint64 { return be(a.bytes(kind)) }

// be reads a number in network byte order, as nftables sends all of them.
func be(b []byte) (n uint64) {
	for _, x := range b {
		n = n<<8 | uint64(x)
	}
	return n
}

// put appends an attribute.
func (a attributes) put(kind int, value []byte) attributes {
	a = binary.NativeEndian.AppendUint16(a, uint16(unix.SizeofNlAttr+len(value)))
	a = binary.NativeEndian.AppendUint16(a, uint16(kind))
	return pad(append(a, value...))
}

func (a attributes) putText(kind int, s string) attributes { return a.put(kind, append([]byte(s), 0)) }

func (a attributes) putUint32(kind int, n uint32) attributes {
	return a.put(kind, binary.BigEndian.AppendUint32(nil, n))
}

func (a attributes) putNested(kind int, inner attributes) attributes {
	return a.put(kind|unix.NLA_F_NESTED, inner)
}

// without returns the attributes but those of a type.
func (a attributes) without(gone int) (kept attributes) {
	for kind, whole := range a.whole() {
		if kind != gone {
			kept = pad(append(kept, whole...))
		}
	}
	return kept
}

// keep returns the attributes of these types, in their order, as they came.
func (a attributes) keep(kinds ...int) (kept attributes) {
	for kind, whole := range a.whole() {
		if slices.Contains(kinds, kind) {
			kept = pad(append(kept, whole...))
		}
	}
	return kept
}
