package nft

import (
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// ForeignChain is a chain of somebody else's table.
type ForeignChain struct {
	Family, Table, Name string
	Hook                string // input or forward, "" where it is on no hook, or another one
	Drops               bool   // a packet that nobody accepts
}

// ForeignChains lists the chains of all tables but ours for routed packets, iptables'
// by way of nftables among them. Those of the old iptables are not here.
func (c *Conn) ForeignChains() (all []ForeignChain, err error) {
	for _, family := range []struct {
		number byte
		name   string
	}{{unix.NFPROTO_INET, "inet"}, {unix.NFPROTO_IPV4, "ip"}, {unix.NFPROTO_IPV6, "ip6"}} {
		found, err := c.get(family.number, unix.NFT_MSG_GETCHAIN, netlink.Dump)
		if err != nil {
			return nil, fmt.Errorf("read chains of family %s: %w", family.name, err)
		}
		for _, ch := range found {
			if table := ch.text(unix.NFTA_CHAIN_TABLE); table != Table {
				all = append(all, ForeignChain{family.name, table, ch.text(unix.NFTA_CHAIN_NAME), hookOf(ch),
					ch.bytes(unix.NFTA_CHAIN_POLICY) != nil && ch.uint32(unix.NFTA_CHAIN_POLICY) == verdictDrop})
			}
		}
	}
	return all, nil
}

// hookOf names the hook of a chain of routed packets.
func hookOf(ch attributes) string {
	hook := ch.nested(unix.NFTA_CHAIN_HOOK)
	if ch.bytes(unix.NFTA_CHAIN_HOOK) == nil {
		return ""
	}
	return map[uint32]string{unix.NF_INET_LOCAL_IN: "input", unix.NF_INET_FORWARD: "forward"}[hook.uint32(unix.NFTA_HOOK_HOOKNUM)]
}
