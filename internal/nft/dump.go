package nft

import (
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// attr is a netlink attribute of a request.
type attr struct {
	kind  uint16
	value string
}

// get asks for objects of family inet and returns the attributes of each answer.
// Only our table is asked for where the kernel can filter.
func (c *Conn) get(message int, flags netlink.HeaderFlags, attrs ...attr) ([]attributes, error) {
	enc := netlink.NewAttributeEncoder()
	for _, a := range attrs {
		enc.String(a.kind, a.value)
	}
	payload, err := enc.Encode()
	if err != nil {
		return nil, err
	}
	replies, err := c.dump.Execute(netlink.Message{
		Header: netlink.Header{
			Type:  netlink.HeaderType(unix.NFNL_SUBSYS_NFTABLES<<8 | message),
			Flags: netlink.Request | flags,
		},
		Data: append([]byte{unix.NFPROTO_INET, unix.NFNETLINK_V0, 0, 0}, payload...),
	})
	if err != nil {
		return nil, err
	}
	answers := make([]attributes, 0, len(replies))
	for _, m := range replies {
		if len(m.Data) < 4 {
			return nil, fmt.Errorf("nftables answer of %d bytes", len(m.Data))
		}
		answers = append(answers, m.Data[4:])
	}
	return answers, nil
}

// attributes are netlink attributes as they came: an observation has thousands,
// and most are looked at once. What is cut off or absent reads as zero.
type attributes []byte

// all yields the type and value of each attribute.
func (a attributes) all() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for len(a) >= unix.SizeofNlAttr {
			size := int(binary.NativeEndian.Uint16(a))
			kind := binary.NativeEndian.Uint16(a[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
			if size < unix.SizeofNlAttr || size > len(a) || !yield(int(kind), a[unix.SizeofNlAttr:size]) {
				return
			}
			aligned := (size + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1)
			a = a[min(aligned, len(a)):]
		}
	}
}

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

// generation is the number the kernel gives to each committed transaction of the
// namespace, whoever made it.
func (c *Conn) generation() (uint32, error) {
	answers, err := c.get(unix.NFT_MSG_GETGEN, 0)
	if err != nil {
		return 0, fmt.Errorf("read nftables generation: %w", err)
	}
	if len(answers) != 1 {
		return 0, fmt.Errorf("read nftables generation: %d answers", len(answers))
	}
	return answers[0].uint32(unix.NFTA_GEN_ID), nil
}
