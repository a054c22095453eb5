package hostnet

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"kvmnet/internal/api"
	"kvmnet/internal/confirm"
	"kvmnet/internal/netfiles"
	"kvmnet/internal/spec"
)

// defaultWithin is how long a change waits unless it is said: time enough to type a
// password, and not so long that somebody drives to the machine.
const defaultWithin = spec.Seconds(60)

// job is a change of a bridge, worked out and not begun.
type job struct {
	bridge, nic string
	into        bool // the NIC gets into the bridge; else out of it
	move        move
	manager     netfiles.Manager // "" = no files are written
	files       []netfiles.Change
	shield      []netfiles.Change // that keeps a manager away until the change is over; a boot forgets it
	warnings    []string
}

func (j job) what() string {
	if j.into {
		return j.nic + " into " + j.bridge
	}
	return j.nic + " out of " + j.bridge
}

// ConvertBridge implements api.BridgeService.
func (h *Host) ConvertBridge(ctx context.Context, r api.ConvertBridge) (api.Conversion, error) {
	return h.change(ctx, r.ConfirmWithin, r.Peer, r.Plan, func() (job, error) { return h.planInto(r) })
}

// UnconvertBridge implements api.BridgeService.
func (h *Host) UnconvertBridge(ctx context.Context, r api.UnconvertBridge) (api.Conversion, error) {
	return h.change(ctx, r.ConfirmWithin, r.Peer, r.Plan, func() (job, error) { return h.planBack(r.Bridge) })
}

// change works a change out and makes it. The steps: plan, arm, move, and wait for a
// new connection of who asked.
func (h *Host) change(ctx context.Context, within spec.Seconds, peer api.Peer, onlyPlan bool, plan func() (job, error)) (api.Conversion, error) {
	h.turns.Lock()
	defer h.turns.Unlock()
	j, err := plan()
	if err != nil {
		return api.Conversion{}, refuse(err)
	}
	c := api.Conversion{Manager: string(j.manager), Ops: j.move.Ops, Files: netfiles.Diff(j.files), Outage: expected, Warnings: j.warnings}
	if onlyPlan {
		return c, nil
	}
	armed, err := j.arming(time.Duration(cmp.Or(within, defaultWithin)) * time.Second)
	if err != nil {
		return api.Conversion{}, refuse(err)
	}
	s, watching := h.comesBy(peer, j.leaves())
	if peer.Client != "" && !watching {
		c.Warnings = append(c.Warnings, fmt.Sprintf("your session does not come by %s: no new connection confirms by itself", j.leaves()))
	}
	entry, err := h.journal.Make(ctx, armed, func(ctx context.Context, _ confirm.Change) error {
		if err := h.put(ctx, j.manager, j.shield); err != nil {
			return err
		}
		err := h.kernel.apply(ctx, j.move)
		c.Outage = j.move.outage.Round(100 * time.Microsecond).String()
		c.Warnings = append(c.Warnings, *j.move.late...)
		return err
	})
	h.Moved()
	if err != nil {
		return api.Conversion{}, refuse(fmt.Errorf("move %s: %w", j.what(), err))
	}
	if watching {
		h.watchPeer(entry, s, j.arrives())
		c.Watches = s.String()
	}
	change := tell(entry)
	c.Change = &change
	return c, nil
}

// expected is what a conversion takes: what is between the first op and the last that
// matter to packets.
const expected = "some milliseconds"

// leaves and arrives are the interfaces that have the addresses before and after.
func (j job) leaves() string {
	if j.into {
		return j.nic
	}
	return j.bridge
}

func (j job) arrives() string {
	if j.into {
		return j.bridge
	}
	return j.nic
}

// comesBy finds the session of who asked, if it comes by the interface.
func (h *Host) comesBy(p api.Peer, iface string) (session, bool) {
	s, found := readSession(p)
	if !found {
		return s, false
	}
	for _, f := range h.flows(confirm.Entry{}) {
		if f.remote == s.client && f.local.Port() == s.server.Port() {
			return s, h.wayTo(f.flow) == iface
		}
	}
	return s, false
}

// bridgeKind is the kind of changes of this file.
const bridgeKind = "bridge"

// before and after are what the journal keeps of a job.
type (
	before struct {
		NIC     string            `json:"nic"`
		Bridge  string            `json:"bridge"`
		Kernel  json.RawMessage   `json:"kernel"`
		Manager netfiles.Manager  `json:"manager,omitempty"`
		Shield  []netfiles.Change `json:"shield,omitempty"`
	}
	after struct {
		Into   bool              `json:"into"`
		Record record            `json:"record"`
		Shield []netfiles.Change `json:"shield,omitempty"`
	}
)

// arming is the entry of the journal.
func (j job) arming(within time.Duration) (confirm.Change, error) {
	then, err := json.Marshal(before{j.nic, j.bridge, j.move.Before, j.manager, j.shield})
	if err != nil {
		return confirm.Change{}, err
	}
	next, err := json.Marshal(after{j.into, record{Bridge: j.bridge, NIC: j.nic, Manager: j.manager, Files: j.files, Own: j.move.Own, Made: time.Now()}, j.shield})
	return confirm.Change{Kind: bridgeKind, What: j.what(), Holds: []string{j.nic, j.bridge}, Within: within, Before: then, After: next}, err
}
