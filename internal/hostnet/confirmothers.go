package hostnet

import (
	"context"
	"slices"

	"kvmnet/internal/api"
	"kvmnet/internal/confirm"
)

// Arm makes a change of a kind of others, and has it wait for a confirmation as
// conversions do. It tells whose new connection confirms it, over any interface.
func (h *Host) Arm(ctx context.Context, c confirm.Change, p api.Peer, do func(context.Context) error) (change api.HostChange, watches string, err error) {
	e, err := h.journal.Make(ctx, c, func(ctx context.Context, _ confirm.Change) error { return do(ctx) })
	if err != nil {
		return tell(e), "", refuse(err)
	}
	s, found := readSession(p)
	known := slices.ContainsFunc(h.flows(e), func(f liveFlow) bool { return f.remote == s.client && f.local.Port() == s.server.Port() })
	if found && known {
		h.watchPeer(e, s, "")
		watches = s.String()
	}
	return tell(e), watches, nil
}
