package dhcp4

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/plan"
)

// codes lists the options of a message in order.
func codes(b []byte) (list []byte) {
	for i := headerSize; i < len(b) && b[i] != 255; i += 2 + int(b[i+1]) {
		list = append(list, b[i])
	}
	return list
}

func TestOptionsAreThoseAskedFor(t *testing.T) {
	t.Parallel()
	d := lab(func(s *plan.Scope) {
		s.Options = append(s.Options, plan.Option{Code: 121, Data: "\x00\xc0\xa8\x64\x01"}, plan.Option{Code: 249, Data: "x"}, plan.Option{Code: 26, Data: "\x05\xdc"})
	}, reserve(plan.Reservation{Name: "vm5.lab", MAC: guest(5), Addr: addr("192.168.100.50"), Options: []plan.Option{{Code: 6, Data: "\x08\x08\x08\x08"}, {Code: 42, Data: "\x01\x02\x03\x04"}}}))
	always := []byte{53, 54, 51, 58, 59, 1}
	for name, c := range map[string]struct {
		m    *dhcpv4.DHCPv4
		want []byte
	}{
		"in the client's order":       {msg(discover, guest(1), params(15, 6, 3, 1, 77)), []byte{15, 6, 3}},
		"none":                        {msg(discover, guest(1), params(77)), nil},
		"no list":                     {msg(discover, guest(1)), []byte{3, 6, 15, 121, 249, 26}},
		"routes and router":           {msg(discover, guest(1), params(3, 121)), []byte{3, 121}},
		"twice":                       {msg(discover, guest(1), params(3, 3, 51, 53, 54, 0, 255)), []byte{3}},
		"a reservation's":             {msg(discover, guest(5), params(6, 42, 12, 3)), []byte{6, 42, 3, 12}},
		"a reservation's, no list":    {msg(discover, guest(5)), []byte{3, 15, 121, 249, 26, 6, 42, 12}},
		"108 is not there":            {msg(discover, guest(1), params(108, 3)), []byte{3}},
		"the name is asked for":       {msg(discover, guest(1), params(12), text(optHostname, "me")), nil},
		"the relay's comes last":      {msg(discover, guest(1), params(3), opt(optRelayInfo, 1, 1, 'x'), opt(optFQDN, 1, 0, 0, 'm', 'e')), []byte{3, 81, 82}},
		"nothing of no use to inform": {msg(inform, guest(1), ciaddr("192.168.100.70"), params(3, 51, 58)), []byte{3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := append(slices.Clone(always), c.want...)
			if c.m.Options[optMessageType][0] == byte(inform) {
				want = append([]byte{53, 54, 1}, c.want...)
			}
			world(t, d, func(r *rig) {
				if got := codes(r.exchange(c.m).packet.Payload); !bytes.Equal(got, want) {
					t.Errorf("want %d\ngot  %d", want, got)
				}
			})
		})
	}
}

func TestOptionValues(t *testing.T) {
	t.Parallel()
	d := lab(reserve(plan.Reservation{Name: "VM5.lab", MAC: guest(5), Addr: addr("192.168.100.50"), Options: []plan.Option{{Code: 6, Data: "\x08\x08\x08\x08"}}}))
	world(t, d, func(r *rig) {
		got := r.exchange(msg(discover, guest(5), text(optClientID, "\x01id")))
		for code, want := range map[byte]string{
			1: "\xff\xff\xff\x00", 54: "\xc0\xa8\x64\x01", 6: "\x08\x08\x08\x08", 12: "vm5", 61: "\x01id", 15: "lab.internal",
		} {
			if string(got.opt(code)) != want {
				t.Errorf("option %d: want %q, got %q", code, want, got.opt(code))
			}
		}
		if n := len(got.packet.Payload); n < minSize {
			t.Errorf("%d bytes", n)
		}
		nak := r.exchange(msg(request, guest(5), asked("10.0.0.1"), text(optClientID, "\x01id"), params(1, 3)))
		if got := codes(nak.packet.Payload); !bytes.Equal(got, []byte{53, 54, 61, 56}) {
			t.Errorf("a NAK has the options %d", got)
		}
	})
}

func TestAnswersGoWhereTheClientIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		m    *dhcpv4.DHCPv4
		to   string
		mac  string
		flag uint16
	}{
		"without an address":         {msg(discover, guest(1)), "192.168.100.10:68", guest(1).String(), 0},
		"that cannot take unicast":   {msg(discover, guest(1), broadcast()), "255.255.255.255:68", "ff:ff:ff:ff:ff:ff", flagBroadcast},
		"renewing":                   {msg(request, guest(1), ciaddr("192.168.100.10"), broadcast()), "192.168.100.10:68", guest(1).String(), flagBroadcast},
		"refused":                    {msg(request, guest(1), asked("10.0.0.1")), "255.255.255.255:68", "ff:ff:ff:ff:ff:ff", 0},
		"refused what it has":        {msg(request, guest(1), ciaddr("10.0.0.1")), "255.255.255.255:68", "ff:ff:ff:ff:ff:ff", 0},
		"with an address of its own": {msg(inform, guest(1), ciaddr("192.168.100.70")), "192.168.100.70:68", guest(1).String(), 0},
		"behind a relay":             {msg(discover, guest(1), giaddr("192.168.100.7")), "192.168.100.7:67", guest(1).String(), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world(t, lab(), func(r *rig) {
				got := r.exchange(c.m)
				if got.packet.To != netip.MustParseAddrPort(c.to) || got.packet.MAC.String() != c.mac || got.packet.From != netip.MustParseAddrPort(gateway+":67") {
					t.Errorf("from %s to %s at %s", got.packet.From, got.packet.To, got.packet.MAC)
				}
				if got.MessageType() == dhcpv4.MessageTypeAck && !got.ClientIPAddr.Equal(c.m.ClientIPAddr) {
					t.Errorf("ciaddr %s", got.ClientIPAddr)
				}
				if got.Flags != c.flag || got.TransactionID != c.m.TransactionID || !got.GatewayIPAddr.Equal(c.m.GatewayIPAddr) && c.m.GatewayIPAddr != nil {
					t.Errorf("header %+v", got.DHCPv4)
				}
			})
		})
	}
}

// unload reads a message with option 52, as RFC 3396 section 7 says.
func unload(b []byte) map[byte]string {
	out := map[byte]string{}
	read := func(area []byte) {
		for i := 0; i < len(area) && area[i] != 255; {
			if area[i] == 0 {
				i++
				continue
			}
			n := int(area[i+1])
			out[area[i]] += string(area[i+2 : i+2+n])
			i += 2 + n
		}
	}
	read(b[headerSize:])
	if o := out[optOverload]; o != "" && o[0]&1 != 0 {
		read(b[fileAt : fileAt+maxFile+1])
	}
	if o := out[optOverload]; o != "" && o[0]&2 != 0 {
		read(b[snameAt : snameAt+maxSname+1])
	}
	return out
}

