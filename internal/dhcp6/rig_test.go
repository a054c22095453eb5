package dhcp6

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

var (
	serverDUID = []byte{0, 3, 0, 1, 0x52, 0x54, 0, 0xaa, 0xbb, 0xcc}
	linkLocal  = netip.MustParseAddr("fe80::1")
	allServers = netip.MustParseAddrPort("[ff02::1:2]:547")
	macA       = spec.MAC{0x52, 0x54, 0, 0, 0, 0xa}
	macB       = spec.MAC{0x52, 0x54, 0, 0, 0, 0xb}
	dnsData    = string(addr("fd00:1::1").AsSlice())
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// duid is a DUID-EN that tells nothing of an Ethernet address, as networkd's.
func duid(name string) string { return "\x00\x02\x00\x00\xab\x11" + name }

// sample is one subnet with ten dynamic addresses.
func sample() *plan.DHCP {
	return &plan.DHCP{PerPort: 32, Scopes: []plan.Scope{{
		Prefix: netip.MustParsePrefix("fd00:1::/64"), Server: addr("fd00:1::1"), Lease: 3600, Domain: "lab.internal",
		Ranges:  []plan.Range{{From: addr("fd00:1::1000"), To: addr("fd00:1::1009")}},
		Options: []plan.Option{{Code: 23, Data: dnsData}, {Code: 24, Data: "\x03lab\x08internal\x00"}, {Code: 31, Data: dnsData}, {Code: 32, Data: "\x00\x00\x0e\x10"}},
	}}}
}

// Kinds of messages, short.
const (
	doSolicit = dhcpv6.MessageTypeSolicit
	doRequest = dhcpv6.MessageTypeRequest
	doRenew   = dhcpv6.MessageTypeRenew
	doRebind  = dhcpv6.MessageTypeRebind
	doRelease = dhcpv6.MessageTypeRelease
	doDecline = dhcpv6.MessageTypeDecline
	doConfirm = dhcpv6.MessageTypeConfirm
	doInform  = dhcpv6.MessageTypeInformationRequest
)

// rig is a server with a book of its own, without sockets.
type rig struct {
	t *testing.T
	*Server
	table *lease.Table
	sent  chan socket.Packet

	mu    sync.Mutex
	told  []string
	ports map[spec.MAC]string
}

func (r *rig) Send(p socket.Packet) error { r.sent <- p; return nil }

func newRig(t *testing.T, d *plan.DHCP) *rig {
	book, err := lease.Open(t.TempDir(), lease.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = book.Close() })
	r := &rig{t: t, table: book.Table("lab"), sent: make(chan socket.Packet, 64), ports: map[spec.MAC]string{macA: "a", macB: "b"}}
	r.Server = New(Options{Table: r.table, Link: r, DUID: serverDUID, Source: func() netip.Addr { return linkLocal },
		PortOf: func(m spec.MAC) string { r.mu.Lock(); defer r.mu.Unlock(); return r.ports[m] },
		Warn:   func(text string) { r.mu.Lock(); defer r.mu.Unlock(); r.told = append(r.told, text) }})
	r.Set(d)
	return r
}

func (r *rig) warnings() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.told)
}

// guest is a client on the network's own link.
type guest struct {
	mac  spec.MAC
	duid string
}

var (
	guestA = guest{macA, duid("a")}
	guestB = guest{macB, duid("b")}
)

func opt(code dhcpv6.OptionCode, data []byte) dhcpv6.Option {
	return &dhcpv6.OptionGeneric{OptionCode: code, OptionData: data}
}

func oro(codes ...dhcpv6.OptionCode) dhcpv6.Option { return dhcpv6.OptRequestedOption(codes...) }

var (
	toServer    = opt(dhcpv6.OptionServerID, serverDUID)
	rapidCommit = opt(dhcpv6.OptionRapidCommit, nil)
)

// iaNA is an identity association with addresses.
func iaNA(id uint32, addrs ...netip.Addr) dhcpv6.Option {
	o := &dhcpv6.OptIANA{}
	binary.BigEndian.PutUint32(o.IaId[:], id)
	for _, a := range addrs {
		o.Options.Add(&dhcpv6.OptIAAddress{IPv6Addr: net.IP(a.AsSlice())})
	}
	return o
}

func fqdnOption(flags byte, name string) dhcpv6.Option {
	return opt(dhcpv6.OptionFQDN, append([]byte{flags, byte(len(name))}, name...))
}

