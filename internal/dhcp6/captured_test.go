package dhcp6

import (
	"bytes"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv6"
	"github.com/insomniacslk/dhcp/iana"

	"kvmnet/internal/captured"
	"kvmnet/internal/lease"
	"kvmnet/internal/plan"
	"kvmnet/internal/socket"
)

// capture is a message that a real client or relay agent sent, see
// testdata/captured/README.md.
type capture struct {
	client, kind string // of its file's name
	from, to     netip.Addr
	payload      []byte
	*dhcpv6.Message
}

// fileName is CLIENT-KIND.
var fileName = regexp.MustCompile(`^(.+?)-((?:relayed-)?(?:solicit|request|confirm|renew|rebind|release|decline|information-request))$`)

// messages reads testdata/captured, by the name of the file.
func messages(t testing.TB) map[string]capture {
	t.Helper()
	list := map[string]capture{}
	for file, c := range captured.Read(t) {
		name := fileName.FindStringSubmatch(file)
		if name == nil {
			t.Fatalf("%s: is not CLIENT-KIND", file)
		}
		list[file] = capture{name[1], name[2], c.From, c.To, c.Payload, innermost(t, c.Payload)}
	}
	return list
}

// innermost is the client's message.
func innermost(t testing.TB, b []byte) *dhcpv6.Message {
	t.Helper()
	m, err := dhcpv6.FromBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	inner, err := m.GetInnerMessage()
	if err != nil {
		t.Fatal(err)
	}
	return inner
}

// captureNet is the network that the clients were captured on, with one behind a
// relay agent.
func captureNet() *plan.DHCP {
	scope := func(prefix, server, from, to string) plan.Scope {
		return plan.Scope{Prefix: netip.MustParsePrefix(prefix), Server: addr(server), Lease: 3600, Relays: []netip.Addr{addr("fd09::2")},
			Ranges: []plan.Range{{From: addr(from), To: addr(to)}}, Options: []plan.Option{{Code: 23, Data: string(addr(server).AsSlice())}}}
	}
	return &plan.DHCP{PerPort: 8, Scopes: []plan.Scope{
		scope("fd09::/64", "fd09::1", "fd09::10", "fd09::ff"), scope("fd10::/64", "fd10::1", "fd10::10", "fd10::99"),
	}}
}

// hear handles a message as it came, by the server that it is for.
func (r *rig) hear(c capture) *dhcpv6.Message {
	r.t.Helper()
	if o := c.Options.GetOne(dhcpv6.OptionServerID); o != nil {
		r.duid = string(o.ToBytes())
	}
	port := uint16(clientPort)
	if strings.HasPrefix(c.kind, "relayed-") {
		port = serverPort
	}
	p := r.ask(socket.Packet{MAC: macA, From: netip.AddrPortFrom(c.from, port), To: netip.AddrPortFrom(c.to, serverPort), Payload: c.payload})
	m := innermost(r.t, p.Payload)
	if !bytes.Equal(m.TransactionID[:], c.TransactionID[:]) || p.To.Addr() != c.from {
		r.t.Errorf("answered to %s: %s", p.To, m.Summary())
	}
	return m
}

func TestCapturedMessagesAreAnswered(t *testing.T) {
	t.Parallel()
	all := messages(t)
	for name, c := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, captureNet())
			before, ends := all[c.client+"-request"]
			if ends = ends && (c.kind == "release" || c.kind == "decline") && before.Options.ClientID().Equal(c.Options.ClientID()); ends {
				r.granted(before, r.hear(before))
			}
			r.answers(c, r.hear(c))
			if ends {
				r.gone(before)
			}
			n := r.Counters()
			if n.Malformed+n.Invalid+n.Foreign+n.Silent+n.Limited+n.Forged != 0 {
				t.Errorf("counters %+v", n)
			}
		})
	}
}

// answers checks the answer to a message by its kind.
func (r *rig) answers(c capture, m *dhcpv6.Message) {
	r.t.Helper()
	kind := dhcpv6.MessageTypeReply
	if c.MessageType == doSolicit && c.Options.GetOne(dhcpv6.OptionRapidCommit) == nil {
		kind = dhcpv6.MessageTypeAdvertise
	}
	if m.MessageType != kind {
		r.t.Fatalf("answered with %s", m.Summary())
	}
	switch c.MessageType {
	case doSolicit, doRequest, doRenew, doRebind:
		r.granted(c, m)
	case doInform:
		if len(m.Options.DNS()) != 1 {
			r.t.Errorf("told no name server: %s", m.Summary())
		}
	default: // CONFIRM, RELEASE, DECLINE
		if s := m.Options.Status(); s == nil || s.StatusCode != iana.StatusSuccess {
			r.t.Errorf("answered with %s", m.Summary())
		}
	}
}

// granted checks that every IA_NA is given an address: the one that the client
// named, if it did.
func (r *rig) granted(c capture, m *dhcpv6.Message) {
	r.t.Helper()
	if len(c.Options.IANA()) == 0 {
		r.t.Fatal("it asks for nothing")
	}
	for _, ask := range c.Options.IANA() {
		got := given(r.t, m, number(ask))
		want := ask.Options.OneAddress()
		if !got.IsValid() || want != nil && !want.IPv6Addr.Equal(got.AsSlice()) {
			r.t.Errorf("given %s, want %v", got, want)
		}
	}
}

func number(o *dhcpv6.OptIANA) uint32 {
	id := o.IaId
	return uint32(id[0])<<24 | uint32(id[1])<<16 | uint32(id[2])<<8 | uint32(id[3])
}

// gone checks that what the client asked for before is not its own any more.
func (r *rig) gone(before capture) {
	r.t.Helper()
	for _, ask := range before.Options.IANA() {
		a, _ := netip.AddrFromSlice(ask.Options.OneAddress().IPv6Addr)
		if l, ok := r.table.At(a); ok && l.State == lease.Bound {
			r.t.Errorf("%s is still bound", a)
		}
	}
}
