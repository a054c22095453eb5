package dhcp4

import (
	"net"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"kvmnet/internal/captured"
	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
	"kvmnet/internal/spec"
)

// capture is a message that a real client sent, see testdata/captured/README.md.
type capture struct {
	client, kind string // of its file's name
	from, to     netip.Addr
	payload      []byte
	*dhcpv4.DHCPv4
}

// fileName is CLIENT-KIND.
var fileName = regexp.MustCompile(`^(.+?)-(discover(?:-again)?|request-\w+|release|decline|inform)$`)

// messages reads testdata/captured, by the name of the file.
func messages(t testing.TB) map[string]capture {
	t.Helper()
	list := map[string]capture{}
	for file, c := range captured.Read(t) {
		name := fileName.FindStringSubmatch(file)
		if name == nil {
			t.Fatalf("%s: is not CLIENT-KIND", file)
		}
		m, err := dhcpv4.FromBytes(c.Payload)
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list[file] = capture{name[1], name[2], c.From, c.To, c.Payload, m}
	}
	return list
}

// captureNet is the network that the clients were captured on, with one behind a
// relay agent.
func captureNet() *plan.DHCP {
	scope := func(prefix, server, from, to, relay string) plan.Scope {
		return plan.Scope{Prefix: netip.MustParsePrefix(prefix), Server: addr(server), Lease: 3600, Domain: "lab.internal",
			Ranges: []plan.Range{{From: addr(from), To: addr(to)}}, Relays: []netip.Addr{addr(relay)},
			Options: []plan.Option{{Code: 3, Data: string(ip4(server))}}}
	}
	return &plan.DHCP{PerPort: 8, Scopes: []plan.Scope{
		scope("10.9.0.0/24", "10.9.0.1", "10.9.0.10", "10.9.0.99", "10.9.0.2"),
		scope("10.10.0.0/24", "10.10.0.1", "10.10.0.10", "10.10.0.99", "10.10.0.1"),
	}}
}

// hear handles a message as it came, and returns what was answered.
func (r *rig) hear(c capture) reply {
	r.Helper()
	frame := spec.MAC(c.ClientHWAddr)
	if !c.GatewayIPAddr.IsUnspecified() {
		frame = guest(99)
	}
	r.server.Handle(socket.Packet{MAC: frame, From: netip.AddrPortFrom(c.from, 68), To: netip.AddrPortFrom(c.to, 67), Payload: c.payload})
	time.Sleep(patience + time.Millisecond)
	synctest.Wait()
	if list := r.take(); len(list) > 0 {
		return list[0]
	}
	return reply{}
}

// wanted is the address that a message is about, "" for none.
func (c capture) wanted() string {
	switch {
	case c.RequestedIPAddress() != nil:
		return c.RequestedIPAddress().String()
	case !c.ClientIPAddr.Equal(net.IPv4zero):
		return c.ClientIPAddr.String()
	}
	return ""
}

// before is what the client had to send before a message that ends its lease. What
// perfdhcp captured is of different clients.
func (c capture) before(all map[string]capture) (capture, bool) {
	b, ok := all[c.client+"-request-selecting"]
	return b, ok && (c.kind == "release" || c.kind == "decline") && b.ClientHWAddr.String() == c.ClientHWAddr.String()
}

func TestCapturedMessagesAreAnswered(t *testing.T) {
	t.Parallel()
	all := messages(t)
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			world(t, captureNet(), func(r *rig) {
				before, ends := c.before(all)
				if ends {
					r.want("request", r.hear(before), "ack "+before.wanted())
				}
				r.answersCapture(c, r.hear(c))
				if ends {
					r.ended(c)
				}
				n := r.server.Counters()
				if n.Malformed+n.BOOTP+n.NotEthernet+n.Unexpected+n.OtherServer+n.NoScope != 0 {
					t.Errorf("counters %+v", n)
				}
			})
		})
	}
}

// answersCapture checks the answer to a message by its kind.
func (r *rig) answersCapture(c capture, got reply) {
	r.Helper()
	switch kind, _, _ := strings.Cut(c.kind, "-"); kind {
	case "discover":
		want := "offer"
		if c.Options.Has(dhcpv4.GenericOptionCode(optRapidCommit)) {
			want = "ack"
		}
		if verb, a, _ := strings.Cut(got.String(), " "); verb != want || c.kind == "discover-again" && a != c.wanted() {
			r.Errorf("%s %s: got %s", c.client, c.kind, got)
		}
	case "request":
		r.want(c.kind, got, "ack "+c.wanted())
	case "inform":
		r.want(c.kind, got, "ack 0.0.0.0")
	default:
		r.want(c.kind, got, "silence")
	}
}

// ended checks that the client lost its lease.
func (r *rig) ended(c capture) {
	r.Helper()
	a := addr(c.wanted())
	if l, ok := r.table.At(a); ok && l.State == lease.Bound {
		r.Errorf("after %s %s is still bound", c.kind, a)
	}
	if n := r.server.Counters(); n.NotHeld != 0 {
		r.Errorf("%s is not the client's: %+v", a, n)
	}
}
