package verify

import (
	"context"
	"fmt"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"

	"kvmnet/internal/spec"
	"kvmnet/internal/testhost"
	"kvmnet/internal/verify/client"
)

func dnsOn(n *spec.Network) bool { return n.DNS == nil || spec.Truth(n.DNS.Enabled) }

const dnsPort = 53

// names asks the gateway for a name that it must know by itself.
func (r *run) names(s *site, l *leg) (list []promise) {
	if !l.gateway.IsValid() || !l.a.IsValid() {
		return nil
	}
	what, q := ownName(s.net, l.gateway)
	for _, network := range []string{"udp", "tcp"} {
		text := fmt.Sprintf("guest → %s by DNS %s (%s)", what, l.gateway, network)
		if v, policy := r.rules.decide(toItself(s, l, s.name, l.gateway, knock{testhost.Proto(network), dnsPort})); v == refused {
			list = append(list, unproved(text, "an answer of its own", "policy "+policy+" refuses it"))
			continue
		}
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
func (r *run) hears(s, o *site) (list []promise) {
	for _, l := range s.legs {
		to := o.facing(l)
		if !s.first(l) || !l.a.IsValid() || to == nil || !to.gateway.IsValid() || to.router != l.router || s.owns(to.gateway) || o.broken != "" || !dnsOn(o.net) {
			continue
		}
		if v, _ := r.rules.decide(toItself(s, l, o.name, to.gateway, knock{testhost.UDP, dnsPort})); v == allowed {
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
