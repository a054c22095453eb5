package manage

import (
	"context"
	"net/netip"

	"kvmnet/internal/api"
	"kvmnet/internal/netns"
	"kvmnet/internal/verify"
)

// Verify implements api.Service: it proves the promises of networks that run, and
// of the routers and policies that they lie behind, with packets of short-lived
// test hosts.
func (m *Manager) Verify(ctx context.Context, req api.VerifyRequest, report func(api.Check)) error {
	v, err := m.look(ctx)
	if err != nil {
		return err
	}
	for _, name := range req.Networks {
		if v.running.Networks[name] != nil {
			continue
		}
		if _, err := v.definition(name); err != nil {
			return err
		}
		return conflict("network %s does not run; start it with 'kvmnet net start %s'", name, name)
	}
	leases, err := m.Leases(ctx, "")
	if err != nil {
		return err
	}
	held := map[netip.Addr]bool{}
	for _, l := range leases {
		held[l.Address.Addr()] = true
	}
	live, facts := v.live(), v.report.Facts
	return internal(verify.Run(ctx, verify.Options{NS: m.ns, Running: live.Networks, Only: req.Networks, Outside: req.Outside,
		Held: held, Uplinks4: facts.Uplinks4, Uplinks6: facts.Uplinks6,
		Routers: live.Routers, Policies: live.Policies, Sets: live.Sets, Forwards: live.Forwards, Guests: facts.Guests,
		Namespace: func(router string) (*netns.NS, error) { return netns.Open(m.insight.Namespace(router)) },
	}, func(c verify.Check) {
		report(api.Check{Network: c.Network, Promise: c.Promise, Expected: c.Expected, Seen: c.Seen, OK: c.OK})
	}))
}
