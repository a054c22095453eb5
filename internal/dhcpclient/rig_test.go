package dhcpclient

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/netns"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
)

// rig is clients in virtual time on a link of our making, with a server behind it.
type rig struct {
	*Clients
	t   *testing.T
	dir string

	mu      sync.Mutex
	heard   []string // kinds of messages the server got
	wishes  []string // addresses that were asked for in DISCOVERs
	plugged []string // links that clients were on
	changed int      // calls of Changed
	missing bool     // there is no link
	alive   bool
	down    bool // it has no carrier
	silent  bool // the server says nothing
	refuse  bool // it says no
	give    netip.Addr
	client  socket.ClientHandler
}

var uplink = plan.Acquire{NS: "r1", Link: "uplink", MAC: ownMAC, Router: "r1", Uplink: "uplink"}

// inBubble runs a test with a rig; nothing is wanted yet.
func inBubble(t *testing.T, test func(*rig)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, dir: dir, give: netip.MustParseAddr("192.0.2.9"), alive: true}
		r.start()
		defer func() { r.Clients.Close() }()
		test(r)
	})
}

// start is the start of a daemon.
func (r *rig) start() {
	c, err := New(Options{Dir: r.dir, Namespace: func(string) (*netns.NS, bool) { return nil, true }, Changed: r.change})
	if err != nil {
		r.t.Fatal(err)
	}
	c.open = r.plug
	r.Clients = c
}

func (r *rig) change() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed++
}

func (r *rig) plug(_, link string, h socket.ClientHandler) (wire, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing {
		return nil, errGone
	}
	r.client, r.alive = h, true
	r.plugged = append(r.plugged, link)
	return wired{r}, nil
}

func (r *rig) is(flag *bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return *flag
}

func (r *rig) set(flag *bool, to bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*flag = to
}

func (r *rig) Running() bool          { return !r.is(&r.down) }
func (r *rig) Alive() bool            { return r.is(&r.alive) }
func (r *rig) Probe(netip.Addr) error { return nil }

// wired is the link as the clients close it.
type wired struct{ *rig }

func (wired) Close() error { return nil }

// Send answers as a server does.
func (r *rig) Send(p socket.Packet) error {
	m, err := dhcpv4.FromBytes(p.Payload)
	if err != nil {
		r.t.Error(err)
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.heard = append(r.heard, m.MessageType().String())
	if m.MessageType() == dhcpv4.MessageTypeDiscover {
		r.wishes = append(r.wishes, m.RequestedIPAddress().String())
	}
	kinds := map[dhcpv4.MessageType]dhcpv4.MessageType{dhcpv4.MessageTypeDiscover: dhcpv4.MessageTypeOffer, dhcpv4.MessageTypeRequest: dhcpv4.MessageTypeAck}
	kind, answers := kinds[m.MessageType()]
	if !answers || r.silent || r.down {
		return nil
	}
	if r.refuse && kind == dhcpv4.MessageTypeAck {
		kind = dhcpv4.MessageTypeNak
	}
	reply, err := dhcpv4.NewReplyFromRequest(m, dhcpv4.WithMessageType(kind), dhcpv4.WithYourIP(r.give.AsSlice()), dhcpv4.WithServerIP(server.AsSlice()),
		dhcpv4.WithOption(dhcpv4.OptServerIdentifier(server.AsSlice())), dhcpv4.WithLeaseTime(3600), dhcpv4.WithNetmask([]byte{255, 255, 255, 0}),
		dhcpv4.WithRouter(server.AsSlice()))
	if err != nil {
		r.t.Error(err)
		return nil
	}
	client := r.client
	time.AfterFunc(time.Millisecond, func() {
		client.DHCP4(socket.Packet{MAC: serverMAC, Payload: reply.ToBytes()})
	})
	return nil
}

// expect compares what the server heard and how often it was told since the last
// time.
func (r *rig) expect(changed int, want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.heard, want) || r.changed != changed {
		r.t.Errorf("the server heard %q, want %q; changed %d times, want %d", r.heard, want, r.changed, changed)
	}
	r.heard, r.changed = nil, 0
}

// has fails unless the uplink has that address, "" = none.
func (r *rig) has(want string) {
	r.t.Helper()
	got := ""
	if a, ok := r.Acquired()["r1/uplink"]; ok {
		got = fmt.Sprintf("%s via %s", a.Address, a.Gateway)
	}
	if got != want {
		r.t.Errorf("acquired %q, want %q", got, want)
	}
}
