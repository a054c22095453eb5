package hostlink

import "kvmnet/internal/spec"

// Op is one change in the kernel, printed as ip(8) would be told.
type Op interface{ String() string }

// Warning is what a move does not bring along, or changes, for people to read.
type Warning string

// Options are how a NIC is to be moved into a bridge.
type Options struct {
	Bridge string // its name
	STP    bool
	Delay  spec.Seconds // the forward delay, 0 = none, with STP the shortest
}
