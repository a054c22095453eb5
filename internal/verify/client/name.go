package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
)

const dnsPort = 53

// Name is a question for a name.
type Name struct {
	Name string // complete, with a final dot
	Type dnsmessage.Type
}

// Answer is what a DNS server says.
type Answer struct {
	Code          string       // "NoError"
	Authoritative bool         // the server knows by itself
	SOA           string       // whose start of authority is told, in answer or authority; "" = nobody's
	Addrs         []netip.Addr // A and AAAA records
	Targets       []string     // PTR records
}

// Query asks a server for a name over UDP past the IP stack, by way of an Ethernet
// address: as somebody does who has no route there. nil is silence.
func (c *Client) Query(ctx context.Context, wait time.Duration, n Name, hop spec.MAC, from, to netip.Addr) (*Answer, error) {
	id := newID()
	q, err := n.message(id)
	if err != nil {
		return nil, err
	}
	port := 32768 + id%28000
	p := testhost.Packet{Proto: testhost.UDP, DstMAC: hop, Src: from, Dst: to, SrcPort: port, DstPort: dnsPort, Payload: q}
	var a *Answer
	_, _, err = c.ask(ctx, p, wait, func(f frame) bool {
		if f.Proto != testhost.UDP || f.SrcPort != dnsPort || f.DstPort != port {
			return false
		}
		got, err := n.read(id, f.Payload)
		if err == nil {
			a = got
		}
		return err == nil
	})
	return a, err
}

func newID() uint16 { return uint16(rand.Uint32()) }

func (n Name) message(id uint16) ([]byte, error) {
	name, err := dnsmessage.NewName(n.Name)
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", n.Name, err)
	}
	m := dnsmessage.Message{Header: dnsmessage.Header{ID: id, RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: name, Type: n.Type, Class: dnsmessage.ClassINET}}}
	return m.Pack()
}

// read takes an answer apart; one to another question is an error.
func (n Name) read(id uint16, b []byte) (*Answer, error) {
	var m dnsmessage.Message
	if err := m.Unpack(b); err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if !m.Response || m.ID != id || len(m.Questions) != 1 || !strings.EqualFold(m.Questions[0].Name.String(), n.Name) {
		return nil, errors.New("an answer to another question")
	}
	a := &Answer{Code: strings.TrimPrefix(m.RCode.String(), "RCode"), Authoritative: m.Authoritative}
	for _, r := range append(m.Answers, m.Authorities...) {
		switch body := r.Body.(type) {
		case *dnsmessage.SOAResource:
			a.SOA = r.Header.Name.String()
		case *dnsmessage.AResource:
			a.Addrs = append(a.Addrs, netip.AddrFrom4(body.A))
		case *dnsmessage.AAAAResource:
			a.Addrs = append(a.Addrs, netip.AddrFrom16(body.AAAA))
		case *dnsmessage.PTRResource:
			a.Targets = append(a.Targets, body.PTR.String())
		}
	}
	return a, nil
}

// ReverseName is the name that asks for the name of an address (RFC 1035 section
// 3.5, RFC 3596 section 2.5).
func ReverseName(a netip.Addr) string {
	b, name := a.AsSlice(), ""
	for i := len(b) - 1; i >= 0; i-- {
		if a.Is4() {
			name += fmt.Sprintf("%d.", b[i])
		} else {
			name += fmt.Sprintf("%x.%x.", b[i]&15, b[i]>>4)
		}
	}
	if a.Is4() {
		return name + "in-addr.arpa."
	}
	return name + "ip6.arpa."
}
