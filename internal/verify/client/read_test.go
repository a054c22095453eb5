package client

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

var mac = spec.MAC{0x52, 0x54, 0, 1, 2, 3}

// examples are a frame of every kind, with right checksums.
func examples(t testing.TB) map[string][]byte {
	discover := (&Client{mac: mac}).discover([4]byte{1, 2, 3, 4})
	query, err := Name{"a.", dnsmessage.TypeA}.message(7)
	must(t, err)
	a := netip.MustParseAddr("10.0.0.9")
	frames := map[string][]byte{}
	for name, p := range map[string]testhost.Packet{
		"offer": {Proto: testhost.UDP, Src: gateway4.Addr(), Dst: a, SrcPort: serverPort4, DstPort: clientPort4, Payload: offer(discover, a, gateway4.Addr())},
		"advertise": {Proto: testhost.UDP, Src: router, Dst: netip.MustParseAddr("fe80::2"), SrcPort: serverPort6, DstPort: clientPort6,
			Payload: append([]byte{kindAdvertise}, (&Client{mac: mac}).solicit([3]byte{1, 2, 3})[1:]...)},
		"advertisement": {Proto: testhost.ICMP, Type: typeAdvertisement, TTL: 255, Src: router, Dst: netip.MustParseAddr("ff02::1"), Payload: advertisement(0, gateway6.Masked())},
		"odd length":    {Proto: testhost.UDP, Src: gateway6.Addr(), Dst: router, Payload: []byte{1}},
		"answer": {Proto: testhost.UDP, Src: gateway4.Addr(), Dst: a, SrcPort: dnsPort, DstPort: 40000,
			Payload: response(t, query, dnsmessage.RCodeSuccess, soa())},
	} {
		b, err := p.Frame()
		must(t, err)
		frames[name] = b
	}
	return frames
}

func TestEveryFlippedBitIsAFault(t *testing.T) {
	t.Parallel()
	for name, b := range examples(t) {
		if f := read(b); f.fault != "" || !f.Src.IsValid() {
			t.Errorf("%s: %q", name, f.fault)
		}
		last := slices.Clone(b)
		last[len(last)-1] ^= 4
		if f := read(last); f.fault == "" {
			t.Errorf("%s: a flipped bit in its last byte was not seen", name)
		}
	}
	header := examples(t)["offer"]
	header[14+8]-- // time to live
	if f := read(header); f.fault != "wrong IP checksum" {
		t.Errorf("got %q", f.fault)
	}
	none := examples(t)["offer"]
	none[14+20+6], none[14+20+7] = 0, 0
	if f := read(none); f.fault != "" {
		t.Errorf("no checksum at all, which RFC 768 allows: %q", f.fault)
	}
}

func TestWrongOffers(t *testing.T) {
	t.Parallel()
	a := netip.MustParseAddr
	for want, o := range map[string]Offer{
		"":                              {Addr: a("10.0.0.9"), Server: gateway4.Addr()},
		"wrong UDP checksum":            {Fault: "wrong UDP checksum"},
		"the gateway's own address":     {Addr: gateway4.Addr(), Server: gateway4.Addr()},
		"not an address of 10.0.0.0/24": {Addr: a("10.0.1.9"), Server: gateway4.Addr()},
		"offered by 10.0.0.66, not by the gateway": {Addr: a("10.0.0.9"), Server: a("10.0.0.66")},
	} {
		if got := o.Wrong(netip.MustParsePrefix("10.9.0.1/24"), gateway4); got != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
	for want, o := range map[string]Advertise{
		"":                              {Addr: a("fd00::9"), Server: true, From: router},
		"wrong UDP checksum":            {Fault: "wrong UDP checksum"},
		"without a server identifier":   {Addr: a("fd00::9"), From: router},
		"sent from fd00::1":             {Addr: a("fd00::9"), Server: true, From: gateway6.Addr()},
		"no address":                    {Server: true, From: router},
		"the gateway's own address":     {Addr: gateway6.Addr(), Server: true, From: router},
		"not an address of the network": {Addr: a("fd01::9"), Server: true, From: router},
	} {
		if got := o.Wrong(gateway6); got != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
	for want, r := range map[string]Router{
		"":                       {From: router, HopLimit: 255},
		"wrong ICMPv6 checksum":  {Fault: "wrong ICMPv6 checksum"},
		"sent from fd00::1":      {From: gateway6.Addr(), HopLimit: 255},
		"sent with hop limit 64": {From: router, HopLimit: 64, Lifetime: time.Second},
	} {
		if got := r.Wrong(); got != want {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}

// FuzzFrames has all that comes from the wire read by everything that reads.
func FuzzFrames(f *testing.F) {
	for _, b := range examples(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fr := read(b)
		if isOffer(fr.Packet, [4]byte{1, 2, 3, 4}) {
			readOffer(fr).Wrong(gateway4)
		}
		if (&Client{mac: mac}).isAdvertise(fr.Packet, [3]byte{1, 2, 3}) {
			readAdvertise(fr).Wrong(gateway6)
		}
		if isRouter(fr.Packet) {
			_ = readRouter(fr).String() + readRouter(fr).Wrong()
		}
		if a, err := (Name{"a.", dnsmessage.TypeA}).read(7, fr.Payload); err == nil && a.Code == "" {
			t.Errorf("an answer without a code: %+v", a)
		}
	})
}
