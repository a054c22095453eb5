package verify

import (
	"context"
	"fmt"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/spec"
	"kvmnet/internal/verify/client"
)

func dnsOn(n *spec.Network) bool { return n.DNS == nil || spec.Truth(n.DNS.Enabled) }

// names asks the gateway for a name that it must know by itself.
func names(s *site, l *leg) (list []promise) {
	if !l.gateway.IsValid() || !l.a.IsValid() {
		return nil
	}
	what, q := ownName(s.net, l.gateway)
	for _, network := range []string{"udp", "tcp"} {
		text := fmt.Sprintf("guest → %s by DNS %s (%s)", what, l.gateway, network)
		list = append(list, promise{text, "an answer of its own", func(ctx context.Context) (string, bool) {
			a, err := q.Ask(ctx, s.a.host.NS(), network, l.a, l.gateway, patience)
			if err != nil {
				return "no answer: " + err.Error(), false
			}
			return owns(a)
		}})
	}
	return list
}

// ownName is what every gateway knows: who has authority over the network's
// domain, or, without one, what the gateway's own name is, or that it has none.
func ownName(n *spec.Network, gateway netip.Addr) (what string, q client.Name) {
	if n.DNS != nil && n.DNS.Domain != "" {
		return "SOA of " + n.DNS.Domain, client.Name{Name: n.DNS.Domain + ".", Type: dnsmessage.TypeSOA}
	}
	return "name of the gateway", client.Name{Name: client.ReverseName(gateway), Type: dnsmessage.TypePTR}
}

// owns judges an answer: one that was only passed on has no authority.
func owns(a *client.Answer) (string, bool) {
	switch {
	case !a.Authoritative:
		return "an answer of somebody else: " + a.Code, false
	case a.SOA == "" && len(a.Targets) == 0:
		return "an answer without a word about the zone: " + a.Code, false
	}
	return "an answer of its own", true
}

// hears asks another network's gateway for names. It is that network's guests'
// only, also where the host's firewall lets everything through: the server listens
// on their bridge.
func hears(s, o *site) (list []promise) {
	for _, l := range s.legs {
		to := o.leg(l.v6())
		if s.leg(l.v6()) != l || !l.a.IsValid() || to == nil || !to.gateway.IsValid() || o.broken != "" || !dnsOn(o.net) {
			continue
		}
		_, q := ownName(o.net, to.gateway)
		text := fmt.Sprintf("guest → names by DNS %s of %s (udp)", to.gateway, o.name)
		list = append(list, promise{text, "no answer", func(ctx context.Context) (string, bool) {
			switch a, err := s.client.Query(ctx, quiet, q, l.hop, l.a, to.gateway); {
			case err != nil:
				return err.Error(), false
			case a != nil:
				return "answered: " + a.Code, false
			}
			return "no answer", true
		}})
	}
	return list
}
