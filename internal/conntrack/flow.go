package conntrack

import (
	"encoding/binary"
	"iter"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// Label is the bit by which our program marks the connections it let begin.
const Label = 107

// typeMask is NLA_TYPE_MASK: a type without its nested and byte-order flags.
const typeMask = 0x3fff

// The parts of ICMP in a tuple (enum ctattr_l4proto).
const (
	icmpID = iota + 4
	icmpType
	icmpCode
	icmp6ID
	icmp6Type
	icmp6Code
)

// Bits of the status (enum ip_conntrack_status).
const (
	statusSNAT = 1 << 4
	statusDNAT = 1 << 5
)

// wordBits are the bits of a word of the labels, which are an array of words in
// the order of the machine.
const wordBits = 32

// parse reads a message of a dump behind its header; ok is false when it is in a
// zone or holds no connection.
func parse(m []byte) (f plan.Flow, ok bool) {
	zone := false
	for kind, v := range attrs(m[min(nl.SizeofNfgenmsg, len(m)):]) {
		switch kind {
		case nl.CTA_TUPLE_ORIG:
			f.Orig, f.Protocol = parseTuple(v)
		case nl.CTA_TUPLE_REPLY:
			f.Reply, _ = parseTuple(v)
		case nl.CTA_STATUS:
			status := number(v)
			f.SNAT, f.DNAT = status&statusSNAT != 0, status&statusDNAT != 0
		case nl.CTA_MARK:
			f.Mark = number(v)
		case nl.CTA_LABELS:
			f.Permitted = labelled(v)
		case nl.CTA_ZONE:
			zone = true
		}
	}
	return f, !zone && f.Orig.Src.Addr().IsValid() && f.Reply.Src.Addr().IsValid()
}

func labelled(labels []byte) bool {
	const word = Label / wordBits * 4
	return len(labels) >= word+4 && binary.NativeEndian.Uint32(labels[word:])&(1<<(Label%wordBits)) != 0
}

// parseTuple reads one direction. Where there are no ports, ICMP has its
// identifier for that of the source, and its type and code for the other: without
// them the kernel would not find the connection again.
func parseTuple(b []byte) (t plan.Tuple, protocol uint8) {
	var src, dst netip.Addr
	var from, to uint16
	for kind, v := range attrs(b) {
		for part, v := range attrs(v) {
			switch {
			case kind == nl.CTA_TUPLE_IP && (part == nl.CTA_IP_V4_SRC || part == nl.CTA_IP_V6_SRC):
				src, _ = netip.AddrFromSlice(v)
			case kind == nl.CTA_TUPLE_IP && (part == nl.CTA_IP_V4_DST || part == nl.CTA_IP_V6_DST):
				dst, _ = netip.AddrFromSlice(v)
			case kind == nl.CTA_TUPLE_PROTO && part == nl.CTA_PROTO_NUM && len(v) > 0:
				protocol = v[0]
			case kind == nl.CTA_TUPLE_PROTO:
				parsePart(part, v, &from, &to)
			}
		}
	}
	return plan.Tuple{Src: netip.AddrPortFrom(src, from), Dst: netip.AddrPortFrom(dst, to)}, protocol
}

func parsePart(part int, v []byte, from, to *uint16) {
	switch {
	case len(v) >= 2 && (part == nl.CTA_PROTO_SRC_PORT || part == icmpID || part == icmp6ID):
		*from = binary.BigEndian.Uint16(v)
	case len(v) >= 2 && part == nl.CTA_PROTO_DST_PORT:
		*to = binary.BigEndian.Uint16(v)
	case len(v) > 0 && (part == icmpType || part == icmp6Type):
		*to |= uint16(v[0]) << 8
	case len(v) > 0 && (part == icmpCode || part == icmp6Code):
		*to |= uint16(v[0])
	}
}

// tupleAttr describes the direction in which a connection began.
func tupleAttr(f plan.Flow) *nl.RtAttr {
	src, dst := nl.CTA_IP_V4_SRC, nl.CTA_IP_V4_DST
	if f.Orig.Src.Addr().Is6() {
		src, dst = nl.CTA_IP_V6_SRC, nl.CTA_IP_V6_DST
	}
	tuple := nl.NewRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_ORIG, nil)
	ip := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_IP, nil)
	ip.AddRtAttr(src, f.Orig.Src.Addr().AsSlice())
	ip.AddRtAttr(dst, f.Orig.Dst.Addr().AsSlice())
	proto := tuple.AddRtAttr(unix.NLA_F_NESTED|nl.CTA_TUPLE_PROTO, nil)
	proto.AddRtAttr(nl.CTA_PROTO_NUM, []byte{f.Protocol})
	from, to := f.Orig.Src.Port(), f.Orig.Dst.Port()
	switch f.Protocol {
	case unix.IPPROTO_ICMP:
		addEcho(proto, icmpID, icmpType, icmpCode, from, to)
	case unix.IPPROTO_ICMPV6:
		addEcho(proto, icmp6ID, icmp6Type, icmp6Code, from, to)
	default:
		proto.AddRtAttr(nl.CTA_PROTO_SRC_PORT, binary.BigEndian.AppendUint16(nil, from))
		proto.AddRtAttr(nl.CTA_PROTO_DST_PORT, binary.BigEndian.AppendUint16(nil, to))
	}
	return tuple
}

func addEcho(proto *nl.RtAttr, id, kind, code int, from, to uint16) {
	proto.AddRtAttr(id, binary.BigEndian.AppendUint16(nil, from))
	proto.AddRtAttr(kind, []byte{byte(to >> 8)})
	proto.AddRtAttr(code, []byte{byte(to)})
}

// attrs yields the attributes of a message behind its fixed header, the flag bits
// of their types cleared. It ends at the first malformed one.
func attrs(b []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for len(b) >= unix.SizeofRtAttr {
			size := int(binary.NativeEndian.Uint16(b))
			if size < unix.SizeofRtAttr || size > len(b) {
				return
			}
			if !yield(int(binary.NativeEndian.Uint16(b[2:])&typeMask), b[unix.SizeofRtAttr:size]) {
				return
			}
			b = b[min((size+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1), len(b)):]
		}
	}
}

// number reads a number in network order, 0 when it is too short.
func number(v []byte) uint32 {
	if len(v) < 4 {
		return 0
	}
	return binary.BigEndian.Uint32(v)
}
