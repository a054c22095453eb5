package lab

import (
	"context"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/verify/client"
)

// strangers ask gateway addresses for names. Only the guests of their own network
// are answered, also where packets get to the address: the server listens on their
// bridge, and Linux would otherwise answer for every address it has on every link.

// outsideName has a LAN host with a route ask.
func (s *sheet) outsideName(n *network, f family) {
	if gw := n.gateways(); gw.has(f) && dnsOn(n.spec) && !s.d.shared(n, f) {
		from := neighbourAddr
		if u := s.d.outward(n, f); u != nil {
			from = s.d.world.neighbourOf(u)
		}
		neighbour := s.d.stranger(s.d.world.neighbour, from)
		s.add("LAN host with a route → DNS", n, f, no, func(ctx context.Context) verdict { return neighbour.inquires(ctx, f, n) })
	}
}

// foreignNames has a guest ask all other networks' gateways.
func (s *sheet) foreignNames(n *network, f family) {
	var others []*network
	for _, o := range s.d.networks {
		if o != n && o.gateways().has(f) && dnsOn(o.spec) && !overlap(o, n, f) && !s.d.shared(o, f) && !s.d.above(n, o, f) {
			others = append(others, o)
		}
	}
	if n.guests[0].host != nil && !n.lan() && len(others) > 0 {
		s.add("guest → other networks' DNS", n, f, no, func(ctx context.Context) verdict { return n.guests[0].inquires(ctx, f, others...) })
	}
}

// inquires asks the gateways of networks for the name of a guest there, all at once.
func (p *party) inquires(ctx context.Context, f family, networks ...*network) verdict {
	verdicts := make(chan verdict)
	for _, n := range networks {
		go func() {
			q := client.Name{Name: n.seats[0].name + ".", Type: dnsmessage.TypeA}
			a, err := q.Ask(ctx, p.host.NS(), "udp", p.addr.addr(f), n.gateways().addr(f), patient)
			if err != nil {
				verdicts <- verdict{outcome: no, detail: err.Error()}
				return
			}
			verdicts <- verdict{outcome: "answered by " + n.name, detail: a.Code}
		}()
	}
	worst := verdict{outcome: no}
	for range networks {
		if v := <-verdicts; v.outcome != no {
			worst = v
		}
	}
	return worst
}