// message is what the guest says, with its client identifier.
func (g guest) message(kind dhcpv6.MessageType, options ...dhcpv6.Option) *dhcpv6.Message {
	m := message(kind, options...)
	m.TransactionID = dhcpv6.TransactionID{1, 2, 3}
	if g.duid != "" {
		m.AddOption(opt(dhcpv6.OptionClientID, []byte(g.duid)))
	}
	return m
}

func (g guest) packet(kind dhcpv6.MessageType, options ...dhcpv6.Option) socket.Packet {
	return socket.Packet{MAC: g.mac, From: netip.MustParseAddrPort("[fe80::99]:546"), To: allServers, Payload: g.message(kind, options...).ToBytes()}
}

// ask sends a packet and waits for the answer's packet.
func (r *rig) ask(p socket.Packet) socket.Packet {
	r.t.Helper()
	r.Handle(p)
	select {
	case a := <-r.sent:
		return a
	case <-time.After(10 * time.Second):
		r.t.Fatalf("no answer; counted %+v", r.Counters())
	}
	return socket.Packet{}
}

// ignored sends a packet that must not be answered. What is not answered changes
// nothing, so nothing comes later, either.
func (r *rig) ignored(p socket.Packet) {
	r.t.Helper()
	r.Handle(p)
	select {
	case a := <-r.sent:
		r.t.Fatalf("answered %x", a.Payload)
	default:
	}
}

// answer sends a message of g and returns the answer, checking what every answer has.
func (r *rig) answer(g guest, kind dhcpv6.MessageType, options ...dhcpv6.Option) *dhcpv6.Message {
	r.t.Helper()
	p := r.ask(g.packet(kind, options...))
	m, err := dhcpv6.MessageFromBytes(p.Payload)
	if err != nil {
		r.t.Fatal(err)
	}
	id := m.Options.ClientID()
	if g.duid != "" && (id == nil || string(id.ToBytes()) != g.duid) || string(m.Options.ServerID().ToBytes()) != string(serverDUID) || m.TransactionID != (dhcpv6.TransactionID{1, 2, 3}) {
		r.t.Fatalf("the answer is not of this exchange: %s", m.Summary())
	}
	if p.MAC != g.mac || p.From != netip.AddrPortFrom(linkLocal, 547) || p.To != netip.MustParseAddrPort("[fe80::99]:546") {
		r.t.Fatalf("answered from %s to %s at %s", p.From, p.To, p.MAC)
	}
	return m
}

// failer is a test or a run of a property.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// given returns the one usable address of an IA, invalid for none.
func given(t failer, m *dhcpv6.Message, id uint32) netip.Addr {
	t.Helper()
	var found netip.Addr
	for _, a := range association(t, m, id).Options.Addresses() {
		if a.ValidLifetime == 0 {
			continue
		}
		if found.IsValid() {
			t.Fatalf("two addresses are given: %s", m.Summary())
		}
		found, _ = netip.AddrFromSlice(a.IPv6Addr)
	}
	return found
}

// withdrawn returns the addresses of an IA with lifetimes 0.
func withdrawn(t failer, m *dhcpv6.Message, id uint32) []netip.Addr {
	t.Helper()
	var dead []netip.Addr
	for _, a := range association(t, m, id).Options.Addresses() {
		if a.ValidLifetime == 0 && a.PreferredLifetime == 0 {
			d, _ := netip.AddrFromSlice(a.IPv6Addr)
			dead = append(dead, d)
		}
	}
	return dead
}

func association(t failer, m *dhcpv6.Message, id uint32) *dhcpv6.OptIANA {
	t.Helper()
	for _, o := range m.Options.IANA() {
		if binary.BigEndian.Uint32(o.IaId[:]) == id {
			return o
		}
	}
	t.Fatalf("no IA_NA %d in %s", id, m.Summary())
	return nil
}

func iaStatus(t failer, m *dhcpv6.Message, id uint32) iana.StatusCode {
	t.Helper()
	if s := association(t, m, id).Options.Status(); s != nil {
		return s.StatusCode
	}
	return iana.StatusSuccess
}

// bind gives the guest an address by SOLICIT and REQUEST.
func (r *rig) bind(g guest, id uint32, more ...dhcpv6.Option) netip.Addr {
	r.t.Helper()
	offer := r.answer(g, dhcpv6.MessageTypeSolicit, append(more, iaNA(id))...)
	m := r.answer(g, dhcpv6.MessageTypeRequest, append(more, toServer, iaNA(id, given(r.t, offer, id)))...)
	a := given(r.t, m, id)
	if !a.IsValid() || a != given(r.t, offer, id) {
		r.t.Fatalf("offered %s, gave %s: %s", given(r.t, offer, id), a, m.Summary())
	}
	return a
}
