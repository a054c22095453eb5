package dhcp6

import (
	"net"
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

var (
	agent    = netip.MustParseAddrPort("[fd00:1::a9e1]:547")
	agentMAC = spec.MAC{0x52, 0x54, 0, 0xee, 0, 1}
)

// relayed puts a message into envelopes, outermost first.
func relayed(b []byte, relays ...relay) []byte {
	for i := len(relays) - 1; i >= 0; i-- {
		r := relays[i]
		m := &dhcpv6.RelayMessage{MessageType: dhcpv6.MessageTypeRelayForward, HopCount: r.hops, LinkAddr: ip(r.link), PeerAddr: ip(r.peer)}
		if r.interfaceID != nil {
			m.AddOption(r.interfaceID)
		}
		if !r.mac.IsZero() {
			m.AddOption(dhcpv6.OptClientLinkLayerAddress(iana.HWTypeEthernet, r.mac[:]))
		}
		m.AddOption(opt(dhcpv6.OptionRelayMsg, b))
		b = m.ToBytes()
	}
	return b
}

func ip(a netip.Addr) net.IP {
	if !a.IsValid() {
		return net.IPv6zero
	}
	return net.IP(a.AsSlice())
}

func interfaceID(s string) *dhcpv6.OptionGeneric {
	return &dhcpv6.OptionGeneric{OptionCode: dhcpv6.OptionInterfaceID, OptionData: []byte(s)}
}

// behind is the sample with a second subnet behind a trusted relay agent.
func behind() *plan.DHCP {
	d := sample()
	d.Scopes = append(d.Scopes, plan.Scope{
		Prefix: netip.MustParsePrefix("fd00:2::/64"), Server: addr("fd00:2::1"), Lease: 7200, Relays: []netip.Addr{agent.Addr()},
		Ranges: []plan.Range{{From: addr("fd00:2::1000"), To: addr("fd00:2::1fff")}},
	})
	return d
}

// forward is a packet from the relay agent.
func forward(g guest, m *dhcpv6.Message, relays ...relay) socket.Packet {
	return socket.Packet{MAC: agentMAC, From: agent, To: allServers, Payload: relayed(m.ToBytes(), relays...)}
}

func TestRelayedAnswerGoesBackTheSameWay(t *testing.T) {
	t.Parallel()
	r := newRig(t, behind())
	outer := relay{hops: 1, link: netip.IPv6Unspecified(), peer: addr("fe80::2"), interfaceID: interfaceID("uplink")}
	inner := relay{hops: 0, link: addr("fd00:2::1"), peer: addr("fe80::99"), interfaceID: interfaceID("eth7"), mac: macB}
	p := r.ask(forward(guestA, guestA.message(doSolicit, rapidCommit, iaNA(1)), outer, inner))
	if p.To != agent || p.MAC != agentMAC || p.From != netip.AddrPortFrom(linkLocal, 547) {
		t.Errorf("answered from %s to %s at %s", p.From, p.To, p.MAC)
	}
	b := p.Payload
	for _, want := range []relay{outer, inner} {
		e, err := dhcpv6.RelayMessageFromBytes(b)
		if err != nil {
			t.Fatal(err)
		}
		if e.MessageType != dhcpv6.MessageTypeRelayReply || e.HopCount != want.hops || !e.LinkAddr.Equal(ip(want.link)) ||
			!e.PeerAddr.Equal(ip(want.peer)) || string(e.Options.InterfaceID()) != string(want.interfaceID.OptionData) {
			t.Errorf("the envelope is %s, want one for %+v", e.LongString(0), want)
		}
		b = e.Options.RelayMessage().ToBytes()
	}
	m, err := dhcpv6.MessageFromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	a := given(t, m, 1)
	if a != addr("fd00:2::1000") || association(t, m, 1).T1.Hours() != 1 {
		t.Errorf("answered %s, want an address of the link behind the agent", m.Summary())
	}
	if l, _ := r.table.At(a); l.MAC != macB || l.Port != lease.RelayPort+agent.Addr().String() {
		t.Errorf("the lease is %+v", l)
	}
}

func TestLinkAddressSelectsTheScope(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		relays []relay
		want   netip.Addr
	}{
		{"of the link behind", []relay{{link: addr("fd00:2::1"), mac: macB}}, addr("fd00:2::1000")},
		{"lightweight relay agent", []relay{{link: netip.IPv6Unspecified(), mac: macB}}, addr("fd00:1::1000")},
		{"link-local", []relay{{link: addr("fe80::1"), mac: macB}}, addr("fd00:1::1000")},
		{"lightweight behind a full one", []relay{{link: addr("fd00:2::1")}, {link: netip.IPv6Unspecified(), mac: macB}}, addr("fd00:2::1000")},
		{"unknown", []relay{{link: addr("fd00:77::1"), mac: macB}}, netip.Addr{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, behind())
			r.ports[macB] = ""
			d, err := dhcpv6.FromBytes(r.ask(forward(guestB, guestB.message(doSolicit, iaNA(1)), c.relays...)).Payload)
			if err != nil {
				t.Fatal(err)
			}
			m, err := d.GetInnerMessage()
			if err != nil {
				t.Fatal(err)
			}
			if given(t, m, 1) != c.want || !c.want.IsValid() && iaStatus(t, m, 1) != iana.StatusNoAddrsAvail {
				t.Errorf("answered %s", m.Summary())
			}
		})
	}
}

