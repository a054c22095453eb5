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
	if gw := gatewaysOf(n.spec); gw.has(f) && dnsOn(n.spec) {
		neighbour := s.d.stranger(s.d.world.neighbour, neighbourAddr)
		s.add("LAN host with a route → DNS", n, f, no, func(ctx context.Context) verdict { return neighbour.strange(ctx, f, n) })
	}
}

// foreignNames has a guest ask all other networks' gateways.
func (s *sheet) foreignNames(n *network, f family) {
	var others []*network
	for _, o := range s.d.networks {
		if gw := gatewaysOf(o.spec); o != n && gw.has(f) && dnsOn(o.spec) {
			others = append(others, o)
		}
	}
	if n.guests[0].host != nil && n.spec.Mode.Managed() && len(others) > 0 {
		s.add("guest → other networks' DNS", n, f, no, func(ctx context.Context) verdict { return n.guests[0].strange(ctx, f, others...) })
	}
}

// strange asks the gateways of networks for the name of a guest there, all at once.
func (p *party) strange(ctx context.Context, f family, networks ...*network) verdict {
	verdicts := make(chan verdict)
	for _, n := range networks {
		go func() {
			q := client.Name{Name: n.seats[0].name + ".", Type: dnsmessage.TypeA}
			a, err := q.Ask(ctx, p.host.NS(), "udp", p.addr.addr(f), gatewaysOf(n.spec).addr(f), patient)
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
