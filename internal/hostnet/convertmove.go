package hostnet

import (
	"context"
	"encoding/json"
	"time"

	"kvmnet/internal/spec"
)

// kernel moves what an interface has. It is hostlink, but for tests of what becomes of
// its failures.
type kernel interface {
	// into works out how a NIC gets into a bridge, which is made if it is not there.
	into(nic, bridge string, o bridgeOptions) (move, error)
	// back works out how it gets out again, with all that the bridge has but its own.
	back(bridge, nic string, own json.RawMessage) (move, error)
	// apply makes a move; revert goes back to what there was before one, however much of
	// it was made.
	apply(ctx context.Context, m move) error
	revert(ctx context.Context, before json.RawMessage) error
	// exists reports whether there is an interface of that name.
	exists(name string) (bool, error)
}

// bridgeOptions are settings of a bridge.
type bridgeOptions struct {
	STP   bool
	Delay spec.Seconds
}

// move is what is to be done, and what there was before it.
type move struct {
	Ops      []string // as ip(8) would be told
	Before   json.RawMessage
	Own      json.RawMessage    // what the bridge had before a NIC came into it; nil = it was not there
	Live     spec.HostInterface // the NIC as it is now
	Warnings []string

	do     func(context.Context) error
	outage *time.Duration // once it is made: how long packets had no way
	late   *[]string      // and what failed then that is no reason to go back
}
