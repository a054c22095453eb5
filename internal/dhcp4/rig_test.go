package dhcp4

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// rig is a server with a real lease book, on a link that remembers what is sent.
type rig struct {
	testing.TB
	book   *lease.Book
	table  *lease.Table
	server *Server
	events []string

	mu     sync.Mutex
	sent   []socket.Packet
	probed []netip.Addr
	squats map[netip.Addr]spec.MAC // who answers probes
	warned []string
	fail   error // of Send and Probe
}

func (r *rig) Send(p socket.Packet) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.Payload = append([]byte(nil), p.Payload...)
	r.sent = append(r.sent, p)
	return r.fail
}

func (r *rig) Probe(a netip.Addr) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail != nil {
		return r.fail
	}
	r.probed = append(r.probed, a)
	if mac, ok := r.squats[a]; ok {
		time.AfterFunc(time.Millisecond, func() { r.server.ARP(mac, a) })
	}
	return nil
}

// world runs a test with a rig in a bubble of time. The stock is probed already.
func world(t *testing.T, d *plan.DHCP, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		defer r.close()
		r.server.Set(d)
		time.Sleep(patience)
		test(r)
	})
}

func newRig(t testing.TB) *rig {
	r := &rig{TB: t, squats: map[netip.Addr]spec.MAC{}}
	book, err := lease.Open(t.TempDir(), lease.Options{Changed: func(e lease.Event) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.events = append(r.events, e.Kind+" "+e.Lease.Addr.String())
	}})
	if err != nil {
		t.Fatal(err)
	}
	r.book, r.table = book, book.Table("lab")
	r.server = New(Options{
		Table: r.table, Link: r,
		PortOf: portOf,
		Warn: func(s string) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.warned = append(r.warned, s)
		},
	})
	return r
}

func (r *rig) close() {
	r.server.Close()
	if err := r.book.Close(); err != nil {
		r.Error(err)
	}
}

// probes are the addresses probed so far.
func (r *rig) probes() []netip.Addr {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.probed)
}

// squat lets somebody answer for an address; the zero MAC ends that.
func (r *rig) squat(a string, mac spec.MAC) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.squats[addr(a)] = mac; mac.IsZero() {
		delete(r.squats, addr(a))
	}
}

// happened reports whether the book told of an event.
func (r *rig) happened(event string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Contains(r.events, event)
}

// warnings are those with the text in them.
func (r *rig) warnings(text string) (list []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.warned {
		if strings.Contains(w, text) {
			list = append(list, w)
		}
	}
	return list
}

// reply is a message as a client gets it.
type reply struct {
	*dhcpv4.DHCPv4
	packet socket.Packet
}

func (r reply) addr() netip.Addr { return address(r.YourIPAddr.To4()) }

func (r reply) opt(code byte) []byte { return r.Options[code] }

func (r reply) String() string {
	if r.DHCPv4 == nil {
		return "silence"
	}
	return strings.ToLower(r.MessageType().String()) + " " + r.YourIPAddr.String()
}

// exchange sends a message and returns what comes back once nothing moves any
// more; a reply without a message is silence. It lets a probe's time pass.
func (r *rig) exchange(m *dhcpv4.DHCPv4) reply {
	r.Helper()
	return r.from(spec.MAC(m.ClientHWAddr), m)
}

// from is exchange by way of another sender of the frame.
func (r *rig) from(frame spec.MAC, m *dhcpv4.DHCPv4) reply {
	r.Helper()
	r.handle(frame, m)
	return r.answered()
}

func (r *rig) answered() reply {
	r.Helper()
	time.Sleep(patience + time.Millisecond) // what is due at one instant comes in any order
	synctest.Wait()
	list := r.take()
	if len(list) > 1 {
		r.Fatalf("%d answers", len(list))
	}
	if len(list) == 0 {
		return reply{}
	}
	return list[0]
}

// handle delivers a message as the client or its relay agent sends it: from its
// address, if it has one.
func (r *rig) handle(frame spec.MAC, m *dhcpv4.DHCPv4) {
	from := netip.IPv4Unspecified()
	for _, a := range []net.IP{m.ClientIPAddr, m.GatewayIPAddr} {
		if a := address(a.To4()); a.IsValid() {
			from = a
		}
	}
	r.deliver(frame, from, everybody, m)
}

// through is from for a message that a router sends, from an address of somebody.
func (r *rig) through(frame spec.MAC, from string, m *dhcpv4.DHCPv4) reply {
	r.Helper()
	r.deliver(frame, addr(from), addr(gateway), m)
	return r.answered()
}

