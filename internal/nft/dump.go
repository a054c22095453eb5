package nft

import (
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// attr is a netlink attribute of a request.
type attr struct {
	kind  int
	value string
}

// get asks for objects of a family and returns the attributes of each answer.
// Only our table is asked for where the kernel can filter.
func (c *Conn) get(family byte, verb int, flags netlink.HeaderFlags, attrs ...attr) ([]attributes, error) {
	var payload attributes
	for _, a := range attrs {
		payload = payload.putText(a.kind, a.value)
	}
	replies, err := c.conn.Execute(message{family, verb, flags, payload}.netlink())
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

// generation is the number the kernel gives to each committed transaction of the
// namespace, whoever made it.
func (c *Conn) generation() (uint32, error) {
	answers, err := c.get(unix.NFPROTO_UNSPEC, unix.NFT_MSG_GETGEN, 0)
	if err != nil {
		return 0, fmt.Errorf("read nftables generation: %w", err)
	}
	if len(answers) != 1 {
		return 0, fmt.Errorf("read nftables generation: %d answers", len(answers))
	}
	return answers[0].uint32(unix.NFTA_GEN_ID), nil
}
