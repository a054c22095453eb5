package testhost

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// Reason says why a probe was not answered, in the words of ping(8) and
// nft(8).
type Reason string

// The reasons. All but Timeout, Closed and Failed were said by somebody: an
// ICMP message (RFC 792, RFC 4443), a TCP reset, or the host's own kernel.
const (
	Timeout             Reason = "timeout"
	Refused             Reason = "refused" // port unreachable, or a reset
	AdminProhibited     Reason = "admin-prohibited"
	NetworkUnreachable  Reason = "network unreachable"
	HostUnreachable     Reason = "host unreachable"
	ProtocolUnreachable Reason = "protocol unreachable"
	TooBig              Reason = "packet too big"
	TimeExceeded        Reason = "time exceeded"
	NotPermitted        Reason = "not permitted" // the host's own firewall
	NoSource            Reason = "source address not available"
	Closed              Reason = "closed without an answer"
	Failed              Reason = "failed" // the probe itself could not be made
)

// icmpReason reads an ICMP error of either family; "" is not an error message.
func icmpReason(v6 bool, kind, code uint8) Reason {
	if v6 {
		return icmp6Reason(kind, code)
	}
	switch {
	case kind == 11:
		return TimeExceeded
	case kind != 3:
		return ""
	}
	switch code { // RFC 792 and RFC 1812, section 5.2.7.1
	case 0, 5, 6, 11:
		return NetworkUnreachable
	case 2:
		return ProtocolUnreachable
	case 3:
		return Refused
	case 4:
		return TooBig
	case 9, 10, 13:
		return AdminProhibited
	}
	return HostUnreachable
}

func icmp6Reason(kind, code uint8) Reason {
	switch kind { // RFC 4443, section 3
	case 1:
		switch code {
		case 0:
			return NetworkUnreachable
		case 1, 5, 6:
			return AdminProhibited
		case 4:
			return Refused
		}
		return HostUnreachable
	case 2:
		return TooBig
	case 3:
		return TimeExceeded
	case 4:
		return ProtocolUnreachable
	}
	return ""
}

// errnoReason reads what the host's own kernel said.
func errnoReason(err error) Reason {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, unix.ETIMEDOUT):
		return Timeout
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ECONNRESET):
		return Refused
	case errors.Is(err, unix.ENETUNREACH):
		return NetworkUnreachable
	case errors.Is(err, unix.EHOSTUNREACH):
		return HostUnreachable
	case errors.Is(err, unix.EACCES):
		return AdminProhibited
	case errors.Is(err, unix.EPERM):
		return NotPermitted
	case errors.Is(err, unix.EMSGSIZE):
		return TooBig
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return NoSource
	}
	return Failed
}

// because finds the reason of an error on a connected socket. The errno alone
// cannot tell a prohibited destination from an unreachable one over IPv4, so the
// ICMP message behind it is taken from the error queue, with the address of the
// machine that sent it.
func (s *socket) because(err error) (Reason, netip.Addr) {
	oob := make([]byte, 512)
	var n int
	queue := s.control(func(fd int) (err error) {
		_, n, _, _, err = unix.Recvmsg(fd, nil, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
		return err
	})
	if queue == nil {
		if reason, by := extendedError(oob[:n]); reason != "" {
			return reason, by
		}
	}
	return errnoReason(err), netip.Addr{}
}

// extendedError reads struct sock_extended_err and the address behind it:
// errno u32, origin u8, type u8, code u8, pad u8, info u32, data u32, sockaddr.
func extendedError(oob []byte) (Reason, netip.Addr) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return "", netip.Addr{}
	}
	for _, m := range messages {
		d := m.Data
		v6 := m.Header.Level == unix.IPPROTO_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if !v6 && (m.Header.Level != unix.IPPROTO_IP || m.Header.Type != unix.IP_RECVERR) || len(d) < 16 {
			continue
		}
		if origin := d[4]; origin != unix.SO_EE_ORIGIN_ICMP && origin != unix.SO_EE_ORIGIN_ICMP6 {
			return errnoReason(unix.Errno(binary.NativeEndian.Uint32(d))), netip.Addr{}
		}
		return icmpReason(v6, d[5], d[6]), offender(d[16:])
	}
	return "", netip.Addr{}
}

// offender reads the sockaddr of the machine that sent the ICMP message.
func offender(d []byte) netip.Addr {
	switch {
	case len(d) >= 8 && binary.NativeEndian.Uint16(d) == unix.AF_INET:
		return netip.AddrFrom4([4]byte(d[4:8]))
	case len(d) >= 24 && binary.NativeEndian.Uint16(d) == unix.AF_INET6:
		return netip.AddrFrom16([16]byte(d[8:24]))
	}
	return netip.Addr{}
}