func (r *rig) deliver(frame spec.MAC, from, to netip.Addr, m *dhcpv4.DHCPv4) {
	r.server.Handle(socket.Packet{MAC: frame, From: netip.AddrPortFrom(from, 68), To: netip.AddrPortFrom(to, 67), Payload: m.ToBytes()})
}

// take returns what was sent since the last time.
func (r *rig) take() (list []reply) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.sent {
		m, err := dhcpv4.FromBytes(p.Payload)
		if err != nil {
			r.Fatalf("the server sent %x: %v", p.Payload, err)
		}
		list = append(list, reply{m, p})
	}
	r.sent = nil
	return list
}

// want fails the test unless the reply prints as wanted.
func (r *rig) want(what string, got reply, want string) {
	r.Helper()
	if got.String() != want {
		r.Errorf("%s: want %s, got %s", what, want, got)
	}
}

// mod changes a message.
type mod func(*dhcpv4.DHCPv4)

func opt(code byte, data ...byte) mod {
	return func(m *dhcpv4.DHCPv4) { m.Options[code] = append([]byte{}, data...) }
}

func text(code byte, s string) mod { return opt(code, []byte(s)...) }

func asked(a string) mod      { return opt(optRequested, ip4(a)...) }
func serverID(a string) mod   { return opt(optServerID, ip4(a)...) }
func params(c ...byte) mod    { return opt(optParameters, c...) }
func ciaddr(a string) mod     { return func(m *dhcpv4.DHCPv4) { m.ClientIPAddr = ip4(a) } }
func giaddr(a string) mod     { return func(m *dhcpv4.DHCPv4) { m.GatewayIPAddr = ip4(a) } }
func broadcast() mod          { return func(m *dhcpv4.DHCPv4) { m.Flags = flagBroadcast } }
func seconds(n uint32) []byte { return []byte(wireSeconds(spec.Seconds(n))) }
func ip4(a string) net.IP     { return net.IP(netip.MustParseAddr(a).AsSlice()) }
func addr(a string) netip.Addr {
	return netip.MustParseAddr(a)
}

// guest n is behind port n.
func guest(n byte) spec.MAC { return spec.MAC{0x52, 0x54, 0, 0, n, 1} }

// unseen n never sent a frame, so that no port of it is known.
func unseen(n byte) spec.MAC { return spec.MAC{0x52, 0x54, 0, 0xff, n, 1} }

func portOf(m spec.MAC) string {
	if m[3] == 0xff {
		return ""
	}
	return fmt.Sprintf("port%d", m[4])
}

// msg makes a message of a client.
func msg(k kind, mac spec.MAC, mods ...mod) *dhcpv4.DHCPv4 {
	m := &dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, TransactionID: [4]byte{1, 2, 3, mac[4]}, ClientHWAddr: mac[:],
		Options: dhcpv4.Options{optMessageType: {byte(k)}},
	}
	for _, change := range mods {
		change(m)
	}
	return m
}

const gateway = "192.168.100.1"

// lab is one /24 that gives .10 to .19 for an hour.
func lab(changes ...func(*plan.Scope)) *plan.DHCP {
	s := plan.Scope{
		Prefix: netip.MustParsePrefix("192.168.100.0/24"), Server: addr(gateway), Lease: 3600, Domain: "lab.internal",
		Ranges:  []plan.Range{{From: addr("192.168.100.10"), To: addr("192.168.100.19")}},
		Options: []plan.Option{{Code: 3, Data: string(ip4(gateway))}, {Code: 6, Data: string(ip4(gateway))}, {Code: 15, Data: "lab.internal"}},
	}
	for _, change := range changes {
		change(&s)
	}
	return &plan.DHCP{Scopes: []plan.Scope{s}, PerPort: 4}
}

func reserve(list ...plan.Reservation) func(*plan.Scope) {
	return func(s *plan.Scope) { s.Reservations = list }
}

// lease4 takes a client through DISCOVER and REQUEST.
func (r *rig) lease4(mac spec.MAC, mods ...mod) reply {
	r.Helper()
	o := r.exchange(msg(discover, mac, mods...))
	if o.DHCPv4 == nil || kind(o.opt(optMessageType)[0]) != offer {
		r.Fatalf("%s was offered nothing: %s", mac, o)
	}
	return r.exchange(msg(request, mac, append(mods, asked(o.addr().String()), serverID(gateway))...))
}
