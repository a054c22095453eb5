package plan

import "net/netip"

// Flow is a connection as conntrack knows it in one namespace.
type Flow struct {
	NS        string
	Protocol  uint8 // IP protocol number: 6 TCP, 17 UDP, 132 SCTP, 1 ICMP, 58 ICMPv6
	Orig      Tuple // as the one who began it sent it
	Reply     Tuple // as the answers come in
	DNAT      bool  // its destination was rewritten
	SNAT      bool  // its source was rewritten
	Permitted bool  // our program let it begin: it has the label 107
	Mark      uint32
}

// Tuple is one direction of a flow. Of protocols without ports they are 0, and of
// ICMP the identifier and the type and code, so that a flow can be found again.
type Tuple struct {
	Src, Dst netip.AddrPort
}