func TestLongMessages(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	for name, c := range map[string]struct {
		options map[uint16]string
		max     int
		boot    *plan.Boot
		over    string // option 52
		lost    []byte
	}{
		"fits":                          {options: map[uint16]string{200: long(100)}},
		"one long option":               {options: map[uint16]string{200: long(700)}, max: 1500},
		"option of 255":                 {options: map[uint16]string{200: long(255)}, max: 1500},
		"option of 256":                 {options: map[uint16]string{200: long(256)}, max: 1500},
		"option of 510":                 {options: map[uint16]string{200: long(510)}, max: 1500},
		"into the file":                 {options: map[uint16]string{200: long(200), 201: long(100)}, over: "\x01"},
		"into file and name":            {options: map[uint16]string{200: long(206), 201: long(120), 202: long(60)}, over: "\x03"},
		"too much":                      {options: map[uint16]string{200: long(200), 201: long(120), 202: long(120)}, over: "\x01", lost: []byte{202}},
		"too much, but a large message": {options: map[uint16]string{200: long(200), 201: long(120), 202: long(120)}, max: 1400},
		"more than a frame":             {options: map[uint16]string{200: long(1100), 201: long(120)}, max: 65535, over: "\x01"},
		"more than anything":            {options: map[uint16]string{200: long(1300), 201: long(120)}, max: 65535, lost: []byte{200}},
		"smaller than all must take":    {options: map[uint16]string{200: long(200)}, max: 10},
		"the file is in use":            {options: map[uint16]string{200: long(206), 201: long(60)}, boot: &plan.Boot{File: "pxe"}, over: "\x02"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := lab(func(s *plan.Scope) {
				s.Options, s.Boot = nil, c.boot
				for _, code := range []uint16{200, 201, 202} {
					if data, ok := c.options[code]; ok {
						s.Options = append(s.Options, plan.Option{Code: code, Data: data})
					}
				}
			})
			m := msg(discover, guest(1), params(200, 201, 202, 67), opt(optMaxSize, byte(c.max>>8), byte(c.max)), opt(optRelayInfo, 1, 1, 'x'))
			world(t, d, func(r *rig) {
				b := r.exchange(m).packet.Payload
				if most := min(max(c.max, 576), 1500) - ipUDP; len(b) > most {
					t.Errorf("%d bytes, at most %d", len(b), most)
				}
				got := unload(b)
				if got[optOverload] != c.over {
					t.Errorf("overload %x, want %x", got[optOverload], c.over)
				}
				for code, want := range c.options {
					if slices.Contains(c.lost, byte(code)) {
						want = ""
					}
					if got[byte(code)] != want {
						t.Errorf("option %d has %d bytes, want %d", code, len(got[byte(code)]), len(want))
					}
				}
				if got[optRelayInfo] != "\x01\x01x" || !endsWith(b, optRelayInfo) {
					t.Error("the relay's information is not last")
				}
			})
		})
	}
}

func TestFullNames(t *testing.T) {
	t.Parallel()
	d := lab(reserve(plan.Reservation{Name: "five", MAC: guest(5), Addr: addr("192.168.100.50")}))
	for name, c := range map[string]struct {
		n    byte
		data string
		want string
		host string
	}{
		"server, text":        {1, "\x01\x00\x00vm1.example.org", "\x01\xff\xffvm1.lab.internal", "vm1"},
		"client, text":        {1, "\x00\x00\x00vm1", "\x03\xff\xffvm1.lab.internal", "vm1"},
		"none, wire form":     {1, "\x0c\x00\x00\x03VM1\x03lab\x00", "\x07\xff\xff\x03vm1\x03lab\x08internal\x00", "vm1"},
		"wire form":           {1, "\x05\x00\x00\x03vm1", "\x05\xff\xff\x03vm1\x03lab\x08internal\x00", "vm1"},
		"a reservation":       {5, "\x01\x00\x00other", "\x01\xff\xfffive.lab.internal", "five"},
		"no name":             {1, "\x01\x00\x00", "", ""},
		"broken wire form":    {1, "\x05\x00\x00\x09vm1", "", ""},
		"a name it cannot be": {1, "\x01\x00\x00wpad", "", ""},
		"too short":           {1, "\x01", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world(t, d, func(r *rig) {
				got := r.exchange(msg(discover, guest(c.n), text(optFQDN, c.data), opt(optRapidCommit)))
				if string(got.opt(optFQDN)) != c.want {
					t.Errorf("want %q, got %q", c.want, got.opt(optFQDN))
				}
				if l, _ := r.table.At(got.addr()); l.Hostname != c.host {
					t.Errorf("the guest is %q, want %q", l.Hostname, c.host)
				}
			})
		})
	}
	if got := fqdnAnswer(fqdnServer|fqdnEncoded, "vm1", ""); got != "\x05\xff\xff\x03vm1" {
		t.Errorf("without a domain: %q", got)
	}
}
