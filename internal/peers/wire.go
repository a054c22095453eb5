package peers

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

// wire is a packet socket on eth0 of a host that tells of each packet whether
// its checksums are there.
type wire struct {
	fd    int
	index int
}

// openWire opens and binds the socket inside the host's namespace.
func openWire(h *testhost.Host) (*wire, error) {
	w := &wire{}
	err := h.NS().Do(func() (err error) {
		link, err := net.InterfaceByName(device)
		if err != nil {
			return err
		}
		w.index = link.Index
		w.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		pause := unix.NsecToTimeval((20 * time.Millisecond).Nanoseconds())
		err = errors.Join(
			unix.SetsockoptInt(w.fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
			unix.SetsockoptTimeval(w.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &pause),
			unix.Bind(w.fd, &unix.SockaddrLinklayer{Protocol: 0x0008, Ifindex: w.index}), // ETH_P_IP in network order
		)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open a packet socket on %s: %w", h.Name(), err)
	}
	return w, nil
}

func (w *wire) close() { unix.Close(w.fd) }

func (w *wire) send(frame []byte) error {
	return unix.Sendto(w.fd, frame, 0, &unix.SockaddrLinklayer{Ifindex: w.index, Protocol: 0x0008, Halen: 6})
}

// receive waits for the answer to a transaction. One that is not whole is an
// error.
func (w *wire) receive(ctx context.Context, xid dhcpv4.TransactionID) (*dhcpv4.DHCPv4, spec.MAC, error) {
	buf, oob := make([]byte, 1<<16), make([]byte, 256)
	for ctx.Err() == nil {
		n, oobn, _, from, err := unix.Recvmsg(w.fd, buf, oob, 0)
		if err == unix.EAGAIN || err == unix.EINTR || err == unix.ENETDOWN {
			continue
		}
		if err != nil {
			return nil, spec.MAC{}, err
		}
		p := testhost.ParsePacket(buf[:n])
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Pkttype == unix.PACKET_OUTGOING || p.Proto != testhost.UDP || p.DstPort != client4 {
			continue
		}
		m, err := dhcpv4.FromBytes(p.Payload)
		if err != nil || m.TransactionID != xid {
			continue
		}
		return m, p.SrcMAC, whole(buf[14:n], notReady(oob[:oobn]))
	}
	return nil, spec.MAC{}, ctx.Err()
}

// notReady reports what PACKET_AUXDATA says: the checksum is still to be filled
// in by the card, and what is in the packet is none.
func notReady(oob []byte) bool {
	messages, _ := unix.ParseSocketControlMessage(oob)
	for _, m := range messages {
		if m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data)&unix.TP_STATUS_CSUMNOTREADY != 0
		}
	}
	return false
}

// ErrChecksum is wrapped by the error of Strict when an answer is not whole.
var ErrChecksum = errors.New("the answer's checksum is not right")

// whole checks the IP header's and the UDP checksum of an IPv4 packet (RFC 791,
// RFC 768).
func whole(packet []byte, notReady bool) error {
	header, total := lengths(packet)
	if header < 20 || total < header+8 || total > len(packet) {
		return fmt.Errorf("%w: the packet is cut short", ErrChecksum)
	}
	datagram := packet[header:total]
	pseudo := append(append([]byte{}, packet[12:20]...), 0, 17, byte(len(datagram)>>8), byte(len(datagram)))
	switch {
	case sum(packet[:header]) != 0:
		return fmt.Errorf("%w: IP header", ErrChecksum)
	case notReady:
		return fmt.Errorf("%w: UDP, it is left to the card", ErrChecksum)
	case datagram[6] == 0 && datagram[7] == 0:
		return fmt.Errorf("%w: UDP, there is none", ErrChecksum)
	case sum(append(pseudo, datagram...)) != 0:
		return fmt.Errorf("%w: UDP", ErrChecksum)
	}
	return nil
}

// lengths of an IPv4 packet's header and of the whole, as the header says.
func lengths(packet []byte) (header, total int) {
	if len(packet) < 20 {
		return 0, 0
	}
	return int(packet[0]&15) * 4, int(binary.BigEndian.Uint16(packet[2:]))
}

// sum is the Internet checksum (RFC 1071); over data with its checksum it is 0.
func sum(b []byte) uint16 {
	var s uint32
	for i := 0; i+1 < len(b); i += 2 {
		s += uint32(b[i])<<8 | uint32(b[i+1])
	}
	if len(b)%2 == 1 {
		s += uint32(b[len(b)-1]) << 8
	}
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return ^uint16(s)
}

// frame is an Ethernet frame with a datagram from a DHCP client, checksums filled.
func frame(src, dst spec.MAC, from, to netip.Addr, payload []byte) []byte {
	f := append(append(append([]byte{}, dst[:]...), src[:]...), 0x08, 0x00)
	ip := make([]byte, 28, 28+len(payload))
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	copy(ip[12:], from.AsSlice())
	copy(ip[16:], to.AsSlice())
	binary.BigEndian.PutUint16(ip[10:], sum(ip[:20]))
	udp := ip[20:]
	binary.BigEndian.PutUint16(udp, client4)
	binary.BigEndian.PutUint16(udp[2:], server4)
	binary.BigEndian.PutUint16(udp[4:], uint16(8+len(payload)))
	ip = append(ip, payload...)
	pseudo := append(append([]byte{}, ip[12:20]...), 0, 17, ip[24], ip[25])
	binary.BigEndian.PutUint16(ip[26:], sum(append(pseudo, ip[20:]...)))
	return append(f, ip...)
}
