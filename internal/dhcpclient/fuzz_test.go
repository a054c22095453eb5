package dhcpclient

import (
	"encoding/json"
	"net"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/socket"
)

// offerBytes is a server's answer with all that is read.
func offerBytes(change ...dhcpv4.Modifier) []byte {
	all := append([]dhcpv4.Modifier{dhcpv4.WithMessageType(dhcpv4.MessageTypeOffer), dhcpv4.WithHwAddr(ownMAC[:]), dhcpv4.WithYourIP(net.IPv4(192, 0, 2, 9)),
		dhcpv4.WithServerIP(server.AsSlice()), dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server.AsSlice())), dhcpv4.WithLeaseTime(3600),
		dhcpv4.WithNetmask([]byte{255, 255, 255, 0}), dhcpv4.WithRouter(server.AsSlice())}, change...)
	m, err := dhcpv4.New(all...)
	if err != nil {
		panic(err)
	}
	m.OpCode = dhcpv4.OpcodeBootReply
	return m.ToBytes()
}

func decodeBytes(b []byte) (answer, bool) {
	return decode(socket.Packet{MAC: serverMAC, Payload: b}, ownMAC)
}

func TestAnswersThatSayNothingOfUseAreNone(t *testing.T) {
	t.Parallel()
	if _, ok := decodeBytes(offerBytes()); !ok {
		t.Error("a good one is refused")
	}
	for name, change := range map[string]dhcpv4.Modifier{
		"no type":            dhcpv4.WithoutOption(dhcpv4.OptionDHCPMessageType),
		"a request":          dhcpv4.WithMessageType(dhcpv4.MessageTypeRequest),
		"no server":          dhcpv4.WithoutOption(dhcpv4.OptionServerIdentifier),
		"server is nobody":   dhcpv4.WithOption(dhcpv4.OptServerIdentifier(net.IPv4zero)),
		"no time":            dhcpv4.WithoutOption(dhcpv4.OptionIPAddressLeaseTime),
		"time of 0":          dhcpv4.WithLeaseTime(0),
		"no address":         dhcpv4.WithYourIP(net.IPv4zero),
		"many":               dhcpv4.WithYourIP(net.IPv4(224, 0, 0, 1)),
		"loopback":           dhcpv4.WithYourIP(net.IPv4(127, 0, 0, 1)),
		"broadcast":          dhcpv4.WithYourIP(net.IPv4bcast),
		"mask with holes":    dhcpv4.WithGeneric(dhcpv4.OptionSubnetMask, []byte{255, 0, 255, 0}),
		"mask of everything": dhcpv4.WithNetmask([]byte{0, 0, 0, 0}),
		"somebody else's":    dhcpv4.WithHwAddr(serverMAC[:]),
		"short address":      dhcpv4.WithHwAddr(ownMAC[:4]),
	} {
		if a, ok := decodeBytes(offerBytes(change)); ok {
			t.Errorf("%s: %+v", name, a)
		}
	}
}

func TestWhatIsReadOfAnAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change dhcpv4.Modifier
		ok     func(answer) bool
	}{
		"no mask":           {dhcpv4.WithoutOption(dhcpv4.OptionSubnetMask), func(a answer) bool { return a.lease.Address == netip.MustParsePrefix("192.0.2.9/24") }},
		"no router":         {dhcpv4.WithoutOption(dhcpv4.OptionRouter), func(a answer) bool { return !a.lease.Gateway.IsValid() }},
		"itself is router":  {dhcpv4.WithRouter(net.IPv4(192, 0, 2, 9)), func(a answer) bool { return !a.lease.Gateway.IsValid() }},
		"for ever":          {dhcpv4.WithLeaseTime(0xffffffff), func(a answer) bool { return a.life == 0 && a.renew == 0 }},
		"usual times":       {dhcpv4.WithLeaseTime(800), func(a answer) bool { return a.renew == 400*time.Second && a.rebind == 700*time.Second }},
		"T1 behind T2":      {dhcpv4.WithOption(dhcpv4.OptRenewTimeValue(3500 * time.Second)), func(a answer) bool { return a.renew == 30*time.Minute }},
		"domain with bells": {dhcpv4.WithOption(dhcpv4.OptDomainName("a\x07b.c\n")), func(a answer) bool { return a.lease.Domain == "ab.c" }},
	} {
		if a, ok := decodeBytes(offerBytes(c.change)); !ok || !c.ok(a) {
			t.Errorf("%s: %v %+v", name, ok, a)
		}
	}
}

// A server may put options where the file and its name would be.
func TestOptionsInTheFieldsOfTheFile(t *testing.T) {
	t.Parallel()
	b := offerBytes(dhcpv4.WithoutOption(dhcpv4.OptionRouter), dhcpv4.WithGeneric(dhcpv4.OptionOptionOverload, []byte{3}))
	copy(b[108:], []byte{3, 4, 192, 0, 2, 5, 255})
	copy(b[44:], []byte{15, 3, 'a', '.', 'b', 255})
	if a, ok := decodeBytes(b); !ok || a.lease.Gateway != netip.MustParseAddr("192.0.2.5") || a.lease.Domain != "a.b" {
		t.Errorf("%v %+v", ok, a)
	}
}

// FuzzDecode: whatever a server sends, the client takes a lease that makes sense,
// or none.
func FuzzDecode(f *testing.F) {
	f.Add(offerBytes())
	f.Add(offerBytes(dhcpv4.WithMessageType(dhcpv4.MessageTypeNak), dhcpv4.WithOption(dhcpv4.OptMessage("no"))))
	f.Add(offerBytes(dhcpv4.WithGeneric(dhcpv4.OptionClasslessStaticRoute, []byte{0, 192, 0, 2, 1, 24, 10, 8, 7, 0, 0, 0, 0})))
	f.Add(offerBytes(dhcpv4.WithGeneric(dhcpv4.OptionOptionOverload, []byte{3})))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := decodeBytes(b)
		if !ok || a.kind == nak {
			return
		}
		m := machine{mac: ownMAC, random: func() uint64 { return 1 }, sent: epoch}
		m.adopt(a)
		if !m.lease.sound() || m.lease.over(epoch) {
			t.Errorf("took %+v", m.lease)
		}
		text, err := json.Marshal(m.lease)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parse(text); err != nil || !reflect.DeepEqual(back.acquired(), m.lease.acquired()) {
			t.Errorf("%s is read as %+v, %v", text, back, err)
		}
	})
}
