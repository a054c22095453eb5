package socket

import (
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// The ports that are listened to.
const (
	portDHCP4  = 67
	portDHCP6  = 547
	portClient = 68 // of DHCPv4 clients
)

const (
	icmpSolicit = 133 // RFC 4861 section 4.1
	arpReply    = 2   // RFC 826
)

// attach runs a filter in the kernel on all that comes in to a socket.
func attach(fd int, program []bpf.Instruction) error {
	raw, err := bpf.Assemble(program)
	if err != nil {
		return fmt.Errorf("assemble filter: %w", err)
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &fprog); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
}

// nothing drops all that comes in.
var nothing = []bpf.Instruction{bpf.RetConstant{Val: 0}}

// wanted takes the few kinds of messages a Link is for. Every packet that guests
// send to or through the host passes here, so what is most is decided first: TCP
// costs four instructions. The program sees a frame without its Ethernet header.
// Fragments are left out: no DHCP message has any, and only a first one shows its
// port. In IPv6 a message behind an extension header is none of ours.
var wanted = assembleLabels([]step{
	{ins: bpf.LoadExtension{Num: bpf.ExtProto}},
	{eq: unix.ETH_P_IP, els: "six"},
	{ins: bpf.LoadAbsolute{Off: 9, Size: 1}},
	{eq: unix.IPPROTO_UDP, els: "no"},
	{ins: bpf.LoadAbsolute{Off: 6, Size: 2}},
	{none: 0x3fff, els: "no"}, // more fragments, or an offset
	{ins: bpf.LoadMemShift{Off: 0}},
	{ins: bpf.LoadIndirect{Off: 2, Size: 2}},
	{eq: portDHCP4, els: "no"},
	{to: "mine"},

	{label: "six", eq: unix.ETH_P_IPV6, els: "arp"},
	{ins: bpf.LoadAbsolute{Off: 6, Size: 1}},
	{eq: unix.IPPROTO_UDP, els: "icmp"},
	{ins: bpf.LoadAbsolute{Off: 42, Size: 2}},
	{eq: portDHCP6, els: "no"},
	{to: "mine"},

	{label: "icmp", eq: unix.IPPROTO_ICMPV6, els: "no"},
	{ins: bpf.LoadAbsolute{Off: 40, Size: 1}},
	{eq: icmpSolicit, els: "no"},
	{to: "mine"},

	{label: "arp", eq: unix.ETH_P_ARP, els: "no"},
	{ins: bpf.LoadAbsolute{Off: 6, Size: 2}},
	{eq: arpReply, els: "no"},

	// A bridge that somebody listens to in promiscuous mode shows what goes from
	// guest to guest, too.
	{label: "mine", ins: bpf.LoadExtension{Num: bpf.ExtType}},
	{ne: unix.PACKET_OTHERHOST, els: "no"},
	{ins: bpf.RetConstant{Val: slotSize}},
	{label: "no", ins: bpf.RetConstant{Val: 0}},
})

// step is an instruction of a filter, or a jump whose target is a label: one of
// eq, ne and none goes on when it holds and jumps to els when not; to always
// jumps.
type step struct {
	label        string
	ins          bpf.Instruction
	eq, ne, none uint32
	els, to      string
}

// assembleLabels turns labels into distances.
func assembleLabels(steps []step) []bpf.Instruction {
	at := map[string]int{}
	for i, s := range steps {
		if s.label != "" {
			at[s.label] = i
		}
	}
	program := make([]bpf.Instruction, len(steps))
	for i, s := range steps {
		skip := uint8(at[s.els] - i - 1)
		switch {
		case s.ins != nil:
			program[i] = s.ins
		case s.to != "":
			program[i] = bpf.Jump{Skip: uint32(at[s.to] - i - 1)}
		case s.eq != 0:
			program[i] = bpf.JumpIf{Cond: bpf.JumpEqual, Val: s.eq, SkipFalse: skip}
		case s.ne != 0:
			program[i] = bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: s.ne, SkipFalse: skip}
		default:
			program[i] = bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: s.none, SkipFalse: skip}
		}
	}
	return program
}
