package manage

import (
	"context"
	"net/netip"

	"kvmnet/internal/api"
	"kvmnet/internal/verify"
)

// Verify implements api.Service: it proves the promises of networks that run
// with packets of a short-lived test host.
func (m *Manager) Verify(ctx context.Context, req api.VerifyRequest, report func(api.Check)) error {
	w, err := m.world()
	if err != nil {
		return internal(err)
	}
	for _, name := range req.Networks {
		if w.running.Networks[name] != nil {
			continue
		}
		if _, err := w.definition(name); err != nil {
			return err
		}
		return conflict("network %s does not run; start it with 'kvmnet net start %s'", name, name)
	}
	s, err := m.engine.Snapshot(ctx)
	if err != nil {
		return internal(err)
	}
	leases, err := m.Leases(ctx, "")
	if err != nil {
		return err
	}
	held := map[netip.Addr]bool{}
	for _, l := range leases {
		held[l.Address.Addr()] = true
	}
	return internal(verify.Run(ctx, verify.Options{NS: m.ns, Running: w.running.Networks, Only: req.Networks, Outside: req.Outside,
		Held: held, Uplinks4: s.Last.Facts.Uplinks4, Uplinks6: s.Last.Facts.Uplinks6}, func(c verify.Check) {
		report(api.Check{Network: c.Network, Promise: c.Promise, Expected: c.Expected, Seen: c.Seen, OK: c.OK})
	}))
}
