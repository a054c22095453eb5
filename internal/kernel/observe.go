package kernel

import (
	"context"

	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// objectsPerLink sizes the state before it is filled.
const objectsPerLink = 16

// Observe returns all links, ours and foreign, with their up state, addresses,
// unicast routes of the main table and settings. The dumps follow one another,
// so what changes meanwhile may be seen half; Watch wakes for it.
func (k *Kernel) Observe(ctx context.Context) (plan.State, error) {
	devices, err := k.devices()
	if err != nil {
		return nil, err
	}
	v := view{ns: k.name, state: make(plan.State, objectsPerLink*len(devices)), release: k.release}
	v.addLinks(devices)
	for _, observe := range []func(*view) error{k.observeAddrs, k.observeRoutes, k.observeWhole} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := observe(&v); err != nil {
			return nil, err
		}
	}
	return v.state, nil
}

// view is an observation in the making.
type view struct {
	ns      string
	release release
	state   plan.State
	names   map[int]string    // of links, by index
	marks   map[int]plan.Mark // of links, by index
}

func (v *view) addLinks(devices []device) {
	v.names = make(map[int]string, len(devices))
	v.marks = make(map[int]plan.Mark, len(devices))
	for i := range devices {
		d := &devices[i]
		v.names[d.index], v.marks[d.index] = d.name, d.mark()
	}
	for i := range devices {
		d := &devices[i]
		v.state.Add(d.link(v.ns, v.names))
		if d.flags&unix.IFF_UP != 0 {
			v.state.Add(plan.Up{Mark: d.mark(), NS: v.ns, Link: d.name})
		}
		v.addSettings(d)
	}
}

// markOn is the mark of an address or route of ours on a link.
func (v *view) markOn(index int) plan.Mark {
	if m := v.marks[index]; m != "" {
		return m
	}
	return Host
}