func TestClientIsKnownByItsMAC(t *testing.T) {
	t.Parallel()
	frame := spec.MAC{0x52, 0x54, 0, 9, 9, 9}
	ll := "\x00\x03\x00\x01" + string(macA[:])
	llt := "\x00\x01\x00\x01\x2a\x2a\x2a\x2a" + string(macA[:])
	eui := addr("fe80::5054:ff:fe00:a")
	direct, via := []relay(nil), []relay{{peer: addr("fe80::99")}}
	cases := []struct {
		name   string
		duid   string
		relays []relay
		want   spec.MAC
	}{
		{"not relayed: the frame", ll, direct, frame},
		{"RFC 6939 before the DUID", ll, []relay{{peer: eui, mac: macB}}, macB},
		{"RFC 6939 of the agent nearest to the client", ll, []relay{{peer: eui, mac: frame}, {peer: eui, mac: macB}}, macB},
		{"DUID-LL", ll, via, macA},
		{"DUID-LLT", llt, via, macA},
		{"link-local address", duid("x"), []relay{{peer: eui}}, macA},
		{"DUID-LL of another hardware", "\x00\x03\x00\x06" + string(macA[:]), []relay{{peer: eui}}, macA},
		{"nothing tells", duid("x"), via, spec.MAC{0x02, 0x0d, 0xe6, 0x2c, 0x0c, 0x30}},
		{"nothing tells, another client", duid("y"), via, spec.MAC{0x02, 0x3a, 0x8b, 0x9d, 0xbc, 0x54}},
	}
	for _, c := range cases {
		r := request{duid: c.duid, relays: c.relays}
		if got := r.client(frame); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestGuestCannotRelayForItsNeighbour(t *testing.T) {
	t.Parallel()
	r := newRig(t, behind())
	a := r.bind(guestA, 1)
	forged := socket.Packet{MAC: macB, From: netip.MustParseAddrPort("[fe80::b]:547"), To: allServers,
		Payload: relayed(guestA.message(doRelease, toServer, iaNA(1, a)).ToBytes(), relay{link: netip.IPv6Unspecified(), peer: addr("fe80::99"), mac: macA})}
	r.ignored(forged)
	if l, _ := r.table.At(a); l.State.Ended() || r.Counters().Forged != 1 {
		t.Errorf("the lease is %+v, counted %+v", l, r.Counters())
	}
	own := forged
	own.Payload = relayed(guest{macB, duid("nested")}.message(doSolicit, rapidCommit, iaNA(1)).ToBytes(), relay{link: netip.IPv6Unspecified(), peer: addr("fe80::98"), mac: spec.MAC{2, 0, 0, 0, 0, 1}})
	r.ask(own)
	if l, _ := r.table.Find((&request{mac: spec.MAC{2, 0, 0, 0, 0, 1}}).holder(ia{id: 1})); l.Port != "b" {
		t.Errorf("what a guest relays does not count against its port: %+v", l)
	}
}

// TestMessagesForOtherServersPassBy: a relay agent among the guests sends them
// through the host.
func TestMessagesForOtherServersPassBy(t *testing.T) {
	t.Parallel()
	r := newRig(t, behind())
	p := forward(guestA, guestB.message(doInform, oro(23)), relay{link: addr("fd00:2::1")})
	for to, heard := range map[string]bool{"fd00:9::1": false, "fd00:1::1": true, "fe80::1": true, "ff05::1:3": true} {
		p.To = netip.AddrPortFrom(addr(to), 547)
		if heard {
			r.ask(p)
		} else {
			r.ignored(p)
		}
	}
	if n := r.Counters(); n.Foreign != 1 {
		t.Errorf("counted %+v", n)
	}
}
