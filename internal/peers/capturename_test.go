package peers

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv6"
	"golang.org/x/sys/unix"

	"kvmnet/internal/testhost"
)

const routerSolicitation = 133

// roomOf names the room that answers a message, "" for what is none.
func roomOf(p testhost.Packet) string {
	switch {
	case p.Proto == testhost.UDP && p.DstPort == server4:
		return "dhcp4"
	case p.Proto == testhost.UDP && p.DstPort == server6:
		return "dhcp6"
	case p.Proto == testhost.UDP && p.DstPort == 53:
		return "dns"
	case p.Proto == testhost.ICMP && p.EtherType == testhost.EtherIPv6 && p.Type == routerSolicitation:
		return "radv"
	}
	return ""
}

// nameOf names a message: a REQUEST of DHCPv4 by the client's state (RFC 2131
// section 4.3.2), a relayed message of DHCPv6 by what is inside.
func nameOf(p testhost.Packet) string {
	switch roomOf(p) {
	case "dhcp4":
		m, err := dhcpv4.FromBytes(p.Payload)
		if err != nil {
			return "unreadable"
		}
		return name4(m, p.Dst)
	case "dhcp6":
		return name6(p.Payload)
	case "dns":
		return nameDNS(p.Payload)
	}
	return "solicitation"
}

func name4(m *dhcpv4.DHCPv4, to netip.Addr) string {
	kind := strings.ToLower(m.MessageType().String())
	switch {
	case kind == "discover" && m.RequestedIPAddress() != nil:
		return "discover-again"
	case kind != "request":
		return kind
	case len(m.ServerIdentifier()) > 0:
		return "request-selecting"
	case m.ClientIPAddr.Equal(net.IPv4zero):
		return "request-reboot"
	case broadcast(to):
		return "request-rebinding"
	}
	return "request-renewing"
}

func name6(payload []byte) string {
	m, err := dhcpv6.FromBytes(payload)
	if err != nil {
		return "unreadable"
	}
	inner, err := m.GetInnerMessage()
	if err != nil {
		return "unreadable"
	}
	name := strings.ToLower(inner.MessageType.String())
	if m.IsRelay() {
		name = "relayed-" + name
	}
	return name
}

// render is the text of a file: who sent what from where, and the payload.
func render(sc scene, p testhost.Packet) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s: %s, from %s to %s\n", sc.made, nameOf(p), p.Src, p.Dst)
	digits := hex.EncodeToString(anonymous(payload(p)))
	for len(digits) > 64 {
		b.WriteString(digits[:64] + "\n")
		digits = digits[64:]
	}
	b.WriteString(digits + "\n")
	return b.Bytes()
}

// payload is what a server sees: of UDP the data, of ICMPv6 the whole message, of
// which a capture leaves out the checksum (RFC 4443 section 2.3).
func payload(p testhost.Packet) []byte {
	if p.Proto == testhost.UDP {
		return p.Payload
	}
	m := append([]byte{p.Type, p.Code, 0, 0}, p.Payload...)
	pseudo := append(append([]byte{}, p.Src.AsSlice()...), p.Dst.AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(len(m)))
	pseudo = append(pseudo, 0, 0, 0, unix.IPPROTO_ICMPV6)
	binary.BigEndian.PutUint16(m[2:], sum(append(pseudo, m...)))
	return m
}

// anonymous blots out the release of this machine's kernel, which dhcpcd tells in
// its vendor class, at the same length.
func anonymous(b []byte) []byte {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return b
	}
	release := []byte(unix.ByteSliceToString(u.Release[:]))
	return bytes.ReplaceAll(b, release, bytes.Repeat([]byte("x"), len(release)))
}

func TestCapturedMessagesAreNamedByTheStateOfTheClient(t *testing.T) {
	t.Parallel()
	all, server := netip.MustParseAddr("255.255.255.255"), netip.MustParseAddr("10.9.0.1")
	mine := net.IPv4(10, 9, 0, 10)
	message := func(kind dhcpv4.MessageType, with ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
		m, err := dhcpv4.New(append(with, dhcpv4.WithMessageType(kind))...)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	request, wanted := dhcpv4.MessageTypeRequest, dhcpv4.WithOption(dhcpv4.OptRequestedIPAddress(mine))
	for want, c := range map[string]struct {
		m  *dhcpv4.DHCPv4
		to netip.Addr
	}{
		"discover":          {message(dhcpv4.MessageTypeDiscover), all},
		"discover-again":    {message(dhcpv4.MessageTypeDiscover, wanted), all},
		"request-selecting": {message(request, wanted, dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server.AsSlice()))), all},
		"request-reboot":    {message(request, wanted), all},
		"request-rebinding": {message(request, dhcpv4.WithClientIP(mine)), all},
		"request-renewing":  {message(request, dhcpv4.WithClientIP(mine)), server},
		"inform":            {message(dhcpv4.MessageTypeInform, dhcpv4.WithClientIP(mine)), server},
	} {
		p := testhost.Packet{Proto: testhost.UDP, DstPort: server4, Dst: c.to, Payload: c.m.ToBytes()}
		if got := nameOf(p); got != want || roomOf(p) != "dhcp4" {
			t.Errorf("got %s/%s, want %s", roomOf(p), got, want)
		}
	}
	inner, err := dhcpv6.NewMessage()
	if err != nil {
		t.Fatal(err)
	}
	inner.MessageType = dhcpv6.MessageTypeInformationRequest
	relayed, err := dhcpv6.EncapsulateRelay(inner, dhcpv6.MessageTypeRelayForward, net.ParseIP("fd09::1"), net.ParseIP("fe80::1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := name6(relayed.ToBytes()); got != "relayed-information-request" {
		t.Errorf("got %s", got)
	}
}

// A packet with its own checksum in it sums to 0.
func TestCapturedSolicitationIsWhole(t *testing.T) {
	t.Parallel()
	src, dst := netip.MustParseAddr("fe80::9"), netip.MustParseAddr("ff02::2")
	m := payload(testhost.Packet{Proto: testhost.ICMP, EtherType: testhost.EtherIPv6, Type: routerSolicitation, Src: src, Dst: dst, Payload: make([]byte, 4)})
	pseudo := append(append(src.AsSlice(), dst.AsSlice()...), 0, 0, 0, 8, 0, 0, 0, 58)
	if len(m) != 8 || m[0] != routerSolicitation || sum(append(pseudo, m...)) != 0 {
		t.Errorf("%x", m)
	}
}
