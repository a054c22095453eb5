package manage

import (
	"context"
	"path/filepath"

	"kvmnet/internal/api"
	"kvmnet/internal/doctor"
	"kvmnet/internal/spec"
)

// Insight asks the kernel for what the loop does not need to know: who is where,
// and what was counted. A namespace is named as in package plan: the name of its
// router, or "" for the daemon's own. One that is not there holds nothing, which is
// no error. It is asked from any goroutine.
type Insight interface {
	// Namespace is the path by which the namespace of a router is entered.
	Namespace(router string) string
	// Neighbours lists whose MAC is known in a namespace, sorted.
	Neighbours(ctx context.Context, ns string) ([]api.Neighbour, error)
	// Traffic counts what passed the links of a namespace, by their names.
	Traffic(ctx context.Context, ns string) (map[string]api.Traffic, error)
	// Hits tells how often the elements of our table's maps were used, by the ID of
	// their plan.Key: "forward4 tcp . 8080".
	Hits(ctx context.Context, ns string) (map[string]api.Counter, error)
	// Rules tells how often the rules of made chains decided, by their comment:
	// "policy/web allow 0". Rules with the same comment are added up.
	Rules(ctx context.Context, ns string) (map[string]api.Counter, error)
	// Refused counts the packets that our tables refused, by reason.
	Refused(ctx context.Context, ns string) (map[string]uint64, error)
	// Guarded counts the frames that guards refused, by the number of the interface and
	// by the part of the guard, as spec.GuardWords.
	Guarded(ctx context.Context) (map[int]map[string]uint64, error)
	// Surroundings adds to a patient what is around our networks: other firewalls and
	// managers, settings, resolvers and changes that wait.
	Surroundings(ctx context.Context, p *doctor.Patient) error
	// Listeners finds who listens in a namespace now.
	Listeners(ctx context.Context, ns string, protocol spec.Protocol) (Holder, error)
}

// Holder names the process that listens on a port of those, such as "nginx (pid
// 812)", on the address or on all; "" when nobody does.
type Holder func(on spec.Listen) string

// Nobody is the Holder of a namespace in which nobody listens.
func Nobody(spec.Listen) string { return "" }

// blind is an Insight that knows nothing.
type blind struct{}

func (blind) Namespace(router string) string { return filepath.Join("/run/netns", router) }

func (blind) Neighbours(context.Context, string) ([]api.Neighbour, error) { return nil, nil }

func (blind) Traffic(context.Context, string) (map[string]api.Traffic, error) { return nil, nil }

func (blind) Hits(context.Context, string) (map[string]api.Counter, error) { return nil, nil }

func (blind) Refused(context.Context, string) (map[string]uint64, error) { return nil, nil }

func (blind) Guarded(context.Context) (map[int]map[string]uint64, error) { return nil, nil }

func (blind) Rules(context.Context, string) (map[string]api.Counter, error) { return nil, nil }

func (blind) Surroundings(context.Context, *doctor.Patient) error { return nil }

func (blind) Listeners(context.Context, string, spec.Protocol) (Holder, error) { return Nobody, nil }

// plus adds to a counter that of a name, if it is counted; nil is a counter of
// nothing that counts.
func plus(total *api.Counter, counted map[string]api.Counter, name string) *api.Counter {
	c, there := counted[name]
	switch {
	case !there:
		return total
	case total == nil:
		return &c
	}
	return &api.Counter{Packets: total.Packets + c.Packets, Bytes: total.Bytes + c.Bytes}
}
