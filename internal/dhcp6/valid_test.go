package dhcp6

import (
	"net/netip"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/socket"
)

func TestMessagesToBeDiscardedByRFC8415Section16(t *testing.T) {
	t.Parallel()
	nobody := guest{mac: macA}
	other := opt(dhcpv6.OptionServerID, []byte{0, 3, 0, 1, 1, 1, 1, 1, 1, 1})
	long := guest{macA, duid(string(make([]byte, 125)))}
	toUs := func(p socket.Packet) socket.Packet { p.To = netip.AddrPortFrom(linkLocal, 547); return p }
	ia := iaNA(1, addr("fd00:1::1000"))
	cases := []struct {
		name    string
		p       socket.Packet
		foreign bool
	}{
		{"16.2 SOLICIT without client id", nobody.packet(doSolicit, ia), false},
		{"16.2 SOLICIT with server id", guestA.packet(doSolicit, ia, toServer), false},
		{"16.3 ADVERTISE", guestA.packet(dhcpv6.MessageTypeAdvertise, toServer), false},
		{"16.4 REQUEST without client id", nobody.packet(doRequest, ia, toServer), false},
		{"16.4 REQUEST without server id", guestA.packet(doRequest, ia), false},
		{"16.4 REQUEST for another server", guestA.packet(doRequest, ia, other), true},
		{"16.5 CONFIRM without client id", nobody.packet(doConfirm, ia), false},
		{"16.5 CONFIRM with server id", guestA.packet(doConfirm, ia, toServer), false},
		{"16.6 RENEW without server id", guestA.packet(doRenew, ia), false},
		{"16.6 RENEW for another server", guestA.packet(doRenew, ia, other), true},
		{"16.7 REBIND without client id", nobody.packet(doRebind, ia), false},
		{"16.7 REBIND with server id", guestA.packet(doRebind, ia, toServer), false},
		{"16.8 DECLINE without server id", guestA.packet(doDecline, ia), false},
		{"16.8 DECLINE for another server", guestA.packet(doDecline, ia, other), true},
		{"16.9 RELEASE without client id", nobody.packet(doRelease, ia, toServer), false},
		{"16.9 RELEASE for another server", guestA.packet(doRelease, ia, other), true},
		{"16.10 REPLY", guestA.packet(dhcpv6.MessageTypeReply, toServer), false},
		{"16.11 RECONFIGURE", guestA.packet(dhcpv6.MessageTypeReconfigure, toServer), false},
		{"16.12 INFORMATION-REQUEST for another server", guestA.packet(doInform, other), true},
		{"16.12 INFORMATION-REQUEST with an IA", guestA.packet(doInform, ia), false},
		{"16.14 RELAY-REPL", guestA.packet(dhcpv6.MessageTypeRelayReply), false},
		{"16 SOLICIT to our own address", toUs(guestA.packet(doSolicit, ia)), false},
		{"16 CONFIRM to our own address", toUs(guestA.packet(doConfirm, ia)), false},
		{"16 REBIND to our own address", toUs(guestA.packet(doRebind, ia)), false},
		{"16 INFORMATION-REQUEST to our own address", toUs(guestA.packet(doInform)), false},
		{"11.1 DUID longer than 128 octets and type", long.packet(doSolicit, ia), false},
		{"11.1 DUID without anything behind its type", guest{macA, "\x00\x03"}.packet(doSolicit, ia), false},
		{"a message of a later RFC", guestA.packet(dhcpv6.MessageTypeLeaseQuery), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, sample())
			r.ignored(c.p)
			n := r.Counters()
			if c.foreign && n.Foreign != 1 || !c.foreign && n.Invalid != 1 {
				t.Errorf("counted %+v", n)
			}
			if leases := r.table.Leases(); len(leases) > 0 {
				t.Errorf("it left a lease: %+v", leases)
			}
		})
	}
}

func TestUnicastIsAnsweredWithUseMulticast(t *testing.T) {
	t.Parallel()
	for _, kind := range []dhcpv6.MessageType{doRequest, doRenew, doRelease, doDecline} {
		r := newRig(t, sample())
		a := r.bind(guestA, 1)
		p := guestA.packet(kind, toServer, iaNA(1, a), oro(23))
		p.To = netip.AddrPortFrom(linkLocal, 547)
		m, err := dhcpv6.MessageFromBytes(r.ask(p).Payload)
		if err != nil {
			t.Fatal(err)
		}
		if s := m.Options.Status(); s == nil || s.StatusCode != iana.StatusUseMulticast || len(m.Options.Options) != 3 {
			t.Errorf("%s answered with %s, want UseMulticast, the two identifiers and nothing else", kind, m.Summary())
		}
		if l, ok := r.table.At(a); !ok || l.State.Ended() {
			t.Errorf("%s changed the lease: %+v", kind, l)
		}
	}
}

func TestMalformedMessagesAreCounted(t *testing.T) {
	t.Parallel()
	many := make([]dhcpv6.Option, mostIAs+1)
	for i := range many {
		many[i] = iaNA(uint32(i))
	}
	sound := guestA.packet(doSolicit, iaNA(1)).Payload
	cases := map[string][]byte{
		"empty":                            nil,
		"half a header":                    {1, 2},
		"option that ends behind the end":  append(sound[:len(sound):len(sound)], 0, 1, 0, 9, 1),
		"half an option":                   append(sound[:len(sound):len(sound)], 0, 1, 0),
		"half an IA_NA":                    {1, 0, 0, 0, 0, 3, 0, 5, 0, 0, 0, 1, 0},
		"half an IA address":               {1, 0, 0, 0, 0, 3, 0, 18, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 2, 0xfd, 0},
		"odd option request":               {11, 0, 0, 0, 0, 6, 0, 3, 0, 23, 0},
		"more associations than reckoned":  guestA.packet(doSolicit, many...).Payload,
		"relay header cut":                 append([]byte{12, 0}, make([]byte, 31)...),
		"relay without a message":          append([]byte{12, 0}, make([]byte, 32)...),
		"relay around half a message":      relayed([]byte{1, 2}, relay{}),
		"more relay agents than hop limit": relayed(sound, make([]relay, mostHops+1)...),
	}
	for name, b := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, sample())
			r.ignored(socket.Packet{MAC: macA, From: netip.MustParseAddrPort("[fe80::99]:546"), To: allServers, Payload: b})
			if n := r.Counters(); n.Malformed != 1 {
				t.Errorf("counted %+v", n)
			}
		})
	}
}
